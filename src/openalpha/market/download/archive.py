"""The venue's daily trade files as a second source: trades kept, minute bars built from them.

A day is one step: its trades and its bars go into the lake together or not at all. Where the lake
has bars of that day already, the two are compared and the differences told.
"""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from openalpha.core.clock import DAY_MS, MINUTE_MS, format_ms
from openalpha.core.errors import InputError, VenueRefused, VenueUnavailable
from openalpha.market.blocks import Block, rescale
from openalpha.market.download.fill import Filled, known_stamps
from openalpha.market.download.missing import Span
from openalpha.market.download.run import DownloadReport, Wanted
from openalpha.market.importers.layouts import Canonical, recognise
from openalpha.market.importers.names import Named
from openalpha.market.importers.raw import RawTable
from openalpha.market.importers.rows import judge, to_block
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.net import Request, Transport

__all__ = ["bars_of_trades", "download_archive", "read_trades"]

_VALUES = ("open", "high", "low", "close", "volume")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Day:
    """One day's file of one symbol."""

    symbol: str
    start_ms: int
    is_spot: bool = False

    @property
    def name(self) -> str:
        """Return the file's name: `BTCUSDT2024-01-31.csv.gz`, with `_` before the day on spot."""
        day = datetime.fromtimestamp(self.start_ms / 1000, UTC)
        return f"{self.symbol}{'_' if self.is_spot else ''}{day:%Y-%m-%d}.csv.gz"

    @property
    def place(self) -> str:
        """Return where it lies in the archive."""
        return f"{'spot' if self.is_spot else 'trading'}/{self.symbol}/{self.name}"


def download_archive(
    wanted: Wanted,
    lake: Lake,
    *,
    transport: Transport,
    archive_url: str,
    on_start: Callable[[int], None] = lambda total: None,
    on_rows: Callable[[int], None] = lambda count: None,
) -> DownloadReport:
    """Fetch the daily trade files the lake lacks; build 1m bars; compare with bars already there.

    Parameters
    ----------
    wanted : Wanted
        Only whole days within its span; its time frames must be `1m`.
    transport : Transport
        Patient and budgeted by the caller.
    archive_url : str
        Where the folders of the markets lie, up to and without `/trading` and `/spot`.
    on_start, on_rows : callable
        Told the number of days to fetch, then each as it is done.

    Returns
    -------
    DownloadReport
        Notes name missing files and bars that disagree.

    Raises
    ------
    VenueUnavailable
        If the server fails or sends a damaged file; days before are kept.
    """
    if not wanted.market.startswith("bybit_"):
        raise InputError(f"there are no trade archives of {wanted.market}; use bybit_linear")
    if set(wanted.timeframes) != {"1m"}:
        raise InputError(
            "trade archives give 1m bars; ask for 1m and use `openalpha data resample`"
        )
    notes: list[str] = []
    todo = {symbol: _missing_days(lake, wanted, symbol) for symbol in wanted.symbols}
    on_start(sum(map(len, todo.values())))
    filled: list[Filled] = []
    for day in (day for days in todo.values() for day in days):
        filled += _one_day(lake, transport, wanted.market, day, archive_url, notes)
        on_rows(1)
    return DownloadReport(_summed(filled), (), tuple(notes))


def read_trades(body: bytes, *, now_ms: int, where: str) -> pl.DataFrame:
    """Return the trades of a daily file in the order they happened.

    Raises
    ------
    VenueUnavailable
        If the file is damaged or a row cannot be; it names the row.
    """
    try:
        text = gzip.decompress(body)
        frame = pl.read_csv(text, infer_schema=False)
    except (OSError, EOFError, zlib.error, pl.exceptions.PolarsError) as error:
        raise VenueUnavailable(f"{where} is damaged ({error}); try again later") from None
    named = Named(kind=SeriesKind.TRADES)
    table = recognise(RawTable(where, frame, 2, has_header=True), named)
    if not isinstance(table, Canonical) or table.kind is not SeriesKind.TRADES:
        words = "it holds no trades" if isinstance(table, Canonical) else table
        raise VenueUnavailable(f"{where} cannot be used: {words}")
    judged = judge(table, 0, now_ms=now_ms)
    if judged.bad.height:
        worst = judged.bad.row(0, named=True)
        raise VenueUnavailable(
            f"{where} row {worst['_row']}: {worst['column']} {worst['reason']}; "
            "nothing of it is kept"
        )
    # Files of some years run backwards in time; equal stamps keep the order of the file.
    rows = judged.frame
    if rows.height > 1 and rows["arrival_ns"][0] > rows["arrival_ns"][-1]:
        rows = rows.reverse()
    return rows.sort("arrival_ns", maintain_order=True)


def bars_of_trades(trades: pl.DataFrame, span: Span, *, last_close: int | None) -> pl.DataFrame:
    """Return a 1m bar for every minute of [start, stop), the span.

    A minute without trades is flat at the close before it, with no volume, as the venue's own
    bars are; minutes before the first known price are left out.

    Parameters
    ----------
    trades : pl.DataFrame
        ts, price, qty in units, in order.
    last_close : int or None
        The close of the minute before, in the same units.

    Returns
    -------
    pl.DataFrame
        ts, open, high, low, close, volume in the same units.

    Examples
    --------
    >>> trades = pl.DataFrame({"ts": [5, 60_007], "price": [10, 11], "qty": [1, 2]})
    >>> bars_of_trades(trades, (0, 180_000), last_close=None)["close"].to_list()
    [10, 11, 11]
    """
    minute = (pl.col("ts") // MINUTE_MS * MINUTE_MS).alias("ts")
    price, qty = pl.col("price"), pl.col("qty")
    made = (
        trades.filter(pl.col("ts").is_between(span[0], span[1] - 1))
        .group_by(minute, maintain_order=True)
        .agg(
            price.first().alias("open"),
            price.max().alias("high"),
            price.min().alias("low"),
            price.last().alias("close"),
            qty.sum().alias("volume"),
        )
    )
    every = pl.DataFrame({"ts": pl.int_range(*span, MINUTE_MS, eager=True)})
    bars = every.join(made, on="ts", how="left", maintain_order="left")
    before = pl.col("close").forward_fill()
    if last_close is not None:
        before = before.fill_null(last_close)
    filled = bars.with_columns(before.alias("close"), pl.col("volume").fill_null(0))
    return filled.with_columns(
        pl.col(name).fill_null(pl.col("close")) for name in ("open", "high", "low")
    ).drop_nulls("close")


def _missing_days(lake: Lake, wanted: Wanted, symbol: str) -> list[_Day]:
    first = -(-wanted.since_ms // DAY_MS) * DAY_MS
    days = range(first, wanted.until_ms - DAY_MS + 1, DAY_MS)
    trades = SeriesKey(wanted.market, symbol, SeriesKind.TRADES)
    stamps = known_stamps(lake, trades, span=(first, wanted.until_ms))
    done = set((stamps // DAY_MS * DAY_MS).tolist())
    is_spot = wanted.market.endswith("spot")
    return [_Day(symbol, start, is_spot) for start in days if start not in done]


def _one_day(
    lake: Lake,
    transport: Transport,
    market: str,
    day: _Day,
    archive_url: str,
    notes: list[str],
) -> list[Filled]:
    response = transport.send(Request(f"{archive_url.rstrip('/')}/{day.place}"))
    if response.status == 404:
        notes.append(f"{day.name} does not exist in the archive: left out")
        return []
    if response.status != 200:
        raise VenueRefused(f"the archive refused {day.name} (HTTP {response.status})")
    stop_ms = day.start_ms + DAY_MS
    trades_key = SeriesKey(market, day.symbol, SeriesKind.TRADES)
    bars_key = SeriesKey(market, day.symbol, SeriesKind.BARS, "1m")
    known = lake.read(bars_key, start_ms=day.start_ms - MINUTE_MS, end_ms=stop_ms)
    rows = read_trades(response.body, now_ms=stop_ms, where=day.name)
    if rows.height == 0 or int(rows["ts"].min()) < day.start_ms:  # type: ignore[arg-type]  # Int64
        raise VenueUnavailable(f"{day.name} holds trades of another day; nothing of it is kept")
    trades, _ = to_block(trades_key, rows)
    trades = rescale(
        trades,
        trades_key,
        price_decimals=max(trades.price_decimals, known.price_decimals),
        qty_decimals=trades.qty_decimals,
    )
    last = _close_at(known, day.start_ms - MINUTE_MS, trades.price_decimals)
    bars = Block(
        bars_of_trades(trades.frame, (day.start_ms, stop_ms), last_close=last),
        trades.price_decimals,
        trades.qty_decimals,
    )
    notes += _differences(bars_key, known, bars)
    fresh = bars.frame.join(known.frame, on="ts", how="anti", maintain_order="left")
    with lake.transaction() as change:
        kept = change.merge(trades_key, trades, source=day.name)
        made = change.merge(
            bars_key, Block(fresh, bars.price_decimals, bars.qty_decimals), source=day.name
        )
    return [
        Filled(str(trades_key), kept.added, kept.known, ()),
        Filled(str(bars_key), made.added, bars.frame.height - made.added, ()),
    ]


def _close_at(known: Block, ts_ms: int, decimals: int) -> int | None:
    row = known.frame.filter(pl.col("ts") == ts_ms)
    return (
        None if row.height == 0 else int(row["close"][0]) * 10 ** (decimals - known.price_decimals)
    )


def _differences(key: SeriesKey, known: Block, made: Block) -> list[str]:
    """Compare bars of both sources stamp by stamp, in common units."""
    d = max(known.price_decimals, made.price_decimals)
    q = max(known.qty_decimals, made.qty_decimals)
    ours, theirs = (rescale(b, key, price_decimals=d, qty_decimals=q).frame for b in (known, made))
    both = theirs.join(ours, on="ts", suffix="_kept", how="inner", maintain_order="left")
    wrong = both.filter(pl.any_horizontal(pl.col(n) != pl.col(f"{n}_kept") for n in _VALUES))
    if wrong.height == 0:
        return []
    shown = []
    for row in wrong.head(_SHOWN).iter_rows(named=True):
        name = next(n for n in _VALUES if row[n] != row[f"{n}_kept"])
        scale = 10 ** (q if name == "volume" else d)
        shown.append(
            f"{format_ms(row['ts'])} {name} {row[name] / scale:g} from trades, "
            f"{row[f'{name}_kept'] / scale:g} kept"
        )
    return [
        f"{key}: {wrong.height} of {both.height} bars differ from their trades: {'; '.join(shown)}"
    ]


def _summed(filled: list[Filled]) -> tuple[Filled, ...]:
    total: dict[str, Filled] = {}
    for item in filled:
        before = total.get(item.series, Filled(item.series, 0, 0, ()))
        total[item.series] = Filled(
            item.series, before.added + item.added, before.known + item.known, ()
        )
    return tuple(total.values())
