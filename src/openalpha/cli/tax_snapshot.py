"""`openalpha tax snapshot`: what every parcel was worth at the end of 30 June 2027, and by whom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.ledger_open import EntityOption, open_books
from openalpha.core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.ledger import Ledger
    from openalpha.books.rates import Rate, RateSource
    from openalpha.books.tax.parcels import Parcel
    from openalpha.books.tax.profile import Profile
    from openalpha.books.tax.snapshot import Quote, Snapshot
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer()


@app.command()
def snapshot(
    at: Annotated[
        str, typer.Option("--at", metavar="DAY", help="The end of this day, in the entity's zone.")
    ] = "2027-06-30",
    rates: Annotated[
        list[Path] | None,
        typer.Option(
            "--rates",
            metavar="FILE",
            help="CSV of prices, coin,quote,time,rate,source: a source of its own each; "
            "repeatable, the first is used.",
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why it takes the place of one that is kept.")
    ] = "",
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Value every open parcel at the end of a day by two sources at least, and keep it for good."""
    from openalpha.books.boundary import keep_snapshot
    from openalpha.books.entities import profile_of
    from openalpha.books.tax.dates import BOUNDARY
    from openalpha.books.tax.snapshot import take_snapshot

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    day = _day(at)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        profile = profile_of(books.database, whose, clock=books.clock)
        end_ms = _end_ms(day, profile, books.clock.now_ms())
        parcels, open_items = _held(books, profile, day)
        coins = sorted({parcel.asset for parcel in parcels})
        quotes = list(_quotes(coins, _sources(books, loaded, rates or ()), end_ms))
        taken = take_snapshot(parcels, quotes, day=day)
        is_new = keep_snapshot(
            books.database, whose, snapshot=taken, clock=books.clock, reason=reason
        )
    _show(screen, taken, is_new=is_new)
    if open_items:
        screen.show(f"{open_items} open items: settle them, then take it again with --reason")
    if day != BOUNDARY:
        screen.show(f"A rehearsal: the law asks for the end of {BOUNDARY}, so it changes no tax.")
    screen.result(_document(taken, whose, is_new=is_new, open_items=open_items))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--at was '{text}', expected a day such as 2027-06-30") from None


def _end_ms(day: date, profile: "Profile", now_ms: int) -> int:
    """Return the last millisecond of a day that is over."""
    from openalpha.books.tax.dates import zone_of

    end = datetime.combine(day + timedelta(days=1), time(), zone_of(profile.time_zone))
    end_ms = int(end.timestamp() * 1000)
    if end_ms > now_ms:
        raise InputError(
            f"{day} is not over yet in {profile.time_zone}: prices of its end do not exist; take "
            "it from the day after on, or rehearse with a day that is past"
        )
    return end_ms - 1


def _held(books: "Ledger", profile: "Profile", day: date) -> "tuple[list[Parcel], int]":
    """Return the parcels open at the end of a day, and how many items are open."""
    from openalpha.books.whole import assessed_with

    history, found = assessed_with(books, profile.name, until=day)
    if not history.events:
        raise UnknownName(f"the books hold nothing of {profile.name} up to {day}")
    parcels = [parcel for part in found.parts.values() for parcel in part.parcels]
    return parcels, len(history.open_items) + len(found.open_items)


@dataclass(frozen=True, slots=True)
class _OneFor:
    """Asks one source for a coin, and the whole house for the money it is priced in."""

    coin: str
    source: "RateSource"
    money: "RateSource"

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> "Rate | None":
        asked = self.source if coin == self.coin else self.money
        return asked.rate(coin, quote, ts_ms=ts_ms)


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where prices come from by name, and what turns money into AUD."""

    named: "Sequence[tuple[str, RateSource]]"
    money: "RateSource"


def _sources(books: "Ledger", loaded: "LoadedSettings", files: Sequence[Path]) -> _Sources:
    """Name every source of prices: files first, then own rates, then each market of the lake."""
    from openalpha.books.lake_rates import LakeRates
    from openalpha.books.published_rates import stated_rates
    from openalpha.books.rate_file import read_rates
    from openalpha.books.rates import RealRates, SeveralRates
    from openalpha.market.lake import Lake

    lake = Lake(loaded.home, settings=loaded.settings.data)
    published = stated_rates(books.database)
    tables = [read_rates(path) for path in files]
    named: list[tuple[str, RateSource]] = [
        (path.name, table) for path, table in zip(files, tables, strict=True)
    ]
    named.append(("own and published rates", published))
    for market in sorted({info.key.market for info in lake.series()}):
        named.append((market, RealRates(LakeRates(lake, market=market))))
    return _Sources(named, SeveralRates((*tables, published, RealRates(LakeRates(lake)))))


def _quotes(assets: Sequence[str], sources: _Sources, ts_ms: int) -> "Iterator[Quote]":
    from openalpha.books.rate_chain import ChainedRates
    from openalpha.books.tax.events import coin_of
    from openalpha.books.tax.snapshot import Quote

    for asset in assets:
        coin = coin_of(asset)
        for name, source in sources.named:
            found = ChainedRates(_OneFor(coin, source, sources.money)).rate(
                coin, "AUD", ts_ms=ts_ms
            )
            if found is not None and not found.is_synthetic:
                yield Quote(f"{name}: {found.source}", asset, found.rate, found.ts_ms)


def _show(screen: Screen, taken: "Snapshot", *, is_new: bool) -> None:
    from rich.table import Table

    from openalpha.core.clock import format_ms

    title = f"Prices at the end of {taken.day}"
    table = Table("coin", "AUD a unit", "source", "stamp", title=title)
    for quote in taken.quotes:
        table.add_row(quote.asset, f"{quote.unit:,.4f}", quote.source, format_ms(quote.ts_ms))
    total = sum(row.value for row in taken.rows)
    waiting = sum(row.deferred for row in taken.rows)
    verb = "kept" if is_new else "was kept already, the same"
    screen.show(table)
    screen.show(
        f"{len(taken.rows):,} parcels, AUD {total:,.2f} together; a gain (loss -) of "
        f"{waiting:,.2f} waits for their sale"
    )
    screen.show(f"The snapshot {verb}: sha256 {taken.sha256}")


def _document(taken: "Snapshot", entity: str, *, is_new: bool, open_items: int) -> dict[str, Any]:
    return {
        "schema": "openalpha.tax_snapshot/1",
        "entity": entity,
        "day": taken.day.isoformat(),
        "sha256": taken.sha256,
        "is_new": is_new,
        "open_items": open_items,
        "rows": [
            {
                "parcel": row.parcel, "asset": row.asset,
                "acquired": None if row.acquired is None else row.acquired.isoformat(),
                "qty": row.qty, "cost": row.cost, "unit": row.unit, "source": row.source,
                "value": row.value, "deferred": row.deferred,
            }
            for row in taken.rows
        ],
        "quotes": [
            {"asset": q.asset, "source": q.source, "unit": q.unit, "ts_ms": q.ts_ms}
            for q in taken.quotes
        ],
    }  # fmt: skip
