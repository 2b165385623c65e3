"""What a file's name and folders say about its content: instrument, kind and time frame."""

import re
from dataclasses import dataclass
from pathlib import Path

from openalpha.core.clock import parse_timeframe, timeframe_name
from openalpha.market.series import SeriesKind

__all__ = ["Named", "market_of_exchange", "what_name_says"]

_FOLDER_KINDS = {"ohlcv": SeriesKind.BARS, **{str(kind): kind for kind in SeriesKind}}
_TIMEFRAME = re.compile(r"[1-9][0-9]*[smhdwM]")
_BINANCE = re.compile(
    r"(?P<symbol>[A-Z0-9]+)-(?P<what>[1-9][0-9]*[smhdw]|trades|aggTrades|fundingRate)"
    r"-\d{4}-\d{2}(?:-\d{2})?"
)
_FREQTRADE = re.compile(
    r"(?P<base>[A-Z0-9]+)_(?P<quote>[A-Z0-9]+)(?P<settle>_[A-Z0-9]+)?-(?P<tf>[1-9][0-9]*[smhdw])"
    r"(?P<what>-(?:futures|spot|mark|index|funding_rate))?"
)
_BYBIT = re.compile(r"(?P<symbol>[A-Z0-9]+?)(?P<spot>_)?\d{4}-\d{2}-\d{2}")
_TARDIS = re.compile(
    r"(?P<exchange>[a-z][a-z-]*)_(?P<what>trades|quotes|incremental_book_L2|book_snapshot_\d+)_"
    r"(?:\d{4}-\d{2}-\d{2}_)?(?P<symbol>[A-Za-z0-9-]+)"
)
_TARDIS_MARKETS = {
    "binance": "binance_spot",
    "binance-futures": "binance_usdm",
    "binance-delivery": "binance_coinm",
    "bybit-spot": "bybit_spot",
    "deribit": "deribit_inverse",
    "bitmex": "bitmex_inverse",
}
_BINANCE_KINDS = {
    "trades": SeriesKind.TRADES,
    "aggTrades": SeriesKind.TRADES,
    "fundingRate": SeriesKind.FUNDING,
}
_BINANCE_FOLDERS = {"markPriceKlines": SeriesKind.MARK, "indexPriceKlines": SeriesKind.INDEX}
_FREQTRADE_KINDS = {"mark": "mark", "index": "index", "funding_rate": "funding"}


@dataclass(frozen=True, slots=True)
class Named:
    """What a name says; empty or None where it says nothing.

    Parameters
    ----------
    market, symbol : str
    kind : SeriesKind or None
    timeframe : str
    layout : str
        Whose way of naming it is: ours, binance, freqtrade, tardis, bybit.
    """

    market: str = ""
    symbol: str = ""
    kind: SeriesKind | None = None
    timeframe: str = ""
    layout: str = ""


def what_name_says(path: Path, name: str) -> Named:
    """Read a path and the name of the table in it (without packing).

    Examples
    --------
    >>> found = what_name_says(Path("ohlcv/bybit_linear/BTCUSDT_1m_x.csv"), "BTCUSDT_1m_x.csv")
    >>> found.market, found.symbol, found.timeframe
    ('bybit_linear', 'BTCUSDT', '1m')
    """
    stem = name.partition(".")[0]
    for reader in (_ours, _tardis, _freqtrade, _binance, _bybit):
        found = reader(path, stem)
        if found is not None:
            return found
    return Named()


def market_of_exchange(exchange: str, symbol: str) -> str:
    """Return the market of an exchange name as data vendors write it.

    Examples
    --------
    >>> market_of_exchange("bybit", "BTCUSDT"), market_of_exchange("bybit", "BTCUSD")
    ('bybit_linear', 'bybit_inverse')
    """
    if exchange == "bybit":
        return "bybit_inverse" if symbol.endswith("USD") else "bybit_linear"
    return _TARDIS_MARKETS.get(exchange, exchange.replace("-", "_"))


def _ours(path: Path, stem: str) -> Named | None:
    if len(path.parts) < 3:
        return None
    kind = _FOLDER_KINDS.get(path.parts[-3])
    if kind is None:
        return None
    symbol, *labels = stem.split("_")
    timeframe = ""
    if labels and _TIMEFRAME.fullmatch(labels[0]) and (kind.has_timeframe or kind == "quotes"):
        timeframe = timeframe_name(parse_timeframe(labels[0]))
        if kind == "quotes":  # quotes at a time frame are bars of quotes
            kind = SeriesKind.QUOTE_BARS
    return Named(path.parts[-2], symbol, kind, timeframe, "ours")


def _tardis(path: Path, stem: str) -> Named | None:
    match = _TARDIS.fullmatch(stem)
    if match is None:
        return None
    what = match["what"]
    kinds = {"trades": SeriesKind.TRADES, "quotes": SeriesKind.QUOTES}
    symbol = match["symbol"]
    market = market_of_exchange(match["exchange"], symbol)
    return Named(market, symbol, kinds.get(what, SeriesKind.BOOK), "", "tardis")


def _freqtrade(path: Path, stem: str) -> Named | None:
    match = _FREQTRADE.fullmatch(stem)
    if match is None:
        return None
    what = (match["what"] or "").lstrip("-")
    is_future = what not in ("", "spot") or match["settle"] is not None
    exchange = next(
        (part for part in reversed(path.parts[:-1]) if part in ("binance", "bybit")), ""
    )
    future = {"binance": "binance_usdm", "bybit": "bybit_linear"}.get(exchange, "")
    spot = f"{exchange}_spot" if exchange else ""
    kind = SeriesKind(_FREQTRADE_KINDS.get(what, "bars"))
    timeframe = match["tf"] if kind.has_timeframe else ""
    symbol = match["base"] + match["quote"]
    return Named(future if is_future else spot, symbol, kind, timeframe, "freqtrade")


def _binance(path: Path, stem: str) -> Named | None:
    match = _BINANCE.fullmatch(stem)
    if match is None:
        return None
    kind = _BINANCE_KINDS.get(match["what"], SeriesKind.BARS)
    if kind is SeriesKind.BARS:
        folders = (_BINANCE_FOLDERS[part] for part in path.parts if part in _BINANCE_FOLDERS)
        kind = next(folders, kind)
    parts = set(path.parts)
    market = ""
    if {"futures", "um"} <= parts or "binance_usdm" in parts:
        market = "binance_usdm"
    elif {"futures", "cm"} <= parts:
        market = "binance_coinm"
    elif "spot" in parts or "binance_spot" in parts:
        market = "binance_spot"
    timeframe = match["what"] if kind.has_timeframe else ""
    return Named(market, match["symbol"], kind, timeframe, "binance")


def _bybit(path: Path, stem: str) -> Named | None:
    match = _BYBIT.fullmatch(stem)
    if match is None:
        return None
    market = "bybit_spot" if match["spot"] else market_of_exchange("bybit", match["symbol"])
    return Named(market, match["symbol"], SeriesKind.TRADES, "", "bybit")
