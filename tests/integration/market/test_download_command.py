"""The download command against a real server: killed, cut off, misused."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from openalpha.cli.border import execute
from openalpha.core.clock import DAY_MS, MINUTE_MS, parse_ms
from openalpha.market.lake import Lake
from openalpha.market.series import SeriesKey, SeriesKind
from tests.integration.market.bybit_server import (
    BybitServer,
    listening,
)
from tests.integration.market.downloading import MARKET, NOW, command, holds_the_truth, run

FIRST = parse_ms("2024-01-25")


def keys() -> list[SeriesKey]:
    return [SeriesKey(MARKET, name, SeriesKind.BARS, "1m") for name in ("BTCUSDT", "ETHUSDT")]


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path) -> None:
    server = BybitServer(launch_ms=FIRST - DAY_MS, now_ms=NOW)
    with listening(server) as address:
        process = subprocess.Popen(
            command(tmp_path, address), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while len(server.served) < 55 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        first_run = len(server.served)
        kept = sum(Lake(tmp_path).read(key).frame.height for key in keys())
        assert 0 < kept < 2 * (NOW - FIRST) // MINUTE_MS
        done = run(tmp_path, address, "--json", str(tmp_path / "report.json"))
        assert done.returncode == 0, done.stderr
    for key in keys():
        assert holds_the_truth(Lake(tmp_path), key, FIRST)
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert sum(item["known"] for item in report["series"]) == kept
    # Pages already kept were not asked for again.
    whole = 2 * ((NOW - FIRST) // MINUTE_MS // 1000)
    assert len(server.served) - first_run < whole - kept // 1000 + 20


def test_stopped_by_hand_it_ends_at_once_and_keeps_what_it_had(tmp_path: Path) -> None:
    server = BybitServer(launch_ms=FIRST - DAY_MS, now_ms=NOW)
    with listening(server) as address:
        process = subprocess.Popen(
            command(tmp_path, address),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while len(server.served) < 30 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "stopped" in said
    assert "Traceback" not in said
    for key in keys():
        kept = Lake(tmp_path).read(key).frame
        assert kept["ts"].to_list() == list(
            range(FIRST, FIRST + kept.height * MINUTE_MS, MINUTE_MS)
        )
    assert sum(Lake(tmp_path).read(key).frame.height for key in keys()) > 10_000


def test_a_server_that_dies_is_exit_5_and_the_next_run_completes(tmp_path: Path) -> None:
    server = BybitServer(launch_ms=FIRST - DAY_MS, now_ms=FIRST + 5 * DAY_MS)
    server.down_after = 12
    with listening(server) as address:
        done = run(tmp_path, address)
        assert done.returncode == 5
        assert "goes on from there" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 3
        server.down_after = None
        again = run(tmp_path, address)
        assert again.returncode == 0, again.stderr
    for key in keys():
        frame = Lake(tmp_path).read(key).frame
        assert frame["ts"].to_list() == list(range(FIRST, FIRST + 5 * DAY_MS, MINUTE_MS))


@pytest.mark.parametrize(
    ("more", "words", "code"),
    [
        (["--with", "gold"], "--with was 'gold'", 1),
        (["--from", "moon"], "--from was 'moon'", 1),
        (["--from", "archive", "--with", "mark"], "trades only", 1),
        (["--until", "2023-01-01"], "nothing to fetch", 1),
        (["--timeframes", "9x"], "not a time frame", 1),
        (["--market", "moon_linear"], "cannot be downloaded", 1),
        (["--base-url", "nonsense"], "not a web address", 1),
        (["--symbols", ","], "at least one symbol", 1),
    ],
)
def test_bad_input_is_one_sentence(
    more: list[str], words: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = execute(command(tmp_path, "http://127.0.0.1:9", *more)[3:])
    said = capsys.readouterr().err
    assert found == code
    assert words in said
    assert len(said.strip().splitlines()) == 1
