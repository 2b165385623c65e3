"""Histories as the rows a live market would have sent, one after the other."""

from collections.abc import Iterator, Sequence

import numpy as np

from openalpha.engine.grid import common_grid
from openalpha.engine.rows import BarUnits, Prices, Row
from openalpha.market.history import History
from openalpha.venue.kernel.layout import ABSENT, I64

__all__ = ["rows_of"]

_CHUNK = 4096


def rows_of(histories: Sequence[History]) -> Iterator[Row]:
    """Yield the rows of the histories' common grid, in order of time.

    A row carries the settlements since the row before it. Settlements are those of the histories:
    what is missing is not made up.

    Parameters
    ----------
    histories : sequence of History
        Of one time frame.
    """
    grid = common_grid(histories)
    settled = _settlements(histories)
    has_mark = any(row >= 0 for row in grid.mark_rows)
    has_index = any(row >= 0 for row in grid.index_rows)
    at = 0
    for start in range(0, len(grid.ts_ms), _CHUNK):
        part = slice(start, start + _CHUNK)
        bars = [grid.bars[number, part].tolist() for number in range(len(histories))]
        marks = _prices(grid.mark, grid.mark_rows, part) if has_mark else []
        indices = _prices(grid.index, grid.index_rows, part) if has_index else []
        for row, ts_ms in enumerate(grid.ts_ms[part].tolist()):
            end_ms, first = ts_ms + grid.timeframe_ms, at
            while at < len(settled) and settled[at][1] < end_ms:
                at += 1
            yield Row(
                ts_ms,
                tuple(_bar(column[row]) for column in bars),
                tuple(None if column is None else column[row] for column in marks),
                tuple(None if column is None else column[row] for column in indices),
                tuple(settled[first:at]),
            )


def _bar(values: list[int]) -> BarUnits | None:
    if values[4] == ABSENT:
        return None
    return values[0], values[1], values[2], values[3], values[4]


def _prices(table: I64 | None, rows: Sequence[int], part: slice) -> list[list[Prices] | None]:
    assert table is not None
    return [
        None if row < 0 else [(o, h, low, c) for o, h, low, c in table[row, part].tolist()]
        for row in rows
    ]


def _settlements(histories: Sequence[History]) -> list[tuple[int, int, int]]:
    """Return every settlement as (instrument number, stamp, rate), in order of time."""
    number = np.concatenate(
        [np.full(len(h.funding_ts_ms), n, dtype=np.int64) for n, h in enumerate(histories)]
    )
    stamps = np.concatenate([h.funding_ts_ms for h in histories])
    rates = np.concatenate([h.funding_rate_e12 for h in histories])
    order = np.lexsort((number, stamps))
    rows = np.column_stack((number, stamps, rates))[order].tolist()
    return [(n, stamp, rate) for n, stamp, rate in rows]
