"""What the gate sees of an account at one moment: money, markets, and who holds what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Context, Decimal
from enum import IntEnum

from openalpha.core.instruments import Instrument, InstrumentId, Kind
from openalpha.core.orders import Leg, Side
from openalpha.core.reasons import Reason

__all__ = ["AccountView", "MarketNow", "Stage", "Standing", "StrategyMoney", "SubBook", "floored"]

_ONE = Decimal(1)
_WIDE = Context(prec=60)


class Stage(IntEnum):
    """What trading may do, from everything to nothing. The numbers are stored: never renumber.

    REDUCING: what opens or adds is refused. HALTED: nothing is ordered but by a person; protective
    stops stay at the venue. FLATTEN: everything is being cancelled and closed, then it stays so.
    """

    ACTIVE = 0
    REDUCING = 1
    HALTED = 2
    FLATTEN = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """A stage and why."""

    stage: Stage = Stage.ACTIVE
    reason: Reason = Reason.NONE
    words: str = ""


@dataclass(frozen=True, slots=True)
class MarketNow:
    """An instrument as it stands.

    Parameters
    ----------
    instrument : Instrument
    price : Decimal
        The last price.
    seen_ms : int
        When the newest data of it was stamped, UTC ms: a bar's close, a trade's time.
    settle_value : Decimal
        What one coin of its settlement is worth in the account's currency.
    leverage : Decimal
        What the account trades it at; 1 for spot.
    """

    instrument: Instrument
    price: Decimal
    seen_ms: int
    settle_value: Decimal = Decimal(1)
    leverage: Decimal = Decimal(1)

    def worth(self, qty: Decimal, price: Decimal, *, decimals: int) -> Decimal:
        """Return the value of a quantity in the account's currency, rounded down to its unit."""
        rules = self.instrument
        times = _WIDE.multiply
        if rules.kind is Kind.INVERSE:
            value = _WIDE.divide(times(qty, rules.multiplier), price)
        else:
            value = times(times(qty, price), rules.multiplier)
        return floored(times(value, self.settle_value), decimals)


@dataclass(frozen=True, slots=True)
class SubBook:
    """What one strategy holds of one instrument (and leg), and its orders that could open more.

    Parameters
    ----------
    strategy : str
    instrument : InstrumentId
    qty : Decimal
        Signed position.
    buying, selling : Decimal
        Unfilled quantity of open orders that are not reduce-only.
    leg : Leg
    closing : Decimal
        Unfilled quantity of reduce-only market orders on their way against the position.
    """

    strategy: str
    instrument: InstrumentId
    qty: Decimal
    buying: Decimal = Decimal(0)
    selling: Decimal = Decimal(0)
    leg: Leg = Leg.NET
    closing: Decimal = Decimal(0)

    def reach(self, side: Side) -> Decimal:
        """Return the size on a side if every open order of that side filled.

        What is being closed already makes no room: of a flip all of the entry counts as opening.
        """
        held = self.qty * int(side)
        if held < 0:
            held = min(held + self.closing, Decimal(0))
        return held + (self.buying if side is Side.BUY else self.selling)


@dataclass(frozen=True, slots=True)
class StrategyMoney:
    """What a strategy was given and what is left of it, open profit included."""

    capital: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account at one moment, all of it of that moment.

    Parameters
    ----------
    ts_ms : int
        UTC ms.
    equity : Decimal
        Open profit included, in the account's currency.
    free : Decimal
        What of it no position or order locks.
    markets : mapping of InstrumentId to MarketNow
    books : sequence of SubBook
        Every strategy's part of every position, manual and adopted ones too (strategy "").
    standing : Standing
        The ladder's.
    strategies : mapping of str to StrategyMoney
        Empty: no strategy has capital of its own.
    cash_decimals : int
        Decimals of the account currency's unit.
    """

    ts_ms: int
    equity: Decimal
    free: Decimal
    markets: Mapping[InstrumentId, MarketNow]
    books: Sequence[SubBook] = ()
    standing: Standing = Standing()
    strategies: Mapping[str, StrategyMoney] = field(default_factory=dict)
    cash_decimals: int = 8


def floored(value: Decimal, decimals: int) -> Decimal:
    """Round down to a number of decimals, exactly.

    Examples
    --------
    >>> floored(Decimal("1.239"), 2), floored(Decimal("-1.231"), 2)
    (Decimal('1.23'), Decimal('-1.24'))
    """
    return value.quantize(_ONE.scaleb(-decimals), ROUND_FLOOR, _WIDE)
