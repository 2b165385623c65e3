"""Recorded markets: the folder comes in whole, and its known defects are found."""

from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.clock import HOUR_MS, SystemClock, parse_ms
from openalpha.core.errors import DataError
from openalpha.market.check import LakeCheck, check_lake
from openalpha.market.importers import ImportReport, import_paths
from openalpha.market.lake import Lake
from openalpha.market.series import series_key


@pytest.fixture(scope="module")
def taken(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, ImportReport]:
    lake = Lake(tmp_path_factory.mktemp("home"))
    return lake, import_paths(lake, [real_data], clock=SystemClock())


@pytest.fixture(scope="module")
def checked(taken: tuple[Lake, ImportReport]) -> LakeCheck:
    return check_lake(taken[0], clock=SystemClock())


def test_the_folder_is_taken_whole_and_again_changes_nothing(taken, real_data):
    lake, report = taken
    kinds = {str(info.key.kind) for info in lake.series()}
    assert kinds == {"bars", "book", "funding", "mark", "quote_bars", "quotes", "trades"}
    assert all(item.rejected == 0 for item in report.files)
    skipped = {item.path: item.skipped for item in report.files if item.skipped}
    assert "exchange rates" in skipped[next(path for path in skipped if "ecb" in path)]
    files = len(list(real_data.glob("ohlcv/*/*.parquet")))
    assert sum(" bars " in item.series for item in report.files) == files
    before = [info.fingerprint for info in lake.series()]
    assert import_paths(lake, [real_data / "ohlcv"], clock=SystemClock()).added == 0
    assert [info.fingerprint for info in lake.series()] == before


def test_known_gaps_are_found(checked, taken):
    spot = next(s for s in checked.series if str(s.key) == "binance_spot:BTCUSDT bars 1h")
    assert (spot.missing_bars, len(spot.gaps)) == (128, 28)
    start = parse_ms("2018-02-08T01:00:00")
    assert (start, start + 33 * HOUR_MS) in spot.gaps
    near = next(s for s in checked.series if str(s.key) == "binance_usdm:NEARUSDT bars 1m")
    assert len(near.zero_volume) == 271


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
@pytest.mark.parametrize("timeframe", ["5m", "15m"])
def test_spot_rows_hidden_in_perpetual_bars_are_found(checked, taken, symbol, timeframe):
    key = series_key(f"binance_usdm:{symbol}", "bars", timeframe=timeframe)
    spans = {(item.from_ms, item.to_ms) for item in checked.unusable if item.key == key}
    assert (parse_ms("2025-02-18T10:00"), parse_ms("2025-02-20T10:00")) in spans
    days = {item.from_ms // 86_400_000 for item in checked.disagreements if item.fine == key}
    assert parse_ms("2024-10-28") // 86_400_000 in days
    with pytest.raises(DataError, match="unusable from 2025-02-18T10"):
        taken[0].load(f"binance_usdm:{symbol}", timeframe)


def test_nothing_else_is_unusable_and_no_spike_is_claimed(checked):
    assert {item.key.timeframe for item in checked.unusable} == {"5m", "15m"}
    assert {item.key.market for item in checked.unusable} == {"binance_usdm"}
    assert [str(item.key) for item in checked.series if item.spikes] == []


def test_the_tick_change_of_sol_is_dated(checked):
    sol = next(s for s in checked.series if str(s.key) == "bybit_linear:SOLUSDT bars 15m")
    (change,) = sol.tick_changes
    assert (change.before, change.after) == ("0.001", "0.01")
    assert change.ts_ms == parse_ms("2024-04-03T11:15")


def test_what_the_first_runs_need_is_there(taken):
    lake, _ = taken
    binance = lake.load("binance_usdm:BTCUSDT", "1h")
    hole = (parse_ms("2024-01-01"), parse_ms("2025-03-06T08:00"))
    assert hole in binance.funding_gaps
    assert any("funding settlements missing from 2024-01-01" in note for note in binance.notes)
    sol = lake.load("bybit_linear:SOLUSDT", "15m")
    assert sol.instrument.step_at(parse_ms("2024-04-01")).tick_size == Decimal("0.001")
    assert sol.instrument.step_at(parse_ms("2024-05-01")).tick_size == Decimal("0.01")
    marked = lake.load("bybit_linear:BTCUSDT", "1h")
    assert marked.mark is not None
    assert abs(marked.column("mark_close") / marked.column("close") - 1).max() < 0.02
    parts = lake.load("bybit_linear:BTCUSDT", "1m")
    assert any("splits" in note for note in parts.notes)
