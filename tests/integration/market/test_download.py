"""Downloads against a Bybit of our own: every fault of the road, and the lake is right after it."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS
from openalpha.core.errors import UnknownName, VenueUnavailable
from openalpha.market.catalogue import instrument_for
from openalpha.market.download.run import Wanted
from openalpha.market.series import SeriesKey, SeriesKind
from tests.integration.market.bybit_server import (
    FAULTS,
)
from tests.integration.market.downloading import (
    ALL,
    MARKET,
    NOW,
    START,
    Fetcher,
    holds_the_truth,
    truth,
    venue,
    wanted,
)

BARS = SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "5m")


def test_everything_in_one_download(tmp_path: Path) -> None:
    server = venue()
    fetcher = Fetcher(server, tmp_path)
    report = fetcher.fetch(wanted(timeframes=("5m", "1h"), kinds=ALL))
    for timeframe, kind in [
        ("5m", SeriesKind.BARS),
        ("1h", SeriesKind.BARS),
        ("5m", SeriesKind.MARK),
        ("5m", SeriesKind.INDEX),
        ("", SeriesKind.FUNDING),
        ("", SeriesKind.OPEN_INTEREST),
    ]:
        assert holds_the_truth(fetcher.lake, SeriesKey(MARKET, "BTCUSDT", kind, timeframe)), kind
    assert all(item.holes == () for item in report.series)
    history = fetcher.lake.load(f"{MARKET}:BTCUSDT", "5m")
    assert history.mark is not None
    assert len(history.funding_ts_ms) == 7


def test_rules_and_tiers_come_with_every_download(tmp_path: Path) -> None:
    fetcher = Fetcher(venue(), tmp_path)
    fetcher.fetch(wanted())
    rules = instrument_for(f"{MARKET}:BTCUSDT", fetcher.lake)
    assert rules.steps[-1].tick_size == Decimal("0.10")
    assert rules.steps[-1].lot_size == Decimal("0.001")
    assert rules.funding_interval_ms == 8 * HOUR_MS
    assert [tier.deduction for tier in rules.tiers] == [0, 1200]
    assert rules.min_notional == 5
    assert "2024-03-01" in rules.source


def test_a_second_download_asks_for_nothing_it_has(tmp_path: Path) -> None:
    server = venue()
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted(kinds=ALL))
    before = len(server.served)
    report = fetcher.fetch(wanted(kinds=ALL))
    assert sum(item.added for item in report.series) == 0
    asked = [url for url in server.served[before:] if "kline" in url or "history" in url]
    assert asked == []


def test_later_only_the_new_is_asked(tmp_path: Path) -> None:
    server = venue()
    server.now_ms = NOW - DAY_MS
    Fetcher(server, tmp_path, clock_ms=server.now_ms).fetch(wanted())
    server.now_ms = NOW
    server.served.clear()
    fetcher = Fetcher(server, tmp_path)
    report = fetcher.fetch(wanted())
    assert report.series[0].added == DAY_MS // (5 * MINUTE_MS)
    assert holds_the_truth(fetcher.lake, BARS)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_fault_on_the_road_changes_nothing(fault: str, times: int, tmp_path: Path) -> None:
    server = venue()
    server.faults = ["", *[fault] * times, "", fault]
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted(timeframes=("1m",), kinds=(SeriesKind.FUNDING,)))
    assert holds_the_truth(fetcher.lake, SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m"))
    assert holds_the_truth(fetcher.lake, SeriesKey(MARKET, "BTCUSDT", SeriesKind.FUNDING))


@pytest.mark.parametrize("fault", ["die", "10006", "403", "500", "malformed", "impossible"])
def test_a_fault_that_stays_ends_in_one_sentence_and_keeps_the_rest(
    fault: str, tmp_path: Path
) -> None:
    server = venue()
    server.faults = ["", *[fault] * 50]
    fetcher = Fetcher(server, tmp_path)
    what = wanted(timeframes=("1m",))
    with pytest.raises(VenueUnavailable, match="the same command goes on from there"):
        fetcher.fetch(what)
    key = SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")
    assert fetcher.lake.read(key).frame.height == 1000
    server.faults = []
    fetcher.fetch(what)
    assert holds_the_truth(fetcher.lake, key)


def test_the_rate_limit_is_waited_for(tmp_path: Path) -> None:
    server = venue()
    server.faults = ["10006"]
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted())
    assert fetcher.clock.now_ms() >= NOW + 50
    assert holds_the_truth(fetcher.lake, BARS)


@pytest.mark.parametrize("skew_ms", [-3 * HOUR_MS, 3 * HOUR_MS])
def test_the_venues_clock_decides_what_is_final(skew_ms: int, tmp_path: Path) -> None:
    fetcher = Fetcher(venue(), tmp_path, clock_ms=NOW + skew_ms)
    fetcher.fetch(wanted())
    assert holds_the_truth(fetcher.lake, BARS)


def test_an_unfinished_bar_is_dropped_even_if_the_venue_adds_it(tmp_path: Path) -> None:
    server = venue()
    rows = server._rows

    def with_the_current(path: str, query: dict[str, str]) -> list[object] | None:
        found = rows(path, query)
        current = NOW // (5 * MINUTE_MS) * 5 * MINUTE_MS
        return None if found is None else [[str(current), "1", "1", "1", "1", "1", "1"], *found]

    server._rows = with_the_current  # type: ignore[method-assign]
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted())
    assert holds_the_truth(fetcher.lake, BARS)


def test_a_hole_of_the_venue_is_told_not_invented(tmp_path: Path) -> None:
    server = venue()
    hole = (START + 5 * HOUR_MS, START + 6 * HOUR_MS)
    server.holes = [hole]
    fetcher = Fetcher(server, tmp_path)
    report = fetcher.fetch(wanted())
    assert report.series[0].holes == ((hole[0], hole[1] - 5 * MINUTE_MS),)
    assert fetcher.lake.read(BARS).frame.height == (NOW - START) // (5 * MINUTE_MS) - 12


def test_before_the_listing_one_question_is_enough(tmp_path: Path) -> None:
    server = venue(launch_ms=(NOW - DAY_MS) // MINUTE_MS * MINUTE_MS)
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(Wanted(MARKET, ("BTCUSDT",), ("1m",), NOW - 300 * DAY_MS, NOW, ()))
    assert len([url for url in server.served if "/kline" in url]) <= 4
    first = fetcher.lake.read(SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")).frame["ts"][0]
    assert first == server.launch_ms


def test_a_listing_date_that_is_wrong_loses_nothing(tmp_path: Path) -> None:
    server = venue()
    server.stated_launch_ms = NOW - DAY_MS
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted(kinds=(SeriesKind.FUNDING,)))
    assert holds_the_truth(fetcher.lake, BARS)
    assert holds_the_truth(fetcher.lake, SeriesKey(MARKET, "BTCUSDT", SeriesKind.FUNDING))


def test_settlements_since_the_last_run_are_not_skipped(tmp_path: Path) -> None:
    server = venue(funding_hours=1)
    server.now_ms = START + 3 * HOUR_MS + 1
    what = wanted(kinds=(SeriesKind.FUNDING,))
    Fetcher(server, tmp_path, clock_ms=server.now_ms).fetch(what)
    server.now_ms = NOW
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(what)
    key = SeriesKey(MARKET, "BTCUSDT", SeriesKind.FUNDING)
    assert holds_the_truth(fetcher.lake, key, funding_hours=1)


def test_settlements_more_often_than_every_eight_hours(tmp_path: Path) -> None:
    server = venue(funding_hours=1)
    key = SeriesKey(MARKET, "BTCUSDT", SeriesKind.FUNDING)
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted(kinds=(SeriesKind.FUNDING,)))
    assert holds_the_truth(fetcher.lake, key, funding_hours=1)
    server.served.clear()
    fetcher.fetch(wanted(kinds=(SeriesKind.FUNDING,)))
    assert not [url for url in server.served if "history" in url]


def test_an_unknown_symbol_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no instrument NOSUCHUSDT"):
        Fetcher(venue(), tmp_path).fetch(Wanted(MARKET, ("NOSUCHUSDT",), ("1m",), START, NOW, ()))


@settings(max_examples=20)
@given(
    faults=st.lists(st.sampled_from(["", *FAULTS]), max_size=25),
    down_after=st.one_of(st.none(), st.integers(3, 20)),
)
def test_no_schedule_of_faults_loses_or_doubles_a_bar(
    faults: list[str], down_after: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    server = venue()
    server.faults = list(faults)
    server.down_after = down_after
    fetcher = Fetcher(server, home)
    what = wanted(timeframes=("1m", "1h"), kinds=(SeriesKind.FUNDING, SeriesKind.OPEN_INTEREST))
    key = SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")
    try:
        fetcher.fetch(what)
    except VenueUnavailable:
        kept = fetcher.lake.read(key).frame
        expected = truth(key, START, NOW + DAY_MS).cast(kept.schema)  # type: ignore[arg-type]
        assert kept.join(expected, on=kept.columns, how="anti").height == 0
        assert kept["ts"].is_unique().all()
    server.faults, server.down_after = [], None
    fetcher.fetch(what)
    for kind, timeframe in [(SeriesKind.BARS, "1m"), (SeriesKind.BARS, "1h"),
                            (SeriesKind.FUNDING, ""), (SeriesKind.OPEN_INTEREST, "")]:  # fmt: skip
        assert holds_the_truth(fetcher.lake, SeriesKey(MARKET, "BTCUSDT", kind, timeframe))
