"""The ladder ACTIVE, REDUCING, HALTED, FLATTEN: breakers and people lead down, never up by chance.

A stage holds until every trip behind it has ended by its own rule: calm for a while, the next UTC
day, or a person. What led to HALTED or FLATTEN ends by a person only. Pure; `state` and `restore`
carry it over a restart as it stood.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from openalpha.core.clock import DAY_MS
from openalpha.core.reasons import Reason, explain
from openalpha.risk.breakers import RESUMES, Breakers, Measure, Resume
from openalpha.risk.limits import Limits
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings
from openalpha.risk.view import Stage, Standing

__all__ = ["Ladder", "Step"]

_Key = tuple[Reason, Stage]


@dataclass(frozen=True, slots=True)
class Step:
    """One transition, or a further reason for the stage as it stands.

    Parameters
    ----------
    seq : int
        From 1, over restarts.
    ts_ms : int
        UTC ms.
    before, after : Stage
    reason : Reason
        What decided it.
    value, limit : str
        The number that was found and the one it was held against; empty where there is none.
    words : str
        A sentence for people.
    """

    seq: int
    ts_ms: int
    before: Stage
    after: Stage
    reason: Reason
    value: str
    limit: str
    words: str


@dataclass(slots=True)
class _Trip:
    since_ms: int
    value: str
    limit: str
    words: str
    calm_since_ms: int | None = None


class Ladder:
    """Where one account's trading stands.

    Parameters
    ----------
    limits : Limits
    settings : BreakerSettings
    start : Decimal
        Equity before the first reading.
    """

    def __init__(self, limits: Limits, settings: BreakerSettings, *, start: Decimal) -> None:
        self.breakers = Breakers(limits, settings, start=start)
        self._settings = settings
        self._trips: dict[_Key, _Trip] = {}
        self._seq = 0
        self._day = -1
        self._trips_of_day = 0

    @property
    def standing(self) -> Standing:
        """Return the stage and its first reason, as the gate wants it."""
        if not self._trips:
            return Standing()
        key = min(self._trips, key=lambda one: (-one[1], self._trips[one].since_ms, one[0]))
        return Standing(key[1], key[0], self._trips[key].words)

    @property
    def reasons(self) -> tuple[tuple[Stage, Reason, str], ...]:
        """Return everything that holds it back, the heaviest first."""
        keys = sorted(self._trips, key=lambda one: (-one[1], one[0]))
        return tuple((key[1], key[0], self._trips[key].words) for key in keys)

    def observe(self, reading: Reading) -> Step | None:
        """Take a reading; return the step it led to, if any.

        Returns
        -------
        Step or None
            Where the stage changed, or a breaker tripped that had not.
        """
        before, ts_ms = self.standing, reading.ts_ms
        self._begin_day(ts_ms)
        measures = self.breakers.measure(reading)
        tripped = [(one.reason, one.stage) for one in measures if self._heed(one, ts_ms)]
        most = self._settings.most_trips_a_day
        if tripped and 0 < most < self._trips_of_day:
            words = f"{explain(Reason.TRIPPED_TOO_OFTEN)}: {self._trips_of_day}"
            trip = _Trip(ts_ms, str(self._trips_of_day), str(most), words)
            self._trips.setdefault((Reason.TRIPPED_TOO_OFTEN, Stage.HALTED), trip)
        self._let_go(ts_ms)
        return self._step(before, ts_ms, new=tripped)

    def trip(self, reason: Reason, stage: Stage, *, ts_ms: int, words: str = "") -> Step | None:
        """Go down to a stage for a reason found elsewhere: a lock, a restart, a person's order.

        It ends by `release` only, but for an OPEN_INCIDENT, which readings end as well.
        """
        before = self.standing
        is_new = (reason, stage) not in self._trips
        self._trips.setdefault((reason, stage), _Trip(ts_ms, "", "", words or explain(reason)))
        return self._step(before, ts_ms, new=[(reason, stage)] if is_new else [])

    def release(
        self, *, ts_ms: int, who: str, words: str, reset_high_water: bool = False
    ) -> Step | None:
        """End what only a person may end; causes that still stand trip again.

        Parameters
        ----------
        who, words : str
            Who ordered it and why: journalled with the step.
        reset_high_water : bool
            Measure the drawdown from the equity of now on.
        """
        before = self.standing
        if reset_high_water:
            self.breakers.equity.reset_peak()
        for key in list(self._trips):
            if _resume_of(key) is Resume.PERSON:
                del self._trips[key]
        self._trips_of_day = 0
        return self._step(before, ts_ms, new=[], said=f"released by {who}: {words}")

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "seq": self._seq,
            "day": self._day,
            "trips_of_day": self._trips_of_day,
            "trips": [
                {"reason": int(reason), "stage": int(stage), **asdict(trip)}
                for (reason, stage), trip in self._trips.items()
            ],
            "breakers": self.breakers.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        self._seq, self._day = int(state["seq"]), int(state["day"])
        self._trips_of_day = int(state["trips_of_day"])
        self._trips = {}
        for row in state["trips"]:
            fields = {name: row[name] for name in _Trip.__slots__}
            self._trips[Reason(row["reason"]), Stage(row["stage"])] = _Trip(**fields)
        self.breakers.restore(state["breakers"])

    def take_over(self, state: Mapping[str, Any], *, equity: Decimal, ts_ms: int) -> Step | None:
        """Go on from where another run of the environment stood, with the equity of this one.

        Whatever waited for a person still waits, and the drawdown is as deep as it was.
        """
        before = self.standing
        self.restore(state)
        self.breakers.equity.rebase(equity)
        return self._step(before, ts_ms, new=list(self._trips))

    def _begin_day(self, ts_ms: int) -> None:
        day = (ts_ms - 1) // DAY_MS
        if day <= self._day:  # a clock that was set back begins no day
            return
        self._day, self._trips_of_day = day, 0
        if (Reason.BREAKER_LOSS_STREAK, Stage.REDUCING) in self._trips:
            self.breakers.streak = 0

    def _heed(self, measure: Measure, ts_ms: int) -> bool:
        """Take a measure in; return whether it is a new trip."""
        key = (measure.reason, measure.stage)
        trip = self._trips.get(key)
        if not measure.is_over:
            if trip is not None and trip.calm_since_ms is None:
                trip.calm_since_ms = ts_ms
            return False
        value, limit = _plain(measure.value), _plain(measure.limit)
        by = f" ({measure.setting})" if measure.setting else ""
        words = f"{explain(measure.reason)}: {value}, the limit is {limit}{by}"
        if trip is not None:
            trip.calm_since_ms = None
            return False
        self._trips[key] = _Trip(ts_ms, value, limit, words)
        self._trips_of_day += 1
        return True

    def _let_go(self, ts_ms: int) -> None:
        for key, trip in list(self._trips.items()):
            how = _resume_of(key)
            if how is Resume.PERSON or trip.calm_since_ms is None:
                continue
            if how is Resume.NEXT_DAY:
                is_over = (trip.since_ms - 1) // DAY_MS < self._day
            else:
                is_over = ts_ms - trip.calm_since_ms >= self._settings.calm_ms
            if is_over:
                del self._trips[key]

    def _step(
        self, before: Standing, ts_ms: int, *, new: list[_Key], said: str = ""
    ) -> Step | None:
        after = self.standing
        if after.stage is before.stage and not new:
            return None
        if after.stage > before.stage:
            key = (after.reason, after.stage)
        else:
            key = new[0] if new else (before.reason, before.stage)
        trip = self._trips.get(key)
        self._seq += 1
        return Step(
            self._seq,
            ts_ms,
            before.stage,
            after.stage,
            key[0],
            value="" if trip is None else trip.value,
            limit="" if trip is None else trip.limit,
            words=said or (f"over: {before.words}" if trip is None else trip.words),
        )


def _resume_of(key: _Key) -> Resume:
    reason, stage = key
    return Resume.PERSON if stage >= Stage.HALTED else RESUMES.get(reason, Resume.PERSON)


def _plain(value: Decimal | int) -> str:
    return f"{value:.6g}" if isinstance(value, Decimal) else str(value)
