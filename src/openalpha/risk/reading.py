"""One look at the health of trading: what breakers judge, whatever of it was looked at."""

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was measured at one moment; None is "not looked at", which changes nothing.

    Parameters
    ----------
    ts_ms : int
        UTC ms.
    equity, net_flows : Decimal
        Of one moment, in the account's currency; see `EquityTrack.observe`.
    round_trips : tuple of Decimal
        Profit or loss of the round trips that ended since the last reading, in their order.
    volatility : Decimal
        The largest of the instruments' newest ranges as a multiple of the usual (`RangeGauge`).
    spread_bps : Decimal
        The widest of the instruments traded.
    data_age_ms : int
        Age of the oldest feed that should be fresh.
    requests, errors, orders, rejects : int
        Since the last reading: requests sent and those that failed, orders placed and rejected.
    clock_skew_ms : int
        Our clock less the venue's.
    liquidation_distance : Decimal
        The nearest liquidation's distance from the mark price, as a fraction of it.
    rate_left : Decimal
        What is left of the venue's rate limit, a fraction.
    guardian_silent_ms : int
        Since the guardian was last heard.
    open_incidents : int
        Those that nobody has settled.
    """

    ts_ms: int
    equity: Decimal | None = None
    net_flows: Decimal = Decimal(0)
    round_trips: tuple[Decimal, ...] = ()
    volatility: Decimal | None = None
    spread_bps: Decimal | None = None
    data_age_ms: int | None = None
    requests: int = 0
    errors: int = 0
    orders: int = 0
    rejects: int = 0
    clock_skew_ms: int | None = None
    liquidation_distance: Decimal | None = None
    rate_left: Decimal | None = None
    guardian_silent_ms: int | None = None
    open_incidents: int | None = None
