"""Daily trade files become trades and bars, a day at a time."""

import gzip
import threading
from pathlib import Path

import polars as pl
import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_ms
from openalpha.core.errors import VenueUnavailable
from openalpha.market.download.archive import download_archive
from openalpha.market.download.run import DownloadReport, Wanted
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from tests.integration.market.bybit_server import (
    BybitServer,
    listening,
)
from tests.integration.market.downloading import (
    MARKET,
    Fetcher,
    Waits,
    run,
    truth,
    venue,
)

DAY = parse_ms("2024-02-28")
HEADER = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
    "foreignNotional"
)


def trade_file(day_ms: int, *, rpi: bool = False) -> bytes:
    """A day of trades, newest first as in some years.

    The first day's second minute and the second day's first are quiet; the second and third trade
    of a minute share a stamp a hair before the minute's end.
    """
    lines = []
    for minute in range(1440):
        for place in range(0 if minute == (0 if rpi else 1) else 1 + minute % 3):
            stamp = (day_ms + minute * MINUTE_MS) / 1000 + (59.9997 if place else 0.25)
            price = 60_000 + (minute * 13 + place * 7) % 100 / 2
            line = f"{stamp:.4f},BTCUSDT,{'Buy' if place else 'Sell'},0.{100 + minute % 7},{price},"
            lines.append(
                f"{line}PlusTick,id-{day_ms}-{minute}-{place},1,1,1" + (",0" if rpi else "")
            )
    return gzip.compress("\n".join([HEADER + (",RPI" if rpi else ""), *lines[::-1]]).encode())


def archive_venue() -> BybitServer:
    server = venue()
    for offset in range(2):
        stamp = DAY + offset * DAY_MS
        name = f"BTCUSDT2024-02-{28 + offset}.csv.gz"
        server.archive[f"/trading/BTCUSDT/{name}"] = trade_file(stamp, rpi=offset == 1)
    return server


def fetch_archive(server: BybitServer, home: Path, until: int = DAY + 2 * DAY_MS) -> DownloadReport:
    fetcher = Fetcher(server, home)
    patient = fetcher.wiring.patient(Waits(threading.Event(), fetcher.clock))  # type: ignore[arg-type]
    what = Wanted(MARKET, ("BTCUSDT",), ("1m",), DAY, until, ())
    return download_archive(what, fetcher.lake, transport=patient, archive_url="http://venue.test")


def test_trade_files_become_trades_and_bars(tmp_path: Path) -> None:
    server = archive_venue()
    fetch_archive(server, tmp_path)
    lake = Lake(tmp_path)
    trades = lake.read(SeriesKey(MARKET, "BTCUSDT", SeriesKind.TRADES)).frame
    bars = lake.read(SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m"))
    assert trades["arrival_ns"].is_sorted()
    assert trades.height == 2 * 1440 // 3 * 6 - 2 - 1
    assert bars.frame.height == 2880
    by_stamp = {row["ts"]: row for row in bars.frame.iter_rows(named=True)}
    busy = by_stamp[DAY + 5 * MINUTE_MS]
    for minute in (1, 1440):
        quiet, before = (by_stamp[DAY + place * MINUTE_MS] for place in (minute, minute - 1))
        assert quiet["volume"] == 0
        assert {quiet[name] for name in ("open", "high", "low", "close")} == {before["close"]}
    scale = 10**bars.price_decimals
    prices = [60_000 + (65 + place * 7) % 100 / 2 for place in range(3)]
    assert [busy[name] / scale for name in ("open", "high", "low", "close")] == [
        prices[0], max(prices), min(prices), prices[-1],
    ]  # fmt: skip
    assert busy["volume"] == 3 * 105 * 10 ** (bars.qty_decimals - 3)


def test_spot_files_lie_elsewhere_and_have_other_columns(tmp_path: Path) -> None:
    server = venue()
    lines = ["id,timestamp,price,volume,side,rpi"] + [
        f"{n},{DAY + n * 7_000},{60_000 + n % 9}.5,0.00{n % 9 + 1},{'buy' if n % 2 else 'sell'},0"
        for n in range(100)
    ]
    name = "/spot/BTCUSDT/BTCUSDT_2024-02-28.csv.gz"
    server.archive[name] = gzip.compress("\n".join(lines).encode())
    fetcher = Fetcher(server, tmp_path)
    patient = fetcher.wiring.patient(Waits(threading.Event(), fetcher.clock))  # type: ignore[arg-type]
    what = Wanted("bybit_spot", ("BTCUSDT",), ("1m",), DAY, DAY + 2 * DAY_MS, ())
    report = download_archive(
        what, fetcher.lake, transport=patient, archive_url="http://venue.test"
    )
    assert "BTCUSDT_2024-02-29.csv.gz does not exist" in " ".join(report.notes)
    trades = fetcher.lake.read(SeriesKey("bybit_spot", "BTCUSDT", SeriesKind.TRADES)).frame
    assert trades["trade_id"].to_list() == [str(n) for n in range(100)]
    bars = fetcher.lake.read(SeriesKey("bybit_spot", "BTCUSDT", SeriesKind.BARS, "1m")).frame
    assert (bars.height, int(bars["ts"][0])) == (1440, DAY)
    assert bars["volume"].sum() == trades["qty"].sum()


def test_days_there_already_are_not_fetched_again(tmp_path: Path) -> None:
    server = archive_venue()
    fetch_archive(server, tmp_path, until=DAY + DAY_MS)
    server.served.clear()
    fetch_archive(server, tmp_path)
    assert [url.rsplit("/", 1)[-1] for url in server.served] == ["BTCUSDT2024-02-29.csv.gz"]


def test_bars_of_both_sources_are_compared(tmp_path: Path) -> None:
    server = archive_venue()
    fetcher = Fetcher(server, tmp_path)
    fetcher.fetch(Wanted(MARKET, ("BTCUSDT",), ("1m",), DAY, DAY + 2 * HOUR_MS, ()))
    report = fetch_archive(server, tmp_path)
    assert "120 of 120 bars differ from their trades" in " ".join(report.notes)
    kept = fetcher.lake.read(SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")).frame
    assert kept.height == 2880
    assert holds_the_truth_until(kept, DAY + 2 * HOUR_MS)


def holds_the_truth_until(frame: pl.DataFrame, stop: int) -> bool:
    key = SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")
    expected = truth(key, DAY, stop)
    return frame.filter(pl.col("ts") < stop)["open"].to_list() == expected["open"].to_list()


def test_a_damaged_trade_file_leaves_the_day_out_whole(tmp_path: Path) -> None:
    server = archive_venue()
    name = "/trading/BTCUSDT/BTCUSDT2024-02-29.csv.gz"
    server.archive[name] = server.archive[name][:-2000]
    with pytest.raises(VenueUnavailable, match=r"2024-02-29\.csv\.gz is damaged"):
        fetch_archive(server, tmp_path)
    lake = Lake(tmp_path)
    assert lake.read(SeriesKey(MARKET, "BTCUSDT", SeriesKind.BARS, "1m")).frame.height == 1440


def test_a_missing_trade_file_is_named(tmp_path: Path) -> None:
    server = archive_venue()
    report = fetch_archive(server, tmp_path, until=DAY + 3 * DAY_MS)
    assert "BTCUSDT2024-03-01.csv.gz does not exist" in " ".join(report.notes)


def test_the_archive_command(tmp_path: Path) -> None:
    with listening(archive_venue()) as address:
        done = run(
            tmp_path, address, "--from", "archive", "--symbols", "BTCUSDT",
            "--since", "2024-02-28", "--until", "2024-03-01",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "bars 1m" in done.stdout
    assert (tmp_path / "lake" / MARKET / "BTCUSDT").is_dir()
