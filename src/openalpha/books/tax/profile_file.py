"""Reads an entity's file: TOML text into a profile, every word checked and named when wrong."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from string import hexdigits
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import parse_year, zone_of
from openalpha.books.tax.entity import (
    Entity,
    Policy,
    Residency,
    StockValue,
    Treatment,
    parse_method,
)
from openalpha.books.tax.handing import Portfolios
from openalpha.books.tax.portfolios import Choice
from openalpha.books.tax.profile import (
    ASKS_AN_AGENT,
    AgentsWord,
    Beneficiary,
    BroughtLoss,
    Deed,
    Profile,
    Resolution,
    VenueTerms,
)
from openalpha.core.errors import InputError

__all__ = ["SCHEMA", "read_profile"]

SCHEMA = "openalpha.tax.entity/1"

_WORDS: dict[str, tuple[str, ...]] = {
    "derivatives": ("revenue", "capital"),
    "funding_received": ("income", "proceeds"),
    "venue_deposit": ("transfer", "disposal"),
    "rebates": ("cost", "income"),
    "stock_value": tuple(StockValue),
    "treatment": tuple(Treatment),
}
_SWITCHES = ("per_wallet", "transfer_fee_to_cost_base")
_STATUSES = ("resident", "foreign", "temporary", "deceased")


def read_profile(name: str, text: str) -> Profile:
    r"""Read an entity's file.

    Parameters
    ----------
    name : str
        The entity's short name, as the books know it.
    text : str
        TOML; amounts in quotes or whole, never with a bare decimal point.

    Raises
    ------
    InputError
        If a word is unknown or a value cannot be used; the message says which and what fits.

    Examples
    --------
    >>> read_profile("fund", 'kind = "smsf"\ntime_zone = "Australia/Perth"').entity
    <Entity.SMSF: 'smsf'>
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the file of {name} is not TOML: {error}") from None
    file = _Table(f"the file of {name}", data)
    if file.text("schema", SCHEMA) != SCHEMA:
        raise InputError(f"the file of {name} is of another version; schema = {SCHEMA!r}")
    zone = file.text("time_zone", "Australia/Sydney")
    zone_of(zone)
    found = Profile(
        name,
        _policy(file),
        file.text("full_name"),
        zone,
        tuple(_choice(row) for row in file.rows("treatments")),
        _portfolios(file.table("portfolios")),
        tuple(_agents_word(row) for row in file.rows("agent")),
        tuple(_loss(row) for row in file.rows("losses")),
        _years(file.table("other_income")),
        _years(file.table("gifts")),
        frozenset(parse_year(year) for year in file.texts("support_years")),
        _years(file.table("turnover")),
        _years(file.table("passive_share")),
        _deed(file),
        tuple(_venue(row) for row in file.rows("venues")),
        frozenset(parse_year(year) for year in file.texts("business_loss_years")),
        file.text("aud_market"),
    )
    file.done()
    return found


class _Table:
    """A table of the file that remembers which of its words were read."""

    def __init__(self, where: str, data: Mapping[str, Any]) -> None:
        self.where = where
        self.data = data
        self.read: set[str] = set()

    def get(self, key: str, kind: type, *, what: str, default: Any) -> Any:
        self.read.add(key)
        value = self.data.get(key, default)
        is_flag = isinstance(value, bool) and kind is not bool
        if value is not default and (not isinstance(value, kind) or is_flag):
            raise InputError(f"{self.where}: {key} was {value!r}, expected {what}")
        return value

    def text(self, key: str, default: str = "") -> str:
        return str(self.get(key, str, what="a text in quotes", default=default))

    def needed(self, key: str) -> str:
        found = self.text(key)
        if not found.strip():
            raise InputError(f"{self.where} lacks {key}")
        return found

    def word(self, key: str, known: tuple[str, ...], *, default: str) -> str:
        found = self.text(key, default)
        if found not in known:
            raise InputError(
                f"{self.where}: {key} was {found!r}, expected one of {', '.join(known)}"
            )
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        return bool(self.get(key, bool, what="true or false", default=default))

    def texts(self, key: str) -> list[str]:
        found = self.get(key, list, what="a list of texts", default=[])
        if not all(isinstance(item, str) for item in found):
            raise InputError(f"{self.where}: {key} was {found!r}, expected a list of texts")
        return list(found)

    def day(self, key: str) -> date | None:
        found = self.get(key, date, what="a day such as 2026-06-30", default=None)
        return found.date() if isinstance(found, datetime) else found

    def needed_day(self, key: str) -> date:
        found = self.day(key)
        if found is None:
            raise InputError(f"{self.where} lacks {key}, a day such as 2026-06-30")
        return found

    def amount(self, key: str, default: Decimal = ZERO) -> Decimal:
        self.read.add(key)
        return _amount(self.data[key], f"{self.where}: {key}") if key in self.data else default

    def table(self, key: str) -> "_Table":
        return _Table(f"{self.where}, {key}", self.get(key, dict, what="a table", default={}))

    def rows(self, key: str) -> "list[_Table]":
        found = self.get(key, list, what=f"tables written [[{key}]]", default=[])
        if not all(isinstance(item, dict) for item in found):
            raise InputError(f"{self.where}: {key} is written as tables, [[{key}]]")
        return [_Table(f"{self.where}, {key} {n}", row) for n, row in enumerate(found, 1)]

    def done(self) -> None:
        unknown = [key for key in self.data if key not in self.read]
        if unknown:
            known = ", ".join(sorted(self.read))
            raise InputError(f"{self.where}: {unknown[0]} is no word here; there are {known}")


def _amount(value: Any, where: str) -> Decimal:
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            found = Decimal(value)
        except InvalidOperation:
            found = Decimal("NaN")
        if found.is_finite() and ZERO <= found < Decimal("1e15"):
            return found
    raise InputError(f'{where} was {value!r}, expected an amount in quotes such as "1200.50"')


def _years(table: _Table) -> dict[int, Decimal]:
    found = {parse_year(year): table.amount(year) for year in table.data}
    table.done()
    return found


def _shares(table: _Table) -> dict[str, Decimal]:
    found = {name: table.amount(name) for name in table.data}
    if not found or sum(found.values(), ZERO) > 1:
        raise InputError(f"{table.where}: fractions by name, together at most 1")
    return found


def _policy(file: _Table) -> Policy:
    kind = file.word("kind", tuple(Entity), default=Entity.INDIVIDUAL)
    choices = file.table("choices")
    given: dict[str, Any] = {
        name: choices.word(name, known, default=_default(name)) for name, known in _WORDS.items()
    }
    given |= {name: choices.flag(name, default=_default(name)) for name in _SWITCHES}
    given["treatment"] = Treatment(given["treatment"])
    given["stock_value"] = StockValue(given["stock_value"])
    days = choices.amount("wash_window_days", Decimal(30))
    prices = choices.table("stock_prices")
    given["stock_prices"] = {name: prices.amount(name) for name in prices.data}
    method = parse_method(choices.text("method", "fifo"))
    choices.done()
    residency = tuple(_residency(row) for row in file.rows("residency"))
    return Policy(
        entity=Entity(kind),
        method=method,
        residency=residency,
        wash_window_days=int(days),
        **given,
    )


def _default(name: str) -> Any:
    return next(item.default for item in fields(Policy) if item.name == name)


def _residency(row: _Table) -> Residency:
    status = row.word("status", _STATUSES, default="")
    found = Residency(status, row.day("from"), row.day("to"))
    row.done()
    return found


def _choice(row: _Table) -> Choice:
    values = row.table("values")
    found = Choice(
        row.text("portfolio"),
        Treatment(row.word("treatment", tuple(Treatment), default="")),
        row.needed_day("since"),
        row.needed("reason"),
        row.needed("signer"),
        row.word("value", ("cost", "market"), default="cost"),
        {asset: values.amount(asset) for asset in values.data},
    )
    row.done()
    return found


def _portfolios(table: _Table) -> Portfolios:
    return Portfolios({name: table.needed(name) for name in table.data})


def _venue(row: _Table) -> VenueTerms:
    found = VenueTerms(
        row.needed("name").lower(),
        row.word("deposit", _WORDS["venue_deposit"], default=""),
        row.needed("terms"),
        row.needed_day("day"),
        row.text("sha256").lower(),
    )
    if found.sha256 and not (len(found.sha256) == 64 and set(found.sha256) <= set(hexdigits)):
        raise InputError(f"{row.where}: sha256 was {found.sha256!r}, expected 64 hex digits")
    row.done()
    return found


def _agents_word(row: _Table) -> AgentsWord:
    item = row.word("item", ASKS_AN_AGENT, default="")
    found = AgentsWord(item, row.needed("word"), row.needed("signer"))
    row.done()
    return found


def _loss(row: _Table) -> BroughtLoss:
    found = BroughtLoss(
        parse_year(row.needed("year")),
        row.amount("amount"),
        row.word("wallet", ("capital", "revenue"), default="capital"),
        row.needed("evidence"),
        row.word("test", ("", "ownership", "business"), default=""),
    )
    row.done()
    return found


def _deed(file: _Table) -> Deed:
    people = []
    for row in file.rows("beneficiaries"):
        kind = Entity(row.word("kind", tuple(Entity), default=Entity.INDIVIDUAL))
        is_resident = row.flag("is_resident", default=True)
        people.append(Beneficiary(row.needed("name"), kind, row.amount("losses"), is_resident))
        row.done()
    known = {person.name for person in people}
    resolutions = tuple(_resolution(row, known) for row in file.rows("resolutions"))
    return Deed(tuple(people), resolutions, file.flag("deed_allows_streaming", default=False))


def _resolution(row: _Table, known: set[str]) -> Resolution:
    shares = _shares(row.table("shares"))
    stranger = next((name for name in shares if name not in known), None)
    if stranger is not None:
        raise InputError(f"{row.where}: {stranger} is none of the [[beneficiaries]]")
    found = Resolution(
        parse_year(row.needed("year")),
        row.word("kind", ("income", "gains"), default=""),
        row.needed_day("day"),
        shares,
        tuple(row.texts("gains")),
    )
    row.done()
    return found
