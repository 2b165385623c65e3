"""What the tests of downloads share: a downloader in memory, the command, and the truth."""

import subprocess
import sys
import threading
from decimal import Decimal
from functools import cache
from pathlib import Path

import polars as pl

from openalpha.core.clock import DAY_MS, HOUR_MS, ManualClock, parse_ms
from openalpha.market.download.pages import Collector
from openalpha.market.download.run import DownloadReport, Wanted, download
from openalpha.market.download.settings import DownloadSettings
from openalpha.market.download.venues import Wiring
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from tests.integration.market.bybit_server import (
    BybitServer,
    bar_of,
    interest_of,
    rate_of,
)

START = parse_ms("2024-02-28")
NOW = START + 2 * DAY_MS + 7 * HOUR_MS + 90_000
MARKET = "bybit_linear"
ALL = (SeriesKind.FUNDING, SeriesKind.MARK, SeriesKind.INDEX, SeriesKind.OPEN_INTEREST)


def venue(**options: int) -> BybitServer:
    return BybitServer(**{"launch_ms": START - 30 * DAY_MS, "now_ms": NOW, **options})


def wanted(*, timeframes: tuple[str, ...] = ("5m",), kinds: tuple[SeriesKind, ...] = ()) -> Wanted:
    return Wanted(MARKET, ("BTCUSDT",), timeframes, START, NOW + DAY_MS, kinds)


class Fetcher:
    """Downloads in memory; waiting only moves a clock of its own."""

    def __init__(self, server: BybitServer, home: Path, *, clock_ms: int = NOW) -> None:
        self.clock = ManualClock(clock_ms)
        self.lake = Lake(home)
        self.transport = server.transport()
        options = DownloadSettings(workers=1, attempts=4, first_wait_s=0.1)
        self.wiring = Wiring(self.transport, home=home, settings=options, clock=self.clock)

    def collector(self, stop: threading.Event) -> Collector:
        made = self.wiring.collector(MARKET, Waits(stop, self.clock), base_url="http://venue.test")  # type: ignore[arg-type]
        return Collector(made.source, stop, made.pause, made.second_look_s)

    def fetch(self, what: Wanted) -> DownloadReport:
        return download(what, self.lake, make_collector=self.collector, workers=1)


class Waits:
    """A stop event whose waiting passes at once on the clock."""

    def __init__(self, stop: threading.Event, clock: ManualClock) -> None:
        self.is_set = stop.is_set
        self._clock = clock

    def wait(self, seconds: float) -> bool:
        self._clock.advance(max(1, round(seconds * 1000)))
        return False


@cache
def truth(key: SeriesKey, start: int, stop: int, *, funding_hours: int = 8) -> pl.DataFrame:
    """The rows the venue has within [start, stop), final at NOW, in units of the lake's series."""
    if key.kind is SeriesKind.FUNDING:
        stamps = range(start, min(stop, NOW + 1), funding_hours * HOUR_MS)
        return pl.DataFrame(
            {"ts": list(stamps), "rate": [int(Decimal(rate_of(ts)).scaleb(12)) for ts in stamps]}
        )
    if key.kind is SeriesKind.OPEN_INTEREST:
        stamps = range(start, min(stop, NOW + 1), HOUR_MS)
        values = [int(Decimal(interest_of(ts)).scaleb(3)) for ts in stamps]
        return pl.DataFrame({"ts": list(stamps), "qty": values})
    step = key.timeframe_ms
    shift = {SeriesKind.BARS: 0, SeriesKind.MARK: 3, SeriesKind.INDEX: -2}[key.kind]
    stamps = range(start, min(stop, NOW - step + 1), step)
    names = ["open", "high", "low", "close"] + (["volume"] if key.kind is SeriesKind.BARS else [])
    rows = [
        [
            ts,
            *(
                int(Decimal(v).scaleb(3 if n == "volume" else 1))
                for n, v in zip(names, bar_of(ts, step, shift), strict=False)
            ),
        ]
        for ts in stamps
    ]
    return pl.DataFrame(rows, schema=["ts", *names], orient="row")


def holds_the_truth(lake: Lake, key: SeriesKey, start: int = START, **options: int) -> bool:
    block = lake.read(key)
    expected = truth(key, start, NOW + DAY_MS, **options)
    return block.frame.equals(expected.cast(block.frame.schema))  # type: ignore[arg-type]


def command(home: Path, address: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "openalpha", "data", "download", "--market", MARKET,
        "--symbols", "BTCUSDT,ETHUSDT", "--timeframes", "1m", "--since", "2024-01-25",
        "--base-url", address, "--set", "download.first_wait_s=0.05",
        "--set", "download.attempts=3", "--set", "download.requests_per_s=1000",
        "--set", f"home.path={home}", *more,
    ]  # fmt: skip


def run(home: Path, address: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(home, address, *more), capture_output=True, text=True, timeout=120, check=False
    )
