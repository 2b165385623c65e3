"""Starting and recovering are one path: a desk is led through its log to where it stood."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from openalpha.core.errors import DataError
from openalpha.store.run_log import INPUTS, Frame, FrameKind
from openalpha.trading.feeds.feed import CHUNK
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Desk, Outcome
from openalpha.trading.run.notes import Output

__all__ = ["Recovered", "input_batches", "lead_through", "recover"]


@dataclass(slots=True)
class Recovered:
    """What a log held.

    Attributes
    ----------
    inputs : int
        Inputs applied again.
    missing : list of (ts_ms, output)
        Outputs the log lacked: the process died before they were written.
    last_ts_ms : int
        Stamp of the last input; 0 without one.
    """

    inputs: int = 0
    missing: list[tuple[int, Output]] = field(default_factory=list)
    last_ts_ms: int = 0


def input_batches(frames: Iterable[Frame]) -> Iterator[list[tuple[int, Input]]]:
    """Yield the inputs among frames, some at a time."""
    batch: list[tuple[int, Input]] = []
    for frame in frames:
        if frame.kind in INPUTS and frame.kind is not FrameKind.STATE:
            batch.append((frame.seq, Input(frame.kind, frame.payload, frame.ts_ms)))
            if len(batch) >= CHUNK:
                yield batch
                batch = []
    if batch:
        yield batch


def lead_through(desk: Desk, frames: Iterable[Frame]) -> Iterator[tuple[Input, Outcome]]:
    """Lead a desk through the inputs among frames; yield what each led to."""
    for batch in input_batches(frames):
        outcomes = desk.apply_many(batch)
        yield from zip((item for _, item in batch), outcomes, strict=True)


def recover(
    desk: Desk, frames: list[Frame], *, post: Callable[[list[Outcome]], object]
) -> Recovered:
    """Lead a desk through its own log, and hand what it did to the books once more.

    Parameters
    ----------
    frames : list of Frame
        The whole log.
    post : callable
        Takes outcomes in order; posting again changes nothing.

    Raises
    ------
    DataError
        If the log's outputs are not what its inputs lead to: the program or the machine changed.
    """
    logged = [
        (frame.seq, frame.kind, frame.payload) for frame in frames if frame.kind not in INPUTS
    ]
    found, at = Recovered(), 0
    for batch in input_batches(frames):
        outcomes = desk.apply_many(batch)
        for (_, item), outcome in zip(batch, outcomes, strict=True):
            found.inputs += 1
            found.last_ts_ms = item.ts_ms
            for output in outcome.outputs:
                if at < len(logged):
                    _same(logged[at], output)
                    at += 1
                else:
                    found.missing.append((item.ts_ms, output))
        post(outcomes)
    if at < len(logged):
        raise DataError(
            f"the log's frame {logged[at][0]} follows from none of its inputs; nothing was traded"
        )
    return found


def _same(logged: tuple[int, FrameKind, bytes], output: Output) -> None:
    if (logged[1], logged[2]) != output:
        raise DataError(
            f"the log says in frame {logged[0]} {logged[2].decode()}, its inputs lead to "
            f"{output[1].decode()}: the program or the machine changed since; `openalpha replay` "
            "says what, and a new run can be started"
        )
