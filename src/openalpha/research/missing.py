"""What the data of a run did not hold: open items a person may want to close."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from openalpha.core.instruments import Kind
from openalpha.market.history import History

__all__ = ["bar_gaps", "open_items"]


def bar_gaps(history: History) -> tuple[tuple[int, int], ...]:
    """Return the stamps of the first and the last missing bar of each stretch without bars."""
    step = history.timeframe_ms
    holes = np.flatnonzero(np.diff(history.ts_ms) > step)
    return tuple((int(history.ts_ms[at]) + step, int(history.ts_ms[at + 1]) - step) for at in holes)


def open_items(histories: Mapping[str, History]) -> list[dict[str, Any]]:
    """Return stretches without bars or settlements, and missing mark prices.

    Parameters
    ----------
    histories : mapping of instrument id to History

    Returns
    -------
    list of dict
        `code` (bars_missing, funding_missing, mark_missing), `instrument`, `from_ms`, `to_ms`.
    """
    items: list[dict[str, Any]] = []
    for name, history in histories.items():
        found = [("funding_missing", gap) for gap in history.funding_gaps]
        found += [("bars_missing", gap) for gap in bar_gaps(history)]
        if history.mark is None and history.instrument.kind is not Kind.SPOT:
            found.append(("mark_missing", (int(history.ts_ms[0]), history.end_ms)))
        items += [
            {"code": code, "instrument": name, "from_ms": start, "to_ms": stop}
            for code, (start, stop) in found
        ]
    return items
