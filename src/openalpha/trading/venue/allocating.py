"""Money between the strategies of a run at a venue: the account has it all, sub-books share it."""

from decimal import Decimal

from openalpha.core.instruments import Kind
from openalpha.risk.limits import limits_of
from openalpha.store.run_log import FrameKind
from openalpha.trading.run.allocation import Allocation, Move, Place, Purse, spare_of
from openalpha.trading.run.plan import RunPlan
from openalpha.trading.venue.books import VenueBook
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.state import Work
from openalpha.venue.rules import cash_decimals

__all__ = ["VenueAllocation"]

_ZERO = Decimal(0)


class VenueAllocation:
    """Looks at a run's strategies after each row, and moves what is due between their sub-books.

    Nothing is asked of the venue: it knows one account. People's orders have no share.

    Parameters
    ----------
    plan : RunPlan
    books : list of VenueBook
        Those of the plan's strategies first.
    orders : VenueOrders
    """

    def __init__(self, plan: RunPlan, books: list[VenueBook], *, orders: VenueOrders) -> None:
        self._plan, self._books, self._orders = plan, books, orders
        decimals = cash_decimals(plan.capital, plan.instruments)
        self._rule = Allocation(plan.handling.allocation, decimals=decimals)
        self._leverage = plan.settings.venue.margin.leverage
        self._stop = limits_of(plan.settings.risk, plan.limits).strategy_stop

    def look(self, work: Work, close_ms: int) -> None:
        """Move what is due at a row's close: the next decision sizes by what it left."""
        books = self._books[: len(self._plan.strategies)]
        is_due = self._plan.handling.allocation.rebalance != "never"
        if not is_due or not all(mark for book in books for mark in book.marks):
            return
        opening = self._orders.opening(work.wants)
        purses = [
            Purse(
                part.share,
                book.equity,
                self._spare(book, opening),
                is_closed=book.is_closed or 0 < self._stop <= 1 - book.equity / book.capital,
            )
            for part, book in zip(self._plan.strategies, books, strict=True)
        ]
        for move in self._rule.at(close_ms, purses):
            self._carry_out(work, move, close_ms)

    def _carry_out(self, work: Work, move: Move, close_ms: int) -> None:
        self._books[move.giver].move(-move.amount)
        self._books[move.taker].move(move.amount)
        work.note(
            FrameKind.NOTE,
            ts=close_ms,
            moved=f"{move.amount.normalize():f}",
            giver=move.giver,
            taker=move.taker,
        )

    def _spare(
        self, book: VenueBook, opening: dict[tuple[str, str], tuple[Decimal, Decimal]]
    ) -> Decimal:
        places = []
        for number, (item, held) in enumerate(zip(book.instruments, book.held, strict=True)):
            bought, sold = opening.get((book.part.name, str(item.id)), (_ZERO, _ZERO))
            is_spot = item.kind is Kind.SPOT
            places.append(
                Place(
                    item,
                    book.marks[number],
                    self._leverage,
                    held=abs(held.qty),
                    ordered=bought if is_spot else bought + sold,
                    open_profit=_ZERO if is_spot else book.worth(number),
                )
            )
        return spare_of(book.cash, places)
