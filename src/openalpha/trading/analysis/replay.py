"""Replay: the tape alone, led through a fresh desk, must give every decision and order again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openalpha.core.messages import Environment
from openalpha.store.run_log import INPUTS, Frame, FrameKind, read
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Desk
from openalpha.trading.paper.recovery_log import lead_through
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.notes import Output
from openalpha.trading.run.plan import circumstances
from openalpha.trading.venue.desk import VenueDesk

__all__ = ["Difference", "Verdict", "changed_circumstances", "compare_frames", "replay"]

_NAMES = {
    FrameKind.DECISION: "decisions",
    FrameKind.INTENT: "orders",
    FrameKind.NOTE: "fills and notes",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the log and the replay part."""

    seq: int
    logged: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay found.

    Parameters
    ----------
    inputs : int
        Frames of the tape.
    same : dict of str to int
        Outputs that are equal to the byte, by what they are.
    differences : tuple of Difference
        The first ones.
    count : int
        How many differ, are missing or too many.
    changed : dict
        What of the circumstances differs from the record: (then, now).
    """

    inputs: int
    same: dict[str, int]
    differences: tuple[Difference, ...]
    count: int
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether everything came out again, to the byte."""
        return self.count == 0


def changed_circumstances(record: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what a run's bytes depend on that is not as it was: name -> (then, now)."""
    then, now = record.get("versions", {}), circumstances()
    return {
        name: (str(then.get(name, "")), now.get(name, ""))
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    }


def replay(
    folder: RunFolder, *, strategies: Path | None = None, tape: Iterable[Frame] | None = None
) -> Verdict:
    """Lead a fresh desk through a run's tape and compare all it says with the log.

    Parameters
    ----------
    strategies : Path, optional
        The user's folder of strategy files.
    tape : iterable of Frame, optional
        Inputs to use instead of the run's own.

    Raises
    ------
    InputError
        If the run has no tape, or a strategy was changed since.
    """
    frames = read(folder.log, INPUTS) if tape is None else tape
    counted = _Counted(frames)
    produced = _outputs(folder, counted, strategies)
    logged = read(folder.log, frozenset(_NAMES))
    found = compare_frames(logged, produced)
    return Verdict(
        counted.count, found[0], found[1], found[2], changed_circumstances(folder.record())
    )


def _outputs(
    folder: RunFolder, frames: Iterable[Frame], strategies: Path | None
) -> Iterator[Output]:
    """Yield all that a fresh desk of the run's kind says to its inputs."""
    plan = folder.plan()
    if plan.environment is Environment.PAPER:
        for _, outcome in lead_through(Desk(plan, folder=strategies), frames):
            yield from outcome.outputs
        return
    desk = VenueDesk(plan, run_id=folder.id, folder=strategies)
    for frame in frames:
        if frame.kind is FrameKind.STATE:
            continue  # what a segment begins with follows from the tape
        item = Input(frame.kind, frame.payload, frame.ts_ms)
        yield from desk.apply(frame.seq, item).outputs


def compare_frames(
    logged: Iterable[Frame], produced: Iterable[Output], *, shown: int = 5
) -> tuple[dict[str, int], tuple[Difference, ...], int]:
    """Return how many outputs are the same by kind, the first differences, and how many differ."""
    same = dict.fromkeys(_NAMES.values(), 0)
    differences: list[Difference] = []
    count = 0
    old, new = iter(logged), iter(produced)
    while True:
        frame, output = next(old, None), next(new, None)
        if frame is None and output is None:
            return same, tuple(differences), count
        if frame is not None and output == (frame.kind, frame.payload):
            same[_NAMES[frame.kind]] += 1
            continue
        count += 1
        if len(differences) < shown:
            differences.append(
                Difference(
                    0 if frame is None else frame.seq,
                    "" if frame is None else frame.payload.decode(),
                    "" if output is None else output[1].decode(),
                )
            )


class _Counted:
    """Counts what passes by."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self.count = 0

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.count += 1
            yield frame
