"""Order vocabulary and the one table of order states. The numbers are stored: never renumber."""

from enum import IntEnum

from openalpha.core.errors import InvalidTransition

__all__ = [
    "TRANSITIONS",
    "Leg",
    "MarginMode",
    "OrderEvent",
    "OrderStatus",
    "OrderType",
    "PositionMode",
    "Role",
    "Side",
    "TimeInForce",
    "TriggerBy",
    "TriggerKind",
    "is_terminal",
    "next_status",
]


class Side(IntEnum):
    """+1 buys, -1 sells: multiplies a quantity into a signed one."""

    BUY = 1
    SELL = -1


class OrderType(IntEnum):
    """How the order executes once it is live."""

    MARKET = 0
    LIMIT = 1


class TimeInForce(IntEnum):
    """How long the order lives."""

    GTC = 0
    IOC = 1
    FOK = 2
    POST_ONLY = 3


class TriggerKind(IntEnum):
    """What makes a conditional order live.

    STOP acts when the price moves against a holder (a sell falls to it, a buy rises to it),
    TAKE_PROFIT when it moves in favour, TRAILING follows the best price at a distance.
    """

    NONE = 0
    STOP = 1
    TAKE_PROFIT = 2
    TRAILING = 3


class TriggerBy(IntEnum):
    """Which price a trigger watches."""

    LAST = 0
    MARK = 1
    INDEX = 2


class Role(IntEnum):
    """Whether a fill rested in the book or crossed it; decides the fee."""

    MAKER = 0
    TAKER = 1


class MarginMode(IntEnum):
    """Cross shares the account's equity; isolated locks margin to a position."""

    CROSS = 0
    ISOLATED = 1


class PositionMode(IntEnum):
    """One net position an instrument, or a long and a short leg side by side."""

    ONE_WAY = 0
    HEDGE = 1


class Leg(IntEnum):
    """Which position of an instrument an order works on. One-way accounts use NET only."""

    NET = 0
    LONG = 0
    SHORT = 1


class OrderStatus(IntEnum):
    """Where an order stands.

    A conditional order rests UNTRIGGERED at the venue; TRIGGERED is the instant at which it becomes
    a live order. UNKNOWN: the venue said something the table does not allow; ask again.
    """

    CREATED = 0
    SUBMITTED = 1
    OPEN = 2
    PARTIALLY_FILLED = 3
    FILLED = 4
    CANCELLED = 5
    REJECTED = 6
    UNTRIGGERED = 7
    EXPIRED = 8
    PENDING_CANCEL = 9
    PENDING_AMEND = 10
    UNKNOWN = 11


class OrderEvent(IntEnum):
    """What can happen to an order."""

    SUBMIT = 0
    ACCEPT = 1
    REJECT = 2
    FILL_PART = 3
    FILL_ALL = 4
    CANCEL = 5
    ACCEPT_CONDITIONAL = 6
    TRIGGER = 7
    EXPIRE = 8
    REQUEST_CANCEL = 9
    REQUEST_AMEND = 10
    AMEND = 11
    REFUSE_CHANGE = 12


_S = OrderStatus
_E = OrderEvent

TRANSITIONS: dict[tuple[OrderStatus, OrderEvent], OrderStatus] = {
    (_S.CREATED, _E.SUBMIT): _S.SUBMITTED,
    (_S.CREATED, _E.REJECT): _S.REJECTED,
    (_S.SUBMITTED, _E.ACCEPT): _S.OPEN,
    (_S.SUBMITTED, _E.ACCEPT_CONDITIONAL): _S.UNTRIGGERED,
    (_S.SUBMITTED, _E.REJECT): _S.REJECTED,
    (_S.SUBMITTED, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.SUBMITTED, _E.FILL_ALL): _S.FILLED,
    (_S.SUBMITTED, _E.CANCEL): _S.CANCELLED,
    (_S.SUBMITTED, _E.EXPIRE): _S.EXPIRED,
    (_S.UNTRIGGERED, _E.TRIGGER): _S.OPEN,
    (_S.UNTRIGGERED, _E.CANCEL): _S.CANCELLED,
    (_S.UNTRIGGERED, _E.EXPIRE): _S.EXPIRED,
    (_S.UNTRIGGERED, _E.AMEND): _S.UNTRIGGERED,
    (_S.OPEN, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.OPEN, _E.FILL_ALL): _S.FILLED,
    (_S.OPEN, _E.CANCEL): _S.CANCELLED,
    (_S.OPEN, _E.REJECT): _S.REJECTED,
    (_S.OPEN, _E.EXPIRE): _S.EXPIRED,
    (_S.OPEN, _E.AMEND): _S.OPEN,
    (_S.PARTIALLY_FILLED, _E.FILL_PART): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.FILL_ALL): _S.FILLED,
    (_S.PARTIALLY_FILLED, _E.CANCEL): _S.CANCELLED,
    (_S.PARTIALLY_FILLED, _E.REJECT): _S.REJECTED,
    (_S.PARTIALLY_FILLED, _E.EXPIRE): _S.EXPIRED,
    (_S.PARTIALLY_FILLED, _E.AMEND): _S.PARTIALLY_FILLED,
    # A fill can cross our cancel on the wire; the venue's word wins.
    (_S.CANCELLED, _E.FILL_PART): _S.CANCELLED,
    (_S.CANCELLED, _E.FILL_ALL): _S.FILLED,
    # Bybit can report a rejection first and the fills that preceded it after.
    (_S.REJECTED, _E.FILL_PART): _S.REJECTED,
    (_S.REJECTED, _E.FILL_ALL): _S.FILLED,
}

_TERMINAL = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED})


def next_status(status: OrderStatus, event: OrderEvent) -> OrderStatus:
    """Return the status that `event` leads to.

    Raises
    ------
    InvalidTransition
        If the table has no such row. Inside the kernel that is a bug; from a venue an incident.

    Examples
    --------
    >>> next_status(OrderStatus.OPEN, OrderEvent.FILL_ALL).name
    'FILLED'
    """
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise InvalidTransition(f"{event.name} is not allowed in {status.name}") from None


def is_terminal(status: OrderStatus) -> bool:
    """Say whether an order of this status can no longer trade of its own accord."""
    return status in _TERMINAL
