"""Which part of a run's money each strategy has, and when money goes from one to another.

Pure: a moment is due by a row's close and the sub-books' equity alone, so a replay moves the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal

from openalpha.core.clock import DAY_MS
from openalpha.core.instruments import Instrument, Kind
from openalpha.risk.view import MarketNow

__all__ = ["Allocation", "AllocationSettings", "Move", "Place", "Purse", "spare_of"]

_ZERO = Decimal(0)
_MONDAY = 4
"""1970-01-05, the first Monday, in days since 1970."""
_ROOM = Decimal("1.1")
"""A giver keeps a tenth more than the margin of what it holds and has ordered."""


@dataclass(frozen=True, slots=True)
class AllocationSettings:
    """How the money of several strategies in one run is kept at their shares."""

    rebalance: str = field(
        default="never",
        metadata={
            "help": "when strategies of one run share their money out again by their shares: "
            "never, with each new UTC day, week or month, or once a share is off by a threshold",
            "choices": ("never", "calendar", "threshold"),
        },
    )
    period: str = field(
        default="month",
        metadata={
            "help": "calendar: at the first close of each UTC day, week (from Monday) or month",
            "choices": ("day", "week", "month"),
        },
    )
    threshold: Decimal = field(
        default=Decimal("0.05"),
        metadata={
            "help": "threshold: how far a strategy's part of the equity may be from its share",
            "unit": "fraction",
            "min": Decimal("0.001"),
            "max": 1,
        },
    )
    least: Decimal = field(
        default=Decimal(10),
        metadata={
            "help": "least sum of money that is moved",
            "unit": "account currency",
            "min": 0,
        },
    )


@dataclass(frozen=True, slots=True)
class Purse:
    """A sub-book's money at a row's close.

    Parameters
    ----------
    share : Decimal
        Its part of the capital, as the run began.
    equity : Decimal
        Open profit included.
    spare : Decimal
        What it can give and still has the margin of what it holds and has ordered.
    is_closed : bool
        Its strategy opens nothing any more: it keeps what it has, and its share is nobody's.
    """

    share: Decimal
    equity: Decimal
    spare: Decimal
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """Money that goes from one sub-book to another; numbers of the run's strategies."""

    giver: int
    taker: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Place:
    """What a sub-book holds and has ordered of an instrument: sizes, none negative.

    `margin` is what is locked in an isolated position, zero elsewhere.
    """

    instrument: Instrument
    mark: Decimal
    leverage: Decimal
    held: Decimal
    ordered: Decimal
    open_profit: Decimal = _ZERO
    margin: Decimal = _ZERO


def spare_of(cash: Decimal, places: Sequence[Place]) -> Decimal:
    """Return what a sub-book can give: cash less open losses, and less margin and a tenth of it.

    Open profit is not given away, coins are not sold.

    Examples
    --------
    >>> spare_of(Decimal(100), [])
    Decimal('100')
    """
    kept = _ZERO
    for place in places:
        is_spot = place.instrument.kind is Kind.SPOT
        market = MarketNow(place.instrument, place.mark, 0)
        size = place.ordered if is_spot else place.held + place.ordered
        worth = market.worth(size, place.mark, decimals=12) if size and place.mark else _ZERO
        leverage = Decimal(1) if is_spot else place.leverage
        kept += max(worth / leverage, place.margin) * _ROOM
        kept += _ZERO if is_spot else max(-place.open_profit, _ZERO)
    return max(cash - kept, _ZERO)


class Allocation:
    """Says, at every close, what money is to move.

    Parameters
    ----------
    settings : AllocationSettings
    decimals : int
        Decimals of the account currency's unit: whole units are moved.
    """

    def __init__(self, settings: AllocationSettings, *, decimals: int) -> None:
        self._settings, self._unit = settings, Decimal(1).scaleb(-decimals)
        self._period: int | None = None

    def at(self, close_ms: int, purses: Sequence[Purse]) -> list[Move]:
        """Return what is moved at a row's close; nothing where no moment is due.

        Sub-books whose strategy is closed neither give nor take. Givers give what they have too
        much, as far as they can spare it; takers get it in proportion to what they lack. While a
        sub-book has nothing left, nothing is moved.

        Examples
        --------
        >>> always = Allocation(AllocationSettings(rebalance="threshold"), decimals=2)
        >>> halves = [Purse(Decimal("0.5"), Decimal(n), Decimal(n)) for n in (1200, 800)]
        >>> always.at(0, halves)
        [Move(giver=0, taker=1, amount=Decimal('200'))]
        >>> closed = Purse(Decimal("0.5"), Decimal(100), Decimal(100), is_closed=True)
        >>> always.at(0, [closed, *halves])
        [Move(giver=1, taker=2, amount=Decimal('200'))]
        """
        open_ones = [number for number, purse in enumerate(purses) if not purse.is_closed]
        moves = self._between(close_ms, [purses[number] for number in open_ones])
        return [Move(open_ones[m.giver], open_ones[m.taker], m.amount) for m in moves]

    def _between(self, close_ms: int, purses: Sequence[Purse]) -> list[Move]:
        is_due = self._is_due(close_ms, purses)
        if not is_due or len(purses) < 2 or any(purse.equity <= 0 for purse in purses):
            return []
        total, whole = _sum(p.equity for p in purses), _sum(p.share for p in purses)
        lacks = [total * purse.share / whole - purse.equity for purse in purses]
        gifts = [
            self._floored(min(max(-lack, _ZERO), purse.spare))
            for lack, purse in zip(lacks, purses, strict=True)
        ]
        wanted = _sum(max(lack, _ZERO) for lack in lacks)
        amount = min(_sum(gifts), self._floored(wanted))
        if not amount or amount < self._settings.least:
            return []
        takers = [number for number, lack in enumerate(lacks) if lack > 0]
        parts = {number: self._floored(amount * lacks[number] / wanted) for number in takers}
        parts[takers[-1]] += amount - _sum(parts.values())
        return _paired(gifts, parts)

    def _is_due(self, close_ms: int, purses: Sequence[Purse]) -> bool:
        kind = self._settings.rebalance
        if kind == "calendar":
            before, self._period = self._period, _period(close_ms, self._settings.period)
            return before is not None and self._period > before
        if kind == "never":
            return False
        return any(abs(off) > self._settings.threshold for off in _offs(purses))

    def _floored(self, value: Decimal) -> Decimal:
        return (value / self._unit).to_integral_value(ROUND_FLOOR) * self._unit


def _offs(purses: Sequence[Purse]) -> list[Decimal]:
    """Return how far each part of the equity is from its share."""
    total, whole = _sum(p.equity for p in purses), _sum(p.share for p in purses)
    if total <= 0:
        return []
    return [purse.equity / total - purse.share / whole for purse in purses]


def _paired(gifts: Sequence[Decimal], parts: dict[int, Decimal]) -> list[Move]:
    """Return who gives how much to whom: givers in order, each to the takers in order."""
    moves, given, lacking = [], list(gifts), dict(parts)
    for giver in range(len(gifts)):
        for taker in parts:
            amount = min(given[giver], lacking[taker])
            if amount:
                moves.append(Move(giver, taker, amount))
                given[giver] -= amount
                lacking[taker] -= amount
    return moves


def _period(ts_ms: int, name: str) -> int:
    """Return the number of the UTC day, week or month a moment lies in."""
    day = ts_ms // DAY_MS
    if name == "day":
        return day
    if name == "week":
        return (day - _MONDAY) // 7
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC)
    return moment.year * 12 + moment.month


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, _ZERO)
