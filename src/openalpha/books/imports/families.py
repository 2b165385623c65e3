"""What a family of export files is, and how its rows are read without losing any."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.records import Kind, Move, Record

__all__ = ["Family", "each_row", "has_columns", "unknown"]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of export file.

    Parameters
    ----------
    name : str
        How it is called: "bybit spot trades". Stored; never renamed.
    matches : callable
        Told a header, says whether it is this kind's.
    read : callable
        Told the sheet, returns its records, in the order of the file.
    zone : str
        In which the venue writes times without a zone.
    """

    name: str
    matches: Callable[[tuple[str, ...]], bool]
    read: Callable[[Sheet], list[Record]]
    zone: str = "UTC"


def has_columns(*names: str) -> Callable[[tuple[str, ...]], bool]:
    """Return a test for headers that have these columns; `Time*` asks for the beginning only."""

    def matches(header: tuple[str, ...]) -> bool:
        lower = [name.lower() for name in header]
        for name in names:
            wanted = name.lower()
            if wanted.endswith("*"):
                if not any(column.startswith(wanted[:-1]) for column in lower):
                    return False
            elif wanted not in lower:
                return False
        return True

    return matches


def each_row(sheet: Sheet, base: Record, *, read: Callable[[Row, Record], Record]) -> list[Record]:
    """Read every row; one that cannot be read becomes an UNKNOWN record with its text.

    Parameters
    ----------
    base : Record
        Venue, account and family of all rows.
    read : callable
        Told the row and a record with its file and line, returns the record.
    """
    done = []
    for row in sheet.rows:
        here = replace(base, file=sheet.name, line=row.line)
        try:
            if not row.cells:
                raise BadCell("the row has more cells than the header")
            done.append(read(row, here))
        except BadCell as error:
            done.append(unknown(replace(here, ts_ms=_when(sheet, row)), row, why=str(error)))
    return done


_TIMES = ("time", "timestamp", "date", "utc_time", "filled time", "creationtime", "trade time",
          "transaction time")  # fmt: skip


def _when(sheet: Sheet, row: Row) -> int:
    """Return when a row that is not understood happened, -1 where that cannot be told either."""
    try:
        return sheet.time(row, *_TIMES)
    except BadCell:
        return -1


def unknown(here: Record, row: Row, *, why: str, moves: Iterable[Move] = ()) -> Record:
    """Return the record of a row that was not understood."""
    text = f"{why}: {row.raw}"[:600]
    return replace(here, kind=Kind.UNKNOWN, moves=tuple(moves), text=text)
