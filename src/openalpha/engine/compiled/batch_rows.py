"""What an account of a batch is worth between its fills: its days, its falls, its exposure.

One linear position is worth its money and the position at the close, less its cost: such a curve is
never written, rows are looked at only where they can change a figure. Any other account has had its
equity written by the pass.
"""

from openalpha.engine.compiled.yardstick import (
    BLOCK,
    CASH,
    COST,
    DAY,
    DEEPEST,
    EXPOSED,
    EXPOSURE,
    HELD,
    HELD_QTY,
    IS_INVERSE,
    MONEY,
    MOST,
    MULTIPLIER,
    PEAK,
    PRICE,
    QTY,
    ROW,
    SEEN,
    TROUGH,
    Floats,
    Yardstick,
)
from openalpha.venue.kernel._compile import compiled, inlined


@inlined
def _fall(equity: float, s: Floats) -> None:
    """Carry peak, trough and deepest drawdown to one more close."""
    if equity > s[PEAK]:
        if s[TROUGH] < s[PEAK]:
            s[DEEPEST] = max(s[DEEPEST], 1.0 - s[TROUGH] / s[PEAK])
        s[PEAK] = s[TROUGH] = equity
    s[TROUGH] = min(s[TROUGH], equity)


@inlined
def _worth(y: Yardstick, s: Floats, close: float) -> float:
    """Return the equity at a close, to the bit as the pass would write it."""
    return s[MONEY] + (s[HELD_QTY] * close * y.terms[0, CASH] - s[COST])


@inlined
def _share(worth: float, close: float, equity: float) -> float:
    return worth * close / equity if equity > 0.0 else 0.0


@compiled
def _pass_block(y: Yardstick, s: Floats, worth: float, a: int, z: int) -> None:
    """Follow peak, trough and highest exposure over some rows, one by one."""
    for i in range(a, z):
        equity = _worth(y, s, y.closes[0, i])
        _fall(equity, s)
        s[MOST] = max(s[MOST], _share(worth, y.closes[0, i], equity))


@compiled
def _pass_blocks(y: Yardstick, s: Floats, worth: float, a: int, z: int) -> float:
    """Follow peak, trough and highest exposure over rows [a, z); returns a bound of the lowest.

    Equity rises or falls with the close throughout, and so does exposure: the lowest and the
    highest close of a block of rows say whether anything in it can change a figure.
    """
    lowest = _worth(y, s, y.closes[0, a])
    for block in range(a // BLOCK, (z - 1) // BLOCK + 1):
        low, high = y.lows[block], y.highs[block]
        one, two = _worth(y, s, low), _worth(y, s, high)
        bottom, top = min(one, two), max(one, two)
        most = max(_share(worth, low, one), _share(worth, high, two))
        lowest = min(lowest, bottom)
        if top <= s[PEAK] and bottom >= s[TROUGH] and most <= s[MOST]:
            continue
        start, stop = max(a, block * BLOCK), min(z, (block + 1) * BLOCK)
        if top <= s[PEAK] and stop - start == BLOCK and bottom > 0.0:
            s[TROUGH], s[MOST] = min(s[TROUGH], bottom), max(s[MOST], most)
        else:
            _pass_block(y, s, worth, start, stop)
    return lowest


@compiled
def _add_shares(y: Yardstick, s: Floats, sums: Floats, worth: float, a: int, z: int) -> None:
    """Add exposure at the closes of rows [a, z), every row to the sum of its place in 64."""
    money, held, cash, cost = s[MONEY], s[HELD_QTY], y.terms[0, CASH], s[COST]
    for start in range(a, z, sums.shape[0]):
        close = y.closes[0, start : min(start + sums.shape[0], z)]
        for k in range(close.shape[0]):
            sums[k] += worth * close[k] / (money + (held * close[k] * cash - cost))


@compiled
def _pass_position(y: Yardstick, s: Floats, sums: Floats, a: int, z: int) -> None:
    """Follow one linear position over rows [a, z)."""
    per_unit = y.terms[0, MULTIPLIER] / (y.terms[0, PRICE] * y.terms[0, QTY])
    worth = abs(s[HELD_QTY]) * per_unit * y.coin[0]
    if _pass_blocks(y, s, worth, a, z) > 0.0:
        s[EXPOSED] += z - a
        _add_shares(y, s, sums, worth, a, z)
        return
    for i in range(a, z):
        share = _share(worth, y.closes[0, i], _worth(y, s, y.closes[0, i]))
        s[EXPOSED] += 1.0 if share != 0.0 else 0.0
        s[EXPOSURE] += share


@compiled
def _pass_written(y: Yardstick, equity: Floats, trip: Floats, s: Floats, a: int, z: int) -> None:
    """Follow written equity and exposure over rows [a, z) with any positions."""
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
        _fall(equity[i], s)


@compiled
def _close_days(y: Yardstick, equity: Floats, s: Floats, days: Floats, z: int) -> None:
    """Note the equity of every day whose last bar is before row `z`, in coins."""
    day = int(s[DAY])
    while day < y.day_row.shape[0] and y.day_row[day] < z:
        row = y.day_row[day]
        if row < 0:
            days[day] = y.facts[0]
        else:
            worth = equity[row] if equity.shape[0] > 0 else _worth(y, s, y.closes[0, row])
            days[day] = worth / y.coin[0]
        day += 1
    s[DAY] = float(day)


@compiled
def _pass_rows(
    y: Yardstick, equity: Floats, trip: Floats, s: Floats, sums: Floats, days: Floats, z: int
) -> None:
    """Follow the account from the row it is at up to row `z`, whatever is held."""
    a = int(s[ROW])
    s[ROW] = float(z)
    _close_days(y, equity, s, days, z)
    is_flat = True
    for number in range(trip.shape[0]):
        is_flat = is_flat and trip[number, HELD] == 0.0
    if equity.shape[0] > 0:
        if is_flat and equity[a] == equity[z - 1]:
            _fall(equity[a], s)
        else:
            _pass_written(y, equity, trip, s, a, z)
    elif s[HELD_QTY] == 0.0:
        _fall(_worth(y, s, y.closes[0, a]), s)
    else:
        _pass_position(y, s, sums, a, z)


@compiled
def reach(
    y: Yardstick, equity: Floats, trip: Floats, s: Floats, sums: Floats, days: Floats, ts_ms: int
) -> None:
    """Follow the account up to the bar a moment lies in."""
    s[SEEN] = float(ts_ms)
    row, n = int(s[ROW]), y.ts.shape[0]
    if y.facts[7] != 0.0:
        row = max(row, min(n, int((ts_ms - y.ts[0]) // int(y.facts[2]))))
    else:
        while row < n and y.ts[row] + int(y.facts[2]) <= ts_ms:
            row += 1
    if row > int(s[ROW]):
        _pass_rows(y, equity, trip, s, sums, days, row)
