"""Open items of an import: what no rule explains, with file and line, and how it is settled."""

from decimal import Decimal
from typing import NamedTuple

from openalpha.books.imports.records import Record

__all__ = ["ImportItem", "item_of"]


class ImportItem(NamedTuple):
    """Something a person must say a word on before a report can be final.

    Parameters
    ----------
    code : str
        unknown_row, unmatched_deposit, unmatched_withdrawal, missing_other_side, missing_rate, ...
    key : str
        What `openalpha tax settle` names it by.
    text : str
        What is wrong and what to do, with file and line.
    ts_ms : int
        When it happened, UTC ms; -1 where unknown: then it concerns every year.
    """

    code: str
    key: str
    text: str
    ts_ms: int
    coin: str = ""
    amount: Decimal | None = None


def item_of(code: str, record: Record, *, text: str) -> ImportItem:
    """Return the open item of a record.

    Examples
    --------
    >>> from openalpha.books.imports.records import Kind
    >>> one = Record("bybit", "", "x", 5, Kind.UNKNOWN, file="a.csv", line=3, key="k" * 24)
    >>> item_of("unknown_row", one, text="what is it").text
    'a.csv, line 3: what is it'
    """
    coin, amount = record.moves[0] if record.moves else ("", None)
    return ImportItem(code, record.key, f"{record.where}: {text}", record.ts_ms, coin, amount)
