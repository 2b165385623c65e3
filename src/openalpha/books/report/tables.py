"""Tables as every renderer lays them out: columns with kinds, rows, totals, cells as text."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import CENT, ZERO, exact

__all__ = ["Cell", "Column", "Table", "aud", "condensed", "shown"]

_WIDE = Context(prec=76)
Cell = Decimal | date | int | bool | str | None


class Column(NamedTuple):
    """A column: its name, what it holds, and its share of the width.

    `kind` is text (one line), words (wrapped), key (an id, cut to its beginning where room is
    short), aud, qty, number, day or flag. `is_summed` asks for a total; `is_spare` leaves the
    column out on paper where all of it is nothing.
    """

    name: str
    kind: str = "text"
    width: float = 1.0
    is_summed: bool = False
    is_spare: bool = False


class Table(NamedTuple):
    """A table of the report; `slug` names its file and sheet, `empty` stands where no row does."""

    slug: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    empty: str = "none"

    @property
    def totals(self) -> tuple[Cell, ...] | None:
        """The sum of each summed column; None where nothing is to be summed."""
        if len(self.rows) < 2 or not any(column.is_summed for column in self.columns):
            return None
        with exact():
            return tuple(
                _sum(row[at] for row in self.rows) if column.is_summed else None
                for at, column in enumerate(self.columns)
            )


def _sum(cells: Iterable[Cell]) -> Decimal:
    return sum((cell for cell in cells if isinstance(cell, Decimal)), ZERO)


def condensed(table: Table) -> Table:
    """Take out columns that say the same in every row, and those that say nothing.

    What they said is added to the note. For paper, where room is short.

    Examples
    --------
    >>> columns = (Column("coin"), Column("method"))
    >>> found = condensed(Table("x", "X", "Two.", columns, [("BTC", "fifo"), ("ETH", "fifo")]))
    >>> found.note, found.rows
    ('Two. In every row: method fifo.', [('BTC',), ('ETH',)])
    """
    if len(table.rows) < 2:
        return table
    same, kept = [], []
    for at, column in enumerate(table.columns):
        cells = {row[at] for row in table.rows}
        only = next(iter(cells)) if len(cells) == 1 else ...
        if column.kind == "time" or only in (None, "") or only is False:
            continue
        if column.is_spare and only == ZERO:
            continue
        if only is not ... and column.kind in ("text", "flag"):
            same.append(f"{column.name} {shown(only, column.kind)}")
        else:
            kept.append(at)
    note = table.note + (f" In every row: {', '.join(same)}." if same else "")
    columns = tuple(table.columns[at] for at in kept)
    rows = [tuple(row[at] for at in kept) for row in table.rows]
    return table._replace(note=note.strip(), columns=columns, rows=rows)


def aud(amount: Decimal) -> str:
    """Write an amount with cents.

    Examples
    --------
    >>> aud(Decimal("-1234.565")), aud(Decimal("-0.001"))
    ('-1,234.57', '0.00')
    """
    cents = amount.quantize(CENT, rounding=ROUND_HALF_UP, context=_WIDE)
    return f"{cents:,.2f}" if cents else "0.00"  # never -0.00


def shown(cell: Cell, kind: str) -> str:
    """Write a cell for people.

    Examples
    --------
    >>> shown(Decimal("0.10"), "qty"), shown(True, "flag"), shown(None, "aud")
    ('0.1', 'yes', '')
    """
    if cell is None:
        return ""
    if kind == "flag":
        return "yes" if cell else ""
    if isinstance(cell, Decimal):
        if kind == "aud":
            return aud(cell)
        text = f"{cell:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return cell.isoformat() if isinstance(cell, date) else str(cell)
