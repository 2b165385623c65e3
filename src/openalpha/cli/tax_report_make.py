"""Gathers what a tax report is made of, builds it, and locks the year of a final one."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from openalpha.books.accounts import Book
from openalpha.books.locks import LockedYear, YearLocks, lock_name, year_name
from openalpha.books.report.build import build_report
from openalpha.books.report.facts import Facts, Named, Origin, Signature
from openalpha.books.report.model import (
    Kept,
    OpenLine,
    RateLine,
    Settled,
    SourceFile,
    TaxReport,
)
from openalpha.books.tax.dates import zone_of
from openalpha.books.tax.entity import Refused, Treatment, parse_method
from openalpha.books.whole import history_of, profile_in
from openalpha.core.clock import format_ms
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.imports.history import ImportedHistory
    from openalpha.books.imports.items import ImportItem
    from openalpha.books.imports.reconcile import Check
    from openalpha.books.imports.records import Record
    from openalpha.books.ledger import Ledger
    from openalpha.books.tax.profile import Profile
    from openalpha.core.messages import Environment

__all__ = [
    "Wish",
    "known_entities",
    "make_report",
]

_BROKEN = "broken_balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for on the command line."""

    year: int
    entity: str
    treatment: str | None = None
    method: str | None = None
    chosen_by: str = ""
    reason: str = ""
    is_draft: bool = False
    environment: str = ""
    account: str = ""


def make_report(books: "Ledger", wish: Wish) -> TaxReport:
    """Build the report that was asked for; a final one locks its year.

    Raises
    ------
    UnknownName
        If the books know no such entity.
    Refused
        If nothing happened in the year, or a locked year was asked for in another way.
    """
    environment = _environment(wish.environment)
    _known(books, wish.entity)
    whose = lock_name(Book(environment, wish.entity), wish.account)
    locks = YearLocks(books.database, books.clock)
    locked = locks.of(whose)
    profile = _chosen(profile_in(books, wish.entity), wish, locked.get(wish.year))
    facts = _facts(books, wish, profile, environment, locked)
    made = build_report(facts)
    known = locked.get(wish.year)
    if known is not None:
        return _beside_lock(made, facts, known)
    if not made.is_final:
        return made
    _spare_later(facts, locked)
    return _locked(made, facts, wish, locks=locks, whose=whose)


def _spare_later(facts: Facts, locked: Mapping[int, LockedYear]) -> None:
    """Refuse to lock a year in an order of parcels that would change a later locked year."""
    from openalpha.books.report.build import order_of, parcels_hash

    orders = {**facts.orders, facts.year: order_of(facts)}
    for year, known in sorted(locked.items()):
        if year < facts.year:
            continue
        if parcels_hash(replace(facts, year=year, orders=orders)) != known.parcels_sha256:
            raise Refused(
                f"{known.words}; {facts.year_name} in this order would change its parcels: choose "
                f"the method it was locked with, or openalpha tax reopen --year {year_name(year)}"
            )


def _beside_lock(made: TaxReport, facts: Facts, known: LockedYear) -> TaxReport:
    """Return a locked year's report: final still, or a draft that says what has changed."""
    if made.figures_sha256 == known.figures_sha256:
        return replace(made, kept=_kept(known))
    changed = (
        f"{known.words} with figures {known.figures_sha256[:16]}; what was imported or settled "
        f"since makes them {made.figures_sha256[:16]}: take that back, or openalpha tax reopen "
        f"--year {made.year}, and amend the return"
    )
    return build_report(replace(facts, draft_for=(*facts.draft_for, changed)))


def _locked(
    made: TaxReport, facts: Facts, wish: Wish, *, locks: YearLocks, whose: str
) -> TaxReport:
    from openalpha.books.report.build import order_of

    order = order_of(facts)
    said = LockedYear(
        wish.year,
        facts.policy.treatment,
        order.method,
        order.weight,
        facts.policy.method,
        facts.signature.chosen_by,
        facts.signature.reason,
        made.figures_sha256,
        made.parcels_sha256,
    )
    return replace(made, kept=_kept(locks.lock(whose, said)))


def _kept(known: LockedYear) -> Kept:
    return Kept(format_ms(known.locked_ms), known.chosen_by, known.words)


def _environment(name: str) -> "Environment":
    from openalpha.books.accounts import environment_of
    from openalpha.core.messages import Environment

    return environment_of(name) if name else Environment.LIVE


# ---- who


def known_entities(books: "Ledger") -> list[str]:
    """Return every entity that has a file, imported histories or a ledger book."""
    from openalpha.books.declarations import Declarations
    from openalpha.books.tables import TAX_FILES, select
    from openalpha.books.verify import books_in

    found = set(Declarations(books.database, books.clock).entities())
    found |= {book.entity for book in books_in(books.database)}
    with books.database.reading() as connection:
        found |= {row.entity for row in connection.execute(select(TAX_FILES.c.entity).distinct())}
    return sorted(found)


def _known(books: "Ledger", entity: str) -> None:
    names = known_entities(books)
    if entity in names:
        return
    if not names:
        raise UnknownName(
            f"there is nothing to report: the books hold nothing of {entity} or anybody else; "
            "openalpha tax import FILE… brings exchange histories in"
        )
    raise UnknownName(f"the books know no entity '{entity}'; there are {', '.join(names)}")


def _chosen(profile: "Profile", wish: Wish, locked: LockedYear | None) -> "Profile":
    """Return the profile with what the command line or the lock of the year says."""
    policy = profile.policy
    treatment = _treatment(wish.treatment) if wish.treatment else None
    method = parse_method(wish.method) if wish.method else None
    if locked is not None:
        asked = (treatment or locked.treatment, method or locked.asked)
        if asked != (locked.treatment, locked.asked):
            raise Refused(
                f"{locked.words}; another treatment or method cannot replace it: leave the option "
                f"out, or openalpha tax reopen --year {year_name(wish.year)} --reason …"
            )
        method = locked.asked
        is_whole = not profile.choices
        policy = replace(policy, treatment=locked.treatment) if is_whole else policy
    policy = replace(policy, method=method or policy.method)
    if treatment is None:
        return replace(profile, policy=policy)
    return replace(profile, policy=replace(policy, treatment=treatment), choices=())


def _treatment(text: str) -> Treatment:
    name = text.strip().lower().replace("-", "_")
    name = {"revenue": "revenue_profit_scheme"}.get(name, name)
    try:
        return Treatment(name)
    except ValueError:
        known = ", ".join(Treatment)
        raise InputError(f"--treatment was '{text}', expected one of {known}") from None


# ---- what


def _facts(
    books: "Ledger",
    wish: Wish,
    profile: "Profile",
    environment: "Environment",
    locked: Mapping[int, LockedYear],
) -> Facts:
    from openalpha.books.boundary import law_of
    from openalpha.books.imports.storing import Imports
    from openalpha.books.tax.tables import load_tables
    from openalpha.core.messages import Environment

    first_ms, end_ms = _span(wish.year, profile.time_zone)
    history = history_of(
        books,
        wish.entity,
        until_ms=end_ms,
        environment=environment,
        account=wish.account or None,
    )
    imports = Imports(books.database, books.clock)
    open_items = [item for item in history.open_items if item.ts_ms < end_ms]
    settled = [item for item in history.settled if item.ts_ms < end_ms]
    is_live = environment is Environment.LIVE
    return Facts(
        profile=profile,
        year=wish.year,
        events=history.events,
        signature=_signature(profile, wish, locked.get(wish.year)),
        open_items=tuple(OpenLine(i.code, i.key, i.text) for i in open_items),
        settled=tuple(_settled(settled, imports.settlements(wish.entity))),
        balances=tuple(_balances(history, open_items, settled)),
        rates=tuple(_rates(history, first_ms, end_ms)),
        origin=Origin(
            _version(),
            tuple(_files(books, imports, wish, environment)),
            f"made {format_ms(books.clock.now_ms())}",
            "" if is_live else environment.name.lower(),
        ),
        law=law_of(books.database, wish.entity, clock=books.clock),
        tables=load_tables(),
        orders={year: row.order for year, row in locked.items()},
        is_over=books.clock.now_ms() >= end_ms,
        draft_for=("a draft was asked for",) if wish.is_draft else (),
        named=_named(history.sources),
        where=_finder(history.sources),
    )


def _signature(profile: "Profile", wish: Wish, locked: LockedYear | None) -> Signature:
    """Say who chose; for a locked year those who did then."""
    if locked is None:
        return Signature(wish.chosen_by or profile.full_name or profile.name, wish.reason)
    if wish.chosen_by not in ("", locked.chosen_by):
        raise Refused(f"{locked.words}; --by {wish.chosen_by} cannot take that over")
    return Signature(locked.chosen_by, locked.reason)


def _span(year: int, zone: str) -> tuple[int, int]:
    """Return the income year's first and end instants, UTC milliseconds."""
    stamps = (
        datetime(at, 7, 1, tzinfo=zone_of(zone)).timestamp() * 1000 for at in (year - 1, year)
    )
    first, end = map(round, stamps)
    return first, end


def _named(sources: "Mapping[str, Record]") -> dict[str, Named]:
    found = ((key, record.chosen) for key, record in sources.items())
    return {key: Named(x.by, x.recorded_ms, x.sha256) for key, x in found if x is not None}


def _finder(sources: "Mapping[str, Record]") -> Callable[[str], str]:
    def where(event: str) -> str:
        record = sources.get(event.split(".", 1)[0])
        return "" if record is None else record.where

    return where


def _settled(items: "Iterable[ImportItem]", said: Mapping[str, Any]) -> Iterable[Settled]:
    for item in items:
        word = said[item.key]
        yield Settled(item.code, item.key, item.text, word.way, word.aud, word.reason)


def _balances(
    history: "ImportedHistory", items: "Sequence[ImportItem]", settled: "Sequence[ImportItem]"
) -> "Iterable[Check]":
    """Yield each account and coin; what does not fit is settled once every break of it is."""
    still = {_account(history, item) for item in items if item.code == _BROKEN}
    said = {_account(history, item) for item in settled if item.code == _BROKEN}
    for check in history.checks:
        place = (check.venue, check.account, check.coin)
        verdict = "right" if check.is_right else "wrong"
        if not check.is_right and place in said and place not in still:
            verdict = "settled"
        if verdict == "wrong" and place in still:
            verdict = "open"  # its breaks are open items already
        yield check._replace(verdict=verdict)


def _account(history: "ImportedHistory", item: "ImportItem") -> tuple[str, str, str]:
    record = history.sources[item.key.rsplit("/", 1)[0]]
    return record.venue, record.account, item.coin


def _rates(history: "ImportedHistory", first_ms: int, end_ms: int) -> Iterable[RateLine]:
    for (coin, ts_ms), rate in sorted(history.rates.items(), key=lambda pair: pair[0][::-1]):
        if first_ms <= ts_ms < end_ms:
            yield RateLine(coin, format_ms(ts_ms), rate.rate, rate.source)


def _version() -> str:
    import openalpha

    return openalpha.__version__


def _files(
    books: "Ledger", imports: Any, wish: Wish, environment: "Environment"
) -> Iterable[SourceFile]:
    from openalpha.books.boundary import kept_snapshot
    from openalpha.books.writing import book_row
    from openalpha.core.messages import Environment

    with books.database.reading() as connection:
        row = book_row(connection, Book(environment, wish.entity))
    if row is not None:
        name = f"ledger of {environment.name.lower()}/{wish.entity}, entry {row[1]}"
        yield SourceFile(name, "ledger head", row[2])
    if environment is not Environment.LIVE:
        return
    kept = kept_snapshot(books.database, wish.entity, clock=books.clock)
    if kept is not None:
        yield SourceFile(f"values of {kept.day.isoformat()}", "snapshot", kept.sha256)
    for file in imports.files(wish.entity):
        yield SourceFile(file["name"], file["family"], file["sha256"])
    said = imports.settlements(wish.entity)
    if said:
        words = sorted(f"{key} {word.way} {word.aud} {word.reason}" for key, word in said.items())
        digest = hashlib.sha256("\n".join(words).encode()).hexdigest()
        yield SourceFile(f"{len(said)} words of a person", "settlements", digest)
