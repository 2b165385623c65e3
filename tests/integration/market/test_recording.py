"""Recording a feed: killed at any moment the lake is whole, and what it lacked comes again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from openalpha.market.blocks import Block
from openalpha.market.lake import Lake
from openalpha.market.recording import Recorder
from openalpha.market.series import series_key

BARS = series_key("bybit_linear:BTCUSDT", "bars", timeframe="1m")
TRADES = series_key("bybit_linear:BTCUSDT", "trades")
DECIMALS = (1, 3)
START_MS = 1_767_225_600_000 - 5 * 60_000  # five minutes before a new month
RECORDING = """
import sys
from pathlib import Path
from openalpha.market.lake import Lake
from openalpha.market.recording import Recorder
from tests.integration.market.test_recording import BARS, DECIMALS, bar
recorder = Recorder(Lake(Path(sys.argv[1])), source="a feed")
first = (recorder.last_ms(BARS) - bar(0)[0]) // 60_000 + 1 if recorder.last_ms(BARS) > 0 else 0
print("begun", flush=True)
for number in range(first, 10_000):
    recorder.keep(BARS, [bar(number)], decimals=DECIMALS)
    recorder.flush()
"""


def bar(number: int) -> tuple[int, ...]:
    price = 600_000 + number % 7
    return (START_MS + number * 60_000, price, price + 2, price - 2, price + 1, 1_000 + number)


def kept(home: Path) -> list[tuple[int, ...]]:
    return [tuple(row) for row in Lake(home).read(BARS).frame.rows()]


def test_killed_in_the_middle_again_and_again(tmp_path: Path) -> None:
    draw, before = random.Random(7), 0
    for _ in range(8):
        running = subprocess.Popen(
            [sys.executable, "-c", RECORDING, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        time.sleep(draw.uniform(0.05, 0.3))
        running.send_signal(signal.SIGKILL)
        running.wait()
        running.stdout.close()
        rows = kept(tmp_path)
        assert rows == [bar(number) for number in range(len(rows))], "no hole, no half row"
        assert len(rows) >= before
        before = len(rows)
    assert before > 6
    assert Lake(tmp_path).months(BARS) == ["2025-12", "2026-01"]
    assert not list((tmp_path / "lake" / ".staging").iterdir())


def test_recorded_and_downloaded_go_together(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    downloaded = pl.DataFrame(
        [bar(n) for n in range(3, 6)], schema=BARS.polars_schema(), orient="row"
    )
    lake.merge(BARS, Block(downloaded, *DECIMALS), source="a download")
    recorder = Recorder(lake, source="a feed")
    recorder.keep(BARS, [bar(n) for n in (0, 1, 4, 5, 6)], decimals=DECIMALS)
    assert recorder.flush() == 3
    recorder.keep(BARS, [bar(n) for n in (0, 1, 6)], decimals=DECIMALS)
    assert recorder.flush() == 0, "told again, nothing is kept twice"
    assert kept(tmp_path) == [bar(n) for n in (0, 1, 3, 4, 5, 6)]
    assert recorder.disagreed == 0


def test_what_the_lake_has_otherwise_stays(tmp_path: Path) -> None:
    recorder = Recorder(Lake(tmp_path), source="a feed")
    recorder.keep(BARS, [bar(0), bar(1)], decimals=DECIMALS)
    recorder.flush()
    wrong = (*bar(1)[:5], 9)
    recorder.keep(BARS, [wrong, bar(2)], decimals=DECIMALS)
    assert recorder.flush() == 1
    assert recorder.disagreed == 1
    assert kept(tmp_path) == [bar(0), bar(1), bar(2)]


def test_trades_keep_their_order_of_arrival(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    recorder = Recorder(lake, source="a feed")
    rows = [(START_MS + n, (START_MS + n) * 1_000_000, 600_000, 5, 1, f"t{n}") for n in range(4)]
    recorder.keep(TRADES, rows[:2], decimals=DECIMALS)
    recorder.keep(TRADES, rows[2:], decimals=DECIMALS)
    recorder.close()
    assert lake.read(TRADES).frame["trade_id"].to_list() == ["t0", "t1", "t2", "t3"]


def test_while_the_disk_refuses_rows_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(Lake(tmp_path), source="a feed")
    recorder.keep(BARS, [bar(0)], decimals=DECIMALS)
    with monkeypatch.context() as patch:
        patch.setattr("openalpha.market.staging.Transaction._publish", _refuse)
        assert recorder.flush() == 0
    assert "No space left" in recorder.trouble
    recorder.keep(BARS, [bar(1)], decimals=DECIMALS)
    assert recorder.flush() == 2
    assert recorder.trouble == ""
    assert kept(tmp_path) == [bar(0), bar(1)]


def _refuse(self: object) -> None:
    raise OSError(28, "No space left on device")
