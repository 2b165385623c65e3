"""Posts what a venue states of an account, as stated, and compares the books with it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from openalpha.books.accounts import Book, Category
from openalpha.books.balances import kept_balances
from openalpha.books.effects import RunEffects, effect_draft, run_drafts
from openalpha.books.entries import Draft, FillDraft
from openalpha.books.ledger import Ledger
from openalpha.books.selections import selection_draft
from openalpha.books.writing import book_row
from openalpha.core.instruments import Instrument
from openalpha.trading.venue.state import VenueOutcome

__all__ = ["VenuePoster"]


class VenuePoster:
    """Writes executions and changes of money to the ledger, each once, with the venue's figures.

    Posting again changes nothing: keys are the venue's ids and the statement's own order.

    Parameters
    ----------
    ledger, book : the books of the run's environment
    run_id : str
        The name of the account in them.
    instruments : sequence of Instrument
    """

    def __init__(
        self, ledger: Ledger, book: Book, *, run_id: str, instruments: Sequence[Instrument]
    ) -> None:
        self._ledger, self._book, self.run_id = ledger, book, run_id
        self._instruments = {str(item.id): item for item in instruments}
        self.is_opened = False

    def post(self, outcomes: Sequence[VenueOutcome]) -> int:
        """Post what outcomes say in one transaction; returns how many entries were new."""
        drafts = [draft for outcome in outcomes for draft in self._of(outcome)]
        return self._ledger.post(self._book, drafts).added if drafts else 0

    def cash(self) -> dict[str, Decimal]:
        """Return what the ledger holds of each coin for the run."""
        with self._ledger.database.reading() as connection:
            row = book_row(connection, self._book)
            if row is None:
                return {}
            kept = kept_balances(connection, row[0], categories=[Category.CASH])
        return {
            account.coin: amount
            for account, amount in kept.items()
            if account.venue == self.run_id and account.category is Category.CASH
        }

    def differences(self, balances: Mapping[str, Decimal]) -> list[str]:
        """Say where the ledger's cash is not what the venue reports, coin by coin."""
        ours = self.cash()
        return [
            f"{coin}: the ledger holds {ours.get(coin, Decimal(0))}, the venue "
            f"{balances.get(coin, Decimal(0))}"
            for coin in sorted({*ours, *balances})
            if ours.get(coin, Decimal(0)) != balances.get(coin, Decimal(0))
        ]

    def _of(self, outcome: VenueOutcome) -> Iterator[Draft | FillDraft]:
        heard = outcome.heard
        if not self.is_opened and (heard.accounts or heard.effects):
            # Before the first effect the balance is what the account began with.
            state = next(iter(heard.accounts), None)
            if state is not None:
                self.is_opened = True
                yield from self._opening(state.balances, state.ts_ms)
        for told in heard.fills:
            instrument = self._instruments.get(told.fill.instrument)
            if instrument is not None:
                yield FillDraft(
                    key=f"{self.run_id}/exec/{told.exec_id}",
                    source=self.run_id,
                    ref=f"execution {told.exec_id}",
                    venue=self.run_id,
                    fill=told.fill,
                    instrument=instrument,
                    cash_decimals=instrument.cash_decimals,
                )
        for chosen in heard.chosen:
            yield selection_draft(
                f"{self.run_id}/exec/{chosen.exec_id}",
                ts_ms=chosen.ts_ms,
                source=self.run_id,
                lots=chosen.lots,
                by=chosen.by,
            )
        for effect in heard.effects:
            yield effect_draft(effect, source=self.run_id, venue=self.run_id)

    def _opening(self, balances: Mapping[str, Decimal], ts_ms: int) -> Iterator[Draft | FillDraft]:
        yield from run_drafts(
            RunEffects(
                run_id=self.run_id,
                start_ms=ts_ms,
                opening=balances,
                effects=(),
                fills=(),
                instruments=self._instruments,
                cash_decimals={},
            )
        )
