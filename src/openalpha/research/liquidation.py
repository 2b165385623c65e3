"""How near a run came to liquidation: the smallest move against everything it held at once."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument, Kind

if TYPE_CHECKING:
    from openalpha.research.measured import MeasuredRun

__all__ = ["distances", "maintenance", "nearest"]

Floats = NDArray[np.float64]

_RATE = 0.005
_STEPS = 12


def maintenance(instrument: Instrument, notional: Floats) -> tuple[Floats, Floats]:
    """Return rate and deduction of the tier each position value lies in, float64[n] each.

    The margin to be kept is value × rate − deduction. Beyond the last tier the last one holds; an
    instrument without tiers keeps half a percent.

    Examples
    --------
    >>> from openalpha.core.instruments import RiskTier
    >>> from decimal import Decimal as D
    >>> rows = ((100, "0.01", 0), (500, "0.05", 4))
    >>> tiers = tuple(RiskTier(D(a), D(b), D(1), D(1), D(c)) for a, b, c in rows)
    >>> class Made: tiers = tiers
    >>> [part.tolist() for part in maintenance(Made, np.array([50.0, 300.0, 900.0]))]
    [[0.01, 0.05, 0.05], [0.0, 4.0, 4.0]]
    """
    if not instrument.tiers:
        return np.full(len(notional), _RATE), np.zeros(len(notional))
    limits = np.array([float(tier.limit_notional) for tier in instrument.tiers])
    row = np.minimum(np.searchsorted(limits, notional), len(limits) - 1)
    rates = np.array([float(tier.maintenance_rate) for tier in instrument.tiers])
    deducted = np.array([float(tier.deduction) for tier in instrument.tiers])
    return rates[row], deducted[row]


def distances(result: "MeasuredRun") -> Floats:
    """Return, at each bar's close, the move that would begin a liquidation, float64[n].

    Everything held moves against the account by the same fraction d: equity falls by d times the
    gross exposure, and the margin to be kept follows the values it leaves, shrunk where the
    position is long and grown where it is short, tier by tier. Infinite where nothing that can be
    liquidated is held; 0 where the margin is already gone. Values are in the account currency,
    which is taken for the tiers' own.
    """
    run = result.run
    gross = run.exposure * run.equity
    parts = _parts(result, gross)
    found = np.full(len(gross), math.inf)
    rows = np.flatnonzero(sum((np.abs(part) for _, part in parts), np.zeros(len(gross))) > 1e-9)
    if not len(rows):
        return found
    equity, every = run.equity[rows], gross[rows]
    move = np.zeros(len(rows))
    for _ in range(_STEPS):  # the tiers are few: where they no longer change, this has ended
        kept, slope = np.zeros(len(rows)), np.zeros(len(rows))
        for instrument, signed in parts:
            worth, side = np.abs(signed[rows]), np.sign(signed[rows])
            rate, deducted = maintenance(instrument, worth * np.maximum(1 - side * move, 0.0))
            held = worth > 0
            kept += np.where(held, worth * rate - deducted, 0.0)
            slope += side * worth * rate
        # equity − d·every = kept − d·slope
        after = np.maximum((equity - kept) / np.maximum(every - slope, 1e-12), 0.0)
        if np.allclose(after, move, rtol=1e-9, atol=1e-12):
            break
        move = after
    found[rows] = move
    return found


def nearest(result: "MeasuredRun", *, start: int = 0, stop: int | None = None) -> float:
    """Return the smallest of the distances of bars [start, stop); infinite where there is none."""
    return float(distances(result)[start:stop].min(initial=math.inf))


def _parts(result: "MeasuredRun", gross: Floats) -> list[tuple[Instrument, Floats]]:
    """Return each margined instrument with its share of the gross exposure, signed by its side."""
    run, fills = result.run, result.fill_columns
    closes = run.ts_ms + run.timeframe_ms
    worth = []
    for code, history in enumerate(result.context.histories.values()):
        mine = fills.instrument == code
        held = np.append(0, np.cumsum(fills.held_units[mine]))
        signed = held[np.searchsorted(fills.ts_ms[mine], closes)].astype(np.float64)
        row = np.maximum(np.searchsorted(history.ts_ms, run.ts_ms, side="right") - 1, 0)
        scale = 10.0 ** -(history.instrument.qty_decimals + history.instrument.price_decimals)
        price = history.bars[row, 3] if history.instrument.kind is not Kind.INVERSE else 1.0
        worth.append(signed * price * scale)
    total = np.maximum(sum((np.abs(one) for one in worth), np.zeros(len(gross))), 1e-300)
    return [
        (instrument, gross * one / total)
        for instrument, one in zip(result.instruments, worth, strict=True)
        if instrument.kind is not Kind.SPOT
    ]
