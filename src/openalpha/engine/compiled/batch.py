"""What a run of a batch comes to: figures straight from the kernel's memory, nothing kept.

One pass over a finished run's fills, with the bars between them; its days are in `batch_days`.
What each figure means stands in `research.definitions`; a test holds both to the same values.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import HOUR_MS
from openalpha.core.messages import EffectKind
from openalpha.core.orders import Role
from openalpha.venue.kernel._compile import compiled, entry, inlined
from openalpha.venue.kernel.layout import (
    E_AMOUNT,
    E_COIN,
    E_INST,
    E_KIND,
    E_TS,
    EFFECT_COLS,
    F_BASE,
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

__all__ = ["RUN_FIGURES", "SUMS", "TRIP", "Yardstick", "run_figures"]

Floats = NDArray[np.float64]

FUNDING, LIQUIDATION = int(EffectKind.FUNDING), int(EffectKind.LIQUIDATION_FEE)
MAKER = int(Role.MAKER)
NAN = float("nan")

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

SUMS = (
    "exposed", "exposure", "most", "peak", "trough", "deepest", "traded", "resting", "fees",
    "funding", "spread", "impact", "liquidation", "trips", "wins", "losses", "gain", "loss", "pnl",
    "notional", "hours", "longest", "best", "worst", "best_return", "worst_return", "wins_now",
    "losses_now", "wins_most", "losses_most", "longs",
)  # fmt: skip
(
    EXPOSED, EXPOSURE, MOST, PEAK, TROUGH, DEEPEST, TRADED, RESTING, FEES,
    FUNDED, SPREAD, IMPACT, LIQUIDATED, TRIPS, WINS, LOSSES, GAIN, LOSS, PNL,
    NOTIONAL, HOURS, LONGEST, BEST, WORST, BEST_RETURN, WORST_RETURN, WINS_NOW,
    LOSSES_NOW, WINS_MOST, LOSSES_MOST, LONGS,
) = range(len(SUMS))  # fmt: skip

TRIP = ("held", "sign", "since_ms", "notional", "gross", "fees", "funding")
HELD, SIGN, SINCE, T_NOTIONAL, T_GROSS, T_FEES, T_FUNDING = range(len(TRIP))
"""Columns of the round trip an instrument is in: float64, exact for quantities below 2^53."""

PRICE, QTY, MULTIPLIER, IS_INVERSE, LOT = range(5)


class Yardstick(NamedTuple):
    """What all runs of a batch are measured by.

    ts : int64[n]; closes : int64[n_inst, n] in price units; terms : float64[n_inst, 5] of 10^d,
    10^q, multiplier, whether inverse, smallest lot; coin : float64[n_coins] of 10^c;
    day_row : int64[k] row of the last bar closed in each UTC day, -1 for none; month : int64[k];
    theirs : float64[k] the benchmark's daily returns (of no rows without one); facts : float64[8]
    of capital, years, timeframe_ms, whether a day long, the benchmark's return, Sharpe ratio and
    deepest drawdown, whether the stamps have no gap
    """

    ts: I64
    closes: I64
    terms: Floats
    coin: Floats
    day_row: I64
    month: I64
    theirs: Floats
    facts: Floats


@inlined
def _over(part: float, whole: float) -> float:
    return part / whole if whole != 0.0 else NAN


@inlined
def _fall(equity: float, s: Floats) -> None:
    """Carry peak, trough and deepest drawdown to one more close."""
    if equity > s[PEAK]:
        if s[TROUGH] < s[PEAK]:
            s[DEEPEST] = max(s[DEEPEST], 1.0 - s[TROUGH] / s[PEAK])
        s[PEAK] = s[TROUGH] = equity
    s[TROUGH] = min(s[TROUGH], equity)


@compiled
def _pass_single(y: Yardstick, equity: Floats, worth: float, s: Floats, a: int, z: int) -> None:
    """Follow equity and exposure over rows [a, z) with one linear position, in cash units.

    Four sums side by side, so that none waits for another.
    """
    close, curve = y.closes[0, a:z], equity[a:z]
    n, most = z - a, 0.0
    worth *= y.coin[0]
    if not _pass_falls(curve, y.coin[0], s):
        _pass_worn(close, curve, worth, s)
        return
    one = two = three = four = 0.0
    whole = n - n % 4
    for i in range(0, whole, 4):
        w, x = close[i] / curve[i], close[i + 1] / curve[i + 1]
        u, v = close[i + 2] / curve[i + 2], close[i + 3] / curve[i + 3]
        one, two, three, four = one + w, two + x, three + u, four + v
        most = max(most, w, x, u, v)
    for i in range(whole, n):
        w = close[i] / curve[i]
        one += w
        most = max(most, w)
    s[EXPOSED] += n if worth != 0.0 else 0
    s[EXPOSURE] += worth * ((one + two) + (three + four))
    s[MOST] = max(s[MOST], worth * most)


@compiled
def _pass_worn(close: I64, curve: Floats, worth: float, s: Floats) -> None:
    """Follow exposure where equity may be used up."""
    for i in range(curve.shape[0]):
        share = worth * close[i] / curve[i] if curve[i] > 0.0 else 0.0
        s[EXPOSED] += 1.0 if share != 0.0 else 0.0
        s[EXPOSURE] += share
        s[MOST] = max(s[MOST], share)


@compiled
def _pass_falls(curve: Floats, scale: float, s: Floats) -> bool:
    """Carry peak, trough and deepest drawdown over closes in cash units.

    Eight closes at a time: below the peak only the lowest of them matters. Returns whether equity
    was above 0 throughout.
    """
    peak, trough, deepest = s[PEAK] * scale, s[TROUGH] * scale, s[DEEPEST]
    n, i = curve.shape[0], 0
    while i < n:
        if i + 8 <= n:
            c, d, e, f = curve[i], curve[i + 1], curve[i + 2], curve[i + 3]
            g, h, j, k = curve[i + 4], curve[i + 5], curve[i + 6], curve[i + 7]
            if max(c, d, e, f) <= peak and max(g, h, j, k) <= peak:
                trough = min(trough, c, d, e, f, g, h, j, k)
                i += 8
                continue
        stop = min(i + 8, n)
        while i < stop:
            now = curve[i]
            if now > peak:
                if trough < peak:
                    deepest = max(deepest, 1.0 - trough / peak)
                peak = trough = now
            trough = min(trough, now)
            i += 1
    s[PEAK], s[TROUGH], s[DEEPEST] = peak / scale, trough / scale, deepest
    return trough > 0.0 and deepest < 1.0


@compiled
def _pass_several(y: Yardstick, equity: Floats, trip: Floats, s: Floats, a: int, z: int) -> None:
    """Follow equity and exposure over rows [a, z) with any positions."""
    for i in range(a, z):
        now = equity[i] / y.coin[0]
        gross = 0.0
        for number in range(trip.shape[0]):
            close = y.closes[number, i] / y.terms[number, PRICE]
            size = abs(trip[number, HELD]) / y.terms[number, QTY] * y.terms[number, MULTIPLIER]
            if y.terms[number, IS_INVERSE] == 0.0:
                gross += size * close
            elif close > 0.0:
                gross += size / close
        share = gross / now if now > 0.0 else 0.0
        s[EXPOSED] += 1.0 if share != 0.0 else 0.0
        s[EXPOSURE] += share
        s[MOST] = max(s[MOST], share)
        _fall(now, s)


@compiled
def _pass_rows(y: Yardstick, equity: Floats, trip: Floats, s: Floats, a: int, z: int) -> None:
    """Follow equity and exposure over rows [a, z), whatever is held."""
    if a >= z:
        return
    n = trip.shape[0]
    is_flat = True
    for number in range(n):
        is_flat = is_flat and trip[number, HELD] == 0.0
    if is_flat and equity[a] == equity[z - 1]:
        _fall(equity[a] / y.coin[0], s)
    elif n == 1 and y.terms[0, IS_INVERSE] == 0.0:
        per_unit = y.terms[0, MULTIPLIER] / (y.terms[0, PRICE] * y.terms[0, QTY])
        _pass_single(y, equity, abs(trip[0, HELD]) * per_unit, s, a, z)
    else:
        _pass_several(y, equity, trip, s, a, z)


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


@compiled
def _take_effects(m: I64, done: int, until_ms: int, y: Yardstick, trip: Floats, s: Floats) -> int:
    """Count funding and liquidation fees up to and at a moment; returns the next effect."""
    start, count = m[H_EFFECTS_AT], m[H_N_EFFECTS]
    while done < count:
        e = start + done * EFFECT_COLS
        if m[e + E_TS] > until_ms:
            break
        kind = m[e + E_KIND]
        if kind == FUNDING or kind == LIQUIDATION:
            amount = m[e + E_AMOUNT] / y.coin[m[e + E_COIN]]
            number = m[e + E_INST]
            s[FUNDED if kind == FUNDING else LIQUIDATED] += amount
            if kind == FUNDING and number >= 0 and trip[number, SINCE] < m[e + E_TS]:
                trip[number, T_FUNDING] += amount
        done += 1
    return done


@compiled
def _row_of(y: Yardstick, ts_ms: int, row: int) -> int:
    """Return the row of the bar a moment lies in, at `row` or later."""
    if y.facts[7] != 0.0:
        return int((ts_ms - y.ts[0]) // int(y.facts[2]))
    while row + 1 < y.ts.shape[0] and y.ts[row + 1] <= ts_ms:
        row += 1
    return row


@entry
def run_figures(m: I64, y: Yardstick, equity: Floats, trip: Floats, s: Floats, out: Floats) -> None:
    """Sum up a finished run: its bars, fills, round trips and costs.

    Parameters
    ----------
    m : int64[...]
        The kernel's memory after the run.
    y : Yardstick
    equity : float64[n]
        In cash units, as the pass filled it.
    trip : float64[n_inst, 7], s : float64[31]
        Scratch; overwritten.
    out : float64[34]
        Written as `RUN_FIGURES`.
    """
    trip[:] = 0.0
    s[:] = 0.0
    s[PEAK] = s[TROUGH] = y.facts[0]
    done = row = effect = 0
    for k in range(m[H_N_FILLS]):
        f = m[H_FILLS_AT] + k * FILL_COLS
        effect = _take_effects(m, effect, m[f + F_TS], y, trip, s)
        row = _row_of(y, m[f + F_TS], row)
        _pass_rows(y, equity, trip, s, done, row)
        done = max(done, row)
        _take_fill(m, f, y, trip, s)
    _take_effects(m, effect, 2**62, y, trip, s)
    _pass_rows(y, equity, trip, s, done, y.ts.shape[0])
    _write_trips(s, out)
    _write_activity(m, y, equity, s, out)


@compiled
def _write_trips(s: Floats, out: Floats) -> None:
    trips = s[TRIPS]
    has = trips > 0.0
    avg_win = s[GAIN] / s[WINS] if s[WINS] > 0.0 else NAN
    avg_loss = s[LOSS] / s[LOSSES] if s[LOSSES] > 0.0 else NAN
    out[0] = trips
    out[1] = _over(s[WINS], trips)
    out[2] = _over(s[GAIN], -s[LOSS])
    out[3] = _over(s[PNL], trips)
    out[4] = 10_000.0 * _over(s[PNL], s[NOTIONAL])
    out[5], out[6], out[7] = avg_win, avg_loss, -_over(avg_win, avg_loss)
    out[8], out[9] = s[BEST] if has else NAN, s[WORST] if has else NAN
    out[10], out[11] = s[BEST_RETURN] if has else NAN, s[WORST_RETURN] if has else NAN
    out[12], out[13] = _over(s[HOURS], trips), s[LONGEST] if has else NAN
    out[14], out[15] = s[WINS_MOST], s[LOSSES_MOST]
    out[16], out[17] = s[LONGS], trips - s[LONGS]


@compiled
def _write_activity(m: I64, y: Yardstick, equity: Floats, s: Floats, out: Floats) -> None:
    n, days = y.ts.shape[0], y.day_row.shape[0]
    mean = 0.0
    for k in range(days):
        row = y.day_row[k]
        mean += equity[row] / y.coin[0] if row >= 0 else y.facts[0]
    mean /= days
    net = equity[n - 1] / y.coin[0] - y.facts[0]
    total = s[FEES] - s[FUNDED] + s[SPREAD] + s[IMPACT] - s[LIQUIDATED]
    before = net + total
    out[18] = float(m[H_N_FILLS])
    out[19] = _over(s[RESTING], s[TRADED])
    out[20] = _over(s[TRADED], mean) / days
    out[21], out[22], out[23] = s[EXPOSED] / n, s[EXPOSURE] / n, s[MOST]
    out[24], out[25], out[26], out[27] = s[FEES], s[FUNDED], s[SPREAD], s[IMPACT]
    out[28] = 0.0 - s[LIQUIDATED]
    out[29], out[30] = total, before
    out[31] = total / before if before > 0.0 else NAN
    out[32] = 10_000.0 * _over(total, s[TRADED])
    out[33] = min(1.0, max(s[DEEPEST], 1.0 - s[TROUGH] / s[PEAK]))
