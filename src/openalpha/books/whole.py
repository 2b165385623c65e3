"""An entity's whole record: ledger book and imported files as one history, and what it comes to.

Every report, estimate, plan and archive starts here, so that all of them speak of the same record.
"""

from datetime import date
from zoneinfo import ZoneInfo

from openalpha.books.accounts import Book
from openalpha.books.boundary import law_of
from openalpha.books.entities import profile_of
from openalpha.books.imports.history import ImportedHistory, imported_history
from openalpha.books.imports.own_books import own_book
from openalpha.books.imports.storing import Imports
from openalpha.books.ledger import Ledger
from openalpha.books.locks import YearLocks
from openalpha.books.published_rates import stated_rates
from openalpha.books.rate_chain import ChainedRates
from openalpha.books.rates import RealRates, SeveralRates
from openalpha.books.tax.entity_year import Assessed, assess_profile
from openalpha.books.tax.profile import Profile
from openalpha.core.messages import Environment

__all__ = ["assessed_with", "history_of", "profile_in"]


def profile_in(books: Ledger, entity: str) -> Profile:
    """Return an entity as its file declares it; one without a file is a resident individual."""
    return profile_of(books.database, entity, clock=books.clock)


def history_of(
    books: Ledger,
    entity: str,
    *,
    until_ms: int | None = None,
    environment: Environment | None = None,
    account: str | None = None,
) -> ImportedHistory:
    """Return the whole history of an entity: its live book and every imported file, as one.

    Entries of the book keep the AUD values they were posted with; files are valued by kept and
    market rates. A simulated environment has its own book alone: no file, nothing real.

    Parameters
    ----------
    until_ms : int or None
        Reconcile balances up to this moment.
    environment : Environment or None
        Whose book; None is live.
    account : str or None
        One venue account of the book only: a run's id for a backtest.
    """
    imports = Imports(books.database, books.clock)
    where = Environment.LIVE if environment is None else environment
    own = own_book(books.database, Book(where, entity), venue=account)
    profile = profile_in(books, entity)
    sources = (stated_rates(books.database), books.rates_of(entity))
    return imported_history(
        own.records + (imports.records(entity) if where is Environment.LIVE else []),
        rates=RealRates(ChainedRates(SeveralRates(sources))),
        zone=ZoneInfo(profile.time_zone),
        settlements=imports.settlements(entity),
        until_ms=until_ms,
        stated=own.rates,
        profile=profile,
    )


def assessed_with(
    books: Ledger, entity: str, *, until: date | None = None
) -> tuple[ImportedHistory, Assessed]:
    """Return an entity's whole history, and what it comes to by its profile; locked years kept.

    Parameters
    ----------
    until : date or None
        Assess what happened up to the end of this day only.
    """
    history = history_of(books, entity)
    if until is not None:
        events = [e for e in history.events if e.day is None or e.day <= until]
        history = history._replace(events=events)
    locked = {y: row.order for y, row in YearLocks(books.database, books.clock).of(entity).items()}
    law = law_of(books.database, entity, clock=books.clock)
    profile = profile_in(books, entity)
    return history, assess_profile(history.events, profile, law=law, locked=locked)
