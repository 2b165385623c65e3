"""`openalpha tax estimate` and `plan`: tax so far, discount clocks, what a sale would cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import JsonOption, QuietOption, Screen, SetOption, read_settings
from openalpha.cli.ledger_open import EntityOption, open_books
from openalpha.cli.tax_plan_show import (
    cents,
    clock_row,
    harvest_row,
    sale_row,
    show_clocks,
    show_harvest,
    show_sales,
    show_year,
    tax_row,
    treatment_words,
)
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.ledger import Ledger
    from openalpha.books.rates import Rate
    from openalpha.books.tax.entity_year import Assessed
    from openalpha.books.tax.events import Event
    from openalpha.books.tax.gains import Law
    from openalpha.books.tax.planning import Clock, Sale
    from openalpha.books.tax.profile import Profile

__all__ = ["app"]

app = typer.Typer()

AtOption = Annotated[
    str, typer.Option("--at", metavar="DAY", help="As if it were this day, 2026-03-31; else today.")
]
PriceOption = Annotated[
    list[str] | None,
    typer.Option("--price", metavar="COIN=AUD", help="AUD a unit; else by the rates. Repeatable."),
]
NOT_ADVICE = "An estimate, general information, not tax advice."


@dataclass(frozen=True, slots=True)
class _Record:
    """An entity's record up to a day, worked out, with what coins are worth."""

    profile: "Profile"
    day: date
    events: "list[Event]"
    law: "Law"
    assessed: "Assessed"
    prices: Mapping[str, Decimal]
    sources: Mapping[str, str]
    open_items: int
    clocks: "list[Clock]"


@app.command()
def estimate(
    at: AtOption = "",
    price: PriceOption = None,
    entity: EntityOption = "",
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Estimate the tax of the income year so far, and show the discount clock of every parcel."""
    from openalpha.books.tax.dates import income_year
    from openalpha.books.tax.payable import taxes_of
    from openalpha.books.tax.tables import load_tables

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(None, settings)
    with open_books(loaded) as books:
        record = _record(books, entity or loaded.settings.books.entity, at=at, price=price)
    number = income_year(record.day)
    tax = taxes_of(record.assessed, tables=load_tables()).get(number)
    year = record.assessed.years.get(number)
    screen.show(
        f"{record.profile.name}, {record.profile.entity}, {treatment_words(record.profile)}, "
        f"{number - 1}-{number % 100:02d} up to {record.day}"
    )
    if tax is None or year is None:
        screen.show("Nothing was realised in this income year so far.")
    else:
        show_year(screen, record.assessed, number, tax)
    show_clocks(screen, record.clocks)
    _show_end(screen, record)
    screen.result(
        {
            "schema": "openalpha.tax_estimate/1",
            **_head(record),
            "year": f"{number - 1}-{number % 100:02d}",
            "net_capital_gain": None if year is None else cents(year.statement.net),
            "losses_carried": None if year is None else cents(year.statement.carried_forward),
            "income": None if year is None else cents(year.income),
            "deductions": None if year is None else cents(year.deductions),
            "tax": tax_row(tax),
            "parcels": [clock_row(row) for row in record.clocks],
        }
    )


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - the options of a command
    coin: Annotated[str, typer.Argument(metavar="[COIN]", help="What to sell; BTC.")] = "",
    qty: Annotated[str, typer.Argument(metavar="[QTY]", help="How much; else all of it.")] = "",
    after: Annotated[
        str, typer.Option("--after", metavar="DAY", help="Compare with this day, too.")
    ] = "",
    at: AtOption = "",
    price: PriceOption = None,
    entity: EntityOption = "",
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what a sale would cost in tax now and later, and which losses stand in the book."""
    from openalpha.books.tax.planning import PART_IVA, harvest, sale_days, sale_on
    from openalpha.books.tax.tables import load_tables

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(None, settings)
    with open_books(loaded) as books:
        record = _record(books, entity or loaded.settings.books.entity, at=at, price=price)
    sales: list[Sale] = []
    if coin:
        asset, portfolio = _held(record, coin.upper())
        amount = _qty(record, asset, portfolio, qty)
        days = sale_days(record.clocks, asset, day=record.day)
        if after:
            days = sorted({*days, _day(after, "--after")})
        early = [day for day in days if day < record.day]
        if early:
            raise InputError(f"--after {early[0]} lies before {record.day}; a plan looks ahead")
        sales = sale_on(
            record.events,
            record.profile,
            sale=(asset, amount, record.prices[asset]),
            days=days,
            tables=load_tables(),
            law=record.law,
            portfolio=portfolio,
        )
        show_sales(screen, sales)
    losing = harvest(
        record.clocks,
        record.events,
        day=record.day,
        window_days=record.profile.policy.wash_window_days,
    )
    show_harvest(screen, losing)
    screen.show(PART_IVA)
    _show_end(screen, record)
    screen.result(
        {
            "schema": "openalpha.tax_plan/1",
            **_head(record),
            "sales": [sale_row(row) for row in sales],
            "harvest": [harvest_row(row) for row in losing],
            "part_iva": PART_IVA,
        }
    )


def _record(books: "Ledger", entity: str, *, at: str, price: Sequence[str] | None) -> _Record:
    from openalpha.books.boundary import law_of
    from openalpha.books.tax.dates import local_date
    from openalpha.books.tax.planning import clocks
    from openalpha.books.whole import assessed_with, profile_in

    profile = profile_in(books, entity)
    now_ms = books.clock.now_ms()
    day = _day(at, "--at") if at else local_date(now_ms, profile.time_zone)
    history, assessed = assessed_with(books, entity, until=day)
    events = history.events
    if not events:
        raise UnknownName(
            f"the books hold nothing of {entity} up to {day}; `openalpha tax import FILE…` brings "
            "histories in, trades made here are there by themselves"
        )
    law = law_of(books.database, entity, clock=books.clock)
    held = sorted({parcel.asset for part in assessed.parts.values() for parcel in part.parcels})
    stated = _stated(price)
    until_ms = _end_ms(day, profile.time_zone, now_ms)
    found = _rates(books, entity, assets=held, ts_ms=until_ms)
    prices = {asset: rate.rate for asset, rate in found.items()} | stated
    sources = {asset: rate.source for asset, rate in found.items()} | dict.fromkeys(
        stated, "stated"
    )
    opened = len(history.open_items) + len(assessed.open_items)
    rows = clocks(assessed, prices, day=day)
    return _Record(profile, day, events, law, assessed, prices, sources, opened, rows)


def _rates(books: "Ledger", entity: str, *, assets: Sequence[str], ts_ms: int) -> "dict[str, Rate]":
    from openalpha.books.tax.events import coin_of

    rates = books.rates_of(entity)
    found = {asset: rates.rate(coin_of(asset), "AUD", ts_ms=ts_ms) for asset in assets}
    return {asset: rate for asset, rate in found.items() if rate is not None}


def _end_ms(day: date, zone: str, now_ms: int) -> int:
    """Return the last moment of a day, or now if that is earlier."""
    from datetime import datetime, time, timedelta

    from openalpha.books.tax.dates import zone_of

    end = datetime.combine(day + timedelta(days=1), time(), zone_of(zone))
    return min(now_ms, int(end.timestamp() * 1000) - 1)


def _stated(price: Sequence[str] | None) -> dict[str, Decimal]:
    found = {}
    for text in price or ():
        coin, _, amount = text.partition("=")
        found[coin.strip().upper()] = _amount(amount, f"--price {text}")
    return found


def _amount(text: str, what: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not (found.is_finite() and Decimal(0) < found < Decimal("1e15")):
        raise InputError(f"{what}: expected an amount above 0, such as BTC=150000")
    return found


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} was '{text}', expected a day such as 2026-06-30") from None


def _held(record: _Record, asset: str) -> tuple[str, str]:
    """Return the coin, and the portfolio whose coins are sold."""
    mine = [row for row in record.clocks if row.parcel.asset == asset]
    if not mine:
        known = ", ".join(sorted({row.parcel.asset for row in record.clocks})) or "nothing"
        raise UnknownName(f"no {asset} is held on {record.day}; held are {known}")
    if asset not in record.prices:
        raise InputError(f"nobody says what {asset} is worth in AUD; state it: --price {asset}=…")
    portfolios = {row.portfolio.split(" from ")[0] for row in mine}
    return asset, "" if "" in portfolios else sorted(portfolios)[0]


def _qty(record: _Record, asset: str, portfolio: str, text: str) -> Decimal:
    if text:
        return _amount(text, f"the quantity {text}")
    return sum(
        (
            row.parcel.left
            for row in record.clocks
            if row.parcel.asset == asset and row.portfolio.split(" from ")[0] == portfolio
        ),
        Decimal(0),
    )


def _show_end(screen: Screen, record: _Record) -> None:
    missing = sorted({row.parcel.asset for row in record.clocks} - set(record.prices))
    if missing:
        screen.show(
            f"! no AUD rate for {', '.join(missing)}: state it with --price or import rates; none "
            "is ever assumed"
        )
    if record.open_items:
        screen.show(f"! {record.open_items} open: figures may change (`openalpha tax open`)")
    screen.show(NOT_ADVICE)


def _head(record: _Record) -> dict[str, Any]:
    return {
        "note": NOT_ADVICE,
        "entity": record.profile.name,
        "kind": record.profile.entity,
        "treatment": record.profile.policy.treatment,
        "day": str(record.day),
        "prices": {
            asset: {"aud": amount, "source": record.sources[asset]}
            for asset, amount in record.prices.items()
        },
        "open_items": record.open_items,
    }
