"""What a person can get wrong about a run at a venue, as one table.

Each is one sentence that says what, where and what to do; nothing is sent, and nothing is left of
a run that did not begin.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openalpha.cli.border import execute
from openalpha.core.clock import SystemClock
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.trading.run.folder import run_folders
from openalpha.venue.twin import Exchange, TwinSettings
from tests.e2e.test_order_commands import led
from tests.fakes.bybit import account
from tests.fakes.twin import BTC, served
from tests.integration.trading.test_people_and_spot import begun
from tests.integration.trading.test_venue_runs import Place, placed

RUN = ("run", "--env", "twin", "--timeframe", "1m", "--strategy", "ma_cross")
BTC_ID = "bybit_linear:BTCUSDT"
ON_BTC = ("--instrument", BTC_ID)
STAND_IN = ("--set", "exchange.stand_in=true")
PROGRAM = (sys.executable, "-m", "openalpha")


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    settings = TwinSettings(listings=(BTC,), backfill_days=0, levels=50)
    return Exchange(settings, SystemClock())


@pytest.fixture(scope="module")
def url(exchange: Exchange) -> Iterator[str]:
    with served(exchange) as url:
        yield url


def mine(exchange: Exchange, url: str, **more: Any) -> ExchangeKey:
    made = account(exchange, **more)
    return ExchangeKey(made.api_key, made.secret, url)


@dataclass(frozen=True)
class Wrong:
    """What is wrong: of the key, or of what is typed; the exit code and what must be said."""

    says: tuple[str, ...]
    code: int = 1
    key: dict[str, Any] | None = field(default_factory=dict)
    secret: str = ""
    api_key: str = ""
    to: str = ""
    typed: tuple[str, ...] = (*RUN, *ON_BTC)


WRONG = {
    "no key": Wrong(("no key for twin", "openalpha keys add twin"), key=None),
    "unknown key": Wrong(("key for twin", "not known there", "keys add twin"), api_key="unknown"),
    "wrong secret": Wrong(("key for twin", "secret", "keys add twin"), secret="wrong"),
    "expired key": Wrong(
        ("key for twin", "has expired", "keys add twin"), key={"expires_ms": 1_000}
    ),
    "withdraw key": Wrong(
        ("may withdraw money", "without that permission"), key={"withdraw": True}
    ),
    "key that only reads": Wrong(("only reads", "keys rotate twin"), key={"read_only": True}),
    "key bound elsewhere": Wrong(
        ("this machine's address", "keys add twin"), key={"ips": ["10.9.8.7"]}
    ),
    "zero balance": Wrong(
        ("it holds 0 USDT, the run's capital is 10000", "fund it or lower it"),
        key={"balances": {"USDT": "0"}},
    ),
    "unknown symbol": Wrong(
        ("the venue does not list NOSUCHUSDT",),
        typed=(*RUN, "--instrument", "bybit_linear:NOSUCHUSDT"),
    ),
    "unknown market": Wrong(
        ("'BTCUSDT'", "bybit_linear:BTCUSDT"), typed=(*RUN, "--instrument", "BTCUSDT")
    ),
    "over a limit in code": Wrong(
        ("risk.max_position was 0.5", "at most 0.3"),
        typed=(*RUN, *ON_BTC, "--set", "risk.max_position=0.5"),
    ),
    "a fee that flatters": Wrong(
        ("pays 5.5 bps as taker", "add --set costs.taker_bps=5.5"),
        typed=(*RUN, *ON_BTC, "--set", "costs.taker_bps=1"),
    ),
    "twin down": Wrong(
        ("127.0.0.1:9 cannot be reached", "openalpha twin"), code=5, to="http://127.0.0.1:9"
    ),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_nothing_is_begun(
    wrong: Wrong,
    exchange: Exchange,
    url: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if wrong.key is not None:
        made = mine(exchange, wrong.to or url, **wrong.key)
        keep(
            home,
            ExchangeKey(wrong.api_key or made.api_key, wrong.secret or made.secret, made.url),
        )
    code = execute(wrong.typed)
    said = capsys.readouterr()
    check(said.err, code, wrong.says, code_wanted=wrong.code)
    assert list((home / "runs").glob("*/*")) == [], "nothing is left of it"


def keep(home: Path, key: ExchangeKey) -> None:
    Vault(home, environ=os.environ).put("twin", key, replaces=False)


def check(text: str, code: int, says: tuple[str, ...], *, code_wanted: int) -> None:
    """One sentence, the last line, tells what, where and what to do."""
    assert code == code_wanted, text
    assert "Traceback" not in text
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, text
    assert [words for words in says if words not in errors[0]] == [], errors[0]


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        yield one


def test_orders_that_cannot_be(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand on a run that is led, so that a person reads the answer."""
    wrong = {
        "below the exchange's minimum": (
            ("buy", BTC_ID, "0.0005"),
            ("qty was 0.0005", "expected at least 0.001", BTC_ID),
        ),
        "off lot": (("buy", BTC_ID, "0.0015"), ("qty was 0.0015", "multiple of 0.001", "lot")),
        "below the run's minimum": (
            ("buy", BTC_ID, "0.001", "--limit", "5000"),
            ("the order would be 5", "at least 10", "risk.min_order = 10"),
        ),
        "off tick": (
            ("buy", BTC_ID, "0.01", "--limit", "50000.05"),
            ("limit was 50000.05", "multiple of 0.1", f"tick of {BTC_ID}"),
        ),
        "over the risk limit": (
            ("buy", BTC_ID, "0.1"),
            ("the position would be", "at most 4000", "risk.max_position = 0.1"),
        ),
        "not traded by the run": (
            ("buy", "bybit_linear:ETHUSDT", "1"),
            ("trades no bybit_linear:ETHUSDT", "it has bybit_linear:BTCUSDT"),
        ),
    }
    with led(place, begun(place, on=BTC_ID)):
        for typed, says in wrong.values():
            code = execute(["order", *typed, "--confirm", typed[0]])
            check(capsys.readouterr().err, code, says, code_wanted=1)
    rows = place.client.get("/v5/order/history", category="linear", symbol="BTCUSDT")["list"]
    assert rows == [], "nothing was sent"


def test_a_port_that_is_taken(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = url.rpartition(":")[2]
    code = execute(["twin", "--port", port])
    check(capsys.readouterr().err, code, (port, "taken", "--port"), code_wanted=5)


def test_a_home_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a folder that may not be written is for whoever is not root."""
    (tmp_path / "home").write_text("I am a file")
    monkeypatch.setenv("OPENALPHA_HOME", str(tmp_path / "home" / "inside"))
    code = execute([*RUN, *ON_BTC])
    says = (str(tmp_path / "home"), "Not a directory", "OPENALPHA_HOME")
    check(capsys.readouterr().err, code, says, code_wanted=5)


def test_a_home_that_cannot_be_written(
    exchange: Exchange, url: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(home, mine(exchange, url))
    (home / "runs").write_text("a file in the place of a folder")
    code = execute([*RUN, *ON_BTC])
    check(capsys.readouterr().err, code, (str(home / "runs"),), code_wanted=5)


def test_live_that_was_not_armed(exchange: Exchange, url: str, home: Path) -> None:
    """Live is impossible in a test, so this one is a process that knows of none."""
    made = mine(exchange, url)
    Vault(home, environ=os.environ).put("live", made, replaces=False)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST") and k != "CI"}
    done = subprocess.run(
        [*PROGRAM, "run", "--env", "live", *RUN[3:], *ON_BTC, *STAND_IN],
        capture_output=True, text=True, timeout=120, check=False, env=environ,
    )  # fmt: skip
    check(done.stderr, done.returncode, ("not armed", "openalpha arm live"), code_wanted=1)
    assert list((home / "runs").glob("*/*")) == []


def test_while_a_run_starts_its_status_says_so(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begun(place, on=BTC_ID)
    with folder.held():
        assert execute(["status"]) == 0
        assert f"twin run {folder.id[:8]}" in (said := capsys.readouterr().out)
        assert "starting" in said
    assert execute(["status"]) == 0
    assert "no run yet" in capsys.readouterr().out


def test_a_second_trader_on_one_account(
    exchange: Exchange, url: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused by the first one's name."""
    keep(home, mine(exchange, url))
    first = subprocess.Popen([*PROGRAM, *RUN, *ON_BTC], stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr is not None
        name = first.stderr.readline().split()[1].rstrip(":")
        for line in first.stderr:
            if line.startswith("a run begins"):
                break
        code = execute([*RUN, *ON_BTC])
        check(capsys.readouterr().err, code, ("is traded by run", name, "stop"), code_wanted=1)
        assert [folder.id for folder in run_folders(home)] == [name]
        assert len(list((home / "runs").glob("*/*"))) == 1
    finally:
        first.terminate()
        first.communicate(timeout=60)
