"""Recognises whose columns a table has and gives them our names; judges no value."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from openalpha.market.importers.names import Named, market_of_exchange
from openalpha.market.importers.raw import RawTable
from openalpha.market.series import SeriesKind

__all__ = ["Canonical", "recognise", "rates_beside"]

_PRICES = ("open", "high", "low", "close")
_KLINE = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count",
    "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match")
_AGG_TRADES = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time",
    "is_buyer_maker", "is_best_match",
)  # fmt: skip
_STAMPS = ("ts", "timestamp", "date", "open_time", "time", "datetime", "opentime")
_SIDES = {"buy": 1, "bid": 1, "b": 1, "sell": -1, "ask": -1, "a": -1, "s": -1, "unknown": 0}
_NOT_OURS = {
    "exchange rates (not read yet)": {"aud_usd"},
    "instrument rules (they come with `openalpha data download`)": {"minimum_price_variation"},
}


@dataclass(frozen=True, slots=True)
class Canonical:
    """A table under our names, not yet judged.

    Parameters
    ----------
    kind : SeriesKind
    frame : pl.DataFrame
        `ts` (int64 ms) and the columns of the kind as float64 (plain integers as int64), null where
        a value could not be read; `_row` numbers the rows of the file.
    market, symbol : str
        Where the table itself names them, else empty.
    """

    kind: SeriesKind
    frame: pl.DataFrame
    market: str = ""
    symbol: str = ""


def recognise(table: RawTable, named: Named) -> Canonical | str:
    """Give a table our names, or say in words why it cannot be used.

    Parameters
    ----------
    table : RawTable
    named : Named
        What its name says; decides where columns alone do not.
    """
    frame = _with_names(table, named)
    columns = set(frame.columns)
    for words, marks in _NOT_OURS.items():
        if marks <= columns:
            return words
    frame = frame.with_row_index("_row", offset=table.first_row)
    for marks, reader in _LAYOUTS:
        if marks <= columns:
            return reader(frame, named)
    if any(re.fullmatch(r"asks\[\d+\]\.price", name) for name in columns):
        return _book_snapshots(frame, named)
    shown = ", ".join(list(frame.columns)[1:9])
    return f"not market data (columns {shown}{' …' if len(columns) > 8 else ''})"


def rates_beside(table: RawTable, named: Named) -> Canonical | None:
    """Return the funding that bars carry in a column `funding_rate`; None where they have none.

    Empty and NaN say that nothing was settled at that bar.
    """
    frame = _with_names(table, named)
    if not {*_PRICES, "funding_rate"} <= set(frame.columns):
        return None
    given = pl.col("funding_rate").cast(pl.String).str.strip_chars()
    is_settled = given.is_not_null() & ~given.str.to_lowercase().is_in(["", "nan", "null", "none"])
    frame = frame.with_row_index("_row", offset=table.first_row).filter(is_settled)
    read = _funding("funding_rate")(frame, named)
    return read if isinstance(read, Canonical) and read.frame.height else None


def _with_names(table: RawTable, named: Named) -> pl.DataFrame:
    frame = table.frame
    if table.has_header:
        lower = {name: name.strip().lower().replace(" ", "_") for name in frame.columns}
        if len(set(lower.values())) == len(lower):
            frame = frame.rename(lower)
        return frame
    width = frame.width
    names: Sequence[str] = ()
    if width == 12:
        names = _KLINE
    elif width == 6 and named.kind is not SeriesKind.TRADES:
        names = _KLINE[:6]
    elif named.kind is SeriesKind.TRADES and width in (6, 7, 8):
        names = (_AGG_TRADES if _looks_aggregated(frame) else _TRADES)[:width]
    return frame.rename(dict(zip(frame.columns, names, strict=True))) if names else frame


def _looks_aggregated(frame: pl.DataFrame) -> bool:
    # In aggregated trades the sixth column is the stamp; in plain ones the fifth is.
    return frame.width >= 7 and len(str(frame[frame.columns[5]][0])) >= 13


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Float64, strict=False)


def _whole(name: str, *, missing: int = -1) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False).fill_null(missing)


def _milliseconds(frame: pl.DataFrame, name: str) -> pl.Expr:
    """Stamps of any unit (seconds to nanoseconds, text, datetimes) as UTC milliseconds."""
    dtype = frame.schema[name]
    if isinstance(dtype, pl.Datetime | pl.Date):
        return pl.col(name).cast(pl.Datetime("ms")).dt.epoch("ms")
    numbers = frame[name].cast(pl.Float64, strict=False)
    if numbers.null_count() == len(numbers) and dtype == pl.String:
        text = pl.col(name).str.replace("T", " ").str.replace(r"(Z|\+00:?00| UTC)$", "")
        return text.str.to_datetime(strict=False, time_unit="ms").dt.epoch("ms")
    largest = numbers.max()
    scale = _per_ms(float(largest)) if isinstance(largest, float) else 1.0
    if scale < 1:  # seconds with a fraction
        # Rounded to microseconds, then cut: 59.9997 s still belongs to its own minute.
        return (_number(name) * 1e6).round().cast(pl.Int64, strict=False) // 1000
    whole = pl.col(name).cast(pl.Int64, strict=False)
    fallback = (_number(name)).cast(pl.Int64, strict=False)
    return pl.coalesce(whole, fallback) // int(scale)


def _per_ms(largest: float) -> float:
    for limit, units in ((1e11, 1e-3), (1e14, 1.0), (1e17, 1e3)):
        if largest < limit:
            return units
    return 1e6


def _stamp_name(frame: pl.DataFrame) -> str:
    return next(name for name in _STAMPS if name in frame.columns)


def _ts(frame: pl.DataFrame, name: str) -> pl.Expr:
    return _milliseconds(frame, name).alias("ts")


def _arrival(frame: pl.DataFrame) -> pl.Expr:
    if "local_ts_ns" in frame.columns:
        return pl.col("local_ts_ns").cast(pl.Int64, strict=False).alias("arrival_ns")
    if "local_timestamp" in frame.columns:
        return (_whole("local_timestamp") * 1_000).alias("arrival_ns")
    return (_milliseconds(frame, _stamp_name(frame)) * 1_000_000).alias("arrival_ns")


def _side(name: str) -> pl.Expr:
    return (
        pl.col(name)
        .str.to_lowercase()
        .replace_strict(_SIDES, default=None, return_dtype=pl.Int64)
        .alias("side")
    )


def _bars(frame: pl.DataFrame, named: Named) -> Canonical | str:
    if not any(name in frame.columns for name in _STAMPS):
        return "bars without a stamp: no column ts, timestamp, date or open_time"
    kind = named.kind if named.kind is not None else SeriesKind.BARS
    if kind is SeriesKind.FUNDING:  # freqtrade keeps the rate as the open of a bar
        rate = _number("open").alias("rate")
        return Canonical(kind, frame.select("_row", _ts(frame, _stamp_name(frame)), rate))
    names = list(_PRICES)
    if kind is SeriesKind.BARS:
        if "volume" not in frame.columns:
            return "bars without a volume; if it is a mark or index price, name the folder so"
        names.append("volume")
    columns = [_number(name).alias(name) for name in names]
    return Canonical(kind, frame.select("_row", _ts(frame, _stamp_name(frame)), *columns))


def _funding(column: str) -> Callable[[pl.DataFrame, Named], Canonical | str]:
    def read(frame: pl.DataFrame, named: Named) -> Canonical | str:
        stamp = "calc_time" if "calc_time" in frame.columns else _stamp_name(frame)
        rate = _number(column).alias("rate")
        return Canonical(SeriesKind.FUNDING, frame.select("_row", _ts(frame, stamp), rate))

    return read


def _trades(qty: str, trade_id: str) -> Callable[[pl.DataFrame, Named], Canonical | str]:
    def read(frame: pl.DataFrame, named: Named) -> Canonical | str:
        if "is_buyer_maker" in frame.columns:
            seller = pl.col("is_buyer_maker").cast(pl.String).str.to_lowercase() == "true"
            side = pl.when(seller).then(-1).otherwise(1).cast(pl.Int64).alias("side")
        else:
            side = _side("side")
        stamp = "transact_time" if "transact_time" in frame.columns else _stamp_name(frame)
        arrival = (
            _milliseconds(frame, stamp).alias("arrival_ns") * 1_000_000
            if stamp == "transact_time"
            else _arrival(frame)
        )
        identity = pl.col(trade_id).cast(pl.String).fill_null("").alias("trade_id")
        rows = frame.select(
            "_row",
            _ts(frame, stamp),
            arrival,
            _number("price").alias("price"),
            _number(qty).alias("qty"),
            side,
            identity,
        )
        market, symbol = _own_name(frame)
        return Canonical(SeriesKind.TRADES, rows, market, symbol)

    return read


def _own_name(frame: pl.DataFrame) -> tuple[str, str]:
    if "symbol" not in frame.columns or frame.height == 0:
        return "", ""
    symbol = str(frame["symbol"][0])
    if "exchange" not in frame.columns:
        return "", symbol
    return market_of_exchange(str(frame["exchange"][0]), symbol), symbol


def _depth(frame: pl.DataFrame, named: Named) -> Canonical | str:
    return _book(frame, pl.col("kind") == "snapshot", ("first_u", "final_u", "prev_u"))


def _ob500(frame: pl.DataFrame, named: Named) -> Canonical | str:
    return _book(frame, pl.col("kind") == "snapshot", ("", "u", "seq"))


def _incremental(frame: pl.DataFrame, named: Named) -> Canonical | str:
    is_snapshot = pl.col("is_snapshot").cast(pl.String).str.to_lowercase() == "true"
    return _book(frame, is_snapshot, ("", "", ""))


def _binance_depth(frame: pl.DataFrame, named: Named) -> Canonical | str:
    is_snapshot = pl.col("update_type") == "snap"
    return _book(frame, is_snapshot, ("first_update_id", "last_update_id", "pu"))


def _book(frame: pl.DataFrame, is_snapshot: pl.Expr, ids: tuple[str, str, str]) -> Canonical:
    qty = "qty" if "qty" in frame.columns else "amount"
    updates = [
        (_whole(name) if name else pl.lit(-1, dtype=pl.Int64)).alias(ours)
        for name, ours in zip(ids, ("first_u", "final_u", "prev_u"), strict=True)
    ]
    rows = frame.select(
        "_row",
        _ts(frame, _stamp_name(frame)),
        _arrival(frame),
        is_snapshot.cast(pl.Int64).alias("is_snapshot"),
        *updates,
        _side("side"),
        _number("price").alias("price"),
        _number(qty).alias("qty"),
    )
    market, symbol = _own_name(frame)
    return Canonical(SeriesKind.BOOK, rows, market, symbol)


def _book_snapshots(frame: pl.DataFrame, named: Named) -> Canonical:
    """One row a level: the first level of each snapshot starts a new book."""
    levels = sorted({int(n) for name in frame.columns for n in re.findall(r"\[(\d+)\]", name)})
    parts = []
    for side, sign in (("bids", 1), ("asks", -1)):
        for level in levels:
            parts.append(
                frame.select(
                    "_row",
                    _ts(frame, "timestamp"),
                    _arrival(frame),
                    pl.lit(1, dtype=pl.Int64).alias("is_snapshot"),
                    *(
                        pl.lit(-1, dtype=pl.Int64).alias(n)
                        for n in ("first_u", "final_u", "prev_u")
                    ),
                    pl.lit(sign, dtype=pl.Int64).alias("side"),
                    _number(f"{side}[{level}].price").alias("price"),
                    _number(f"{side}[{level}].amount").alias("qty"),
                )
            )
    rows = pl.concat(parts).sort("_row", maintain_order=True)
    market, symbol = _own_name(frame)
    return Canonical(SeriesKind.BOOK, rows, market, symbol)


def _quotes(names: tuple[str, str, str, str]) -> Callable[[pl.DataFrame, Named], Canonical | str]:
    def read(frame: pl.DataFrame, named: Named) -> Canonical | str:
        ours = ("bid", "bid_qty", "ask", "ask_qty")
        update = _whole("u") if "u" in frame.columns else pl.lit(-1, dtype=pl.Int64)
        values = [_number(name).alias(own) for name, own in zip(names, ours, strict=True)]
        rows = frame.select(
            "_row", _ts(frame, _stamp_name(frame)), _arrival(frame), *values, update.alias("u")
        )
        market, symbol = _own_name(frame)
        return Canonical(SeriesKind.QUOTES, rows, market, symbol)

    return read


def _quote_bars(frame: pl.DataFrame, named: Named) -> Canonical | str:
    names = [f"{side}_{name}" for side in ("bid", "ask") for name in _PRICES]
    values = [_number(name).alias(name) for name in (*names, "bid_size", "ask_size")]
    rows = frame.select("_row", _ts(frame, _stamp_name(frame)), *values)
    return Canonical(SeriesKind.QUOTE_BARS, rows)


def _open_interest(column: str) -> Callable[[pl.DataFrame, Named], Canonical | str]:
    def read(frame: pl.DataFrame, named: Named) -> Canonical | str:
        qty = _number(column).alias("qty")
        stamp = _ts(frame, _stamp_name(frame))
        return Canonical(SeriesKind.OPEN_INTEREST, frame.select("_row", stamp, qty))

    return read


# The first layout whose columns are all there reads the table: narrower ones stand first.
_LAYOUTS: tuple[tuple[set[str], Callable[[pl.DataFrame, Named], Canonical | str]], ...] = (
    ({"bid_open", "ask_close", "bid_size"}, _quote_bars),
    ({"kind", "first_u", "final_u", "side", "price", "qty"}, _depth),
    ({"kind", "u", "seq", "side", "price", "qty"}, _ob500),
    ({"is_snapshot", "side", "price", "amount"}, _incremental),
    ({"update_type", "first_update_id", "side", "price", "qty"}, _binance_depth),
    ({"bid", "bid_qty", "ask", "ask_qty"}, _quotes(("bid", "bid_qty", "ask", "ask_qty"))),
    (
        {"bid_price", "bid_amount", "ask_price", "ask_amount"},
        _quotes(("bid_price", "bid_amount", "ask_price", "ask_amount")),
    ),
    ({"trdmatchid", "size", "price", "side"}, _trades("size", "trdmatchid")),
    ({"agg_trade_id", "price", "quantity"}, _trades("quantity", "agg_trade_id")),
    ({"trade_id", "price", "qty", "side"}, _trades("qty", "trade_id")),
    ({"id", "price", "qty", "is_buyer_maker"}, _trades("qty", "id")),
    ({"id", "price", "amount", "side"}, _trades("amount", "id")),
    ({"id", "price", "volume", "side"}, _trades("volume", "id")),
    ({"last_funding_rate"}, _funding("last_funding_rate")),
    (set(_PRICES), _bars),
    ({"funding_rate"}, _funding("funding_rate")),
    ({"rate", "ts"}, _funding("rate")),
    ({"open_interest"}, _open_interest("open_interest")),
)
