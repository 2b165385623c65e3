"""The breakers: what each measures, where its limit lies, what it leads to, when it lets go."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple

from openalpha.core.reasons import Reason
from openalpha.risk.equity import EquityTrack
from openalpha.risk.gauges import FailureGauge
from openalpha.risk.limits import Limits, setting_of
from openalpha.risk.reading import Reading
from openalpha.risk.settings import BreakerSettings
from openalpha.risk.view import Stage

__all__ = ["RESUMES", "Breakers", "Measure", "Resume"]

Number = Decimal | int


class Resume(IntEnum):
    """What ends a breaker's trip. The numbers are stored: never renumber."""

    CALM = 0
    NEXT_DAY = 1
    PERSON = 2


RESUMES: Mapping[Reason, Resume] = {
    Reason.BREAKER_DRAWDOWN: Resume.PERSON,
    Reason.BREAKER_DAILY_LOSS: Resume.NEXT_DAY,
    Reason.BREAKER_LOSS_STREAK: Resume.NEXT_DAY,
    Reason.BREAKER_VOLATILITY: Resume.CALM,
    Reason.BREAKER_SPREAD: Resume.CALM,
    Reason.BREAKER_STALE: Resume.CALM,
    Reason.BREAKER_ERRORS: Resume.CALM,
    Reason.BREAKER_REJECTS: Resume.CALM,
    Reason.BREAKER_CLOCK: Resume.CALM,
    Reason.BREAKER_LIQUIDATION: Resume.CALM,
    Reason.BREAKER_RATE_BUDGET: Resume.CALM,
    Reason.BREAKER_GUARDIAN: Resume.CALM,
    Reason.OPEN_INCIDENT: Resume.CALM,
}
"""How trips end; one that led to HALTED or FLATTEN, and any not named here, by a person only."""

_SETTINGS: Mapping[Reason, str] = {
    Reason.BREAKER_DRAWDOWN: setting_of("max_drawdown"),
    Reason.BREAKER_DAILY_LOSS: setting_of("daily_loss"),
    Reason.BREAKER_LOSS_STREAK: "breakers.loss_streak",
    Reason.BREAKER_VOLATILITY: "breakers.volatility",
    Reason.BREAKER_SPREAD: "breakers.spread_bps",
    Reason.BREAKER_STALE: "breakers.data_age_ms",
    Reason.BREAKER_ERRORS: "breakers.error_share",
    Reason.BREAKER_REJECTS: "breakers.reject_share",
    Reason.BREAKER_CLOCK: "breakers.clock_skew_ms",
    Reason.BREAKER_RATE_BUDGET: "breakers.rate_left",
    Reason.BREAKER_GUARDIAN: "breakers.guardian_silent_ms",
}


class Measure(NamedTuple):
    """What one breaker found: the number, its limit, and the stage it leads to beyond it."""

    reason: Reason
    stage: Stage
    value: Number
    limit: Number
    is_over: bool

    @property
    def setting(self) -> str:
        """The setting its limit comes from; empty where none does."""
        if self.reason is Reason.BREAKER_LIQUIDATION:
            is_last = self.stage is Stage.FLATTEN
            return f"breakers.liquidation_{'flatten' if is_last else 'distance'}"
        return _SETTINGS.get(self.reason, "")


class Breakers:
    """Measures readings of one account.

    Parameters
    ----------
    limits : Limits
        The losses allowed; held within the bounds in code.
    settings : BreakerSettings
    start : Decimal
        Equity before the first reading.
    """

    def __init__(self, limits: Limits, settings: BreakerSettings, *, start: Decimal) -> None:
        self.limits, self.settings = limits.held(), settings
        self.equity = EquityTrack(start)
        self.streak = 0
        self._errors = FailureGauge(settings.window_ms)
        self._rejects = FailureGauge(settings.window_ms)

    def measure(self, reading: Reading) -> list[Measure]:
        """Return what every breaker says whose matter was looked at."""
        return [*self._money(reading), *self._market(reading), *self._failures(reading)]

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "equity": self.equity.state(),
            "streak": self.streak,
            "errors": self._errors.state(),
            "rejects": self._rejects.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        self.equity.restore(state["equity"])
        self.streak = int(state["streak"])
        self._errors.restore(state["errors"])
        self._rejects.restore(state["rejects"])

    def _money(self, reading: Reading) -> Iterator[Measure]:
        limits, track = self.limits, self.equity
        if reading.equity is not None:
            track.observe(reading.ts_ms, reading.equity, net_flows=reading.net_flows)
            share = limits.max_drawdown
            is_over = track.is_fallen(share)
            yield Measure(
                Reason.BREAKER_DRAWDOWN, Stage.FLATTEN, track.drawdown, share, is_over=is_over
            )
            share, is_over = limits.daily_loss, track.is_day_lost(limits.daily_loss)
            yield Measure(
                Reason.BREAKER_DAILY_LOSS, Stage.REDUCING, track.daily_loss, share, is_over=is_over
            )
        for result in reading.round_trips:
            self.streak = self.streak + 1 if result < 0 else 0
        if most := self.settings.loss_streak:
            is_over = self.streak >= most
            yield Measure(Reason.BREAKER_LOSS_STREAK, Stage.REDUCING, self.streak, most, is_over)

    def _market(self, reading: Reading) -> Iterator[Measure]:
        settings, reducing = self.settings, Stage.REDUCING
        skew_ms = None if reading.clock_skew_ms is None else abs(reading.clock_skew_ms)
        above: tuple[tuple[Reason, Number | None, Number], ...] = (
            (Reason.BREAKER_VOLATILITY, reading.volatility, settings.volatility),
            (Reason.BREAKER_SPREAD, reading.spread_bps, settings.spread_bps),
            (Reason.BREAKER_STALE, reading.data_age_ms, settings.data_age_ms),
            (Reason.BREAKER_CLOCK, skew_ms, settings.clock_skew_ms),
            (Reason.BREAKER_GUARDIAN, reading.guardian_silent_ms, settings.guardian_silent_ms),
        )
        for reason, value, limit in above:
            if value is not None and limit > 0:
                yield Measure(reason, reducing, value, limit, value > limit)
        if reading.open_incidents is not None:
            count = reading.open_incidents
            yield Measure(Reason.OPEN_INCIDENT, reducing, count, 0, count > 0)
        below = (
            (Reason.BREAKER_LIQUIDATION, reducing, settings.liquidation_distance),
            (Reason.BREAKER_LIQUIDATION, Stage.FLATTEN, settings.liquidation_flatten),
        )
        for reason, stage, limit in below:
            if reading.liquidation_distance is not None and limit > 0:
                value = reading.liquidation_distance
                yield Measure(reason, stage, value, limit, value < limit)
        if reading.rate_left is not None and settings.rate_left > 0:
            value, limit = reading.rate_left, settings.rate_left
            yield Measure(Reason.BREAKER_RATE_BUDGET, reducing, value, limit, value < limit)

    def _failures(self, reading: Reading) -> Iterator[Measure]:
        ts_ms = reading.ts_ms
        errors = self._errors.observe(ts_ms, tries=reading.requests, failures=reading.errors)
        rejects = self._rejects.observe(ts_ms, tries=reading.orders, failures=reading.rejects)
        for reason, (tries, share), limit in (
            (Reason.BREAKER_ERRORS, errors, self.settings.error_share),
            (Reason.BREAKER_REJECTS, rejects, self.settings.reject_share),
        ):
            if limit > 0:
                is_over = tries >= self.settings.least_count and share > limit
                yield Measure(reason, Stage.REDUCING, share, limit, is_over)
