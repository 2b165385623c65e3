"""Closed bars of a live market: pushed, and asked for where a push did not come.

The public sockets say when a bar has closed. One that was not pushed in time is asked for by REST,
in a thread of its own, so that whoever wants bars never waits. What came while nobody listened is
asked for in the same way. Until the row after the last one is complete there is none: the age of
the feed then grows, and says so.
"""

import threading
from collections.abc import Callable, Sequence
from math import inf

from openalpha.core.errors import OpenAlphaError
from openalpha.core.instruments import Instrument
from openalpha.engine.rows import BarUnits, Row
from openalpha.store.frames import FrameKind, canonical_json
from openalpha.trading.feeds.live_messages import TOLD, pushed_payload
from openalpha.trading.feeds.recording import TOPICS, LiveRecording
from openalpha.trading.feeds.venue_market import Bars, bar_units, interval_name
from openalpha.trading.run.vigil import Vigil
from openalpha.venue.bybit.public_line import BookChange, Candle, Message, PublicLine, Trade

__all__ = ["LiveBars"]

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 5.0
_STATUS_EVERY_S = 30.0


class LiveBars:
    """Closed rows of some instruments, as they happen.

    Parameters
    ----------
    asked : Bars
        Where rows that were not pushed are asked for; safe among threads.
    instruments : sequence of Instrument
        As of `asked`, in its order.
    url : str
        The server.
    bar_timeout_ms : int
        How long after its close a bar is waited for.
    recording : LiveRecording, optional
        Told all that comes.
    topics : sequence of str
        What is listened to beside bars, for the recording: `publicTrade.{}`, `orderbook.50.{}`.
    told : str
        What `take` tells beside bars: nothing (bars), trades, or trades and the book (book).

    Attributes
    ----------
    woken : callable
        Told, in a thread of the feed's, that there is something new.
    has_row : callable or None
        Told instead of `woken` where a row was completed by a push, in the thread that heard it.
    vigil : Vigil or None
        When that thread does not sleep.
    """

    def __init__(
        self,
        asked: Bars,
        instruments: Sequence[Instrument],
        *,
        url: str,
        bar_timeout_ms: int = 2_000,
        recording: LiveRecording | None = None,
        topics: Sequence[str] = (),
        told: str = "bars",
    ) -> None:
        self._asked, self._timeout_ms = asked, bar_timeout_ms
        self.timeframe_ms, self.instruments = asked.timeframe_ms, tuple(instruments)
        self.woken: Callable[[], None] = lambda: None
        self.has_row: Callable[[], None] | None = None
        self.vigil: Vigil | None = None
        self._recording = recording
        self._told, self._topics = TOLD[told], tuple({*topics, *TOPICS[told]})
        self._numbers = {
            (item.market.removeprefix("bybit_"), item.symbol): number
            for number, item in enumerate(instruments)
        }
        self._lock = threading.Condition()
        self._bars: dict[int, dict[int, BarUnits]] = {}
        self._answered_ms = -1
        self._wanted: tuple[int, int] | None = None
        self._notes: list[tuple[FrameKind, bytes]] = []
        self._is_over = False
        self._lines = [self._line(url, category) for category in sorted(self._categories())]
        self._threads = [
            threading.Thread(target=self._fill, name="bars asked for", daemon=True),
            threading.Thread(target=self._watch, name="instruments watched", daemon=True),
        ]

    def start(self) -> None:
        """Begin to listen."""
        for line in self._lines:
            line.start()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End listening; safe to repeat."""
        with self._lock:
            self._is_over = True
            self._lock.notify_all()
        for line in self._lines:
            line.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=15)

    def closed(self, after_ms: int, now_ms: int) -> list[Row]:
        """Return the rows that opened after a stamp and have closed, as far as they are complete.

        Answers at once. A row is complete once every instrument's bar was pushed or the venue was
        asked for those that were not; rows come in order of time, none is left out.
        """
        rows = []
        with self._lock:
            for stamp in [stamp for stamp in self._bars if stamp <= after_ms]:
                del self._bars[stamp]
            stamp = (after_ms // self.timeframe_ms + 1) * self.timeframe_ms
            while stamp <= self._answered_ms or self._is_whole(stamp):
                bars = self._bars.get(stamp)
                if bars:
                    count = len(self.instruments)
                    rows.append(Row(stamp, tuple(bars.get(number) for number in range(count))))
                stamp += self.timeframe_ms
            if now_ms >= stamp + self.timeframe_ms + self._timeout_ms:
                self._wanted = (stamp - 1, now_ms)
                self._lock.notify_all()
        if rows and self._recording is not None:
            self._recording.bars(rows)
        return rows

    def watch(self, prepare: Callable[[], object], refresh: Callable[[], object]) -> Vigil:
        """Be awake around closes from now on, and get ready for each; see `Vigil`."""

        def again() -> None:
            self._lines[0].read_again()
            refresh()

        now_ms = self._asked.likely_ms
        self.vigil = Vigil(self.timeframe_ms, now_ms=now_ms, prepare=prepare, refresh=again)
        return self.vigil

    def take(self) -> list[tuple[FrameKind, bytes]]:
        """Return what the loop should hear in the order it came: of the feed itself, and pushes."""
        with self._lock:
            found, self._notes = self._notes, []
        return found

    def _is_whole(self, stamp: int) -> bool:
        return len(self._bars.get(stamp, ())) == len(self.instruments)

    def _categories(self) -> set[str]:
        return {category for category, _ in self._numbers}

    def _line(self, url: str, category: str) -> PublicLine:
        interval = interval_name(self.timeframe_ms)
        symbols = [symbol for one, symbol in self._numbers if one == category]

        def hear(message: Message) -> None:
            if isinstance(message, Candle):
                if message.is_closed:
                    self._keep(category, message)
                return
            if self._recording is not None:
                self._recording.hear(category, message)
            if isinstance(message, self._told):
                self._tell(category, message)

        def change(is_up: bool) -> None:
            self._change(category, is_up)

        return PublicLine(
            url,
            category,
            topics=[
                topic.format(symbol)
                for topic in (f"kline.{interval}.{{}}", *self._topics)
                for symbol in symbols
            ],
            on_message=hear,
            on_change=change,
            # One thread awake is enough, and two would be in each other's way.
            may_sleep_s=self._may_sleep_s if category == min(self._categories()) else None,
        )

    def _may_sleep_s(self) -> float:
        return inf if self.vigil is None else self.vigil.may_sleep_s()

    def _keep(self, category: str, candle: Candle) -> None:
        number = self._numbers.get((category, candle.symbol))
        if number is None:
            return
        bar = bar_units(candle.values, self.instruments[number])
        with self._lock:
            self._bars.setdefault(candle.start_ms, {}).setdefault(number, bar)
            is_whole = self._is_whole(candle.start_ms)
        if is_whole:
            if self.vigil is not None:
                self.vigil.came(candle.start_ms)
            (self.has_row or self.woken)()

    def _tell(self, category: str, message: Trade | BookChange) -> None:
        number = self._numbers.get((category, message.symbol))
        if number is None:
            return
        payload = pushed_payload(message, self.instruments[number], number=number)
        with self._lock:
            self._notes.append((FrameKind.FEED, payload))
        self.woken()

    def _change(self, category: str, is_up: bool) -> None:
        content = {"what": "feed", "category": category, "is_up": is_up}
        with self._lock:
            self._notes.append((FrameKind.HEALTH, canonical_json(content)))
        self.woken()

    def _fill(self) -> None:
        """Ask for what was not pushed, until the feed is closed."""
        wait_s = _FIRST_WAIT_S
        while True:
            with self._lock:
                while self._wanted is None and not self._is_over:
                    self._lock.wait()
                if self._is_over or self._wanted is None:
                    return
                after_ms, now_ms = self._wanted
                self._wanted = None
            try:
                rows, until_ms = self._asked.known(after_ms, now_ms)
            except OpenAlphaError:
                self._pause(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                continue
            wait_s = _FIRST_WAIT_S
            self._fill_in(rows, until_ms)
            if until_ms <= after_ms:
                self._pause(wait_s)

    def _fill_in(self, rows: Sequence[Row], until_ms: int) -> None:
        with self._lock:
            for row in rows:
                known = self._bars.setdefault(row.ts_ms, {})
                for number, bar in enumerate(row.bars):
                    if bar is not None:
                        known.setdefault(number, bar)
            self._answered_ms = max(self._answered_ms, until_ms)
        self.woken()

    def _pause(self, wait_s: float) -> None:
        with self._lock:
            if not self._is_over:
                self._lock.wait_for(lambda: self._is_over, timeout=wait_s)

    def look_at_statuses(self) -> None:
        """Ask how the instruments stand, and say which stand otherwise than before."""
        try:
            news = self._asked.news()
        except OpenAlphaError:
            return
        with self._lock:
            self._notes += [(FrameKind.HEALTH, payload) for payload in news]
        if news:
            self.woken()

    def _watch(self) -> None:
        while not self._is_over:
            self.look_at_statuses()
            self._pause(_STATUS_EVERY_S)
