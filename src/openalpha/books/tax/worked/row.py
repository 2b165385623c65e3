"""Reads the fields of one event of a worked example; a bad value is one clear sentence."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from openalpha.books.tax.dates import local_date, zone_of
from openalpha.core.errors import InputError

__all__ = ["HOME_ZONE", "Row", "Unsupported", "as_object", "as_objects", "parse_decimal"]

HOME_ZONE = "Australia/Sydney"
_WHEN = ("date", "ts", "time", "utc", "ts_utc", "time_utc", "datetime", "timestamp", "contract")
_LARGEST = Decimal(10) ** 20
_DECIMALS = 38
_YEARS = range(1900, 2200)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Unsupported(InputError):
    """An event type or expectation this program does not know: the example counts as failed."""


def parse_decimal(value: Any, *, what: str) -> Decimal:
    """Read a decimal string (or a whole number) exactly.

    Raises
    ------
    InputError
        If it is not a finite number, or a float.

    Examples
    --------
    >>> parse_decimal("7.50", what="qty")
    Decimal('7.50')
    """
    if isinstance(value, bool | float) or value is None:
        raise InputError(f"{what} is {value!r}; write numbers as decimal strings")
    try:
        number = Decimal(str(value).replace(",", "").strip())
    except InvalidOperation:
        raise InputError(f"{what} is {value!r}, which is not a number") from None
    if not number.is_finite():
        raise InputError(f"{what} is {value!r}, which is not a finite number")
    exponent = number.as_tuple().exponent
    if abs(number) >= _LARGEST or (isinstance(exponent, int) and exponent < -_DECIMALS):
        raise InputError(f"{what} is {value!r}; numbers go to 10^20 with at most 38 decimals")
    return number


def as_object(value: Any, *, what: str) -> Mapping[str, Any]:
    """Return a JSON object; nothing stands for an empty one.

    Raises
    ------
    InputError
        If it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{what} must be an object, not {type(value).__name__}")
    return value


def as_objects(value: Any, *, what: str) -> list[Mapping[str, Any]]:
    """Return a JSON list of objects.

    Raises
    ------
    InputError
        If it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        raise InputError(f"{what} must be a list of objects")
    return value


class Row:
    """One event of an example, with its place for messages.

    Parameters
    ----------
    fields : mapping
        The event as the file has it.
    index : int
        Its place in the list; events without an id are named by it.
    zone : str
        The taxpayer's zone where the event names none.
    """

    def __init__(self, fields: Mapping[str, Any], index: int, *, zone: str = HOME_ZONE) -> None:
        self.fields = fields
        self.id = str(fields.get("id", f"event{index + 1}"))
        self.type = str(fields.get("type", "case" if "case" in fields else ""))
        self.zone = str(fields.get("tz", zone))

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a field as text; the default where it is missing or null."""
        value = self.fields.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a field as true or false.

        Raises
        ------
        InputError
            If it is neither.
        """
        value = self.fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise InputError(f"event {self.id}: {name} is {value!r}; write true or false")
        return value

    def number(self, *names: str) -> Decimal | None:
        """Return the first field of these names that is there, exactly; None if none is."""
        for name in names:
            if self.fields.get(name) is not None:
                return parse_decimal(self.fields[name], what=f"event {self.id}: {name}")
        return None

    def need(self, *names: str) -> Decimal:
        """Return a number that must be there.

        Raises
        ------
        InputError
            If none of the fields is there.
        """
        found = self.number(*names)
        if found is None:
            raise InputError(f"event {self.id} ({self.type}) lacks {' or '.join(names)}")
        return found

    def pairs(self, name: str) -> tuple[tuple[str, Decimal], ...]:
        """Return a list of [name, number] pairs."""
        rows = self.fields.get(name) or ()
        what = f"event {self.id}: {name}"
        is_list = isinstance(rows, Sequence) and not isinstance(rows, str)
        if not is_list or any(not isinstance(row, list) or len(row) != 2 for row in rows):
            raise InputError(f"{what} must be a list of [id, quantity] pairs")
        return tuple((str(key), parse_decimal(value, what=what)) for key, value in rows)

    def row(self, name: str) -> "Row | None":
        """Return a nested object as a row of the same event."""
        value = self.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise InputError(f"event {self.id}: {name} must be an object")
        return Row({"id": self.id, "type": f"{self.type}.{name}", **value}, 0, zone=self.zone)

    def when(self, *names: str) -> tuple[date | None, int | None]:
        """Return the local day and, where a time of day is given, the instant (UTC ms).

        Parameters
        ----------
        *names : str
            Fields to look at, first found wins; the usual ones when empty.
        """
        for name in names or _WHEN:
            if self.fields.get(name) is not None:
                return self._moment(str(self.fields[name]), name)
        return None, None

    def day(self, *names: str) -> date | None:
        """Return the local day alone."""
        return self.when(*names)[0]

    def _moment(self, text: str, name: str) -> tuple[date, int | None]:
        what = f"event {self.id}: {name} {text!r}"
        if text[:4].isdigit() and int(text[:4]) not in _YEARS:
            raise InputError(f"{what} lies outside the years 1900 to 2199")
        try:
            if _DAY.fullmatch(text):
                return date.fromisoformat(text), None
            if re.fullmatch(r"\d{4}-\d{2}", text):
                return date.fromisoformat(f"{text}-01"), None
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise InputError(f"{what} is no date; write 2025-07-01 or an ISO 8601 time") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone_of(self.zone))
        whole = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        ts_ms = (whole.days * 86_400 + whole.seconds) * 1000 + whole.microseconds // 1000
        return local_date(ts_ms, self.zone), ts_ms
