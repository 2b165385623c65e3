"""Processes killed by kill -9 again and again, over loopback, on a real disk: nothing is lost."""

from pathlib import Path

import pytest

from tests.faults.kills import kill_order_path, kill_tree, kill_trees

NIGHTLY = pytest.mark.nightly


@pytest.mark.parametrize(
    "steps",
    [
        (0, 40, 90, 200),
        pytest.param((0,) * 60, marks=NIGHTLY),
        pytest.param(tuple(range(10, 361, 10)), marks=NIGHTLY),
    ],
    ids=["both", "moments", "every-tenth-step"],
)
def test_killed_and_started_again_it_holds_what_the_exchange_holds(
    tmp_path: Path, steps: tuple[int, ...]
) -> None:
    report = kill_order_path(tmp_path, steps)
    assert report.faults == []
    assert report.orders >= len(steps), "it traded in between"
    assert report.executions


def test_an_installation_whose_parts_are_killed_by_turns(tmp_path: Path) -> None:
    report = kill_tree(tmp_path / "place", seed=1, kills=4)
    assert report.faults == []
    assert report.kills.total() == 4
    assert report.executions


@NIGHTLY
def test_every_part_of_an_installation_killed_a_hundred_and_twenty_times(tmp_path: Path) -> None:
    report = kill_trees(tmp_path, seed=1, kills=120)
    assert report.faults == []
    assert report.kills.total() == 120
    assert min(report.kills.values()) >= 20
