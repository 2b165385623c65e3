"""Money between the sub-books of a paper run, moved at a row's close by the rule of its plan."""

from collections.abc import Sequence
from decimal import Decimal

from openalpha.core.units import from_units, to_units
from openalpha.engine.rows import Commanded, KernelAccount, Stepped
from openalpha.trading.paper.subbooks import SubBook
from openalpha.trading.run.allocation import Allocation, Move, Place, Purse, spare_of
from openalpha.trading.run.plan import RunPlan
from openalpha.venue.kernel import layout as at
from openalpha.venue.rules import cash_decimals

__all__ = ["PaperAllocation"]


class PaperAllocation:
    """Looks at the sub-books of a run after each row, and moves what is due.

    Parameters
    ----------
    plan : RunPlan
    books : sequence of SubBook
    """

    def __init__(self, plan: RunPlan, books: Sequence[SubBook]) -> None:
        self._plan, self._books = plan, books
        decimals = cash_decimals(plan.capital, plan.instruments)
        self._rule = Allocation(plan.handling.allocation, decimals=decimals)
        self._leverage = plan.settings.venue.margin.leverage

    def moves(self, close_ms: int) -> list[Move]:
        """Return what is to be moved at a row's close."""
        if self._plan.handling.allocation.rebalance == "never":
            return []
        return self._rule.at(
            close_ms,
            [
                Purse(
                    part.share,
                    _equity(book.account),
                    self._spare(book.account),
                    is_closed=book.is_halted,
                )
                for part, book in zip(self._plan.strategies, self._books, strict=True)
            ],
        )

    def move(self, move: Move, close_ms: int) -> list[tuple[int, int, Stepped]]:
        """Carry a move out; returns of each end its number, its change in cash units, its step."""
        found = []
        for number, sign in ((move.giver, -1), (move.taker, 1)):
            account = self._books[number].account
            units = sign * to_units(move.amount, account.units.coin_decimals[0])
            self._books[number].transfer(units, close_ms)
            step = Stepped(0.0, (), account.take_written(), Commanded())
            found.append((number, units, step))
        return found

    def _spare(self, account: KernelAccount) -> Decimal:
        cash = _money(account, account.machine.balances()[0])
        count = len(account.machine.instruments)
        return spare_of(cash, [self._place(account, number) for number in range(count)])

    def _place(self, account: KernelAccount, number: int) -> Place:
        machine, item = account.machine, account.units.instruments[number]
        legs = [machine.position(number, leg) for leg in range(2)]
        is_spot = machine.instruments[number].kind == at.SPOT
        orders = [
            int(order[at.O_QTY] - order[at.O_FILLED])
            for order in machine.live_orders(number)
            if not order[at.O_REDUCE]
            and not order[at.O_ATTACHED]
            and not (is_spot and order[at.O_SIDE] < 0)
        ]
        return Place(
            item,
            from_units(account.marks()[number], item.price_decimals),
            self._leverage,
            held=from_units(sum(abs(qty) for qty, _, _ in legs), item.qty_decimals),
            ordered=from_units(sum(orders), item.qty_decimals),
            open_profit=_money(account, _open_profit(account, number)),
            margin=_money(account, sum(margin for _, _, margin in legs)),
        )


def _open_profit(account: KernelAccount, number: int) -> int:
    """Return the open profit of an instrument's legs, cash units, rounded down."""
    machine, mark = account.machine, account.marks()[number]
    setup, total = account.machine.instruments[number], 0
    for leg in range(2):
        qty, cost, _ = machine.position(number, leg)
        if qty and mark and setup.kind != at.SPOT:
            value = qty * mark if setup.kind == at.LINEAR else -(qty * setup.k // mark)
            total += value * setup.num // setup.den - cost
    return total


def _equity(account: KernelAccount) -> Decimal:
    return _money(account, account.machine.equity())


def _money(account: KernelAccount, units: int) -> Decimal:
    return from_units(units, account.units.coin_decimals[0])
