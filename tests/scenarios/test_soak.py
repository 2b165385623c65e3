"""Days on end on the virtual clock: nothing grows but what may, nothing stays open."""

from pathlib import Path

import pytest

from tests.faults.soak import growth, soak


@pytest.mark.parametrize("days", [2, pytest.param(30, marks=pytest.mark.nightly)])
def test_days_on_end(home: Path, days: int) -> None:
    report = soak(home, seed=1, days=days)
    assert report.verdict() == []
    assert report.executions >= 5 * days
    assert report.struck >= days


def test_growth_is_that_of_a_straight_line() -> None:
    assert growth([100.0, 101.0, 102.0]) == pytest.approx(2 / 101)
    assert growth([100.0, 130.0, 100.0]) == pytest.approx(0.0), "a peak in between is no growth"
