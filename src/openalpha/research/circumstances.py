"""What a verdict looks at beside the metrics: how a run was set, fed and ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Kind
from openalpha.core.reasons import Reason
from openalpha.research.capacity import Capacity, capacity_of
from openalpha.research.hedges import joined_pnl, unhedged_share
from openalpha.research.missing import bar_gaps
from openalpha.venue.rules import fees_bps
from openalpha.venue.settings import CostSettings

if TYPE_CHECKING:
    from openalpha.research.measured import MeasuredRun

__all__ = ["Check", "Circumstances", "Severity", "circumstances_of"]

_LIQUIDATIONS = (int(Reason.LIQUIDATION_PARTIAL), int(Reason.LIQUIDATION_TAKEOVER))


class Severity(IntEnum):
    """How much a check weighs."""

    NOTE = 0
    CAUTION = 1
    ALARM = 2


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that speaks against a result: a stable code, a weight, a sentence with numbers."""

    code: str
    severity: Severity
    sentence: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a verdict needs to know beside the metrics.

    Parameters
    ----------
    strategy : str
    currency : str
        Account currency.
    settings : mapping of group to mapping of key to value
        The settings of the run; groups costs, fills and risk are looked at.
    trip_pnl : float64[k]
        Net profit of each round trip; legs that hedge each other are one.
    hedged_legs : int
        Round trips that were such legs.
    unhedged_share : float or None
        Share of the time in the market in which spot and contract of one coin did not offset each
        other; None where the run had no such pair.
    funding_gaps, data_gaps : sequence of (from_ms, to_ms)
        Stretches of the run without settlements, without bars.
    funding_worst_return : float or None
        Total return with the missing settlements set to the worse bound, where it was run.
    missing_bars : int
    has_funding : bool
        Whether any instrument of the run pays funding.
    has_mark : bool
        Whether every perpetual had a mark price.
    has_open_position : bool
        Whether a position was still open at the end.
    is_lookahead_allowed : bool
        Whether a strategy that sees the future was let through by name.
    liquidations : int
        Fills forced by the venue.
    trials : int
        Configurations of the family tried on overlapping history, this one included.
    capacity : Capacity or None
        What it took of the volume of its bars; None where no bar with a fill had volume.
    low_fees : sequence of str
        Fees below those of the venue's lowest tier, in words.
    """

    strategy: str
    currency: str
    settings: Mapping[str, Mapping[str, object]]
    trip_pnl: NDArray[np.float64]
    hedged_legs: int = 0
    unhedged_share: float | None = None
    funding_gaps: Sequence[tuple[int, int]] = ()
    data_gaps: Sequence[tuple[int, int]] = ()
    funding_worst_return: float | None = None
    missing_bars: int = 0
    has_funding: bool = True
    has_mark: bool = True
    has_open_position: bool = False
    is_lookahead_allowed: bool = False
    liquidations: int = 0
    trials: int = 1
    capacity: Capacity | None = None
    low_fees: Sequence[str] = ()


def _low_fees(result: "MeasuredRun") -> list[str]:
    """Return the fees that are below what an account without any volume pays, zero left out."""
    given = result.context.settings.get("costs", {})
    found = []
    for side, name in enumerate(("maker", "taker")):
        set_bps = given.get(f"{name}_bps")
        usual = [fees_bps(instrument, CostSettings())[side] for instrument in result.instruments]
        if set_bps is not None and 0 < Decimal(str(set_bps)) < min(usual):
            found.append(f"{name} fee {set_bps} bps (the lowest tier pays {min(usual)})")
    return found


def circumstances_of(result: "MeasuredRun") -> Circumstances:
    """Return what a verdict needs to know of a result beside its metrics."""
    histories = result.context.histories.values()
    perpetuals = [h for h in histories if h.instrument.kind is not Kind.SPOT]
    gaps = [gap for history in histories for gap in bar_gaps(history)]
    missing = sum(
        (stop - start) // history.timeframe_ms + 1
        for history in histories
        for start, stop in bar_gaps(history)
    )
    reasons = result.fill_columns.reason
    pnl, hedged_legs = joined_pnl(result.trips, result.instruments)
    return Circumstances(
        strategy=result.context.strategy,
        currency=result.currency,
        settings=result.context.settings,
        trip_pnl=pnl,
        hedged_legs=hedged_legs,
        unhedged_share=unhedged_share(
            result.fill_columns, result.instruments, end_ms=result.end_ms
        ),
        funding_gaps=[gap for history in histories for gap in history.funding_gaps],
        data_gaps=gaps,
        funding_worst_return=result.context.funding_worst_return,
        missing_bars=missing,
        has_funding=bool(perpetuals),
        has_mark=all(history.mark is not None for history in perpetuals),
        has_open_position=bool(result.run.exposure[-1] != 0),
        is_lookahead_allowed=result.context.is_lookahead_allowed,
        liquidations=int(np.isin(reasons, _LIQUIDATIONS).sum()),
        trials=result.tried,
        low_fees=_low_fees(result),
        capacity=capacity_of(result.fill_columns, histories, capital=float(result.run.capital)),
    )
