"""Indicators under one front: `ta.rsi(close, period=14)`, `ta.atr.on(bars)`, `ta.names()`.

Every one of them is prefix-proof (the value at a bar never changes when later bars arrive), states
how many bars it needs, and gives NaN before that.
"""

from functools import cache
from types import MappingProxyType
from typing import Any

from openalpha.core.errors import InputError, UnknownName
from openalpha.strategy.indicators.registry import Indicator, Memory, Missing

__all__ = ["ENTRY_POINTS", "Indicator", "Memory", "Missing", "info", "level_imbalance", "names"]

ENTRY_POINTS = "openalpha.indicators"
"""The entry-point group under which an installed package offers `Indicator` objects."""


@cache
def _table() -> MappingProxyType[str, Indicator]:
    from openalpha.strategy.indicators.own import own_indicators
    from openalpha.strategy.indicators.talib_table import talib_indicators

    found = {item.name: item for item in (*talib_indicators(), *own_indicators())}
    for name, item in _installed():
        found.setdefault(name, item)
    return MappingProxyType(found)


def _installed() -> list[tuple[str, Indicator]]:
    from importlib.metadata import entry_points

    found = []
    for point in entry_points(group=ENTRY_POINTS):
        item = point.load()
        if not isinstance(item, Indicator):
            raise InputError(f"indicator {point.name} of {point.value} is not an Indicator")
        found.append((point.name, item))
    return found


def names(group: str = "") -> tuple[str, ...]:
    """Return the names of all indicators, or of one group of them.

    Examples
    --------
    >>> names("quotes")
    ('imbalance', 'microprice', 'spread_bps')
    """
    return tuple(sorted(name for name, item in _table().items() if group in ("", item.group)))


def info(name: str) -> Indicator:
    """Return the indicator of that name.

    Raises
    ------
    UnknownName
        If there is none.

    Examples
    --------
    >>> info("sma").warm_up_bars(period=50)
    50
    """
    if name not in _table():
        from difflib import get_close_matches

        near = get_close_matches(name, _table(), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "`names()` lists them"
        raise UnknownName(f"there is no indicator '{name}'; {hint}")
    return _table()[name]


def level_imbalance(bid_sizes: Any, ask_sizes: Any, *, levels: int = 5) -> Any:
    """Return the weight of the bid side over the best levels of a book, -1 to 1.

    Parameters
    ----------
    bid_sizes, ask_sizes : float64[n, depth]
        Sizes from the best level outward; a missing level is NaN and counts as nothing.
    levels : int
        How many levels to add up.

    Returns
    -------
    float64[n]
        0 for an empty book.

    Examples
    --------
    >>> level_imbalance([[3.0, 1.0]], [[1.0, 9.0]], levels=1)
    array([0.5])
    """
    import numpy as np

    if levels < 1:
        raise InputError(f"levels is {levels}, expected a whole number from 1")
    sides = [np.nan_to_num(np.asarray(side, float))[:, :levels] for side in (bid_sizes, ask_sizes)]
    bid, ask = (side.sum(axis=1) for side in sides)
    return info("imbalance")(bid, ask)


def __getattr__(name: str) -> Indicator:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return info(name)
    except UnknownName as error:
        raise AttributeError(str(error)) from None
