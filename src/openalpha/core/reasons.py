"""Why something happened or was refused: one code a reason, with words a person understands.

The numbers are stored in runs and shared with compiled code: never renumber.
"""

from enum import IntEnum, unique

__all__ = ["Reason", "explain"]


@unique
class Reason(IntEnum):
    """Reasons of fills (1-19), of orders that end or are refused (20-59), of decisions (60-89).

    From 73 on they are what stops trading itself: breakers, locks and people.
    """

    NONE = 0
    # fills
    MARKET = 1
    LIMIT_TAKEN = 2
    LIMIT_RESTED = 3
    STOP = 4
    TAKE_PROFIT = 5
    TRAILING = 6
    TIME_EXIT = 7
    LIQUIDATION_PARTIAL = 8
    LIQUIDATION_TAKEOVER = 9
    STOP_AT_GAP = 10
    DELEVERAGED = 11
    SETTLED = 12
    # orders that end or are refused
    CANCELLED_BY_USER = 20
    CANCELLED_BY_NEW_TARGET = 21
    CANCELLED_BY_OCO = 22
    CANCELLED_POSITION_CLOSED = 23
    CANCELLED_BY_LIQUIDATION = 24
    EXPIRED = 25
    IOC_REMAINDER = 26
    FOK_NOT_FILLABLE = 27
    POST_ONLY_WOULD_TAKE = 28
    REDUCE_ONLY_NO_POSITION = 29
    INSUFFICIENT_MARGIN = 30
    INSUFFICIENT_BALANCE = 31
    BELOW_MIN_QTY = 32
    BELOW_MIN_NOTIONAL = 33
    ABOVE_MAX_QTY = 34
    OFF_TICK = 35
    OFF_LOT = 36
    RISK_LIMIT = 37
    LEVERAGE_TOO_HIGH = 38
    TOO_LARGE_FOR_UNITS = 39
    TRIGGER_WRONG_SIDE = 40
    LEG_MISMATCH = 41
    UNKNOWN_ORDER = 42
    AMEND_BELOW_FILLED = 43
    ORDER_CLOSED = 44
    TOO_MANY_ORDERS = 45
    DUPLICATE_ID = 46
    SELF_MATCH = 47
    # decisions
    NO_SIGNAL = 60
    WARM_UP = 61
    UNCHANGED = 62
    BELOW_LOT = 63
    ORDERED = 64
    RISK_REFUSED = 65
    ZERO_VOLUME = 66
    PARTICIPATION = 67
    BREAKER_DAILY_LOSS = 68
    BREAKER_DRAWDOWN = 69
    MAX_TRADES = 70
    BANKRUPT = 71
    MISSING_BAR = 72
    PAUSED = 73
    BREAKER_VOLATILITY = 74
    BREAKER_SPREAD = 75
    BREAKER_STALE = 76
    BREAKER_ERRORS = 77
    BREAKER_REJECTS = 78
    BREAKER_CLOCK = 79
    BREAKER_LIQUIDATION = 80
    BREAKER_RATE_BUDGET = 81
    BREAKER_GUARDIAN = 82
    OPEN_INCIDENT = 83
    TRIPPED_TOO_OFTEN = 84
    STRATEGY_STOPPED = 85
    ORDERED_BY_PERSON = 86
    NOT_ARMED = 87
    LOCKED = 88
    BREAKER_LOSS_STREAK = 89
    INSTRUMENT_HALTED = 90


_WORDS: dict[Reason, str] = {
    Reason.NONE: "nothing to explain",
    Reason.MARKET: "a market order took what the market offered",
    Reason.LIMIT_TAKEN: "a limit order was marketable when it arrived and took the other side",
    Reason.LIMIT_RESTED: "the price traded through a resting limit order",
    Reason.STOP: "the price reached the stop and the order executed as a market order",
    Reason.TAKE_PROFIT: "the price reached the take-profit and the order executed",
    Reason.TRAILING: "the price fell back from its best by the trailing distance",
    Reason.TIME_EXIT: "the position had been held for the longest time allowed",
    Reason.LIQUIDATION_PARTIAL: "margin ran out: the venue reduced the position to the next tier",
    Reason.LIQUIDATION_TAKEOVER: "margin ran out: the venue took it at the bankruptcy price",
    Reason.STOP_AT_GAP: "the market opened beyond the stop, which filled at the open",
    Reason.DELEVERAGED: "the venue closed it against a position it had taken over",
    Reason.SETTLED: "the venue closed the market and settled it at the mark price",
    Reason.CANCELLED_BY_USER: "cancelled on request",
    Reason.CANCELLED_BY_NEW_TARGET: "cancelled because the strategy changed its target",
    Reason.CANCELLED_BY_OCO: "cancelled because the other order of its pair executed",
    Reason.CANCELLED_POSITION_CLOSED: "cancelled because the position it protected is closed",
    Reason.CANCELLED_BY_LIQUIDATION: "cancelled by the venue before a liquidation",
    Reason.EXPIRED: "its time ran out",
    Reason.IOC_REMAINDER: "immediate-or-cancel: what could not fill at once was cancelled",
    Reason.FOK_NOT_FILLABLE: "fill-or-kill: the whole quantity was not available at once",
    Reason.POST_ONLY_WOULD_TAKE: "post-only: the order would have taken liquidity",
    Reason.REDUCE_ONLY_NO_POSITION: "reduce-only: there was no position left to reduce",
    Reason.INSUFFICIENT_MARGIN: "the available margin does not cover the order",
    Reason.INSUFFICIENT_BALANCE: "the balance does not cover the order",
    Reason.BELOW_MIN_QTY: "the quantity is below the instrument's minimum",
    Reason.BELOW_MIN_NOTIONAL: "the order's value is below the instrument's minimum",
    Reason.ABOVE_MAX_QTY: "the quantity is above the instrument's maximum",
    Reason.OFF_TICK: "the price is not a multiple of the tick size",
    Reason.OFF_LOT: "the quantity is not a multiple of the lot size",
    Reason.RISK_LIMIT: "the position would exceed the highest risk-limit tier",
    Reason.LEVERAGE_TOO_HIGH: "the leverage is above what the position's risk tier allows",
    Reason.TOO_LARGE_FOR_UNITS: "price times quantity is too large to be held exactly",
    Reason.TRIGGER_WRONG_SIDE: "the trigger lies on the wrong side of the current price",
    Reason.LEG_MISMATCH: "the order's leg does not fit the account's position mode",
    Reason.UNKNOWN_ORDER: "no order of that id exists",
    Reason.AMEND_BELOW_FILLED: "the new quantity is not above what has already filled",
    Reason.ORDER_CLOSED: "the order is already closed",
    Reason.TOO_MANY_ORDERS: "the account holds as many active orders as it may",
    Reason.DUPLICATE_ID: "an order of that id exists already",
    Reason.SELF_MATCH: "the order would have traded with an order of the same account",
    Reason.NO_SIGNAL: "the strategy had no opinion",
    Reason.WARM_UP: "the strategy's indicators were still warming up",
    Reason.UNCHANGED: "the target did not change",
    Reason.BELOW_LOT: "the change is smaller than one lot",
    Reason.ORDERED: "an order was made",
    Reason.RISK_REFUSED: "a risk limit refused the order",
    Reason.ZERO_VOLUME: "nobody traded in that bar, so nothing could fill",
    Reason.PARTICIPATION: "the share of the bar's volume we may take was used up",
    Reason.BREAKER_DAILY_LOSS: "the daily loss limit stopped new positions",
    Reason.BREAKER_DRAWDOWN: "the drawdown limit stopped new positions",
    Reason.MAX_TRADES: "the day's number of opening orders was used up",
    Reason.BANKRUPT: "the account has no equity left",
    Reason.MISSING_BAR: "the instrument has no bar at that time",
    Reason.PAUSED: "the run was paused: nothing may be opened",
    Reason.BREAKER_LOSS_STREAK: "too many round trips in a row lost money",
    Reason.BREAKER_VOLATILITY: "the market moves far more than it usually does",
    Reason.BREAKER_SPREAD: "the distance between bid and ask is too wide",
    Reason.BREAKER_STALE: "the newest market data is too old to decide on",
    Reason.BREAKER_ERRORS: "too many requests to the venue failed",
    Reason.BREAKER_REJECTS: "the venue rejected too many orders",
    Reason.BREAKER_CLOCK: "the machine's clock is too far from the venue's",
    Reason.BREAKER_LIQUIDATION: "a position is too near its liquidation",
    Reason.BREAKER_RATE_BUDGET: "the venue's rate limit is nearly used up",
    Reason.BREAKER_GUARDIAN: "the guardian is silent",
    Reason.OPEN_INCIDENT: "an incident is not settled yet",
    Reason.TRIPPED_TOO_OFTEN: "breakers tripped too often in one day",
    Reason.STRATEGY_STOPPED: "the strategy lost as much of its capital as it may",
    Reason.ORDERED_BY_PERSON: "a person ordered it",
    Reason.NOT_ARMED: "trading was not armed to go on after a restart",
    Reason.LOCKED: "trading is locked until a person unlocks it",
    Reason.INSTRUMENT_HALTED: "the exchange does not trade the instrument, or soon will not",
}


def explain(reason: Reason | int) -> str:
    """Put a reason into words.

    Examples
    --------
    >>> explain(Reason.OFF_TICK)
    'the price is not a multiple of the tick size'
    """
    return _WORDS[Reason(reason)]
