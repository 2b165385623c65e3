"""What a run of a batch comes to: figures straight from the kernel's memory, nothing kept.

One pass over a finished run's fills, with the bars between them; its days are in `batch_days`.
What each figure means stands in `research.definitions`; a test holds both to the same values.
"""

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS
from openalpha.core.messages import EffectKind
from openalpha.core.orders import Role
from openalpha.engine.compiled.batch_rows import reach
from openalpha.engine.compiled.yardstick import (
    BEST,
    BEST_RETURN,
    COST,
    DEEPEST,
    EXPOSED,
    EXPOSURE,
    FEES,
    FUNDED,
    GAIN,
    HAS_COST,
    HELD,
    HELD_QTY,
    HOURS,
    IMPACT,
    IS_INVERSE,
    LIQUIDATED,
    LONGEST,
    LONGS,
    LOSS,
    LOSSES,
    LOSSES_MOST,
    LOSSES_NOW,
    LOT,
    MONEY,
    MOST,
    MULTIPLIER,
    NOTIONAL,
    PEAK,
    PNL,
    PRICE,
    QTY,
    RESTING,
    SEEN,
    SIGN,
    SINCE,
    SPREAD,
    T_FEES,
    T_FUNDING,
    T_GROSS,
    T_NOTIONAL,
    TRADED,
    TRIPS,
    TROUGH,
    WINS,
    WINS_MOST,
    WINS_NOW,
    WORST,
    WORST_RETURN,
    Yardstick,
    over,
)
from openalpha.venue.kernel._compile import compiled, entry
from openalpha.venue.kernel.layout import (
    E_AMOUNT,
    E_COIN,
    E_INST,
    E_KIND,
    E_TS,
    EFFECT_COLS,
    F_AFTER,
    F_BASE,
    F_COST,
    F_FEE,
    F_FEE_COIN,
    F_IMPACT_E8,
    F_INST,
    F_PRICE,
    F_QTY,
    F_REALISED,
    F_ROLE,
    F_TS,
    FILL_COLS,
    H_EFFECTS_AT,
    H_FILLS_AT,
    H_N_EFFECTS,
    H_N_FILLS,
    I64,
)

__all__ = ["RUN_FIGURES", "run_figures"]

Floats = NDArray[np.float64]

FUNDING, LIQUIDATION = int(EffectKind.FUNDING), int(EffectKind.LIQUIDATION_FEE)
MAKER = int(Role.MAKER)
NAN = float("nan")
FOREVER = 2**62

RUN_FIGURES = (
    "round_trips", "win_rate", "profit_factor", "expectancy", "expectancy_bps", "avg_win",
    "avg_loss", "payoff_ratio", "best_trade", "worst_trade", "best_trade_return",
    "worst_trade_return", "avg_hold_hours", "max_hold_hours", "longest_win_streak",
    "longest_loss_streak", "long_round_trips", "short_round_trips", "fills", "maker_share",
    "turnover_per_day", "exposure_share", "mean_exposure", "max_exposure", "fees", "funding",
    "spread_cost", "impact_cost", "liquidation_fees", "total_costs", "profit_before_costs",
    "cost_share", "cost_bps", "max_drawdown",
)  # fmt: skip
"""What `run_figures` writes, in order."""


@compiled
def _end_trip(s: Floats, t: Floats, ts_ms: int) -> None:
    """Count a round trip that ends."""
    pnl = t[T_GROSS] - t[T_FEES] + t[T_FUNDING]
    share = pnl / t[T_NOTIONAL] if t[T_NOTIONAL] > 0.0 else 0.0
    hours = (ts_ms - t[SINCE]) / HOUR_MS
    first = s[TRIPS] == 0.0
    s[TRIPS] += 1.0
    s[PNL] += pnl
    s[NOTIONAL] += t[T_NOTIONAL]
    s[HOURS] += hours
    s[LONGEST] = hours if first else max(s[LONGEST], hours)
    s[BEST] = pnl if first else max(s[BEST], pnl)
    s[WORST] = pnl if first else min(s[WORST], pnl)
    s[BEST_RETURN] = share if first else max(s[BEST_RETURN], share)
    s[WORST_RETURN] = share if first else min(s[WORST_RETURN], share)
    s[LONGS] += 1.0 if t[SIGN] > 0.0 else 0.0
    s[WINS] += 1.0 if pnl > 0.0 else 0.0
    s[LOSSES] += 1.0 if pnl < 0.0 else 0.0
    s[GAIN] += pnl if pnl > 0.0 else 0.0
    s[LOSS] += pnl if pnl < 0.0 else 0.0
    s[WINS_NOW] = s[WINS_NOW] + 1.0 if pnl > 0.0 else 0.0
    s[LOSSES_NOW] = s[LOSSES_NOW] + 1.0 if pnl < 0.0 else 0.0
    s[WINS_MOST] = max(s[WINS_MOST], s[WINS_NOW])
    s[LOSSES_MOST] = max(s[LOSSES_MOST], s[LOSSES_NOW])


@compiled
def _take_fill(m: I64, f: int, y: Yardstick, trip: Floats, s: Floats) -> None:
    """Count a fill, and lead its instrument's round trip on (as `research.roundtrips`)."""
    number = m[f + F_INST]
    terms, t = y.terms[number], trip[number]
    price, base = m[f + F_PRICE] / terms[PRICE], m[f + F_BASE] / terms[PRICE]
    qty = abs(m[f + F_QTY]) / terms[QTY]
    notional = qty / price if terms[IS_INVERSE] > 0.0 else qty * price
    notional *= terms[MULTIPLIER]
    slip = abs(price - base) / price * notional
    impact = min(slip, m[f + F_IMPACT_E8] / 1e8 * notional)
    change = float(m[f + F_QTY])
    fee = -m[f + F_FEE] / y.coin[m[f + F_FEE_COIN]]
    if m[f + F_FEE_COIN] != 0:  # in a spot market's base coin, counted in its own units
        change += float(m[f + F_FEE])
        fee *= price
    s[TRADED] += notional
    s[RESTING] += notional if m[f + F_ROLE] == MAKER else 0.0
    s[FEES] += fee
    s[SPREAD] += slip - impact
    s[IMPACT] += impact
    held, sign = t[HELD], t[SIGN]
    after = held + change
    now = 1.0 if after >= terms[LOT] else -1.0 if after <= -terms[LOT] else 0.0
    closed = min(1.0, abs(held) / abs(change)) if sign * change < 0.0 else 0.0
    if sign != 0.0:
        t[T_GROSS] += m[f + F_REALISED] / y.coin[0]
        t[T_FEES] += closed * fee
        if now != sign:
            _end_trip(s, t, m[f + F_TS])
    if now != 0.0:
        if now != sign:
            t[SINCE] = float(m[f + F_TS])
            t[T_NOTIONAL] = t[T_GROSS] = t[T_FEES] = t[T_FUNDING] = 0.0
        t[T_NOTIONAL] += (1.0 - closed) * notional
        t[T_FEES] += (1.0 - closed) * fee
    t[HELD], t[SIGN] = after, now
    s[HELD_QTY] = float(m[f + F_AFTER])
    s[COST] = float(m[f + F_COST]) * terms[HAS_COST]


@compiled
def _take_effect(m: I64, e: int, y: Yardstick, trip: Floats, s: Floats) -> None:
    """Count an effect: the account's money, funding and liquidation fees."""
    kind = m[e + E_KIND]
    if m[e + E_COIN] == 0:
        s[MONEY] += float(m[e + E_AMOUNT])
    if kind == FUNDING or kind == LIQUIDATION:
        amount = m[e + E_AMOUNT] / y.coin[m[e + E_COIN]]
        number = m[e + E_INST]
        s[FUNDED if kind == FUNDING else LIQUIDATED] += amount
        if kind == FUNDING and number >= 0 and trip[number, SINCE] < m[e + E_TS]:
            trip[number, T_FUNDING] += amount


@entry
def run_figures(
    m: I64, y: Yardstick, equity: Floats, trip: Floats, s: Floats, sums: Floats, days: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """Sum up a finished run: its bars, fills, round trips and costs.

    Parameters
    ----------
    m : int64[...]
        The kernel's memory after the run.
    y : Yardstick
    equity : float64[n or 0]
        In cash units, as the pass filled it; of no rows for one linear position marked with its
        closes, whose equity follows from its fills.
    trip : float64[n_inst, 7], s : float64[37], sums : float64[64]
        Scratch; overwritten.
    days : float64[k]
        Written with the equity at the end of each day, in coins; the last is the end's.
    out : float64[34]
        Written as `RUN_FIGURES`.
    """
    trip[:] = 0.0
    s[:] = 0.0
    sums[:] = 0.0
    s[SEEN] = -1.0
    s[MONEY] = s[PEAK] = s[TROUGH] = y.facts[0] * y.coin[0]
    e, last = m[H_EFFECTS_AT], m[H_EFFECTS_AT] + m[H_N_EFFECTS] * EFFECT_COLS
    for k in range(m[H_N_FILLS]):
        f = m[H_FILLS_AT] + k * FILL_COLS
        while e < last and m[e + E_TS] <= m[f + F_TS]:
            if m[e + E_TS] != s[SEEN]:
                reach(y, equity, trip, s, sums, days, m[e + E_TS])
            _take_effect(m, e, y, trip, s)
            e += EFFECT_COLS
        if m[f + F_TS] != s[SEEN]:
            reach(y, equity, trip, s, sums, days, m[f + F_TS])
        _take_fill(m, f, y, trip, s)
    while e < last:
        reach(y, equity, trip, s, sums, days, m[e + E_TS])
        _take_effect(m, e, y, trip, s)
        e += EFFECT_COLS
    reach(y, equity, trip, s, sums, days, FOREVER)
    for k in range(sums.shape[0]):
        s[EXPOSURE] += sums[k]
    _write_trips(s, out)
    _write_activity(m, y, s, days, out)


@compiled
def _write_trips(s: Floats, out: Floats) -> None:
    trips = s[TRIPS]
    has = trips > 0.0
    avg_win = s[GAIN] / s[WINS] if s[WINS] > 0.0 else NAN
    avg_loss = s[LOSS] / s[LOSSES] if s[LOSSES] > 0.0 else NAN
    out[0] = trips
    out[1] = over(s[WINS], trips)
    out[2] = over(s[GAIN], -s[LOSS])
    out[3] = over(s[PNL], trips)
    out[4] = 10_000.0 * over(s[PNL], s[NOTIONAL])
    out[5], out[6], out[7] = avg_win, avg_loss, -over(avg_win, avg_loss)
    out[8], out[9] = s[BEST] if has else NAN, s[WORST] if has else NAN
    out[10], out[11] = s[BEST_RETURN] if has else NAN, s[WORST_RETURN] if has else NAN
    out[12], out[13] = over(s[HOURS], trips), s[LONGEST] if has else NAN
    out[14], out[15] = s[WINS_MOST], s[LOSSES_MOST]
    out[16], out[17] = s[LONGS], trips - s[LONGS]


@compiled
def _write_activity(m: I64, y: Yardstick, s: Floats, days: Floats, out: Floats) -> None:
    n, k = y.ts.shape[0], days.shape[0]
    mean = 0.0
    for day in range(k):
        mean += days[day]
    mean /= k
    net = days[k - 1] - y.facts[0]
    total = s[FEES] - s[FUNDED] + s[SPREAD] + s[IMPACT] - s[LIQUIDATED]
    before = net + total
    out[18] = float(m[H_N_FILLS])
    out[19] = over(s[RESTING], s[TRADED])
    out[20] = over(s[TRADED], mean) / k
    out[21], out[22], out[23] = s[EXPOSED] / n, s[EXPOSURE] / n, s[MOST]
    out[24], out[25], out[26], out[27] = s[FEES], s[FUNDED], s[SPREAD], s[IMPACT]
    out[28] = 0.0 - s[LIQUIDATED]
    out[29], out[30] = total, before
    out[31] = total / before if before > 0.0 else NAN
    out[32] = 10_000.0 * over(total, s[TRADED])
    out[33] = min(1.0, max(s[DEEPEST], 1.0 - s[TROUGH] / s[PEAK]))
