"""A life under `--env testnet` and `--env live`, a twin standing in: arm, trade, die, go on, stop.

What a person types, as processes of their own, outside of what looks like a test: live is
impossible in one. Takes minutes, so it is for the night.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from openalpha.core.clock import SystemClock
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account
from tests.fakes.twin import BTC, served

pytestmark = pytest.mark.nightly

HIDDEN = ("CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "OPENALPHA_DEBUG")
STAND_IN = ("--set", "exchange.stand_in=true")
BTC_ID = "bybit_linear:BTCUSDT"


class Person:
    """Types commands at a terminal of 80 columns."""

    def __init__(self, home: Path) -> None:
        hidden = {name: text for name, text in os.environ.items() if name not in HIDDEN}
        self.environ = hidden | {"OPENALPHA_HOME": str(home), "COLUMNS": "80"}

    def begins(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "openalpha", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environ,
        )

    def types(self, *arguments: str, code: int = 0, typed: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "openalpha", *arguments],
            input=typed,
            capture_output=True,
            text=True,
            env=self.environ,
            timeout=300,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code and "Traceback" not in said, said
        return said

    def until(self, words: str, *arguments: str) -> str:
        """Type it again and again until it says something."""
        ends = time.monotonic() + 300
        while words not in (said := self.types(*arguments)):
            assert time.monotonic() < ends, said
            time.sleep(0.5)
        return said


@pytest.fixture
def exchange() -> Exchange:
    made = Exchange(TwinSettings(listings=(BTC,), backfill_days=2, levels=50), SystemClock())
    made.limits.is_lifted = True
    return made


@pytest.fixture
def person(exchange: Exchange, tmp_path: Path) -> Iterator[Person]:
    somebody = Person(tmp_path / "home")
    with served(exchange) as url:
        for name in ("testnet", "live"):
            key = account(exchange)
            typed = f"{key.api_key}\n{key.secret}\n"
            somebody.types("keys", "add", name, "--url", url, "--stdin", *STAND_IN, typed=typed)
        yield somebody


def run_of(environment: str) -> tuple[str, ...]:
    strategy = ("--strategy", "ma_cross", "--instrument", BTC_ID, "--timeframe", "1m")
    return ("run", "--env", environment, *strategy, "--capital", "40000", *STAND_IN)


def buy(person: Person, run_id: str, *, code: int = 0) -> str:
    """By hand: no bar has to be waited for longer than for the first price."""
    ends = time.monotonic() + 300
    confirm = ("--confirm", "buy", "--run", run_id)
    while True:
        said = person.types("order", "buy", BTC_ID, "0.01", *confirm, code=code)
        if "no price of" not in said or time.monotonic() > ends:
            return said
        time.sleep(1)


def began(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    found = re.search(r"Run (\S+): its log", process.stdout.readline())
    assert found is not None
    return found[1]


def test_a_life_of_live_and_of_testnet_beside_it(person: Person) -> None:
    said = person.types(*run_of("live"), code=1)
    assert "live is not armed" in said and "openalpha arm live" in said
    shown = person.types("arm", "setup", "--person", "ann", "--json", "-")
    totp = pyotp.parse_uri(json.loads(shown[: shown.rindex("}") + 1])["uri"])
    assert isinstance(totp, pyotp.TOTP)
    person.types("arm", "setup", "--person", "ann", "--code", totp.at(time.time() - 30))
    person.types(
        "arm", "live", "--strategy", "ma_cross", "--person", "ann",
        "--confirm", "arm live", "--code", totp.now(), *STAND_IN,
    )  # fmt: skip

    live = person.begins(*run_of("live"))
    run_id = began(live)
    person.until("private socket up", "status")
    person.until("now ", "status")  # a first price
    assert "was taken" in buy(person, run_id)
    live.send_signal(signal.SIGKILL)
    live.communicate()
    again = person.begins("run", "--resume", run_id, *STAND_IN)
    person.until("HALTED · trading was not armed to go on after a restart", "status")
    assert "not_armed" in buy(person, run_id, code=1)
    assert "openalpha unlock --env live" in person.types("runs", "resume", run_id)
    person.types("unlock", "--env", "live", "--reason", "looked", "--confirm", "unlock live")
    person.until("ACTIVE", "status")

    testnet = person.begins(*run_of("testnet"))
    other = began(testnet)
    person.until(f"testnet run {other[:8]}", "status")
    sides = person.until("testnet", "balance", "--all-environments")
    assert "live " in sides
    for name in (run_id, other):
        person.types("runs", "stop", name, "--flatten", "--reason", "enough")
    for process in (again, testnet):
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        assert "NOT EQUAL" not in out and "ended: enough" in out
    assert "flat" in person.types("status")
