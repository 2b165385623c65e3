"""Cells of an exported table: its header, its numbers, and its many ways to write a time."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openalpha.core.errors import InputError

__all__ = ["BadCell", "Row", "Sheet", "moment", "named_zone", "read_sheet", "zone_in"]

_MOST_PREAMBLE = 12
_LONGEST_NUMBER = 80
_FORMATS = (
    "%H:%M %Y-%m-%d",
    "%H:%M:%S %Y-%m-%d",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%Y/%m/%d %H:%M:%S",
    "%y-%m-%d %H:%M:%S",
    "%Y-%m-%d, %I:%M %p",
    "%d/%m/%Y %I:%M:%S %p",
    "%d/%m/%Y %I:%M %p",
)
_ZONE = re.compile(r"(?:UTC|GMT)\s*(?:([+-])\s*(\d{1,2})(?::?(\d{2}))?)?", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d{2}")
_ZONED = re.compile(r"\d{2}:\d{2}.*(Z|UTC|[+-]\d{2}:?\d{2})$")


class BadCell(ValueError):
    """A cell that cannot be read; the row it stands in becomes an open item."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its cells by the header's names, and where it stands."""

    cells: Mapping[str, str]
    line: int
    raw: str

    def text(self, *names: str) -> str:
        """Return the first of some columns that is there, trimmed; '' where none is."""
        for name in names:
            if name in self.cells:
                found = self.cells[name].strip()
                return "" if found == "--" else found
        return ""

    def number(self, *names: str) -> Decimal:
        """Return a number; nothing and `--` are 0.

        Raises
        ------
        BadCell
            If it is no finite number.
        """
        text = self.text(*names)
        return _number(text, names[0]) if text else Decimal(0)

    def needed(self, *names: str) -> Decimal:
        """Return a number that must be there.

        Raises
        ------
        BadCell
            If it is missing or no finite number.
        """
        if not self.text(*names):
            raise BadCell(f"{names[0]} is empty")
        return self.number(*names)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it was exported.

    Parameters
    ----------
    name : str
        The file's name, without its folder.
    preamble : tuple of str
        Lines above the header.
    header : tuple of str
        Names of the columns, trimmed.
    rows : tuple of Row
    zone : tzinfo
        For times that name no zone.
    stated_zone : bool
        Whether the file itself names that zone, above its header.
    """

    name: str
    preamble: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    zone: tzinfo
    stated_zone: bool = False

    @property
    def is_bare(self) -> bool:
        """Whether neither the file nor a column names a time zone, nor a time in some row."""
        if self.stated_zone or any(zone_in(name) for name in self.header):
            return False
        rows = [list(row.cells.values()) for row in self.rows]
        bare = [row for row in rows if not any(map(_ZONED.search, row))]
        return len(bare) == len(rows) or any(_CLOCK.search(cell) for row in bare for cell in row)

    def column(self, *starts: str) -> str:
        """Return the first column whose name begins so, `Time` for `Time(UTC+8)`; '' if none."""
        for start in starts:
            for name in self.header:
                if name.lower().startswith(start.lower()):
                    return name
        return ""

    def time(self, row: Row, *columns: str) -> int:
        """Return a row's moment in UTC ms, by the zone in the column's name, else the sheet's.

        Raises
        ------
        BadCell
            If it is no time.
        """
        name = self.column(*columns)
        text = row.text(name)
        if not text:
            raise BadCell(f"{columns[0]} is empty")
        return moment(text, zone=zone_in(name) or self.zone)


def moment(text: str, *, zone: tzinfo) -> int:
    """Return a moment in UTC ms; day before month where both could be.

    Examples
    --------
    >>> moment("14:35 2024-11-16", zone=UTC), moment("2024-11-16T14:35:00Z", zone=UTC)
    (1731767700000, 1731767700000)
    """
    if text.isascii() and text.isdigit() and len(text) in (10, 13):
        return int(text) * (1000 if len(text) == 10 else 1)
    plain = re.sub(r"\s*(UTC|GMT)$", "+00:00", text)
    found: datetime | None = None
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        for layout in _FORMATS:
            try:
                found = datetime.strptime(text, layout)  # noqa: DTZ007 (the zone is set below)
            except ValueError:
                continue
            break
    if found is None:
        raise BadCell(f"'{text}' is not a time that is known")
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def zone_in(text: str) -> tzinfo | None:
    """Return the zone a column or a preamble names, None where it names none.

    Examples
    --------
    >>> str(zone_in("Time(UTC+05:30)")), zone_in("Create Time")
    ('UTC+05:30', None)
    """
    found = _ZONE.search(text)
    if found is None:
        return None
    sign, hours, minutes = found.groups()
    if hours is None or int(hours) > 14:
        return UTC
    shift = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-shift if sign == "-" else shift)


def named_zone(name: str) -> tzinfo:
    """Return a zone by its name: Australia/Sydney, UTC, UTC+8.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name.upper().startswith(("UTC", "GMT")):
        return zone_in(name) or UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise InputError(
            f"there is no time zone {name!r}; write one such as Australia/Sydney or UTC+8"
        ) from None


def read_sheet(path: Path, *, zone: tzinfo, is_header: Callable[[tuple[str, ...]], bool]) -> Sheet:
    """Read a CSV, its header being the first line that `is_header` accepts.

    Parameters
    ----------
    path : Path
        UTF-8 (with or without mark) or UTF-16; comma, semicolon or tab between cells.
    zone : tzinfo
        For times that name no zone.
    is_header : callable
        Told the cells of a line, says whether they are a header it knows.

    Raises
    ------
    InputError
        If the file cannot be read or none of its first lines is a header that is known.
    """
    text = _text(path)
    lines = text.splitlines()
    for at, line in enumerate(lines[:_MOST_PREAMBLE]):
        for mark in (",", ";", "\t"):
            header = tuple(_clean(cell) for cell in next(csv.reader([line], delimiter=mark), []))
            if len(header) > 1 and is_header(header):
                preamble = tuple(_clean(before) for before in lines[:at])
                stated = next((z for z in map(_stated_zone, preamble) if z), None)
                rows = tuple(_rows(lines, at, header, mark))
                is_stated = stated is not None
                return Sheet(path.name, preamble, header, rows, stated or zone, is_stated)
    shown = lines[0][:120] if lines else "nothing"
    raise InputError(
        f"{path} begins with '{shown}', which is no header of a known export; describe its columns "
        "in a mapping file and give it with --mapping"
    )


def _text(path: Path) -> str:
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); name a CSV file") from None
    coding = "utf-16" if found[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return found.decode(coding)
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; name a CSV file as the exchange wrote it") from None


def _stated_zone(text: str) -> tzinfo | None:
    return zone_in(text) if "zone" in text.lower() else None


def _rows(lines: list[str], at: int, header: tuple[str, ...], mark: str) -> Iterator[Row]:
    reader = csv.reader([line + "\n" for line in lines[at + 1 :]], delimiter=mark)
    first = at + 2
    for cells in reader:
        line, first = first, at + 2 + reader.line_num
        values = [_clean(cell) for cell in cells]
        if any(values):
            named = dict(zip(header, values, strict=False))
            is_whole = not any(values[len(header) :])
            raw = mark.join(values)
            yield Row(named if is_whole else {}, line, raw)


def _clean(cell: str) -> str:
    return cell.replace("\ufeff", "").strip().strip('"').strip()


def _number(text: str, name: str) -> Decimal:
    plain = re.sub(r"[\s,$€£]", "", text)
    if plain.startswith("(") and plain.endswith(")"):
        plain = f"-{plain[1:-1]}"
    try:
        found = Decimal(plain) if len(plain) <= _LONGEST_NUMBER else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    exponent = found.as_tuple().exponent
    # Wide enough for any coin, narrow enough that products stay exact in the tax engine.
    if not isinstance(exponent, int) or exponent < -30 or found.adjusted() > 24:
        raise BadCell(f"{name} was '{text}', expected a number")
    return found
