"""One window of rows: what is final and sound is taken, the rest is asked for again."""

import threading
from collections.abc import Sequence

import polars as pl
import pytest

from openalpha.core.clock import MINUTE_MS
from openalpha.core.errors import VenueUnavailable
from openalpha.market.download.missing import Span
from openalpha.market.download.pages import Collector, Stopped
from openalpha.market.download.source import Listing, rows_frame
from openalpha.market.series import SeriesKey, SeriesKind

KEY = SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.BARS, "1m")
START = 1_700_000_040_000
NAMES = ["ts", "open", "high", "low", "close", "volume"]
Row = tuple[int, float, float, float, float, float]


def bar(minute: int, price: float = 10.0) -> Row:
    return (START + minute * MINUTE_MS, price, price + 1, price - 1, price, 2.0)


class Source:
    """Gives pages in turn, the last one for ever; three minutes and a half have passed."""

    market = "bybit_linear"

    def __init__(self, *pages: Sequence[Row]) -> None:
        self.pages = list(pages)
        self.asked: list[Span] = []

    def now_ms(self) -> int:
        return START + 3 * MINUTE_MS + 30_000

    def listings(self, symbols: Sequence[str]) -> list[Listing]:
        return []

    def has(self, kind: SeriesKind) -> bool:
        return True

    def page_rows(self, kind: SeriesKind) -> int:
        return 1000

    def page(self, key: SeriesKey, window: Span) -> pl.DataFrame:
        self.asked.append(window)
        return rows_frame(NAMES, self.pages.pop(0) if len(self.pages) > 1 else self.pages[0])


def minutes(source: Source, *, upto: int = 3) -> list[int]:
    collector = Collector(source, threading.Event(), lambda seconds: None)
    frame = collector.rows(KEY, (START, START + upto * MINUTE_MS))
    assert frame["ts"].is_sorted()
    return [(ts - START) // MINUTE_MS for ts in frame["ts"]]


def test_a_whole_page_is_asked_for_once() -> None:
    source = Source([bar(2), bar(1), bar(0)])
    assert minutes(source) == [0, 1, 2]
    assert len(source.asked) == 1


def test_only_what_is_missing_is_asked_for_again() -> None:
    source = Source([bar(2)], [bar(0), bar(1)])
    assert minutes(source) == [0, 1, 2]
    assert source.asked[1] == (START, START + 2 * MINUTE_MS)


def test_a_bar_that_has_not_ended_is_not_taken() -> None:
    assert minutes(Source([bar(minute) for minute in range(5)]), upto=5) == [0, 1, 2]


def test_of_two_versions_of_a_bar_neither_is_trusted() -> None:
    source = Source([bar(0), bar(1, 10.0), bar(1, 11.0), bar(2)], [bar(1, 11.0)])
    collector = Collector(source, threading.Event(), lambda seconds: None)
    frame = collector.rows(KEY, (START, START + 3 * MINUTE_MS))
    assert frame["open"].to_list() == [10.0, 11.0, 10.0]
    assert source.asked[1] == (START + MINUTE_MS, START + 2 * MINUTE_MS)


@pytest.mark.parametrize(
    "wrong",
    [
        (START, 10.0, 9.0, 9.0, 10.0, 2.0),
        (START, -1.0, 1.0, -1.0, 1.0, 2.0),
        (START, 10.0, 11.0, 9.0, 10.0, float("nan")),
        (START + 1, 10.0, 11.0, 9.0, 10.0, 2.0),
    ],
)
def test_rows_that_cannot_be_are_never_taken(wrong: Row) -> None:
    with pytest.raises(VenueUnavailable, match=r"keeps sending .* rows that cannot be"):
        minutes(Source([wrong, bar(1), bar(2)]))


def test_a_hole_is_believed_after_a_third_look() -> None:
    source = Source([bar(0), bar(2)], [])
    assert minutes(source) == [0, 2]
    assert source.asked[1:] == [(START + MINUTE_MS, START + 2 * MINUTE_MS)] * 3


def test_a_stop_is_heeded_before_the_next_page() -> None:
    stop = threading.Event()
    stop.set()
    source = Source([bar(0)])
    with pytest.raises(Stopped):
        Collector(source, stop, lambda seconds: None).rows(KEY, (START, START + MINUTE_MS))
    assert source.asked == []
