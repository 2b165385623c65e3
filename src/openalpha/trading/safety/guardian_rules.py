"""What the guardian decides, and nothing else: no clock, no file, no venue."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Any

from openalpha.core.clock import HOUR_MS
from openalpha.risk.equity import EquityTrack
from openalpha.risk.limits import IMMUTABLE
from openalpha.trading.safety.guardian_settings import GuardianSettings

__all__ = ["Act", "Flow", "GuardianRules", "Verdict"]

_CONFIRMATIONS = 2
_TOLD_FOR_MS = 2 * HOUR_MS


class Act(IntEnum):
    """What is to be done, the heavier the higher."""

    NOTHING = 0
    CANCEL = 1
    FLATTEN = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done and why."""

    act: Act = Act.NOTHING
    words: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Money moved in (+) or out (-) of the account, in dollars, at the venue's time."""

    id: str
    ts_ms: int
    amount: Decimal


class GuardianRules:
    """Judges silence, equity and the stop file. What it decided stays decided until it is done.

    Parameters
    ----------
    settings : GuardianSettings
    """

    def __init__(self, settings: GuardianSettings) -> None:
        self._settings = settings
        most = IMMUTABLE["max_drawdown"]
        self._max_drawdown = min(settings.max_drawdown or most, most)
        self._track: EquityTrack | None = None
        self._flows: dict[str, Flow] = {}
        self._moved = Decimal(0)
        self._waiting: tuple[int, Decimal] | None = None
        self._breaches = 0
        self._is_breach_done = False
        self._done = {Act.CANCEL: False, Act.FLATTEN: False}
        self._has_stop_file = False

    @property
    def track(self) -> EquityTrack | None:
        """The equity it follows; None before the first reading was judged."""
        return self._track

    def hear(self, silent_ms: int | None) -> Verdict:
        """Judge the trader's silence; None is a trader that is not missed."""
        settings = self._settings
        if silent_ms is None or silent_ms < (settings.silent_cancel_ms or 1):
            self._done = {Act.CANCEL: False, Act.FLATTEN: False}
        if silent_ms is None:
            return Verdict()
        words = f"the trader has been silent for {silent_ms / 1000:.1f} s"
        for act, limit_ms in (
            (Act.FLATTEN, settings.silent_flatten_ms),
            (Act.CANCEL, settings.silent_cancel_ms),
        ):
            if 0 < limit_ms <= silent_ms:
                return Verdict() if self._done[act] else Verdict(act, words)
        return Verdict()

    def see_stop_file(self, is_there: bool) -> Verdict:
        """Judge the file that stops everything: it acts once each time it appears."""
        if not is_there:
            self._has_stop_file = False
            return Verdict()
        if self._has_stop_file:
            return Verdict()
        return Verdict(Act.FLATTEN, "a STOP file is in the home")

    def forget_peak(self) -> None:
        """Measure the drawdown from now on: a person ordered it."""
        if self._track is not None:
            self._track.reset_peak()
        self._breaches, self._is_breach_done = 0, False

    def weigh(self, ts_ms: int, equity: Decimal, *, flows: list[Flow], is_locked: bool) -> Verdict:
        """Judge the account's equity.

        A reading is judged when the next one comes, beside all flows up to its own time: a venue
        tells of a transfer a moment after the balance shows it. Two in a row must agree.

        Parameters
        ----------
        ts_ms : int
            The venue's time of the reading.
        equity : Decimal
            In dollars, open profit included.
        flows : list of Flow
            Known by now, in any order; those heard before are known by their id.
        is_locked : bool
            While it is, a breach that was acted on needs no second act; unlocked, it does.
        """
        self._flows |= {flow.id: flow for flow in flows if flow.id not in self._flows}
        if self._waiting is not None:
            self._judge(*self._waiting)
        self._waiting = (ts_ms, equity)
        if not is_locked:
            self._is_breach_done = False
        if self._breaches < _CONFIRMATIONS or self._track is None or self._is_breach_done:
            return Verdict()
        words = (
            f"equity {self._track.last:.2f} is {self._track.drawdown:.2%} below its highest "
            f"{self._track.peak:.2f}, the limit is {self._max_drawdown:.0%}"
        )
        return Verdict(Act.FLATTEN, words)

    def done(self, act: Act) -> None:
        """Note that an act was carried out to its end: it is not repeated for the same cause."""
        self._done[Act.CANCEL] = True
        if act is Act.FLATTEN:
            self._done[Act.FLATTEN] = True
            self._has_stop_file = True
            self._is_breach_done = self._breaches >= _CONFIRMATIONS

    def state(self) -> dict[str, Any]:
        """Return the equity it followed, as JSON can hold it."""
        track = None if self._track is None else self._track.state()
        flows = [[one.id, one.ts_ms, str(one.amount)] for one in self._flows.values()]
        return {"track": track, "moved": str(self._moved), "flows": flows}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        if state["track"] is not None:
            self._track = EquityTrack(Decimal(0))
            self._track.restore(state["track"])
        self._moved = Decimal(state["moved"])
        rows = [Flow(str(row[0]), int(row[1]), Decimal(row[2])) for row in state["flows"]]
        self._flows = {flow.id: flow for flow in rows}

    def _judge(self, ts_ms: int, equity: Decimal) -> None:
        counted = [flow for flow in self._flows.values() if flow.ts_ms <= ts_ms]
        if self._track is None:
            # What was moved before the first look is part of what it begins with.
            self._track = EquityTrack(equity)
        else:
            self._moved += sum((flow.amount for flow in counted), Decimal(0))
        for flow in counted:
            # Its id stays for as long as it is told, so that a page read twice counts once.
            self._flows[flow.id] = Flow(flow.id, flow.ts_ms, Decimal(0))
            if flow.ts_ms < ts_ms - _TOLD_FOR_MS:
                del self._flows[flow.id]
        self._track.observe(ts_ms, equity, net_flows=self._moved)
        is_over = self._track.is_fallen(self._max_drawdown)
        self._breaches = self._breaches + 1 if is_over else 0
