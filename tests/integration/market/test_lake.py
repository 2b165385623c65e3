"""The lake keeps what it is given, whole or not at all, and says what it has."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.core.errors import DataError, InputError, StorageError, UnknownName
from openalpha.core.instruments import StepRule
from openalpha.market.blocks import Block
from openalpha.market.catalogue import instrument_for
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind, series_key
from openalpha.market.settings import DataSettings
from openalpha.market.staging import Transaction

START = 1_704_067_200_000


def later(block: Block, rows: slice) -> Block:
    return replace(block, frame=block.frame[rows])


def test_rows_come_back_as_they_went_in_over_months(lake, hourly, walk):
    block = walk(2_000)
    merged = lake.merge(hourly, block, source="a.csv")
    assert (merged.added, merged.known) == (2_000, 0)
    assert lake.months(hourly) == ["2024-01", "2024-02", "2024-03"]
    assert lake.read(hourly).frame.equals(block.frame)
    part = lake.read(hourly, start_ms=START + 700 * HOUR_MS, end_ms=START + 900 * HOUR_MS)
    assert part.frame.equals(block.frame[700:900])
    assert lake.scan(hourly).collect().equals(block.frame)


def test_appending_in_any_order_and_twice_gives_the_same_series(lake, hourly, walk, tmp_path):
    block = walk(2_000)
    for rows in (slice(1_500, 2_000), slice(0, 900), slice(600, 1_600), slice(0, 2_000)):
        lake.merge(hourly, later(block, rows), source="pieces")
    other = Lake(tmp_path / "other")
    other.merge(hourly, block, source="whole")
    assert lake.info(hourly).fingerprint == other.info(hourly).fingerprint
    assert lake.merge(hourly, block, source="again").added == 0


def test_one_transaction_may_touch_a_month_again_and_again(lake, hourly, walk):
    block = walk(1_000)
    other = replace(hourly, symbol="ETHUSDT")
    with lake.transaction() as change:
        for rows in (slice(0, 300), slice(200, 600), slice(500, 1_000)):
            change.merge(hourly, later(block, rows), source="pieces")
            change.merge(other, later(block, rows), source="pieces")
    assert lake.read(hourly).frame.equals(block.frame)
    assert lake.read(other).frame.equals(block.frame)


def test_a_finer_price_raises_the_decimals_on_reading(lake, hourly, walk):
    coarse = walk(1_000)
    fine = walk(1_000, start=START + 1_000 * HOUR_MS, decimals=3)
    lake.merge(hourly, coarse, source="a")
    before = lake.load("bybit_linear:BTCUSDT", "1h").column("close")
    lake.merge(hourly, fine, source="b")
    whole = lake.read(hourly)
    assert whole.price_decimals == 3
    assert whole.frame["close"][:1_000].equals(coarse.frame["close"] * 100)
    after = lake.load("bybit_linear:BTCUSDT", "1h").column("close")
    assert after[:1_000].tobytes() == before.tobytes()


def test_rows_that_disagree_are_refused_and_named(lake, hourly, walk):
    block = walk(1_000)
    lake.merge(hourly, block, source="first.csv")
    wrong = block.frame.with_columns(
        close=pl.when(pl.col("ts") == START + 5 * HOUR_MS).then(1).otherwise(pl.col("close"))
    )
    words = (
        r"1 of 744 common rows of second.csv and first.csv .* 2024-01-01T05:00:00Z, column close"
    )
    with pytest.raises(DataError, match=words):
        lake.merge(hourly, Block(wrong, 1, 3), source="second.csv")
    assert lake.read(hourly).frame.equals(block.frame)
    lake.merge(hourly, Block(wrong, 1, 3), source="mended", replace=True)
    assert lake.read(hourly).frame["close"][5] == 1


def test_events_are_kept_as_often_as_they_happened(lake):
    key = series_key("bybit_linear:BTCUSDT", "trades")
    rows = {"ts": [5, 5, 5], "arrival_ns": [5_000_000] * 3, "price": [7, 7, 8], "qty": [1, 1, 2],
            "side": [1, 1, -1], "trade_id": ["", "", ""]}  # fmt: skip
    trades = Block(pl.DataFrame(rows), 0, 0)
    assert lake.merge(key, trades, source="a").added == 3
    assert lake.merge(key, trades, source="a").added == 0
    once_more = Block(pl.concat([trades.frame[:1], trades.frame]), 0, 0)
    assert lake.merge(key, once_more, source="b").added == 1
    assert lake.read(key).frame.height == 4


def test_the_catalogue_is_rebuilt_when_lost_or_broken(lake, hourly, walk):
    lake.merge(hourly, walk(1_000), source="a.csv")
    wanted = lake.series()
    assert [(row.rows, row.sources) for row in wanted] == [(1_000, ("a.csv",))]
    path = lake.root / "catalogue.json"
    for spoil in (path.unlink, lambda: path.write_text("{"), lambda: path.write_text("[1]")):
        spoil()
        assert lake.series() == wanted
        assert json.loads(path.read_text())


def test_a_damaged_file_is_named(lake, hourly, walk):
    lake.merge(hourly, walk(10), source="a")
    path = lake.root / hourly.folder / "2024-01.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"2024-01.parquet is not a readable lake file"):
        lake.read(hourly)


def test_a_failed_transaction_leaves_nothing(lake, hourly, walk):
    wrong = SeriesKey("x", "Y", SeriesKind.FUNDING)
    twice = Block(pl.DataFrame({"ts": [START, START], "rate": [1, 2]}))

    def fails():
        with lake.transaction() as change:
            change.merge(hourly, walk(1_000), source="a")
            change.merge(wrong, twice, source="b")

    with pytest.raises(DataError, match="different rows for 2024-01-01"):
        fails()
    assert lake.series() == []
    assert list((lake.root / ".staging").iterdir()) == []


@pytest.mark.parametrize("renames", range(3))
def test_a_half_published_change_is_completed_at_the_next_open(
    lake, hourly, walk, monkeypatch, renames
):
    block = walk(2_000)
    count = 0
    original = Path.replace

    def dies(path, target):
        nonlocal count
        if path.suffix == ".part" and count == renames:
            raise KeyboardInterrupt
        count += path.suffix == ".part"
        return original(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            lake.merge(hourly, block, source="a")
    assert len(lake.months(hourly)) == renames
    mended = Lake(lake.root.parent)
    assert mended.read(hourly).frame.equals(block.frame)
    assert list((lake.root / ".staging").iterdir()) == []


def test_one_writer_a_series(lake, hourly, walk):
    with lake.transaction() as change:
        change.merge(hourly, walk(10), source="a")
        with (
            pytest.raises(StorageError, match="being written by another process"),
            Transaction(lake.root, lock_wait_s=0.1) as other,
        ):
            other.merge(hourly, walk(10), source="b")
        mark = SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.FUNDING)
        row = Block(pl.DataFrame({"ts": [START], "rate": [1]}))
        Lake(lake.root.parent).merge(mark, row, source="c")
    assert len(lake.series()) == 2


APPENDER = """
import sys
from pathlib import Path
import polars as pl
from openalpha.market.blocks import Block
from openalpha.market.lake import Lake
from openalpha.market.series import series_key
lake, frame = Lake(Path(sys.argv[1])), pl.read_parquet(sys.argv[2])
for row in range(0, 700, 10):
    block = Block(frame[row : row + 10], 1, 3)
    lake.merge(series_key("bybit_linear:BTCUSDT", "bars", timeframe="1h"), block, source="writer")
"""


def test_readers_see_whole_months_while_a_writer_appends(lake, hourly, walk, tmp_path):
    block = walk(700)
    block.frame.write_parquet(tmp_path / "rows.parquet")
    paths = (str(lake.root.parent), str(tmp_path / "rows.parquet"))
    seen = set()
    with subprocess.Popen([sys.executable, "-c", APPENDER, *paths]) as writer:
        while writer.poll() is None:
            rows = lake.read(hourly).frame
            assert rows.equals(block.frame[: rows.height])
            assert rows.height % 10 == 0
            seen.add(rows.height)
    assert writer.returncode == 0
    assert lake.read(hourly).frame.equals(block.frame)
    assert len(seen) > 2


def test_the_latest_part_is_loaded_unless_a_start_is_named(lake, hourly, walk):
    block = walk(400)
    hole = block.frame.filter(~pl.col("ts").is_between(START + 50 * HOUR_MS, START + 99 * HOUR_MS))
    lake.merge(hourly, Block(hole, 1, 3), source="a")
    found = lake.load("bybit_linear:BTCUSDT", "1h")
    assert len(found) == 300
    assert any("a gap above 1d splits" in note for note in found.notes)
    whole = lake.load("bybit_linear:BTCUSDT", "60m", start_ms=0)
    assert len(whole) == 350
    assert any("50 bars are missing" in note for note in whole.notes)
    patient = Lake(lake.root.parent, settings=DataSettings(max_gap="3d"))
    assert len(patient.load("bybit_linear:BTCUSDT", "1h")) == 350


def test_what_is_missing_is_said(lake, hourly, walk):
    with pytest.raises(UnknownName, match="it is empty"):
        lake.load("bybit_linear:BTCUSDT", "1h")
    lake.merge(hourly, walk(10), source="a")
    with pytest.raises(UnknownName, match=r"has no bybit_linear:BTCUSDT bars 5m; .* bars 1h"):
        lake.load("bybit_linear:BTCUSDT", "5m")
    with pytest.raises(UnknownName, match="nothing of bybit_linear:ETHUSDT"):
        lake.load("bybit_linear:ETHUSDT", "1h")
    with pytest.raises(DataError, match="no bars in the range asked for; it has 2024-01-01"):
        lake.load("bybit_linear:BTCUSDT", "1h", start_ms=START + 90 * DAY_MS)
    with pytest.raises(InputError, match="not an instrument"):
        lake.load("BTCUSDT", "1h")


def test_mark_funding_and_rules_stand_beside_the_bars(lake, hourly, walk):
    bars, mark = walk(48), walk(24, seed=2, decimals=2)
    lake.merge(hourly, bars, source="a")
    lake.merge(
        replace(hourly, kind=SeriesKind.MARK), Block(mark.frame.drop("volume"), 2), source="m"
    )
    stamps = START + 8 * HOUR_MS * np.arange(5)
    settled = Block(pl.DataFrame({"ts": stamps, "rate": [100_000_000] * 5}))
    lake.merge(SeriesKey("bybit_linear", "BTCUSDT", SeriesKind.FUNDING), settled, source="f")
    found = lake.load("bybit_linear:BTCUSDT", "1h")
    assert found.instrument.price_decimals == 2
    assert found.instrument.steps[0].tick_size == Decimal("0.1")
    assert (
        found.mark[:24].tolist()
        == mark.frame.select("open", "high", "low", "close").to_numpy().tolist()
    )
    assert (
        found.mark[24:].tolist()
        == (bars.frame[24:].select("open", "high", "low", "close") * 10).to_numpy().tolist()
    )
    assert found.funding_gaps == ((START + 40 * HOUR_MS, START + 40 * HOUR_MS),)
    assert "mark price missing on 24 of 48 bars: last price used there" in found.notes
    plain = lake.load("bybit_linear:BTCUSDT", "1h", with_=())
    assert plain.mark is None
    assert plain.instrument.funding_interval_ms is None


def test_downloaded_rules_win_and_their_past_is_kept(lake):
    now = instrument_for("bybit_linear:BTCUSDT")
    lake.keep_instruments([replace(now, source="downloaded")], now_ms=START)
    finer = replace(now, steps=(StepRule(0, Decimal("0.01"), Decimal("0.001")),), price_decimals=2)
    lake.keep_instruments([finer], now_ms=START + DAY_MS)
    lake.keep_instruments([finer], now_ms=START + 2 * DAY_MS)
    found = instrument_for("bybit_linear:BTCUSDT", lake)
    assert [(step.since_ms, str(step.tick_size)) for step in found.steps] == [
        (0, "0.1"), (START + DAY_MS, "0.01"),
    ]  # fmt: skip
    assert found.tiers == now.tiers
    assert found.price_decimals == 2


def test_unusable_ranges_refuse_unless_told(lake, hourly, walk):
    lake.merge(hourly, walk(48), source="a")
    name = hourly.folder.as_posix()
    lake.keep_unusable({name: [(START, START + HOUR_MS, "disagrees with its 4h bars")]})
    with pytest.raises(DataError, match=r"unusable from 2024-01-01T00:00:00Z .*allow_unusable"):
        lake.load("bybit_linear:BTCUSDT", "1h")
    assert len(lake.load("bybit_linear:BTCUSDT", "1h", start_ms=START + HOUR_MS)) == 47
    told = Lake(lake.root.parent, settings=DataSettings(allow_unusable=True))
    assert any("unusable" in note for note in told.load("bybit_linear:BTCUSDT", "1h").notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_lake_that_may_only_be_read_is_read(lake, hourly, walk):
    lake.merge(hourly, walk(10), source="a")
    lake.root.chmod(0o500)
    try:
        assert len(Lake(lake.root.parent).series()) == 1
    finally:
        lake.root.chmod(0o700)
