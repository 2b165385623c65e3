"""The demonstration's books: one of its runs posted to the ledger, and what tax says of it."""

from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen

if TYPE_CHECKING:
    from openalpha.books.tax.assessment import Assessment
    from openalpha.research.result import BacktestResult
    from openalpha.settings import LoadedSettings

__all__ = ["post_and_tell"]


def post_and_tell(
    screen: Screen, loaded: "LoadedSettings", result: "BacktestResult", *, run_id: str
) -> dict[str, Any]:
    """Post a run to the books of backtests and show the tax line of what it left there."""
    from openalpha.books.entities import profile_of
    from openalpha.books.opening import book_of
    from openalpha.books.tax import assess
    from openalpha.books.whole import history_of
    from openalpha.cli.ledger_open import open_books
    from openalpha.engine.run import EngineRun
    from openalpha.research.posting import post_run

    run = result.run
    assert isinstance(run, EngineRun)
    book = book_of(result.context.environment, loaded.settings.books)
    with open_books(loaded) as books:
        posted = post_run(books, book, run=run, histories=result.context.histories, run_id=run_id)
        history = history_of(
            books, book.entity, environment=result.context.environment, account=run_id
        )
        profile = profile_of(books.database, book.entity, clock=books.clock)
    found = assess(history.events, profile.policy)
    open_items = len(history.open_items) + len(found.open_items)
    years = _years(found)
    name = result.context.strategy
    screen.show("")
    screen.show(f"[bold]Books[/]: {posted.added:,} entries of {name} posted to {book}")
    for row in years:
        screen.show(
            f"[bold]Tax {row['year']}[/], AUD: capital gains {row['net_capital_gain']:,}, "
            f"income {row['income']:,}, deductions {row['deductions']:,}"
        )
    whose = f"{profile.policy.entity} on {profile.policy.treatment} account"
    screen.show(f"({whose}; {open_items} open items)")
    screen.show(
        "[bold magenta]SYNTHETIC[/]: made-up trades, prices and AUD rates; an estimate, no advice."
    )
    return {
        "is_synthetic": True, "book": str(book), "account": run_id, "strategy": name,
        "entries": posted.added, "open_items": open_items,
        "entity": profile.policy.entity, "treatment": profile.policy.treatment, "years": years,
    }  # fmt: skip


def _years(found: "Assessment") -> list[dict[str, Any]]:
    from openalpha.books.tax.amounts import whole_dollars

    return [
        {
            "year": f"{year - 1}-{year % 100:02d}",
            "net_capital_gain": int(whole_dollars(result.statement.net)),
            "income": int(whole_dollars(result.income)),
            "deductions": int(whole_dollars(result.deductions)),
        }
        for year, result in sorted(found.years.items())
    ]
