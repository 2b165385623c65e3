"""Hands a finished run to the books: its cash effects one to one, its fills, a mark a day."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openalpha.books.effects import RunEffects, run_drafts
from openalpha.core.clock import DAY_MS
from openalpha.core.errors import LedgerError
from openalpha.core.units import from_units
from openalpha.market.history import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from openalpha.books.accounts import Book
    from openalpha.books.ledger import Ledger, Posted
    from openalpha.engine.run import EngineRun

__all__ = ["post_run", "run_effects"]


def run_effects(run: "EngineRun", histories: Mapping[str, History], *, run_id: str) -> RunEffects:
    """Return all that is posted of a run.

    Parameters
    ----------
    run : EngineRun
    histories : mapping of instrument id to History
        What it ran on, for the daily marks.
    run_id : str
        The run's id: source of its entries and its venue account.
    """
    units = run.effects.units
    return RunEffects(
        run_id=run_id,
        start_ms=int(run.ts_ms[0]),
        opening={run.account_currency: run.capital},
        effects=run.effects.messages(),
        fills=run.fills.messages(),
        instruments={str(instrument.id): instrument for instrument in units.instruments},
        cash_decimals=dict(zip(units.coins, units.coin_decimals, strict=True)),
        marks=_daily_marks(run, histories),
        mark_source=f"close of the day's last bar in run {run_id}",
    )


def post_run(
    ledger: "Ledger",
    book: "Book",
    *,
    run: "EngineRun",
    histories: Mapping[str, History],
    run_id: str,
    advance: "Callable[[int], None] | None" = None,
) -> "Posted":
    """Post a run and prove that the ledger holds what the kernel did, in every coin.

    Posting a run again changes nothing.

    Raises
    ------
    LedgerError
        If a balance of the ledger is not the kernel's: a bug, never bad data.
    """
    from openalpha.books.accounts import Account, Category
    from openalpha.books.balances import kept_balances
    from openalpha.books.writing import book_row

    posted = ledger.post_many(
        book, run_drafts(run_effects(run, histories, run_id=run_id)), advance=advance
    )
    with ledger.database.reading() as connection:
        row = book_row(connection, book)
        assert row is not None
        kept = kept_balances(connection, row[0], categories=[Category.CASH])
    for coin, balance in run.balances.items():
        found = kept.get(Account(run_id, Category.CASH, coin), Decimal(0))
        if found != balance:
            raise LedgerError(
                f"the ledger holds {found} {coin} for run {run_id}, the run ended with {balance}; "
                "please report this"
            )
    return posted


def _daily_marks(
    run: "EngineRun", histories: Mapping[str, History]
) -> Iterator[tuple[int, dict[str, Decimal]]]:
    """Yield what every instrument was worth at the last close of each UTC day."""
    closes_ms = run.ts_ms + run.timeframe_ms
    days = (closes_ms - 1) // DAY_MS
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    for stamp_ms in closes_ms[last].tolist():
        yield (
            stamp_ms,
            {
                name: price
                for name, history in histories.items()
                if (price := _mark_at(history, stamp_ms)) is not None
            },
        )


def _mark_at(history: History, ts_ms: int) -> Decimal | None:
    """Return the mark of the last bar closed at a moment: the last price where there is none."""
    at = int(np.searchsorted(history.ts_ms, ts_ms - history.timeframe_ms, side="right")) - 1
    if at < 0:
        return None
    units = history.bars[at, 3] if history.mark is None else history.mark[at, 3]
    return from_units(int(units), history.instrument.price_decimals)
