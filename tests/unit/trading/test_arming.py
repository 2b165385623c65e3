"""Arming: codes count once, what is signed is what may trade, and live is impossible in tests."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyotp
import pytest

from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.errors import ConfigError, InputError
from openalpha.engine.signals import EngineSettings
from openalpha.risk.limits import Limits
from openalpha.risk.settings import BreakerSettings, SizingSettings
from openalpha.store.audit import AuditTrail
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import KEY_VARIABLE
from openalpha.trading.safety.arming import (
    Armed,
    Terms,
    arm,
    disarm,
    read_armed,
    refuse_live_here,
    require_armed,
)
from openalpha.trading.safety.arming_codes import Codes
from openalpha.trading.safety.emergency_lock import Lock, lock, unlock

NOW = 1_700_000_010_000
KEY = ExchangeKey("abcdefgh1234", "secret", "https://venue.test")
FREE: Mapping[str, str] = {}
"""An environment in which live is possible."""


@pytest.fixture
def codes(tmp_path: Path) -> Codes:
    return Codes(tmp_path, environ={KEY_VARIABLE: "A" * 43 + "="})


def enrol(codes: Codes, person: str = "ann") -> pyotp.TOTP:
    made = codes.begin(person)
    totp = pyotp.TOTP(made.secret)
    codes.finish(person, totp.at(NOW // 1000), now_ms=NOW)
    return totp


def terms(**more: Any) -> Terms:
    given: dict[str, Any] = {
        "limits": Limits(),
        "breakers": BreakerSettings(),
        "settings": EngineSettings(),
        "strategies": [("ma_cross", "a1", {"fast": 2}), ("rsi", "b2", {})],
    }
    return Terms.of("live", more.pop("key", KEY), **given | more)


def armed(home: Path, codes: Codes, of: Terms | None = None) -> Armed:
    signed = of or terms()
    until_ms = NOW + HOUR_MS
    return arm(home, signed, codes=codes, persons=["ann"], armed_ms=NOW, expires_ms=until_ms)


def required(home: Path, codes: Codes, of: Terms | None = None, at_ms: int = NOW) -> Armed | None:
    return require_armed(home, of or terms(), codes=codes, now_ms=at_ms, environ=FREE)


def test_a_code_counts_once_and_not_after_its_time(codes: Codes) -> None:
    totp = enrol(codes)
    with pytest.raises(InputError, match="used already"):
        codes.check("ann", totp.at(NOW // 1000), now_ms=NOW)
    later = NOW + 60_000
    code = totp.at(later // 1000)
    codes.check("ann", f"{code[:3]} {code[3:]}", now_ms=later)
    with pytest.raises(InputError, match="is wrong"):
        codes.check("ann", totp.at(later // 1000), now_ms=later + 5 * MINUTE_MS)


def test_after_five_wrong_codes_even_the_right_one_waits(codes: Codes) -> None:
    totp = enrol(codes)
    for _ in range(5):
        with pytest.raises(InputError, match="is wrong"):
            codes.check("ann", "000000x", now_ms=NOW + 60_000)
    soon, later = NOW + 2 * MINUTE_MS, NOW + 17 * MINUTE_MS
    with pytest.raises(InputError, match="wait until"):
        codes.check("ann", totp.at(soon // 1000), now_ms=soon)
    codes.check("ann", totp.at(later // 1000), now_ms=later)


def test_an_enrolment_counts_only_after_a_code(codes: Codes) -> None:
    made = codes.begin("ann")
    assert codes.persons() == [] and made.secret not in repr(made)
    with pytest.raises(InputError, match="not enrolled"):
        codes.check("ann", pyotp.TOTP(made.secret).at(NOW // 1000), now_ms=NOW)
    with pytest.raises(InputError, match="wrong"):
        codes.finish("ann", "123", now_ms=NOW)
    enrol(codes)
    assert codes.persons() == ["ann"]
    with pytest.raises(InputError, match="is enrolled"):
        codes.begin("ann")
    with pytest.raises(InputError, match="without a code first"):
        codes.finish("bob", "123456", now_ms=NOW)
    with pytest.raises(InputError, match="is no name"):
        codes.begin("a.b")


def test_no_secret_lies_in_clear(tmp_path: Path, codes: Codes) -> None:
    made = codes.begin("ann")
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or made.secret.encode() not in path.read_bytes()


def test_what_was_signed_may_trade_until_it_ends(tmp_path: Path, codes: Codes) -> None:
    with pytest.raises(InputError, match="not armed"):
        required(tmp_path, codes)
    made = armed(tmp_path, codes)
    assert required(tmp_path, codes) == made == read_armed(tmp_path, "live", codes=codes)
    assert required(tmp_path, codes, at_ms=NOW + HOUR_MS - 1) == made
    for at_ms in (NOW + HOUR_MS, NOW - 1):
        with pytest.raises(InputError, match="was armed from"):
            required(tmp_path, codes, at_ms=at_ms)
    assert disarm(tmp_path, "live", who="ann")
    assert not disarm(tmp_path, "live", who="ann")
    with pytest.raises(InputError, match="not armed"):
        required(tmp_path, codes)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"limits": Limits(max_position=Decimal("0.2"))}, "risk.max_position was armed at 0.10"),
        ({"breakers": BreakerSettings(loss_streak=9)}, "breakers.loss_streak was armed at 8"),
        ({"strategies": [("macd", "c3", {})]}, "strategy macd was not armed"),
        ({"strategies": [("rsi", "b3", {})]}, "strategy rsi was edited"),
        ({"strategies": [("ma_cross", "a1", {"fast": 3})]}, 'armed with {"fast":2}, the run has'),
        (
            {"settings": EngineSettings(sizing=SizingSettings(fraction=Decimal("0.2")))},
            "settings.sizing.fraction was armed at 0.10, the run has 0.2",
        ),
        ({"key": replace(KEY, api_key="other")}, "the exchange key is another"),
    ],
)
def test_a_run_that_differs_is_refused_by_name(
    tmp_path: Path, codes: Codes, other: dict[str, Any], words: str
) -> None:
    armed(tmp_path, codes)
    with pytest.raises(InputError, match=words):
        required(tmp_path, codes, terms(**other))


def test_fewer_strategies_may_trade_and_bounds_in_code_are_no_difference(
    tmp_path: Path, codes: Codes
) -> None:
    armed(tmp_path, codes)
    assert required(tmp_path, codes, terms(strategies=[("rsi", "b2", {})])) is not None
    assert required(tmp_path, codes, terms(limits=Limits(max_drawdown=Decimal(1)))) is not None


@pytest.mark.parametrize(
    "damage",
    [
        lambda row: row["armed"].update(expires_ms=NOW * 2),
        lambda row: row["armed"]["terms"]["limits"].update(max_position="0.3"),
        lambda row: row["armed"]["terms"].update(environment="demo"),
        lambda row: row["armed"]["terms"].update(resume_after_restart=True),
        lambda row: row.update(signature="00"),
        lambda row: row.pop("armed"),
        lambda row: row["armed"].pop("persons"),
    ],
)
def test_what_was_changed_since_it_was_signed_arms_nothing(
    tmp_path: Path, codes: Codes, damage: Any
) -> None:
    """The settings of a run may be changed by a model or a program; what was signed may not."""
    armed(tmp_path, codes)
    path = tmp_path / "arming" / "live.json"
    row = json.loads(path.read_bytes())
    damage(row)
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match="was changed since it was signed"):
        required(tmp_path, codes)
    path.write_text("{")
    with pytest.raises(InputError, match="was changed since it was signed"):
        required(tmp_path, codes)


def test_another_environment_s_arming_is_not_live_s(tmp_path: Path, codes: Codes) -> None:
    armed(tmp_path, codes, replace(terms(), environment="demo"))
    (tmp_path / "arming" / "demo.json").rename(tmp_path / "arming" / "live.json")
    with pytest.raises(InputError, match="was changed since it was signed"):
        required(tmp_path, codes)


def test_a_stop_disarms_and_what_is_locked_cannot_be_armed(tmp_path: Path, codes: Codes) -> None:
    armed(tmp_path, codes)
    lock(tmp_path, "live", why=Lock("a bad day", "ann", NOW))
    with pytest.raises(InputError, match="is locked"):
        required(tmp_path, codes)
    with pytest.raises(InputError, match="is locked"):
        armed(tmp_path, codes)
    unlock(tmp_path, "live", why=Lock("calm", "ann", NOW))
    with pytest.raises(InputError, match="not armed"):
        required(tmp_path, codes)
    assert [act.name for act in AuditTrail(tmp_path).acts()] == ["arm", "lock", "unlock"]


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"CI": "true"}, "CI"),
        ({"PYTEST_CURRENT_TEST": "x"}, "a test"),
        ({"PYTEST_VERSION": "8"}, "a test"),
        ({"OPENALPHA_DEBUG": "1"}, "debug"),
    ],
)
def test_live_is_impossible_in_debug_test_or_ci(
    tmp_path: Path, codes: Codes, environ: dict[str, str], words: str
) -> None:
    """The guard is the first line of `require_armed`; an arming does not go round it."""
    armed(tmp_path, codes)
    with pytest.raises(ConfigError, match=f"impossible in {words}"):
        require_armed(tmp_path, terms(), codes=codes, now_ms=NOW, environ=environ)
    refuse_live_here("demo", environ=environ)
    refuse_live_here("live", environ={"CI": "false", "OPENALPHA_DEBUG": "0"})


def test_this_very_test_cannot_trade_live() -> None:
    with pytest.raises(ConfigError, match="impossible"):
        refuse_live_here("live", environ=os.environ)


def test_other_environments_need_no_arming_but_no_lock_either(tmp_path: Path, codes: Codes) -> None:
    demo = replace(terms(), environment="demo")
    assert required(tmp_path, codes, demo) is None
    lock(tmp_path, "demo", why=Lock("a", "b", 1))
    with pytest.raises(InputError, match="is locked"):
        required(tmp_path, codes, demo)
