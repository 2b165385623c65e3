"""What a run hears of its market, as rows of the lake: bars always, trades and book if asked."""

from collections.abc import Iterable, Sequence

from openalpha.core.clock import Clock, timeframe_name
from openalpha.core.instruments import Instrument
from openalpha.core.messages import Environment
from openalpha.engine.rows import Row
from openalpha.market.recording import Recorder
from openalpha.market.series import SeriesKey, SeriesKind
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.feeds.live_messages import level_units
from openalpha.trading.run.feed_rows import is_warm, row_of
from openalpha.trading.run.folder import RunFolder
from openalpha.venue.bybit.hosts import HOSTS
from openalpha.venue.bybit.public_line import BookChange, Message, Trade

__all__ = ["TOPICS", "LiveRecording", "recorded_market"]

TOPICS = {
    "none": (),
    "bars": (),
    "trades": ("publicTrade.{}",),
    "book": ("publicTrade.{}", "orderbook.50.{}"),
}
"""What is subscribed to beside bars, by what is to be recorded."""


class LiveRecording:
    """Tells a recorder what a feed brings.

    Parameters
    ----------
    recorder : Recorder
    instruments : sequence of Instrument
    timeframe_ms : int
    server : str
        Whose prices they are: those of the exchange's own lie under its name, others apart.
    clock : Clock
        Stamps arrivals.
    """

    def __init__(
        self,
        recorder: Recorder,
        instruments: Sequence[Instrument],
        *,
        timeframe_ms: int,
        server: str,
        clock: Clock,
    ) -> None:
        self.recorder, self._instruments, self._clock = recorder, tuple(instruments), clock
        self._timeframe = timeframe_name(timeframe_ms)
        self._markets = [recorded_market(item.market, server) for item in instruments]
        self._arrival_ns = 0

    def bars(self, rows: Iterable[Row]) -> None:
        """Keep closed rows."""
        rows = list(rows)
        for number, item in enumerate(self._instruments):
            found = [(row.ts_ms, *bar) for row in rows if (bar := row.bars[number]) is not None]
            self._keep(number, SeriesKind.BARS, found, item)

    def again(self, folder: RunFolder) -> None:
        """Keep what a log has and the lake lacks: the process died before it was published."""
        last_ms = min(
            self.recorder.last_ms(self._key(number, SeriesKind.BARS))
            for number in range(len(self._instruments))
        )
        if not folder.log.is_dir():
            return
        rows = (
            row_of(frame.payload)
            for frame in read(folder.log, {FrameKind.FEED})
            if b'"bars"' in frame.payload and not is_warm(frame.payload)
        )
        self.bars(row for row in rows if row.ts_ms > last_ms)

    def hear(self, category: str, message: Message) -> None:
        """Keep a trade or a change of the book."""
        for number, item in enumerate(self._instruments):
            is_it = item.market.endswith(f"_{category}") and item.symbol == message.symbol
            if is_it and isinstance(message, Trade):
                self._trade(number, message)
            elif is_it and isinstance(message, BookChange):
                self._change(number, message)

    def _trade(self, number: int, trade: Trade) -> None:
        item = self._instruments[number]
        side = 1 if trade.side == "Buy" else -1
        price, qty = level_units((trade.price, trade.qty), item)
        row = (trade.ts_ms, self._arrived_ns(), price, qty, side, trade.trade_id)
        self._keep(number, SeriesKind.TRADES, [row], item)

    def _change(self, number: int, change: BookChange) -> None:
        item, arrival_ns = self._instruments[number], self._arrived_ns()
        ids = (change.update, change.update, -1 if change.is_snapshot else change.update - 1)
        rows = [
            (
                change.ts_ms,
                arrival_ns,
                int(change.is_snapshot),
                *ids,
                side,
                *level_units(level, item),
            )
            for side, levels in ((1, change.bids), (-1, change.asks))
            for level in levels
        ]
        self._keep(number, SeriesKind.BOOK, rows, item)

    def _keep(
        self,
        number: int,
        kind: SeriesKind,
        rows: Sequence[Sequence[int | str]],
        item: Instrument,
    ) -> None:
        if rows:
            decimals = (item.price_decimals, item.qty_decimals)
            self.recorder.keep(self._key(number, kind), rows, decimals=decimals)

    def _key(self, number: int, kind: SeriesKind) -> SeriesKey:
        timeframe = self._timeframe if kind.has_timeframe else ""
        return SeriesKey(self._markets[number], self._instruments[number].symbol, kind, timeframe)

    def _arrived_ns(self) -> int:
        """Return the time in ns, later each time: the order of arrival is kept."""
        self._arrival_ns = max(self._clock.now_ms() * 1_000_000, self._arrival_ns + 1)
        return self._arrival_ns


def recorded_market(market: str, server: str) -> str:
    """Return under which market of the lake a server's prices lie.

    Demo trading has the prices of live. A twin's and the testnet's are not the market's: they lie
    apart, so that no test ever runs on them by mistake.

    Examples
    --------
    >>> recorded_market("bybit_linear", "https://api-demo.bybit.com")
    'bybit_linear'
    >>> recorded_market("bybit_linear", "http://127.0.0.1:8315")
    'twin_linear'
    """
    if server in (HOSTS[Environment.LIVE], HOSTS[Environment.DEMO]):
        return market
    name = "testnet" if server == HOSTS[Environment.TESTNET] else "twin"
    return market.replace("bybit", name, 1)
