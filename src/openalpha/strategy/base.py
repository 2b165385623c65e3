"""The kinds of strategy: a pure function from bars to targets, or callbacks that place orders.

Signal strategies are where most ideas, every model and every search live. Event strategies are
for what cannot be said as a target: grids, market making, ladders of orders.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import format_ms
from openalpha.core.errors import DataError
from openalpha.core.messages import Fill
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.params import Exits, StrategyParams

__all__ = [
    "NO_OPINION_E6",
    "Context",
    "EventStrategy",
    "OpenOrder",
    "OrderTerms",
    "PortfolioStrategy",
    "SignalStrategy",
    "Strategy",
    "evaluate",
    "quantise",
]

NO_OPINION_E6 = np.int32(-(2**31))
"""What a target in millionths holds where the strategy has no opinion (NaN)."""


class SignalStrategy(ABC):
    """A strategy that says, for every bar, how much it wants to hold.

    `target` must be pure: the same bars and parameters give the same bits, the bars are not
    changed, and the value at bar t depends on bars up to t only (`prove` checks all of it).
    """

    name: ClassVar[str]
    idea: ClassVar[str]
    Params: ClassVar[type[StrategyParams]] = StrategyParams

    def warm_up_bars(self, params: Any) -> int:
        """Return how many bars must be seen before the first opinion; 1 needs this bar only."""
        return 1

    @abstractmethod
    def target(self, bars: Bars, params: Any) -> FloatArray:
        """Return the wanted position for every bar.

        Parameters
        ----------
        bars : Bars
            History of one instrument.
        params : StrategyParams
            An instance of `Params`.

        Returns
        -------
        float64[n]
            -1 (fully short) to 1 (fully long), decided at each bar's close. NaN: no opinion,
            the position is kept (flat before the first opinion).
        """

    def target_e6(self, bars: Bars, params: Any) -> NDArray[np.int32] | None:
        """Return `quantise(target(...))` where it can be had more quickly, else None.

        Optional. `prove` checks that it equals the quantised target.
        """
        return None

    def exits(self, params: Any) -> Exits:
        """Return the exits every entry carries; by default those the parameters declare."""
        assert isinstance(params, StrategyParams)
        return params.exits()


class PortfolioStrategy(SignalStrategy):
    """A signal strategy that decides over several instruments at once.

    `roles` names the parts instruments play (`("spot", "perp")`); the bars come by role, several
    of one role as `spot.BTC`, `spot.ETH`. Without roles the bars come by instrument id. All bars
    share one grid of stamps. The sum of the absolute targets of a bar is at most 1.
    """

    roles: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def targets(self, bars: Mapping[str, Bars], params: Any) -> Mapping[str, FloatArray]:
        """Return the wanted position of every instrument for every bar, under the keys given.

        Parameters
        ----------
        bars : mapping of str to Bars
            By role or instrument id, all of the same length.
        params : StrategyParams
            An instance of `Params`.

        Returns
        -------
        mapping of str to float64[n]
            As `SignalStrategy.target`, one column a key of `bars`.
        """

    def target(self, bars: Bars, params: Any) -> FloatArray:
        """Refuse: a portfolio strategy decides over all its instruments in `targets`."""
        raise NotImplementedError(f"{self.name} decides over several instruments: call targets")


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

    def on_trade(self, ctx: Context, trade: Any) -> None:  # noqa: B027 - optional
        """Hear of a trade on the tape, where the feed has them."""

    def on_book(self, ctx: Context, book: Any) -> None:  # noqa: B027 - optional
        """Hear of a change of the book, where the feed has it."""

    def on_stop(self, ctx: Context) -> None:  # noqa: B027 - optional
        """Put away, after the last bar."""


Strategy = SignalStrategy | EventStrategy
"""Any strategy object."""


def evaluate(
    strategy: SignalStrategy, bars: Mapping[str, Bars], params: StrategyParams
) -> dict[str, FloatArray]:
    """Return the checked targets of a strategy over its instruments.

    Parameters
    ----------
    strategy : SignalStrategy
        A portfolio strategy is asked once for all; any other once an instrument.
    bars : mapping of str to Bars
        By role or instrument id.
    params : StrategyParams
        An instance of the strategy's `Params`.

    Returns
    -------
    dict of str to float64[n]
        One column a key, each within [-1, 1] or NaN.

    Raises
    ------
    DataError
        If a target has the wrong length or leaves the range; names the strategy and the bar.
    """
    if isinstance(strategy, PortfolioStrategy):
        given = strategy.targets(bars, params)
    else:
        given = {key: strategy.target(part, params) for key, part in bars.items()}
    if set(given) != set(bars):
        raise DataError(
            f"strategy {strategy.name} gave targets for {sorted(given)}, expected {sorted(bars)}"
        )
    checked = {key: _checked(strategy.name, given[key], part) for key, part in bars.items()}
    if isinstance(strategy, PortfolioStrategy):
        _check_gross(strategy.name, checked, next(iter(bars.values())))
    return checked


def quantise(target: FloatArray) -> NDArray[np.int32]:
    """Return targets in whole millionths, `NO_OPINION_E6` where NaN.

    Examples
    --------
    >>> quantise(np.array([0.5, -1.0])).tolist()
    [500000, -1000000]
    """
    known = ~np.isnan(target)
    rounded = np.rint(np.where(known, target, 0.0) * 1e6).astype(np.int32)
    return np.where(known, rounded, NO_OPINION_E6)


def _checked(name: str, target: Any, bars: Bars) -> FloatArray:
    values = np.ascontiguousarray(target, dtype=np.float64)
    if values.shape != (len(bars),):
        raise DataError(
            f"strategy {name} gave targets of shape {values.shape} for {len(bars)} bars; "
            "it must give one number a bar"
        )
    # One pass: the largest size is NaN-safe and tells whether anything is out of range.
    largest = np.nanmax(np.abs(values)) if len(values) and not np.isnan(values).all() else 0.0
    if largest > 1.0:
        row = int(np.flatnonzero(np.abs(values) > 1.0)[0])
        raise DataError(
            f"strategy {name} wants {values[row]:g} at the bar of "
            f"{format_ms(int(bars.ts_ms[row]))}; a target lies between -1 and 1"
        )
    return values


def _check_gross(name: str, targets: Mapping[str, FloatArray], bars: Bars) -> None:
    gross = np.zeros(len(bars))
    for values in targets.values():
        gross += np.abs(np.nan_to_num(values))
    if len(gross) and gross.max() > 1.0 + 1e-9:
        row = int(np.argmax(gross > 1.0 + 1e-9))
        raise DataError(
            f"strategy {name} wants {gross[row]:g} in all at the bar of "
            f"{format_ms(int(bars.ts_ms[row]))}; the absolute targets must sum to at most 1"
        )
