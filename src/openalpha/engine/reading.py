"""The kernel's rows read into columns, compiled: each row is looked at once.

Each loop is a leaf: it calls nothing of ours, so numba's own cache can trust the file's stamp.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.venue.kernel._compile import entry
from openalpha.venue.kernel.layout import (
    E_AMOUNT,
    E_COIN,
    E_KIND,
    F_BASE,
    F_FEE,
    F_FEE_COIN,
    F_IMPACT_E8,
    F_INST,
    F_LEG,
    F_PRICE,
    F_QTY,
    F_REALISED,
    F_REASON,
    F_ROLE,
    F_TS,
    I64,
)

__all__ = [
    "FILL_INTS",
    "FILL_REALS",
    "EffectSums",
    "FillColumns",
    "Scales",
    "read_effects",
    "read_fills",
    "warm",
]

Floats = NDArray[np.float64]

FILL_INTS = (
    "ts_ms", "instrument", "side", "leg", "role", "reason", "fee_coin", "qty_units",
)  # fmt: skip
"""Rows of the integer result of `read_fills`; `qty_units` is signed."""

FILL_REALS = (
    "price", "qty", "notional", "fee", "realised_pnl", "spread_cost", "impact_cost",
)  # fmt: skip
"""Rows of the real result of `read_fills`."""


class Scales(NamedTuple):
    """What the integers of a run count: 10^decimals by instrument and coin.

    price, qty, multiplier, inverse : float64[n_inst], the last 1 for an inverse contract, else 0;
    coin : float64[n_coins]
    """

    price: Floats
    qty: Floats
    multiplier: Floats
    inverse: Floats
    coin: Floats


class FillColumns(NamedTuple):
    """Fills as the kernel keeps them, and where their columns go.

    rows : int64[k, FILL_COLS]; ints : int64[8, k] as `FILL_INTS`; reals : float64[7, k] as
    `FILL_REALS`, the fee positive when paid and in its coin
    """

    rows: I64
    ints: I64
    reals: Floats


class EffectSums(NamedTuple):
    """Cash effects as the kernel keeps them, and where each coin's sum and the rows found go.

    rows : int64[k, EFFECT_COLS]; sums : int64[n_coins], added to; picked : int64[k + 1], in order
    """

    rows: I64
    sums: I64
    picked: I64


@entry
def read_fills(fills: FillColumns, scales: Scales) -> None:
    """Read fills into columns, in the instruments' units.

    Parameters
    ----------
    fills : FillColumns
    scales : Scales
    """
    rows, ints, reals = fills.rows, fills.ints, fills.reals
    for k in range(rows.shape[0]):
        number, qty_units = rows[k, F_INST], rows[k, F_QTY]
        ints[0, k], ints[1, k] = rows[k, F_TS], number
        ints[2, k] = int(qty_units > 0) - int(qty_units < 0)
        ints[3, k], ints[4, k], ints[5, k] = rows[k, F_LEG], rows[k, F_ROLE], rows[k, F_REASON]
        ints[6, k], ints[7, k] = rows[k, F_FEE_COIN], qty_units
        price = rows[k, F_PRICE] / scales.price[number]
        base = rows[k, F_BASE] / scales.price[number]
        qty = abs(qty_units) / scales.qty[number]
        notional = qty / price if scales.inverse[number] > 0.0 else qty * price
        notional *= scales.multiplier[number]
        slip = abs(price - base) / price * notional
        impact = min(slip, rows[k, F_IMPACT_E8] / 1e8 * notional)
        reals[0, k], reals[1, k], reals[2, k] = price, qty, notional
        reals[3, k] = -rows[k, F_FEE] / scales.coin[rows[k, F_FEE_COIN]]
        reals[4, k] = rows[k, F_REALISED] / scales.coin[0]
        reals[5, k], reals[6, k] = slip - impact, impact


@entry
def read_effects(effects: EffectSums, kinds: int) -> int:
    """Sum up cash effects by coin and find those of some kinds.

    Parameters
    ----------
    effects : EffectSums
    kinds : int
        Bit 2^kind is set for each kind to find.

    Returns
    -------
    int
        How many were found.
    """
    rows, sums, picked = effects.rows, effects.sums, effects.picked
    found = 0
    for k in range(rows.shape[0]):
        sums[rows[k, E_COIN]] += rows[k, E_AMOUNT]
        picked[found] = k
        found += (kinds >> rows[k, E_KIND]) & 1
    return found


def warm() -> None:
    """Compile both loops (or load them from the cache)."""
    one = np.ones(1)
    rows, whole = np.zeros((0, 16), np.int64), np.zeros(1, np.int64)
    columns = FillColumns(
        rows, np.zeros((len(FILL_INTS), 0), np.int64), np.zeros((len(FILL_REALS), 0))
    )
    read_fills(columns, Scales(one, one, one, one, one))
    read_effects(EffectSums(rows, whole, whole), 0)
