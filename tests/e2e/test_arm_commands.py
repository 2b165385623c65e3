"""`openalpha arm` as a user types it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyotp
import pytest

from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault

HIDDEN = ("CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "OPENALPHA_DEBUG")


def arm(home: Path, *arguments: str, code: int = 0, is_test: bool = False) -> str:
    """Run it outside of what looks like a test, unless the test is about that."""
    environ = {name: text for name, text in os.environ.items() if is_test or name not in HIDDEN}
    done = subprocess.run(
        [sys.executable, "-m", "openalpha", "arm", *arguments],
        capture_output=True,
        text=True,
        env=environ | {"OPENALPHA_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    return said


_LONG_FOR_A_COMMAND_S = 15.0


@pytest.fixture
def ready(home: Path) -> pyotp.TOTP:
    """Enrol a person and keep a key for live; returns the authenticator."""
    said = arm(home, "setup", "--person", "ann", "--json", "-")
    uri = json.loads(said[said.index("{") : said.rindex("}") + 1])["uri"]
    totp = pyotp.parse_uri(uri)
    assert isinstance(totp, pyotp.TOTP)
    left_s = totp.interval - time.time() % totp.interval
    if left_s < _LONG_FOR_A_COMMAND_S:
        # The code of the step before is right to the end of this step only.
        time.sleep(left_s)
    arm(home, "setup", "--person", "ann", "--code", totp.at(time.time() - totp.interval))
    key = ExchangeKey("abcdefgh1234", "secret", "https://api.bybit.com")
    Vault(home, environ={}, source="file").put("live", key)
    return totp


LIVE = ("live", "--strategy", "ma_cross", "--person", "ann")
SAY = ("--confirm", "arm live")


def test_live_is_armed_looked_at_and_ended(home: Path, ready: pyotp.TOTP) -> None:
    assert "not armed" in arm(home, "status")
    code = ready.now()
    said = arm(home, *LIVE, *SAY, "--code", code, "--for", "2")
    assert "Limit       max_drawdown        0.15" in said
    assert "ma_cross: NO backtest of this code" in said
    assert "abcd…34 at https://api.bybit.com" in said and "comes up halted" in said
    assert "Live is armed: ma_cross until" in said
    assert "armed: ma_cross until" in arm(home, "status")
    assert "used already" in arm(home, *LIVE, *SAY, "--code", code, code=1)
    assert "no longer armed" in arm(home, "off")
    assert "was not armed" in arm(home, "off")


def test_what_does_not_arm(home: Path, ready: pyotp.TOTP) -> None:
    right = ready.now()
    for arguments, words in (
        (("live", *SAY, "--person", "ann", "--code", right), "name what may trade"),
        ((*LIVE, "--code", right), "confirm it at a terminal"),
        ((*LIVE, "--confirm", "yes", "--code", right), "is not the confirmation"),
        ((*LIVE, *SAY), "typed at a terminal"),
        ((*LIVE, *SAY, "--code", "000"), "code is wrong"),
        ((*LIVE, *SAY, "--code", right, "--for", "169"), "the longest is 168"),
        (("live", "--strategy", "nope", "--person", "ann", *SAY), "nope"),
        (("live", "--strategy", "ma_cross", "--person", "bob", *SAY), "'bob' is not enrolled"),
        ((*LIVE, *SAY, "--code", right, "--set", "arming.persons=2"), "2 different persons"),
    ):
        assert words in arm(home, *arguments, code=1)
        assert not (home / "arming" / "live.json").exists()


def test_live_cannot_be_armed_in_a_test(home: Path, ready: pyotp.TOTP) -> None:
    said = arm(home, *LIVE, *SAY, "--code", ready.now(), code=1, is_test=True)
    assert "live trading is impossible in" in said


def test_nobody_enrolled(home: Path) -> None:
    assert "nobody is enrolled" in arm(home, *LIVE, *SAY, code=1)
