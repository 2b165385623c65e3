"""Event strategies: callbacks on bars and fills that place orders, and what they may see and do.

For what cannot be said as a target: grids, market making, ladders of orders.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypedDict, Unpack

from openalpha.core.messages import Fill
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import Exits, StrategyParams

__all__ = ["Book", "Context", "EventStrategy", "OpenOrder", "OrderTerms", "Strategy", "Trade"]

Levels = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """One order of an event strategy that is still open."""

    id: int
    instrument: str
    side: int
    qty: float
    filled: float
    limit: float | None
    trigger: float | None
    is_reduce_only: bool
    tag: str


@dataclass(frozen=True, slots=True)
class Trade:
    """A print of the venue's tape: somebody else's trade; `side` is the taker's."""

    instrument: str
    ts_ms: int
    side: int
    price: float
    qty: float


class Book(Protocol):
    """The order book as it stands now, our own resting orders included."""

    @property
    def bid(self) -> float:
        """Best bid, NaN where there is none."""
        ...

    @property
    def ask(self) -> float:
        """Best ask, NaN where there is none."""
        ...

    def levels(self, count: int) -> tuple[Levels, Levels]:
        """Return the best `count` (price, quantity) of bids and of asks, the best first."""
        ...


class OrderTerms(TypedDict, total=False):
    """What may be said about an order beside its side and quantity; all of it optional.

    `limit` is the limit price; `stop` and `take_profit` are trigger prices (market once touched,
    or limit where both are given). `exits` attaches exits to the position an entry opens.
    """

    limit: float | None
    stop: float | None
    take_profit: float | None
    tif: str
    post_only: bool
    reduce_only: bool
    exits: Exits
    tag: str
    instrument: str | None


class Context(Protocol):
    """What an event strategy may know and do at one moment: the past and its own account.

    Every method takes `instrument=` where the strategy trades several; without it, the only or
    first one is meant. Prices and quantities are in the instrument's own units.
    """

    @property
    def index(self) -> int:
        """Number of the bar just closed, from 0."""
        ...

    @property
    def ts_ms(self) -> int:
        """Close of that bar, UTC ms: now."""
        ...

    @property
    def open(self) -> float:
        """Open of the bar just closed."""
        ...

    @property
    def high(self) -> float:
        """High of the bar just closed."""
        ...

    @property
    def low(self) -> float:
        """Low of the bar just closed."""
        ...

    @property
    def close(self) -> float:
        """Close of the bar just closed."""
        ...

    @property
    def volume(self) -> float:
        """Volume of the bar just closed."""
        ...

    @property
    def position(self) -> float:
        """Signed quantity held."""
        ...

    @property
    def entry_price(self) -> float:
        """Average price of the position, NaN when flat."""
        ...

    @property
    def equity(self) -> float:
        """Cash and open profit, account currency."""
        ...

    @property
    def cash(self) -> float:
        """Cash, account currency."""
        ...

    @property
    def orders(self) -> tuple[OpenOrder, ...]:
        """Orders still open, oldest first."""
        ...

    def position_of(self, instrument: str) -> float:
        """Signed quantity held of one of several instruments, by role or id."""
        ...

    def entry_price_of(self, instrument: str) -> float:
        """Average price of that position, NaN when flat."""
        ...

    def history(self, count: int, *, instrument: str | None = None) -> Bars:
        """Return the last `count` bars, the one just closed included; fewer at the beginning."""
        ...

    def buy(self, qty: float, **terms: Unpack[OrderTerms]) -> int:
        """Place a buy order (market without `limit`) and return its id."""
        ...

    def sell(self, qty: float, **terms: Unpack[OrderTerms]) -> int:
        """Place a sell order (market without `limit`) and return its id."""
        ...

    def close_position(self, *, instrument: str | None = None) -> None:
        """Close the whole position at market, reduce-only."""
        ...

    def cancel(self, order_id: int) -> None:
        """Cancel an open order; one that is closed already is left alone."""
        ...

    def amend(
        self,
        order_id: int,
        *,
        qty: float | None = None,
        limit: float | None = None,
        trigger: float | None = None,
    ) -> None:
        """Change an open order."""
        ...


class EventStrategy(ABC):
    """A strategy that reacts to bars and fills by placing orders.

    One object lives for one run. It may keep state in its own attributes; everything else it
    knows comes from the context, which shows the past only.

    Parameters
    ----------
    params : StrategyParams
        An instance of `Params`; kept as `self.params`.
    """

    name: ClassVar[str]
    idea: ClassVar[str]
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    def __init__(self, params: Any) -> None:
        self.params = params

    def warm_up_bars(self, params: Any) -> int:
        """Return how many bars must be seen before the first order; 1 needs none but the first."""
        return 1

    @abstractmethod
    def on_bar(self, ctx: Context) -> None:
        """Decide at the close of a bar."""

    def on_start(self, ctx: Context) -> None:  # noqa: B027 - most strategies have nothing to do
        """Prepare, before the first bar is shown."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:  # noqa: B027 - optional
        """Hear of a fill of one of its orders."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:  # noqa: B027 - optional
        """Hear of a trade on the tape, where the feed has them (`trades`, `book`)."""

    def on_book(self, ctx: Context, book: Book) -> None:  # noqa: B027 - optional
        """Hear of a change of the book, where the feed has it (`book`)."""

    def on_stop(self, ctx: Context) -> None:  # noqa: B027 - optional
        """Put away, after the last bar."""


Strategy = SignalStrategy | EventStrategy
"""Any strategy object."""
