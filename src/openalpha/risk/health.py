"""What a trader's process sees of its own safety, as data a log can hold, and what follows from it.

The loop writes a `Health` to its tape as an input; `heed` leads the ladder by it. Both are pure, so
that a replay steps down and up exactly as the run did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openalpha.core.reasons import Reason
from openalpha.risk.ladder import Ladder, Step
from openalpha.risk.memory import Release
from openalpha.risk.reading import Reading
from openalpha.risk.view import Stage

__all__ = ["Health", "heed"]


@dataclass(frozen=True, slots=True)
class Health:
    """One look.

    Parameters
    ----------
    lock : str
        Why the environment is locked; empty: it is not.
    guardian_silent_ms : int or None
        Since the guardian was last heard; None: there is none to be missed.
    release : Release or None
        A person's order to end what only a person may end.
    is_restart : bool
        The process was started again without having been armed to go on by itself.
    """

    lock: str = ""
    guardian_silent_ms: int | None = None
    release: Release | None = None
    is_restart: bool = False

    def content(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        release = self.release
        return {
            "lock": self.lock,
            "guardian_silent_ms": self.guardian_silent_ms,
            "restart": self.is_restart,
            "release": None
            if release is None
            else [release.ts_ms, release.who, release.words, release.reset_high_water],
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Health":
        """Read what `content` returned."""
        row, silent = content["release"], content["guardian_silent_ms"]
        return cls(
            lock=str(content["lock"]),
            guardian_silent_ms=None if silent is None else int(silent),
            release=None if row is None else Release(int(row[0]), row[1], row[2], bool(row[3])),
            is_restart=bool(content.get("restart", False)),
        )


def heed(ladder: Ladder, health: Health, *, ts_ms: int) -> tuple[Step, ...]:
    """Lead a ladder by a look; return the steps it took.

    A lock halts, and so does a restart that was not armed; that a lock was taken away releases
    nothing: that a person does, by `openalpha unlock`. A release comes before the lock is looked
    at, so that one that came late still holds.
    """
    steps: list[Step | None] = []
    if health.release is not None:
        order = health.release
        steps.append(
            ladder.release(
                ts_ms=ts_ms,
                who=order.who,
                words=order.words,
                reset_high_water=order.reset_high_water,
            )
        )
    if health.is_restart:
        steps.append(ladder.trip(Reason.NOT_ARMED, Stage.HALTED, ts_ms=ts_ms))
    if health.lock:
        steps.append(ladder.trip(Reason.LOCKED, Stage.HALTED, ts_ms=ts_ms, words=health.lock))
    if health.guardian_silent_ms is not None:
        silent_ms = health.guardian_silent_ms
        steps.append(ladder.observe(Reading(ts_ms=ts_ms, guardian_silent_ms=silent_ms)))
    return tuple(step for step in steps if step is not None)
