"""What a person can get wrong about a run at a venue: each is one sentence, and nothing is sent."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import SystemClock
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.trading.run.folder import run_folders
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account
from tests.fakes.twin import BTC, served

RUN = ["run", "--env", "twin", "--timeframe", "1m", "--strategy", "ma_cross"]
BTC_ID = ("--instrument", "bybit_linear:BTCUSDT")


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    settings = TwinSettings(listings=(BTC,), backfill_days=0, levels=50)
    return Exchange(settings, SystemClock())


@pytest.fixture(scope="module")
def url(exchange: Exchange) -> Iterator[str]:
    with served(exchange) as url:
        yield url


def openalpha(*arguments: str, code: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "openalpha", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    return said


def keep(home: Path, key: ExchangeKey, url: str) -> None:
    vault = Vault(home, environ=os.environ)
    vault.put("twin", ExchangeKey(key.api_key, key.secret, url), replaces="twin" in vault.names())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"withdraw": True}, "may withdraw money"),
        ({"expires_ms": 1_000}, "expired"),
        ({"read_only": True}, "only reads"),
    ],
)
def test_a_key_that_must_not_trade(
    exchange: Exchange, url: str, home: Path, more: dict[str, Any], words: str
) -> None:
    keep(home, account(exchange, **more), url)
    assert words in openalpha(*RUN, *BTC_ID, code=1)


def test_a_wrong_secret_and_no_key_at_all(exchange: Exchange, url: str, home: Path) -> None:
    assert "openalpha keys add twin" in openalpha(*RUN, *BTC_ID, code=1)
    keep(home, ExchangeKey(account(exchange).api_key, "wrong", url), url)
    assert "secret" in openalpha(*RUN, *BTC_ID, code=1)


def test_an_unknown_symbol(exchange: Exchange, url: str, home: Path) -> None:
    keep(home, account(exchange), url)
    said = openalpha(*RUN, "--instrument", "bybit_linear:NOSUCHUSDT", code=1)
    assert "NOSUCHUSDT" in said


def test_an_account_without_money(exchange: Exchange, url: str, home: Path) -> None:
    keep(home, account(exchange, balances={"USDT": "0"}), url)
    assert "it holds 0 USDT, the run's capital is 10000" in openalpha(*RUN, *BTC_ID, code=1)


def test_a_twin_that_is_down(home: Path) -> None:
    keep(home, ExchangeKey("k", "s", ""), "http://127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached" in openalpha(*RUN, *BTC_ID, code=5)


def test_a_port_that_is_taken(url: str) -> None:
    port = url.rpartition(":")[2]
    assert port in openalpha("twin", "--port", port, code=5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_cannot_be_written(home: Path) -> None:
    home.mkdir(exist_ok=True)
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert "cannot be written" in openalpha(*RUN, *BTC_ID, code=5)
    finally:
        home.chmod(0o700)


def test_a_home_that_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("I am a file")
    monkeypatch.setenv("OPENALPHA_HOME", str(tmp_path / "home" / "inside"))
    said = openalpha(*RUN, *BTC_ID, code=1)
    assert "Not a directory" in said


def test_a_second_trader_on_one_account(exchange: Exchange, url: str, home: Path) -> None:
    key = account(exchange)
    keep(home, key, url)
    first = subprocess.Popen(
        [sys.executable, "-m", "openalpha", *RUN, *BTC_ID], stderr=subprocess.PIPE, text=True
    )
    try:
        assert first.stderr is not None
        for line in first.stderr:
            if "the key works" in line:
                break
        while not any((folder.path / "status.json").exists() for folder in run_folders(home)):
            assert first.poll() is None
        name = next(run_folders(home)).id
        assert name in openalpha(*RUN, *BTC_ID, code=1)
    finally:
        first.terminate()
        first.communicate(timeout=60)
