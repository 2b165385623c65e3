"""Tables as every renderer lays them out: columns with kinds, rows, totals."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.pages.cells import Cell, Column, shown

__all__ = ["Table", "condensed"]


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
