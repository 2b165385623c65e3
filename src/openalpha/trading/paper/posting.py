"""Posts what a run does to the books as it happens, and proves that they agree with the kernel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.balances import kept_balances
from openalpha.books.effects import RunEffects, run_drafts
from openalpha.books.entries import Draft, EntryKind, FillDraft, Posting
from openalpha.books.ledger import Ledger, Posted
from openalpha.books.writing import book_row
from openalpha.core.clock import DAY_MS
from openalpha.core.errors import LedgerError
from openalpha.core.messages import CashEffect, EffectKind, Fill
from openalpha.core.units import from_units
from openalpha.engine.rows import KernelAccount, Stepped, Written
from openalpha.engine.tables import EffectTable, FillTable, Units
from openalpha.trading.paper.desk import Desk, Led, Outcome
from openalpha.trading.run.allocation import Move

__all__ = ["Poster", "venue_accounts"]


def venue_accounts(run_id: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the ledger's name of each sub-book's account.

    Examples
    --------
    >>> venue_accounts("r1", ["ma_cross"]), venue_accounts("r1", ["a", "b"])
    (('r1',), ('r1/a', 'r1/b'))
    """
    if len(names) == 1:
        return (run_id,)
    return tuple(f"{run_id}/{name}" for name in names)


@dataclass(slots=True)
class _Marks:
    """The last close of a day, kept until a later day has begun."""

    ts_ms: int = -1
    prices: dict[str, Decimal] = field(default_factory=dict)


class Poster:
    """Writes a run's fills and cash effects to the ledger, one to one, in the order they happened.

    Posting again changes nothing, so recovery may begin anywhere.

    Parameters
    ----------
    ledger, book : the books of the run's environment
    desk : Desk
    run_id : str
    """

    def __init__(self, ledger: Ledger, book: Book, *, desk: Desk, run_id: str) -> None:
        self._ledger, self._book, self._desk = ledger, book, desk
        self.venues = venue_accounts(run_id, [part.name for part in desk.plan.strategies])
        self._marks = [_Marks() for _ in desk.books]
        self._is_opened = [False for _ in desk.books]
        self.checks = 0

    def post(
        self, outcomes: Sequence[Outcome], *, is_last: bool = False, is_again: bool = False
    ) -> Posted:
        """Post what outcomes say, all in one transaction, then compare every balance.

        Parameters
        ----------
        is_last : bool
            The run has ended: its last mark is posted, too.
        is_again : bool
            The books may be ahead of these outcomes, so nothing is compared.

        Raises
        ------
        LedgerError
            If a balance of the ledger is not the kernel's.
        StorageError
            If the database fails; nothing was posted.
        """
        drafts = [draft for outcome in outcomes for draft in self._of_outcome(outcome)]
        if is_last:
            for number in range(len(self._marks)):
                drafts += self._mark_drafts(number)
        if not drafts:
            return Posted(0, 0)
        posted = self._ledger.post(self._book, drafts)
        if not is_again:
            self.check()
        return posted

    def check(self) -> None:
        """Compare the ledger's cash with the kernel's, in every coin of every sub-book.

        Raises
        ------
        LedgerError
            If they differ.
        """
        if not any(self._is_opened):
            return
        with self._ledger.database.reading() as connection:
            row = book_row(connection, self._book)
            assert row is not None
            kept = kept_balances(connection, row[0], categories=[Category.CASH])
        self.checks += 1
        for venue, is_open, book in zip(
            self.venues, self._is_opened, self._desk.books, strict=True
        ):
            if is_open:
                _compare(venue, book.account, kept)

    def _of_outcome(self, outcome: Outcome) -> Iterator[Draft | FillDraft]:
        for led in outcome.led:
            yield from self._of(led)
        for number, (ts_ms, move) in enumerate(outcome.moved):
            yield self._move(move, ts_ms, number)

    def _move(self, move: Move, ts_ms: int, number: int) -> Draft:
        """Return the entry of money that went from one sub-book's account to another's."""
        coin = self._desk.books[move.giver].account.units.coins[0]
        giver, taker = self.venues[move.giver], self.venues[move.taker]
        return Draft(
            key=f"{giver}/moved/{ts_ms}/{number}",
            kind=EntryKind.TRANSFER,
            ts_ms=ts_ms,
            source=giver,
            postings=(
                Posting(Account(giver, Category.CASH, coin), move.amount.copy_negate()),
                Posting(Account(taker, Category.CASH, coin), move.amount),
            ),
            ref="between sub-books",
        )

    def _of(self, led: Led) -> Iterator[Draft | FillDraft]:
        number, account = led.book, self._desk.books[led.book].account
        if not self._is_opened[number]:
            self._is_opened[number] = True
            yield from run_drafts(self._effects(number, led.ts_ms, opening=True))
        marks = self._marks[number]
        if marks.ts_ms >= 0 and (marks.ts_ms - 1) // DAY_MS != (led.ts_ms - 1) // DAY_MS:
            yield from self._mark_drafts(number)
        marks.ts_ms, marks.prices = led.ts_ms, _prices(account, led.marks)
        if len(led.step.written.effects) or len(led.step.written.fills):
            yield from run_drafts(self._effects(number, led.ts_ms, step=led.step))

    def _mark_drafts(self, number: int) -> list[Draft | FillDraft]:
        marks = self._marks[number]
        if marks.ts_ms < 0 or not marks.prices:
            return []
        kept = self._effects(number, marks.ts_ms)
        return list(run_drafts(replace(kept, marks=[(marks.ts_ms, marks.prices)])))

    def _effects(
        self, number: int, ts_ms: int, *, step: Stepped | None = None, opening: bool = False
    ) -> RunEffects:
        units = self._desk.books[number].account.units
        part = self._desk.plan.strategies[number]
        capital = {units.coins[0]: self._desk.plan.capital_of(part)} if opening else {}
        written = None if step is None else step.written
        return RunEffects(
            run_id=self.venues[number],
            start_ms=ts_ms - self._desk.plan.timeframe_ms,
            opening=capital,
            effects=() if written is None else _posted_effects(written, units),
            fills=() if written is None else _numbered_fills(written, units),
            instruments={str(item.id): item for item in units.instruments},
            cash_decimals=dict(zip(units.coins, units.coin_decimals, strict=True)),
            mark_source=f"close of the day's last bar in run {self.venues[number]}",
        )


def _posted_effects(written: Written, units: Units) -> list[CashEffect]:
    """Return the effects that are entries of their own: a move is one entry of both its ends."""
    effects = EffectTable(written.effects, units).messages()
    return [
        replace(effect, seq=effect.seq + written.first_effect)
        for effect in effects
        if effect.kind is not EffectKind.TRANSFER
    ]


def _numbered_fills(written: Written, units: Units) -> list[Fill]:
    fills = FillTable(written.fills, units).messages()
    return [replace(fill, seq=fill.seq + written.first_fill) for fill in fills]


def _prices(account: KernelAccount, marks: Sequence[int]) -> dict[str, Decimal]:
    return {
        str(instrument.id): from_units(units, instrument.price_decimals)
        for instrument, units in zip(account.units.instruments, marks, strict=True)
        if units
    }


def _compare(venue: str, account: KernelAccount, kept: "dict[Account, Decimal]") -> None:
    units = account.units
    balances = account.machine.balances()
    for coin, balance, decimals in zip(units.coins, balances, units.coin_decimals, strict=True):
        found = kept.get(Account(venue, Category.CASH, coin), Decimal(0))
        if found != from_units(balance, decimals):
            raise LedgerError(
                f"the ledger holds {found} {coin} for {venue}, the account has "
                f"{from_units(balance, decimals)}: the run was halted; please report this"
            )
