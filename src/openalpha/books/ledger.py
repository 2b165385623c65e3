"""The ledger: append-only books, posted to in whole transactions and never changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from openalpha.books.accounts import Book
from openalpha.books.entries import Draft, Entry, FillDraft
from openalpha.books.positions import stored_fill
from openalpha.books.rates import NO_RATES, RateSource
from openalpha.books.reading import entries_at
from openalpha.books.writing import BookWriter
from openalpha.core.clock import Clock
from openalpha.core.errors import LedgerError
from openalpha.store.database import Database

__all__ = ["BATCH", "Ledger", "Posted"]

BATCH = 5_000
"""Entries of one transaction when many are posted."""

AnyDraft = Draft | FillDraft


class Posted(NamedTuple):
    """What a posting did: entries added, and those that were in the book already."""

    added: int
    known: int


@dataclass(slots=True)
class Ledger:
    """The books of every environment and entity in one database.

    Parameters
    ----------
    database : Database
    clock : Clock
        Tells when an entry was recorded.
    rates : RateSource
        Values each entry in AUD at its own moment; what it does not know is an open item.
    entity_rates : callable, optional
        An entity's name to the rates it chose; without it `rates` serve all.

    Examples
    --------
    >>> import tempfile
    >>> from decimal import Decimal
    >>> from pathlib import Path
    >>> from openalpha.books.effects import effect_draft
    >>> from openalpha.core.clock import ManualClock
    >>> from openalpha.core.messages import CashEffect, EffectKind, Environment
    >>> from openalpha.store.database import open_database
    >>> folder = tempfile.TemporaryDirectory()
    >>> ledger = Ledger(open_database(Path(folder.name) / "books.sqlite"), ManualClock(1_000))
    >>> paid = CashEffect(0, 500, 0, "USDT", Decimal("-0.5"), EffectKind.FEE, None, None)
    >>> book = Book(Environment.PAPER, "me")
    >>> ledger.post(book, [effect_draft(paid, source="run 1", venue="bybit")])
    Posted(added=1, known=0)
    >>> ledger.post(book, [effect_draft(paid, source="run 1", venue="bybit")])
    Posted(added=0, known=1)
    >>> ledger.database.close(); folder.cleanup()
    """

    database: Database
    clock: Clock
    rates: RateSource = field(default_factory=lambda: NO_RATES)
    entity_rates: Callable[[str], RateSource] | None = None

    def rates_of(self, entity: str) -> RateSource:
        """Return the rates an entity's events are valued by."""
        return self.rates if self.entity_rates is None else self.entity_rates(entity)

    def post(self, book: Book, drafts: Sequence[AnyDraft]) -> Posted:
        """Add entries in one transaction: when this returns they are all on disk.

        An entry whose key the book has already is left out, so posting again is safe. Many entries
        in one call share the cost of one sync.

        Parameters
        ----------
        book : Book
            Made when it is not there.
        drafts : sequence of Draft or FillDraft
            In the order they are to stand in; a fill builds on the position before it.

        Raises
        ------
        InputError
            If an entry is out of balance or an amount cannot be kept; nothing was added.
        LedgerError
            If the book has an entry of the same key that says something else; nothing was added.
        StorageError
            If the database fails; nothing was added.
        """
        if not drafts:
            return Posted(0, 0)
        rates = self.rates_of(book.entity)
        with self.database.writing() as connection:
            writer = BookWriter(connection, book, self.clock.now_ms(), rates)
            known = writer.known([draft.key for draft in drafts])
            there = entries_at(connection, writer.book_id, numbers=known.values())
            for draft in drafts:
                if draft.key in known:
                    _same_or_raise(book, there[known[draft.key]], draft)
            added = 0
            seen = set(known)
            for draft in drafts:
                if draft.key not in seen:
                    writer.add(draft)
                    seen.add(draft.key)
                    added += 1
            if added:
                writer.finish()
        return Posted(added, len(drafts) - added)

    def post_many(
        self,
        book: Book,
        drafts: Iterable[AnyDraft],
        *,
        batch: int = BATCH,
        advance: Callable[[int], None] | None = None,
    ) -> Posted:
        """Add any number of entries, `batch` of them a transaction.

        Stopped on the way, it leaves whole transactions; posting the same again adds the rest.

        Parameters
        ----------
        advance : callable, optional
            Told after each transaction how many entries it went through.

        Raises
        ------
        InputError, LedgerError, StorageError
            As `post`; transactions before stay.
        """
        added = known = 0
        for chunk in _chunks(iter(drafts), batch):
            done = self.post(book, chunk)
            added, known = added + done.added, known + done.known
            if advance is not None:
                advance(len(chunk))
        return Posted(added, known)


def _chunks(drafts: Iterator[AnyDraft], size: int) -> Iterator[list[AnyDraft]]:
    while chunk := list(islice(drafts, size)):
        yield chunk


def _same_or_raise(book: Book, entry: Entry, draft: AnyDraft) -> None:
    """Refuse an entry whose key stands in the book for something else."""
    if isinstance(draft, FillDraft):
        is_same = entry.fill == stored_fill(draft) and entry.ts_ms == draft.fill.ts_ms
    else:
        is_same = (
            entry.kind == draft.kind
            and entry.ts_ms == draft.ts_ms
            and sorted(entry.postings) == sorted(draft.postings)
        )
    if not is_same:
        raise LedgerError(
            f"entry {entry.seq} of {book} has the key {draft.key} but other content; "
            "an entry is never changed: post a correction that names it"
        )
