"""Drawdowns: spells below a high are found and counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.research.drawdown import longest_spell, spell_of_deepest


@pytest.mark.parametrize(
    ("values", "days"),
    [
        ([], 0),
        ([100, 110, 120], 0),
        ([90, 100, 110], 2),  # from the start's 100 until it is reached again
        ([110, 100, 90, 80], 3),
        ([110, 100, 110, 100, 90, 120], 3),
    ],
)
def test_the_longest_time_below_a_high(values: list[float], days: int) -> None:
    assert longest_spell(np.array(values, dtype=float), 100.0) == days


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_the_longest_time_below_a_high_equals_a_plain_count(steps: list[int]) -> None:
    values = np.array(steps, dtype=float)
    best, since, longest = 10.0, 0, 0
    for at, value in enumerate(values, start=1):
        if value >= best:
            longest = max(longest, at - since if at - since > 1 else 0)
            best, since = value, at
    longest = max(longest, len(values) - since)
    assert longest_spell(values, 10.0) == longest


def test_a_recovery_is_the_first_return_to_the_high() -> None:
    found = spell_of_deepest(np.array([100.0, 120.0, 60.0, 90.0, 120.0, 80.0]), 100.0)
    assert found is not None
    assert (found.peak, found.trough, found.recovery, found.depth) == (1, 2, 4, 0.5)


def test_a_fall_from_the_start_has_no_row_of_its_high() -> None:
    found = spell_of_deepest(np.array([50.0, 60.0]), 100.0)
    assert found is not None
    assert (found.peak, found.recovery) == (-1, None)
