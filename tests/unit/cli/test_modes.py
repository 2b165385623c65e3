"""How far an installation goes: what each mode leaves out is refused, what protects never is."""

import pytest

from openalpha.cli.modes import refuse_run, refuse_tests
from openalpha.core.errors import InputError

EVERY = ("paper", "twin", "demo", "testnet", "live")


@pytest.mark.parametrize(
    ("mode", "runs", "tests"),
    [
        ("dashboard_only", (), False),
        ("backtest_only", (), True),
        ("paper_trade", EVERY[:4], True),
        ("live_trade", EVERY, True),
    ],
)
def test_each_mode_allows_what_its_name_says(mode: str, runs: tuple[str, ...], tests: bool) -> None:
    for environment in EVERY:
        if environment in runs:
            refuse_run(mode, environment)
        else:
            with pytest.raises(InputError, match=rf"set to {mode}: .* in {environment}"):
                refuse_run(mode, environment)
    if tests:
        refuse_tests(mode)
    else:
        with pytest.raises(InputError, match=r"trading\.mode = backtest_only"):
            refuse_tests(mode)
