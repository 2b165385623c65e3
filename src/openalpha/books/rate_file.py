"""Reads a person's own rates from a CSV: coin, quote, time, rate, source."""

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path

from openalpha.books.rates import Rate, RateTable
from openalpha.core.clock import parse_ms
from openalpha.core.errors import InputError

__all__ = ["read_rates", "read_rows"]

_COLUMNS = ("coin", "quote", "time", "rate", "source")


def read_rates(path: Path) -> RateTable:
    """Read a CSV of rates; each is good from its time on for at most five days."""
    return RateTable(read_rows(path))


def read_rows(path: Path) -> list[tuple[str, str, Rate]]:
    """Read the rows of a CSV of rates.

    Parameters
    ----------
    path : Path
        With a header line `coin,quote,time,rate,source`; `time` is ISO-8601 (UTC unless it names
        an offset), a date or UTC ms.

    Raises
    ------
    InputError
        If the file cannot be read or a line of it cannot be used; the line is named.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text ({error}); name a CSV file") from None
    lines = csv.DictReader(text.splitlines())
    missing = set(_COLUMNS) - set(lines.fieldnames or ())
    if missing:
        raise InputError(
            f"the header lacks {', '.join(sorted(missing))}; write {','.join(_COLUMNS)}",
            where=str(path),
        )
    return [_row(line, f"{path}, line {lines.line_num}") for line in lines]


def _row(line: dict[str, str], where: str) -> tuple[str, str, Rate]:
    values = {name: (line.get(name) or "").strip() for name in _COLUMNS}
    if not all(values.values()):
        raise InputError(f"every column of {','.join(_COLUMNS)} needs a value", where=where)
    try:
        rate = Decimal(values["rate"])
    except InvalidOperation:
        raise InputError(
            f"the rate was '{values['rate']}', expected a number", where=where
        ) from None
    if not (rate.is_finite() and rate > 0):
        raise InputError(f"the rate was {values['rate']}, expected one above 0", where=where)
    try:
        ts_ms = parse_ms(values["time"])
    except InputError as error:
        raise InputError(error.message, where=where) from None
    return values["coin"], values["quote"], Rate(rate, values["source"], ts_ms)
