"""Published rates of currencies: files of the RBA and the ECB, kept in the books' database.

A rate is good for the whole day it is published for, and carried over days without one for at most
five; a carried rate says so in its source.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from openalpha.books.rate_file import read_rows
from openalpha.books.rates import Rate, RateTable
from openalpha.books.tables import STATED_RATES, select
from openalpha.core.clock import DAY_MS, Clock
from openalpha.core.errors import InputError
from openalpha.store.database import Database, insert_rows
from openalpha.store.decimals import decimal_text

__all__ = ["CARRY_DAYS", "PublishedRates", "Stated", "read_published", "stated_rates", "store"]

CARRY_DAYS = 5
_STEP = Decimal(1).scaleb(-18)


class Stated(NamedTuple):
    """A rate as published: `rate` is what one of `coin` was worth in `quote` on a day."""

    coin: str
    quote: str
    ts_ms: int
    publisher: str
    rate: Decimal
    source: str


def read_published(path: Path) -> list[Stated]:
    """Read rates from a file of the RBA (table F11.1), the ECB, or a CSV of one's own.

    The ECB's files are eurofxref and the data portal's; one's own has the columns
    coin,quote,time,rate,source.

    Raises
    ------
    InputError
        If the file cannot be read, is of neither form, or a rate in it is no number above 0.
    """
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except UnicodeDecodeError:
        text = path.read_text("cp1252")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); name a CSV file") from None
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    if rows and rows[0] and rows[0][0].startswith("F11"):
        return list(_rba(rows, path))
    if rows and rows[0][:1] == ["Date"] and "AUD" in rows[0]:
        return list(_ecb(rows, path))
    if rows and {"CURRENCY", "TIME_PERIOD", "OBS_VALUE"} <= set(rows[0]):
        return list(_ecb(_portal(rows), path))
    if rows and {"coin", "quote", "rate"} <= set(rows[0]):
        return [
            Stated(coin, quote, rate.ts_ms, "own", rate.rate, rate.source)
            for coin, quote, rate in read_rows(path)
        ]
    raise InputError(
        f"{path} is neither the RBA's table F11.1 nor a rate file of the ECB, nor a CSV of your "
        "own with the columns coin,quote,time,rate,source"
    )


def _rba(rows: list[list[str]], path: Path) -> Iterator[Stated]:
    """Read units of a currency for one Australian dollar."""
    units: list[str] = next((row for row in rows if row[:1] == ["Units"]), [])
    sydney = ZoneInfo("Australia/Sydney")
    for number, row in enumerate(rows, 1):
        day = _day(row[0] if row else "", "%d-%b-%Y")
        if day is None:
            continue
        for unit, cell in zip(units[1:], row[1:], strict=False):
            if len(unit) == 3 and unit.isupper() and unit != "SDR" and cell:
                paid = _number(cell, f"{path}, line {number}")
                source = f"RBA F11.1 {day}, A$1 = {cell} {unit}"
                at = _start(day, sydney)
                yield Stated(unit, "AUD", at, "RBA", _inverse(paid), source)


def _ecb(rows: list[list[str]], path: Path) -> Iterator[Stated]:
    """Read units of a currency for one euro; each in AUD goes over the euro."""
    header, berlin = rows[0], ZoneInfo("Europe/Berlin")
    for number, row in enumerate(rows[1:], 2):
        day = _day(row[0] if row else "", "%Y-%m-%d")
        if day is None:
            continue
        where = f"{path}, line {number}"
        cells = dict(zip(header[1:], row[1:], strict=False))
        if cells.get("AUD", "N/A") in ("N/A", ""):
            continue
        aud = _number(cells["AUD"], where)
        at = _start(day, berlin)
        yield Stated("EUR", "AUD", at, "ECB", aud, f"ECB {day}, €1 = A${cells['AUD']}")
        for coin, cell in cells.items():
            if coin != "AUD" and len(coin) == 3 and cell not in ("N/A", ""):
                paid = _number(cell, where)
                source = f"ECB {day}, €1 = {cell} {coin} = A${cells['AUD']}"
                rate = (aud / paid).quantize(_STEP, rounding=ROUND_HALF_EVEN)
                yield Stated(coin, "AUD", at, "ECB", rate, source)


def _portal(rows: list[list[str]]) -> list[list[str]]:
    """Turn the data portal's row a rate into a row a day."""
    at = {name: rows[0].index(name) for name in ("CURRENCY", "TIME_PERIOD", "OBS_VALUE")}
    days: dict[str, dict[str, str]] = {}
    for row in rows[1:]:
        if len(row) == len(rows[0]):
            cells = days.setdefault(row[at["TIME_PERIOD"]], {})
            cells[row[at["CURRENCY"]]] = row[at["OBS_VALUE"]]
    coins = sorted({coin for cells in days.values() for coin in cells})
    body = [[day, *(cells.get(coin, "") for coin in coins)] for day, cells in days.items()]
    return [["Date", *coins], *body]


def _day(text: str, layout: str) -> date | None:
    try:
        return datetime.strptime(text, layout).date()  # noqa: DTZ007 (a day, and no moment)
    except ValueError:
        return None


def _start(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def _number(text: str, where: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise InputError(f"'{text}' is no rate; the file is damaged", where=where) from None
    if not (found.is_finite() and Decimal("1e-9") < found < Decimal("1e9")):
        raise InputError(f"the rate {text} is out of range; the file is damaged", where=where)
    return found


def _inverse(rate: Decimal) -> Decimal:
    return (1 / rate).quantize(_STEP, rounding=ROUND_HALF_EVEN)


def store(database: Database, rows: list[Stated], *, clock: Clock) -> tuple[int, int]:
    """Keep rates; return how many are new and how many were there.

    Raises
    ------
    InputError
        If a rate that is there says another number: published rates do not change.
    """
    with database.writing() as connection:
        have = {
            (row.coin, row.quote, row.ts_ms, row.publisher): row.rate
            for row in connection.execute(STATED_RATES.select())
        }
        fresh: dict[tuple[str, str, int, str], Stated] = {}
        for row in rows:
            key = (row.coin, row.quote, row.ts_ms, row.publisher)
            known = have.get(key, fresh[key].rate if key in fresh else None)
            if known is None:
                fresh[key] = row
            elif known != row.rate:
                raise InputError(
                    f"{row.source} makes {row.rate} AUD, but {known} was imported before; one of "
                    "the two files was changed: nothing was imported"
                )
        now = clock.now_ms()
        values = [(*key, decimal_text(row.rate), row.source, now) for key, row in fresh.items()]
        if values:
            insert_rows(connection, STATED_RATES, rows=values)
    return len(fresh), len(rows) - len(fresh)


def stated_rates(database: Database) -> "PublishedRates":
    """Return the rates that are kept: one's own before the RBA's before the ECB's."""
    publishers: dict[str, list[tuple[str, str, Rate]]] = {"own": [], "RBA": [], "ECB": []}
    columns = STATED_RATES.c
    query = select(
        columns.coin, columns.quote, columns.rate, columns.source, columns.ts_ms, columns.publisher
    )
    with database.reading() as connection:
        for coin, quote, rate, source, ts_ms, publisher in connection.execute(query):
            row = (coin, quote, Rate(rate, source, ts_ms))
            publishers.setdefault(publisher, []).append(row)
    return PublishedRates(list(publishers.values()))


@dataclass(slots=True)
class PublishedRates:
    """Published rates as a source: of the day, else carried for at most `CARRY_DAYS` days.

    Parameters
    ----------
    publishers : list of rows by publisher
        The first that knows answers.
    """

    publishers: list[list[tuple[str, str, Rate]]]
    _tables: list[RateTable] = field(init=False)

    def __post_init__(self) -> None:
        carry_ms = (CARRY_DAYS + 1) * DAY_MS - 1
        self._tables = [RateTable(rows, carry_ms=carry_ms) for rows in self.publishers]

    def rate(self, coin: str, quote: str, *, ts_ms: int) -> Rate | None:
        """Return the day's rate, or the last one before it with the note that it was carried."""
        for table in self._tables:
            found = table.rate(coin, quote, ts_ms=ts_ms)
            if found is not None:
                days = timedelta(milliseconds=ts_ms - found.ts_ms).days
                note = f" (carried {days} day{'s' if days > 1 else ''})" if days else ""
                return found._replace(source=found.source + note)
        return None
