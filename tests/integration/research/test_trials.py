"""The trial ledger: what counts as one family, what counts as one trial."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openalpha.core.clock import DAY_MS, ManualClock
from openalpha.research.trials import Trial, TrialLedger

BTC, ETH = "bybit_linear:BTCUSDT", "bybit_linear:ETHUSDT"
FIRST = 19_000


def returns(seed: int, days: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, days)


def trial(strategy: str = "ma_cross", **changes: Any) -> Trial:
    base: dict[str, Any] = {
        "strategy": strategy, "instruments": (BTC,), "params": {"fast": 10, "slow": 50},
        "source_hash": "s1", "data_fingerprint": "d1", "settings_hash": "c1",
        "first_day": FIRST, "daily_returns": returns(1),
    }  # fmt: skip
    return Trial(**(base | changes))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[TrialLedger]:
    made = TrialLedger(tmp_path, clock=ManualClock(1_700_000_000_000))
    yield made
    made.close()


def count(ledger: TrialLedger, strategy: str = "ma_cross", instrument: str = BTC) -> int:
    span = {"start_ms": FIRST * DAY_MS, "end_ms": (FIRST + 100) * DAY_MS}
    return ledger.count(strategy, [instrument], **span)


def test_a_rerun_is_no_new_trial_another_parameter_is(ledger: TrialLedger) -> None:
    assert ledger.append(trial()) == 0
    assert ledger.append(trial()) == 1
    assert count(ledger) == 1
    ledger.append(trial(params={"fast": 11, "slow": 50}, daily_returns=returns(2)))
    assert count(ledger) == 2


@pytest.mark.parametrize("changed", ["source_hash", "data_fingerprint", "settings_hash"])
def test_an_edit_counts_but_stays_in_the_family(ledger: TrialLedger, changed: str) -> None:
    ledger.append(trial())
    ledger.append(trial(**{changed: "other"}))
    assert count(ledger) == 2


def test_a_row_keeps_what_was_given(ledger: TrialLedger) -> None:
    given = trial(metrics={"sharpe": 1.5, "win_rate": float("nan")})
    row = ledger.row(ledger.append(given))
    assert row.values == pytest.approx(given.daily_returns.astype(np.float32))
    assert row.text["params"] == {"fast": 10, "slow": 50}
    assert row.text["metrics"] == {"sharpe": 1.5}
    assert row.columns["ts_ms"] == 1_700_000_000_000


def test_another_instrument_or_period_is_another_family(ledger: TrialLedger) -> None:
    ledger.append(trial())
    ledger.append(trial(instruments=(ETH,)))
    ledger.append(trial(first_day=FIRST + 200, data_fingerprint="later"))
    assert count(ledger) == count(ledger, instrument=ETH) == 1
    ledger.append(trial(instruments=(BTC, ETH), params={"fast": 3}, daily_returns=returns(9)))
    assert count(ledger) == count(ledger, instrument=ETH) == 2


def test_a_declared_rename_is_the_same_family_from_both_ends(ledger: TrialLedger) -> None:
    ledger.append(trial("ma_cross"))
    ledger.append(trial("ma_cross_2", ancestors=("ma_cross",), params={"fast": 8}))
    assert count(ledger, "ma_cross") == count(ledger, "ma_cross_2") == 2


def test_declarations_connect_through_others(ledger: TrialLedger) -> None:
    for name in ("a", "b", "c"):
        ledger.append(trial(name, params={"name": name}, daily_returns=returns(ord(name))))
    ledger.merge("a", "b")
    ledger.merge("b", "c")
    assert count(ledger, "a") == 3


def test_naming_a_family_never_splits_one(ledger: TrialLedger) -> None:
    ledger.append(trial(params={"fast": 1}, daily_returns=returns(1)))
    ledger.append(trial(params={"fast": 2}, daily_returns=returns(2), family="my own family"))
    assert count(ledger) == 2
    assert count(ledger, "my own family") == 2


def test_a_copy_under_another_name_is_found_by_its_returns(ledger: TrialLedger) -> None:
    ledger.append(trial("ma_cross"))
    nearly = returns(1) + np.random.default_rng(7).normal(0, 0.001, 100)
    ledger.append(trial("brand_new_idea", daily_returns=nearly))
    ledger.append(trial("other_idea", daily_returns=returns(5)))
    span = {"start_ms": FIRST * DAY_MS, "end_ms": (FIRST + 100) * DAY_MS}
    family = ledger.family("ma_cross", [BTC], **span)
    assert family.detected == ("brand_new_idea",)
    assert family.configurations == 2
    assert family.rows == (0, 1)


def test_perturbations_are_stored_and_not_counted(ledger: TrialLedger) -> None:
    parent = ledger.append(trial())
    ledger.append(trial(settings_hash="stress", is_counted=False, parent=parent))
    assert count(ledger) == 1
    assert len(ledger) == 2


def test_an_empty_ledger_counts_nothing(ledger: TrialLedger) -> None:
    assert count(ledger) == 0
    assert ledger.verify() is None


def test_a_later_session_goes_on_where_the_last_ended(tmp_path: Path) -> None:
    first = TrialLedger(tmp_path)
    first.append(trial("a", ancestors=("b",)))
    first.close()
    second = TrialLedger(tmp_path)
    rows = len(second)
    second.append(trial("a", ancestors=("b",)))
    assert len(second) == rows + 1, "a declaration known already was written again"
    assert second.verify() is None
    second.close()
