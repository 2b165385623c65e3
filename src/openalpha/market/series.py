"""What the lake keeps: series, their kinds, their columns and where they lie.

A *keyed* kind has one row a stamp (bars, mark, index, funding, open interest); an *event* kind
has any number of rows in the order they arrived (trades, book, quotes).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

import polars as pl

from openalpha.core.clock import parse_timeframe
from openalpha.core.errors import InputError
from openalpha.core.instruments import InstrumentId, instrument_id, split_instrument_id

__all__ = ["COLUMNS", "ColumnUnit", "SeriesKey", "SeriesKind", "series_key"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class SeriesKind(StrEnum):
    """What a series records."""

    BARS = "bars"
    MARK = "mark"
    INDEX = "index"
    FUNDING = "funding"
    OPEN_INTEREST = "open_interest"
    TRADES = "trades"
    BOOK = "book"
    QUOTES = "quotes"
    QUOTE_BARS = "quote_bars"

    @property
    def has_timeframe(self) -> bool:
        """Whether a series of this kind has a time frame."""
        return self in (SeriesKind.BARS, SeriesKind.MARK, SeriesKind.INDEX, SeriesKind.QUOTE_BARS)

    @property
    def is_keyed(self) -> bool:
        """Whether a stamp occurs at most once."""
        return self not in (SeriesKind.TRADES, SeriesKind.BOOK, SeriesKind.QUOTES)


class ColumnUnit(StrEnum):
    """What the integers of a column count."""

    STAMP = "ts_ms"
    PRICE = "price_units"
    QTY = "qty_units"
    RATE = "rate_e12"
    PLAIN = "plain"
    TEXT = "text"


_U = ColumnUnit
_PRICES = dict.fromkeys(("open", "high", "low", "close"), _U.PRICE)
_ARRIVAL = {"ts": _U.STAMP, "arrival_ns": _U.PLAIN}

COLUMNS: dict[SeriesKind, dict[str, ColumnUnit]] = {
    SeriesKind.BARS: {"ts": _U.STAMP, **_PRICES, "volume": _U.QTY},
    SeriesKind.MARK: {"ts": _U.STAMP, **_PRICES},
    SeriesKind.INDEX: {"ts": _U.STAMP, **_PRICES},
    SeriesKind.FUNDING: {"ts": _U.STAMP, "rate": _U.RATE},
    SeriesKind.OPEN_INTEREST: {"ts": _U.STAMP, "qty": _U.QTY},
    SeriesKind.TRADES: {
        **_ARRIVAL,
        "price": _U.PRICE,
        "qty": _U.QTY,
        "side": _U.PLAIN,
        "trade_id": _U.TEXT,
    },
    SeriesKind.BOOK: {
        **_ARRIVAL,
        "is_snapshot": _U.PLAIN,
        "first_u": _U.PLAIN,
        "final_u": _U.PLAIN,
        "prev_u": _U.PLAIN,
        "side": _U.PLAIN,
        "price": _U.PRICE,
        "qty": _U.QTY,
    },
    SeriesKind.QUOTES: {
        **_ARRIVAL,
        "bid": _U.PRICE,
        "bid_qty": _U.QTY,
        "ask": _U.PRICE,
        "ask_qty": _U.QTY,
        "u": _U.PLAIN,
    },
    SeriesKind.QUOTE_BARS: {
        "ts": _U.STAMP,
        **{f"{side}_{name}": _U.PRICE for side in ("bid", "ask") for name in _PRICES},
        "bid_size": _U.QTY,
        "ask_size": _U.QTY,
    },
}
"""Columns of each kind, in order, all int64 (a side is +1 buy or bid, -1 sell or ask; -1 is "no
update id"), but `trade_id`, which is text."""


@dataclass(frozen=True, slots=True, order=True)
class SeriesKey:
    """Names one series: `bybit_linear:BTCUSDT`, bars, `1h`.

    Parameters
    ----------
    market, symbol : str
    kind : SeriesKind
    timeframe : str
        Empty for kinds without one.
    """

    market: str
    symbol: str
    kind: SeriesKind
    timeframe: str = ""

    def __post_init__(self) -> None:
        for part in (self.market, self.symbol):
            if not _NAME.fullmatch(part):
                raise InputError(
                    f"'{part}' cannot name a market or symbol; use letters, digits, ._-"
                )
        if self.kind.has_timeframe != bool(self.timeframe):
            raise InputError(f"{self.kind} series {'need a' if not self.timeframe else 'have no'} "
                             "time frame")  # fmt: skip
        if self.timeframe:
            parse_timeframe(self.timeframe)

    @property
    def instrument(self) -> InstrumentId:
        """Return the instrument the series belongs to."""
        return instrument_id(self.market, self.symbol)

    @property
    def timeframe_ms(self) -> int:
        """Return the length of a bar; 0 for kinds without a time frame."""
        return parse_timeframe(self.timeframe) if self.timeframe else 0

    @property
    def folder(self) -> PurePosixPath:
        """Return the folder below the lake: `bybit_linear/BTCUSDT/bars_1h`."""
        kind = f"{self.kind}_{self.timeframe}" if self.timeframe else str(self.kind)
        return PurePosixPath(self.market, self.symbol, kind)

    def __str__(self) -> str:
        return f"{self.instrument} {self.kind}" + (f" {self.timeframe}" if self.timeframe else "")

    @classmethod
    def of_folder(cls, folder: PurePosixPath) -> "SeriesKey | None":
        """Return the key of a folder below the lake, None where it is not one of ours."""
        if len(folder.parts) != 3:
            return None
        market, symbol, name = folder.parts
        kind, _, timeframe = name.rpartition("_")
        if name in SeriesKind.__members__.values():
            kind, timeframe = name, ""
        try:
            return cls(market, symbol, SeriesKind(kind), timeframe)
        except (ValueError, InputError):
            return None

    def polars_schema(self) -> dict[str, pl.DataType]:
        """Return the columns with the types they are stored in."""
        return {
            name: pl.String() if unit is ColumnUnit.TEXT else pl.Int64()
            for name, unit in COLUMNS[self.kind].items()
        }


def series_key(instrument: str, kind: SeriesKind | str, *, timeframe: str = "") -> SeriesKey:
    """Return the key of an instrument's series.

    Raises
    ------
    InputError
        If a part has not the form it needs.

    Examples
    --------
    >>> series_key("bybit_linear:BTCUSDT", "bars", timeframe="1h").folder.as_posix()
    'bybit_linear/BTCUSDT/bars_1h'
    """
    market, symbol = split_instrument_id(instrument)
    return SeriesKey(market, symbol, SeriesKind(kind), timeframe)
