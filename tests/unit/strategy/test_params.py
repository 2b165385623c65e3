"""Parameters: checked, frozen, described; exits as millionths of the entry price."""

import pytest
from pydantic import ValidationError

from openalpha.core.errors import InputError
from openalpha.strategy import (
    ExitParams,
    Exits,
    Param,
    StrategyParams,
    build_params,
    load_strategy,
    parameter_table,
    strategy_names,
)


@pytest.mark.parametrize(
    ("strategy", "values", "words"),
    [
        ("ma_cross", {"fats": 3}, "did you mean 'fast'"),
        ("ma_cross", {"fast": 0}, "fast is 0, expected greater than or equal to 1"),
        ("ma_cross", {"fast": "abc"}, "fast is 'abc'"),
        ("ma_cross", {"fast": 50, "slow": 50}, "expected less than slow"),
        ("ma_cross", {"kind": "hull"}, "kind is 'hull'"),
        ("ma_cross", {"trend": 15}, "expected 0 or more than slow"),
        ("macd", {"fast": 30}, "expected less than slow"),
        ("macd", {"fast": float("nan")}, "fast is nan"),
        ("bollinger", {"width": float("inf")}, "width is inf"),
        ("funding_carry", {"close_apr_pct": 20}, "expected less than open_apr_pct"),
        ("grid", {"step_pct": 1e9, "rungs": -1}, r"step_pct is .*; rungs is -1"),
    ],
)
def test_absurd_parameters_are_one_sentence(strategy, values, words):
    with pytest.raises(InputError, match=words) as caught:
        build_params(load_strategy(strategy).Params, values, strategy=strategy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", strategy_names())
def test_every_parameter_of_a_built_in_is_described(name):
    cls = load_strategy(name)
    defaults = cls.Params()
    for row in parameter_table(cls.Params):
        assert row.help.endswith("."), row.name
        assert getattr(defaults, row.name) == row.default
        if row.kind in ("int", "float"):
            assert row.low is not None, row.name
            assert row.high is not None, row.name
            assert row.low <= row.default <= row.high
        for edge in (row.low, row.high):
            assert edge is None or row.kind in ("int", "float")


def test_texts_are_read_as_numbers():
    params = build_params(
        load_strategy("ma_cross").Params,
        {"fast": "10", "slow": "50", "long_only": "true"},
        strategy="ma_cross",
    )
    assert (params.fast, params.slow, params.long_only) == (10, 50, True)


def test_parameters_are_frozen():
    params = ExitParams(stop_pct=3)
    with pytest.raises(ValidationError):
        params.stop_pct = 4


def test_exits_are_millionths():
    params = ExitParams(
        stop_pct=3, take_profit_pct=12.5, trailing_pct=0.1, activation_pct=2, time_exit_bars=9
    )
    assert params.exits() == Exits(30_000, 125_000, 1_000, 20_000, 9)
    assert ExitParams().exits().is_none
    assert StrategyParams().exits().is_none
    # An activation without a trailing stop activates nothing.
    assert ExitParams(activation_pct=5).exits().is_none


@pytest.mark.parametrize(
    "values", [{"stop_e6": -1}, {"stop_e6": 1_000_000}, {"activation_e6": 5}]
)  # fmt: skip
def test_exits_that_make_no_sense_are_refused(values):
    with pytest.raises(InputError):
        Exits(**values)


def test_a_default_outside_its_own_range_is_found_when_used():
    class Wrong(StrategyParams):
        period: int = Param(0, ge=1, le=5)

    with pytest.raises(InputError, match="period is 0"):
        build_params(Wrong, {}, strategy="wrong")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan"])
def test_a_parameter_without_a_range_is_still_a_number(value):
    class Free(StrategyParams):
        anything: float = Param(1.0, help="No range.")

    with pytest.raises(InputError, match="anything is"):
        build_params(Free, {"anything": value}, strategy="free")
