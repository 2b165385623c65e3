"""Repairs: what a check finds missing or wrong is fetched again, and only that."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS, ManualClock
from openalpha.core.errors import VenueUnavailable
from openalpha.market.blocks import Block
from openalpha.market.check import check_lake
from openalpha.market.download.pages import Collector
from openalpha.market.lake import Lake
from openalpha.market.repair import RepairReport, repair
from openalpha.market.series import SeriesKey, SeriesKind
from tests.integration.market.bybit_server import BybitServer, listening
from tests.integration.market.downloading import (
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
FUNDING = SeriesKey(MARKET, "BTCUSDT", SeriesKind.FUNDING)
STEP = 5 * MINUTE_MS


def mended(fetcher: Fetcher, **options: object) -> RepairReport:
    def make(market: str) -> Collector:
        assert market == MARKET
        return fetcher.collector(threading.Event())

    return repair(fetcher.lake, clock=ManualClock(NOW), make_collector=make, **options)  # type: ignore[arg-type]


def whole(tmp_path: Path, server: BybitServer) -> Fetcher:
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(wanted(kinds=(SeriesKind.FUNDING,)))
    return fetcher


def spoil(lake: Lake, key: SeriesKey, change: object) -> None:
    """Write a series anew as `change(frame)` says, past all checks of an import."""
    block = lake.read(key)
    for path in (lake.root / key.folder).glob("*.parquet"):
        path.unlink()
    (lake.root / "catalogue.json").unlink(missing_ok=True)
    frame = change(block.frame)  # type: ignore[operator]
    lake.merge(key, Block(frame, block.price_decimals, block.qty_decimals), source="spoiled")


def without(start: int, stop: int) -> object:
    return lambda frame: frame.filter(~pl.col("ts").is_between(start, stop - 1))


def raised(column: str, start: int, stop: int, by: int) -> object:
    within = pl.col("ts").is_between(start, stop - 1)
    return lambda frame: frame.with_columns(
        pl.when(within).then(pl.col(column) + by).otherwise(pl.col(column)).alias(column)
    )


def shifted(stamp: int, by: int) -> object:
    moved = pl.when(pl.col("ts") == stamp).then(pl.col("ts") + by).otherwise(pl.col("ts"))
    return lambda frame: frame.with_columns(moved.alias("ts"))


def test_a_whole_lake_needs_nothing_and_nobody_is_asked(tmp_path: Path) -> None:
    server = venue()
    fetcher = whole(tmp_path, server)
    asked = len(server.served)
    report = mended(fetcher)
    assert (report.series, report.notes, report.after.is_fine) == ((), (), True)
    assert len(server.served) == asked


@pytest.mark.parametrize(
    ("key", "change", "added", "replaced"),
    [
        (BARS, without(START + 20 * STEP, START + 33 * STEP), 13, 0),
        (FUNDING, without(START + 8 * HOUR_MS, START + 17 * HOUR_MS), 2, 0),
        # A low above its close in two places.
        (BARS, raised("low", START + 7 * STEP, START + 9 * STEP, 50_000), 0, 2),
        # Off its grid: the row goes, the bars it lies in are fetched.
        (BARS, shifted(START + 40 * STEP, 1_000), 0, 2),
    ],
)
def test_what_is_missing_or_wrong_is_fetched_again(
    key: SeriesKey, change: object, added: int, replaced: int, tmp_path: Path
) -> None:
    server = venue()
    fetcher = whole(tmp_path, server)
    spoil(fetcher.lake, key, change)
    report = mended(fetcher)
    by_name = {item.series: item for item in report.series}
    assert str(key) in by_name
    assert report.after.is_fine
    assert holds_the_truth(fetcher.lake, key)
    for other in (BARS, FUNDING):
        assert holds_the_truth(fetcher.lake, other)
    item = by_name[str(key)]
    assert (item.added, item.replaced, item.left) == (added, replaced, ())
    assert len(by_name) == 1


def test_what_the_venue_lacks_too_is_named_and_stays(tmp_path: Path) -> None:
    server = venue()
    fetcher = whole(tmp_path, server)
    gone = (START + 20 * STEP, START + 33 * STEP)
    spoil(fetcher.lake, BARS, without(*gone))
    spoil(fetcher.lake, BARS, raised("low", START + 60 * STEP, START + 61 * STEP, 50_000))
    server.holes = [gone, (START + 60 * STEP, START + 61 * STEP)]
    before = fetcher.lake.read(BARS).frame
    report = mended(fetcher)
    (item,) = report.series
    assert (item.added, item.replaced) == (0, 0)
    assert set(item.left) == {gone, (START + 60 * STEP, START + 61 * STEP)}
    assert not report.after.is_fine
    assert fetcher.lake.read(BARS).frame.equals(before)


def test_a_venue_that_fails_leaves_what_was_repaired(tmp_path: Path) -> None:
    server = venue()
    fetcher = whole(tmp_path, server)
    spoil(fetcher.lake, BARS, without(START + 20 * STEP, START + 33 * STEP))
    server.down_after = len(server.served) + 2
    with pytest.raises(VenueUnavailable):
        mended(fetcher)
    server.down_after = None
    assert mended(fetcher).after.is_fine
    assert holds_the_truth(fetcher.lake, BARS)


def test_only_the_instruments_named_and_only_known_markets(tmp_path: Path) -> None:
    server = venue()
    fetcher = whole(tmp_path, server)
    spoil(fetcher.lake, BARS, without(START + 20 * STEP, START + 33 * STEP))
    assert mended(fetcher, instruments=("bybit_linear:ETHUSDT",)).series == ()
    moon = SeriesKey("moon_linear", "BTCUSDT", SeriesKind.BARS, "5m")
    rows = truth(BARS, START, START + 10 * STEP).filter(pl.col("ts") != START + 5 * STEP)
    fetcher.lake.merge(moon, Block(rows, 1, 3), source="somebody")
    wiring = fetcher.wiring
    report = repair(
        fetcher.lake,
        clock=ManualClock(NOW),
        make_collector=lambda market: wiring.collector(market, threading.Event()),
        instruments=("moon_linear:BTCUSDT",),
    )
    assert report.series == ()
    (note,) = report.notes
    assert "moon_linear has faults and stays as it is" in note


def command(home: Path, address: str, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "openalpha", "data", "repair", "--base-url", address,
        "--set", "download.first_wait_s=0.05", "--set", "download.attempts=3",
        "--set", "download.requests_per_s=1000", "--set", f"home.path={home}", *more,
    ]  # fmt: skip


def test_killed_in_the_middle_the_command_goes_on(tmp_path: Path) -> None:
    server = BybitServer(launch_ms=START - 30 * DAY_MS, now_ms=NOW)
    key = SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")
    lake = Lake(tmp_path)
    every = truth(key, START - 20 * DAY_MS, NOW)
    # Every fifth minute is missing, and one stretch is impossible.
    spoiled = every.filter(pl.col("ts") // MINUTE_MS % 500 >= 100)
    lake.merge(key, Block(spoiled, 1, 3), source="somebody")
    spoil(lake, key, raised("low", START + 110 * MINUTE_MS, START + 300 * MINUTE_MS, 50_000))
    assert not check_lake(lake, clock=ManualClock(NOW)).is_fine
    with listening(server) as address:
        process = subprocess.Popen(
            command(tmp_path, address), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while len(server.served) < 15 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        first = len(server.served)
        half = Lake(tmp_path).read(key).frame.height
        assert spoiled.height < half < every.height
        done = subprocess.run(
            command(tmp_path, address, "--json", str(tmp_path / "report.json")),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (
        Lake(tmp_path)
        .read(key)
        .frame.filter(pl.col("ts") <= every["ts"].max())
        .equals(every.cast(Lake(tmp_path).read(key).frame.schema))
    )
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["schema"] == "openalpha.data_repair/1"
    assert report["after"]["is_fine"]
    assert sum(item["added"] for item in report["series"]) == every.height - half
    # What the first run had mended was not asked for again.
    assert len(server.served) - first < first + 80
