"""Exits that entries carry: where each acts, which comes first, and what follows.

Capital is 10,000, a full target is 10 units at 100; fills are written as in the stories of orders.
"""

import pytest

from openalpha.strategy.params import Exits
from tests.fakes.small_market import fills_of, journal_of, market, run_targets

EXITS = [
    (
        "a stop at its level",
        Exits(stop_e6=50_000),
        [100, 100, (100, 100, 90, 92, 1000), 92],
        [(1, "+10", "100"), (2 + 1 / 3, "-10", "95")],
    ),
    (
        "a stop slips to the open behind it",
        Exits(stop_e6=50_000),
        [100, 100, (90, 91, 89, 90, 1000), 90],
        [(1, "+10", "100"), (2, "-10", "90")],
    ),
    (
        "a take-profit at its level",
        Exits(take_profit_e6=50_000),
        [100, 100, (100, 110, 100, 108, 1000), 108],
        [(1, "+10", "100"), (2 + 2 / 3, "-10", "105")],
    ),
    (
        "both in one bar: the stop",
        Exits(stop_e6=50_000, take_profit_e6=50_000),
        [100, 100, (100, 110, 90, 100, 1000), 100],
        [(1, "+10", "100"), (2 + 1 / 3, "-10", "95")],
    ),
    (
        "an exit lives in the bar of its entry",
        Exits(stop_e6=50_000),
        [100, (100, 100, 90, 92, 1000), 92],
        [(1, "+10", "100"), (1 + 1 / 3, "-10", "95")],
    ),
    (
        "a trailing stop follows closes and highs already passed",
        # Best 120 (the close of hour 1), distance 10 % of the entry: 110.
        Exits(trailing_e6=100_000),
        [100, (100, 120, 100, 120, 1000), (120, 120, 105, 106, 1000), 106],
        [(1, "+10", "100"), (2 + 1 / 3, "-10", "110")],
    ),
    (
        "a trailing stop not yet active does nothing",
        Exits(trailing_e6=20_000, activation_e6=100_000),
        [100, 100, (100, 105, 90, 90, 1000), 90],
        [(1, "+10", "100")],
    ),
    (
        "a time exit after three bars",
        Exits(time_exit_bars=3),
        [100] * 6,
        [(1, "+10", "100"), (4, "-10", "100")],
    ),
]


@pytest.mark.parametrize(
    ("exits", "bars", "expected"), [e[1:] for e in EXITS], ids=[e[0] for e in EXITS]
)
def test_exits(exits, bars, expected):
    run = run_targets(market(bars), [1] * len(bars), exits=exits)
    assert fills_of(run) == expected


def test_after_an_exit_the_same_target_does_not_come_back():
    bars = [100, 100, (100, 100, 90, 92, 1000), 92, 92, 92]
    run = run_targets(market(bars), [1, 1, 1, 1, 0, 1], exits=Exits(stop_e6=50_000))
    assert len(run.fills) == 2
    assert journal_of(run)[3:] == ["UNCHANGED", "UNCHANGED", "ORDERED"]
