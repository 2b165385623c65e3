"""Exits of a sub-book's position: where they stand, by the rules that the kernel attaches them by.

As over history (rules O8, O9) each fill that opens or adds gives the position the exits its order
carries, measured from the average price; a trailing stop begins anew with it. Only closed bars are
looked at, so between two of them a trailing stop stands still.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderType

__all__ = ["LEGS", "STOP", "TAKE_PROFIT", "TIME_EXIT", "ExitTerms", "Levels"]

STOP, TAKE_PROFIT, TIME_EXIT = "stop", "take_profit", "time_exit"
LEGS = (STOP, TAKE_PROFIT)
"""Exits that stand at the venue as orders; the first is what protects."""
_ZERO = Decimal(0)
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ExitTerms:
    """The exits an order carries for what it fills: millionths of the average price; 0 is none.

    `since_ms` is the bar's opening that a market order was made for, UTC ms; 0: it rests, so that
    what it fills is held from its fill on.
    """

    stop_e6: int = 0
    take_profit_e6: int = 0
    trailing_e6: int = 0
    activation_e6: int = 0
    time_exit_ms: int = 0
    since_ms: int = 0

    @classmethod
    def of(cls, intent: OrderIntent) -> "ExitTerms | None":
        """Return what an order carries; None for one that only closes."""
        if intent.is_reduce_only:
            return None
        rests = intent.order_type is not OrderType.MARKET or intent.trigger_price is not None
        return cls(
            intent.stop_e6,
            intent.take_profit_e6,
            intent.trailing_e6,
            intent.activation_e6,
            intent.time_exit_ms,
            0 if rests else intent.ts_ms,
        )


@dataclass(slots=True)
class Levels:
    """Where the exits of one position stand; zeros while there is none.

    Attributes
    ----------
    terms : ExitTerms
        Those of the last order that filled.
    stop, take_profit : Decimal
        Prices, on the tick, rounded away from the entry.
    distance, best, activation : Decimal
        Of the trailing stop: it stands `distance` behind `best`, once active.
    since_ms, filled_ms : int
        The bar's opening the position was made for, and its last opening fill, UTC ms.
    due_ms : int
        When its time is over; 0: never.
    reached : str
        The exit that was reached and is carried out by the run; empty: none.
    """

    terms: ExitTerms = ExitTerms()
    stop: Decimal = _ZERO
    take_profit: Decimal = _ZERO
    distance: Decimal = _ZERO
    best: Decimal = _ZERO
    activation: Decimal = _ZERO
    is_active: bool = False
    since_ms: int = 0
    filled_ms: int = 0
    due_ms: int = 0
    reached: str = ""

    def attach(self, side: int, price: Decimal, *, tick: Decimal, filled_ms: int) -> None:
        """Measure the exits anew, as a fill opened the position or added to it.

        Parameters
        ----------
        side : int
            1 long, -1 short.
        price : Decimal
            The position's average price.
        filled_ms : int
            Of the fill, UTC ms.
        """
        terms = self.terms
        self.clear()
        self.filled_ms, self.since_ms = filled_ms, terms.since_ms or filled_ms

        def level(e6: int, *, is_profit: bool) -> Decimal:
            factor = _MILLION + (side if is_profit else -side) * e6
            return _on_tick(price * factor / _MILLION, tick, up=(side > 0) == is_profit)

        if terms.stop_e6:
            self.stop = level(terms.stop_e6, is_profit=False)
        if terms.take_profit_e6:
            self.take_profit = level(terms.take_profit_e6, is_profit=True)
        if terms.trailing_e6:
            self.distance = _on_tick(price * terms.trailing_e6 / _MILLION, tick, up=False)
            self.best = _on_tick(price, tick, up=side < 0)
            self.is_active = not terms.activation_e6
        if terms.activation_e6:
            self.activation = level(terms.activation_e6, is_profit=True)
        if terms.time_exit_ms:
            self.due_ms = self.since_ms + terms.time_exit_ms

    def clear(self) -> None:
        """Take all of them away: the position is closed."""
        self.stop = self.take_profit = self.distance = self.best = self.activation = _ZERO
        self.is_active, self.reached = False, ""
        self.since_ms = self.filled_ms = self.due_ms = 0

    def follow(
        self, side: int, bar: tuple[Decimal, Decimal, Decimal], *, span: tuple[int, int]
    ) -> None:
        """Let the trailing stop follow a bar that has closed.

        Of the bar a position was made in the close alone counts, unless it was made for its
        opening: whether its extremes came before the fill is not known.

        Parameters
        ----------
        bar : tuple of Decimal
            Its high, low and close.
        span : tuple of int
            The bar's opening and its close, UTC ms.
        """
        opened_ms, closed_ms = span
        if not self.distance or closed_ms <= self.filled_ms:
            return
        is_whole = opened_ms >= self.filled_ms or opened_ms == self.since_ms
        high, low, close = bar
        price = (high if side > 0 else low) if is_whole else close
        if not self.is_active:
            if (price - self.activation) * side >= 0:
                self.is_active, self.best = True, price
        elif (price - self.best) * side > 0:
            self.best = price

    def level(self, leg: str, side: int) -> Decimal:
        """Return the trigger of a leg: of stop and trailing stop the nearer one; zero for none."""
        if leg == TAKE_PROFIT:
            return self.take_profit
        if not self.is_active:
            return self.stop
        trailing = self.best - side * self.distance
        if not self.stop:
            return trailing
        return max(self.stop, trailing) if side > 0 else min(self.stop, trailing)


def _on_tick(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """Return a price on the tick, at least one of them."""
    ticks = (price / tick).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR)
    return max(ticks, Decimal(1)) * tick
