"""What an order must satisfy when it arrives, triggers or goes on (rules O4, M4-M8)."""

from openalpha.core.reasons import Reason
from openalpha.venue.kernel._compile import compiled, inlined
from openalpha.venue.kernel.account import cash, closing_part, notional
from openalpha.venue.kernel.execute import (
    NO_POSITION,
    OFF_LOT,
    cut_to_position,
    impact_e8,
    taker_price,
)
from openalpha.venue.kernel.layout import (
    AC_POSITION_MODE,
    BY_INDEX,
    BY_MARK,
    HEDGE,
    I64,
    I_INDEX,
    I_K,
    I_KIND,
    I_LAST,
    I_LOT,
    I_MARK,
    I_MAX_MARKET_QTY,
    I_MAX_QTY,
    I_MIN_NOTIONAL,
    I_MIN_QTY,
    I_NUM,
    I_TICK,
    INVERSE,
    LIMIT,
    MARKET,
    NO_TRIGGER,
    O_ACTIVATION,
    O_ATTACHED,
    O_DISTANCE,
    O_FILLED,
    O_LEG,
    O_LIMIT,
    O_QTY,
    O_REDUCE,
    O_RISES,
    O_SIDE,
    O_TBY,
    O_TKIND,
    O_TRIGGER,
    O_TYPE,
    O_WHOLE,
    P_QTY,
    SPOT,
    TRAILING,
)
from openalpha.venue.kernel.margin import covers_perpetual, covers_spot, tier_allows
from openalpha.venue.kernel.orders import acct_of, leg_of

OK = 0
QTY_BOUND = 2**55
VALUE_BOUND = float(2**61)

LEG_MISMATCH = int(Reason.LEG_MISMATCH)
OFF_TICK = int(Reason.OFF_TICK)
BELOW_MIN_QTY = int(Reason.BELOW_MIN_QTY)
ABOVE_MAX_QTY = int(Reason.ABOVE_MAX_QTY)
TOO_LARGE = int(Reason.TOO_LARGE_FOR_UNITS)
WRONG_SIDE = int(Reason.TRIGGER_WRONG_SIDE)
BELOW_MIN_NOTIONAL = int(Reason.BELOW_MIN_NOTIONAL)
INSUFFICIENT_BALANCE = int(Reason.INSUFFICIENT_BALANCE)
INSUFFICIENT_MARGIN = int(Reason.INSUFFICIENT_MARGIN)
RISK_LIMIT = int(Reason.RISK_LIMIT)
LEVERAGE_TOO_HIGH = int(Reason.LEVERAGE_TOO_HIGH)


@inlined
def _is_off_grid(price: int, tick: int) -> bool:
    """Say whether a price is below one tick or no multiple of it."""
    return price < tick or price % tick != 0


@compiled
def _is_off_tick(m: I64, i: int, o: int) -> bool:
    """Say whether one of an order's prices is off the tick in force (O4, X8)."""
    tick, kind = m[i + I_TICK], m[o + O_TKIND]
    if m[o + O_TYPE] == LIMIT and _is_off_grid(m[o + O_LIMIT], tick):
        return True
    if kind == TRAILING:
        return _is_off_grid(m[o + O_DISTANCE], tick) or m[o + O_ACTIVATION] % tick != 0
    return kind != NO_TRIGGER and _is_off_grid(m[o + O_TRIGGER], tick)


@compiled
def form_refusal(m: I64, i: int, o: int, base: int) -> int:
    """Check what does not depend on the account's money; returns the reason or OK (O4)."""
    a, qty = acct_of(m, o), m[o + O_QTY]
    if m[o + O_LEG] != 0 and (m[a + AC_POSITION_MODE] != HEDGE or m[i + I_KIND] == SPOT):
        return LEG_MISMATCH
    if m[o + O_WHOLE] == 0 and qty % m[i + I_LOT] != 0:
        return OFF_LOT
    if m[o + O_ATTACHED] == 0 and _is_off_tick(m, i, o):
        return OFF_TICK
    is_market = m[o + O_TYPE] == MARKET
    if m[o + O_WHOLE] == 0:
        if qty < max(m[i + I_MIN_QTY], 1):
            return BELOW_MIN_QTY
        if qty > (m[i + I_MAX_MARKET_QTY] if is_market else m[i + I_MAX_QTY]):
            return ABOVE_MAX_QTY
    return _size_refusal(m, i, o, base if is_market else m[o + O_LIMIT])


@compiled
def _size_refusal(m: I64, i: int, o: int, price: int) -> int:
    """Refuse what could not be held exactly (N7). Floats only decide far from the 64-bit limit."""
    size = abs(m[leg_of(m, i, o) + P_QTY]) + m[o + O_QTY] - m[o + O_FILLED]
    factor = m[i + I_K] if m[i + I_KIND] == INVERSE else price * max(m[i + I_NUM], 1)
    if size >= QTY_BOUND or float(size) * float(factor) >= VALUE_BOUND:
        return TOO_LARGE
    return OK


@compiled
def is_wrong_side(m: I64, i: int, o: int) -> bool:
    """Say whether a trigger lies where the price it watches already is (O4)."""
    if m[o + O_TKIND] == TRAILING:
        return False
    price = m[i + I_LAST]
    if m[o + O_TBY] == BY_MARK:
        price = m[i + I_MARK]
    elif m[o + O_TBY] == BY_INDEX:
        price = m[i + I_INDEX]
    return m[o + O_TRIGGER] <= price if m[o + O_RISES] != 0 else m[o + O_TRIGGER] >= price


@compiled
def margin_refusal(m: I64, i: int, o: int, base: int) -> int:
    """Return why account and risk limits do not allow the order's rest, or OK (M4-M6)."""
    a, p, side = acct_of(m, o), leg_of(m, i, o), m[o + O_SIDE]
    qty = m[o + O_QTY] - m[o + O_FILLED]
    price = m[o + O_LIMIT]
    if m[o + O_TYPE] == MARKET:
        price = taker_price(m, i, side, base, impact_e8(m, i, qty))
    if m[i + I_KIND] == SPOT:
        return OK if covers_spot(m, a, i, side, qty, price, o) else INSUFFICIENT_BALANCE
    opened = qty - closing_part(m, p, side * qty)
    if opened == 0:
        return OK
    verdict = tier_allows(m, i, p, abs(m[p + P_QTY] + side * qty), price)
    if verdict == 1:
        return RISK_LIMIT
    if verdict == 2:
        return LEVERAGE_TOO_HIGH
    is_covered = covers_perpetual(m, i, p, side, opened, qty, price, o)
    return OK if is_covered else INSUFFICIENT_MARGIN


@compiled
def money_refusal(m: I64, i: int, o: int, base: int, is_first: bool) -> int:
    """Check what is checked at arrival and again at a trigger; returns the reason or OK (O4, M8).

    `is_first` is false where an order goes on or is amended: its minimum notional stands.
    """
    if m[o + O_REDUCE] != 0:
        if not cut_to_position(m, i, o):
            return NO_POSITION
        if m[i + I_KIND] != SPOT:
            return OK
    elif is_first:
        price = m[o + O_LIMIT] if m[o + O_TYPE] == LIMIT else base
        qty = m[o + O_QTY] - m[o + O_FILLED]
        if cash(m, i, notional(m, i, qty, price)) < m[i + I_MIN_NOTIONAL]:
            return BELOW_MIN_NOTIONAL
    return margin_refusal(m, i, o, base)
