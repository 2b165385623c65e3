"""Legs of a hedge: joined to a judge, and watched for not offsetting each other."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from openalpha.research.facts import FillColumns
from openalpha.research.hedges import joined_pnl, unhedged_share
from openalpha.research.roundtrips import RoundTrips
from tests.fakes.small_market import inverse, linear, spot

PAIR = (spot("BTCUSDT"), linear("BTCUSDT"))


def trips(*rows: tuple[int, int, int, int, float]) -> RoundTrips:
    """Each row: instrument, direction, entry, exit, profit."""
    number, direction, entry, leave, pnl = (np.array(column) for column in zip(*rows, strict=True))
    known = {
        "instrument": number, "direction": direction, "entry_ts_ms": entry, "exit_ts_ms": leave,
        "pnl": pnl,
    }  # fmt: skip
    zeros: Any = np.zeros(len(rows))
    return RoundTrips(**{item.name: known.get(item.name, zeros) for item in fields(RoundTrips)})


def fills(*rows: tuple[int, int, int]) -> FillColumns:
    """Each row: instrument, moment, signed change in thousandths of the coin."""
    number, ts_ms, held = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    known = {"instrument": number, "ts_ms": ts_ms, "held_units": held}
    zeros: Any = np.zeros(len(rows))
    return FillColumns(**{item.name: known.get(item.name, zeros) for item in fields(FillColumns)})


@pytest.mark.parametrize(
    ("rows", "profits", "legs"),
    [
        pytest.param(
            [(0, 1, 0, 10, 50.0), (1, -1, 0, 10, -49.0)], [1.0], 2, id="a pair is one position"
        ),
        pytest.param(
            [(0, 1, 0, 9, 50.0), (1, -1, 0, 9, -49.0), (0, 1, 20, 30, -7.0), (1, -1, 21, 30, 9.0)],
            [1.0, 2.0], 4, id="two pairs one after the other",
        ),
        pytest.param(
            [(0, 1, 0, 10, 50.0), (1, -1, 10, 20, -49.0)], [50.0, -49.0], 0, id="never together"
        ),
        pytest.param(
            [(0, 1, 0, 10, 5.0), (1, 1, 0, 10, 6.0)], [5.0, 6.0], 0, id="the same way"
        ),
        pytest.param(
            [(0, 1, 0, 100, 50.0), (1, -1, 0, 40, -20.0), (1, -1, 50, 90, -29.0)],
            [1.0], 3, id="one leg renewed",
        ),
    ],
)  # fmt: skip
def test_legs_that_hedge_each_other_are_one(rows: Any, profits: list[float], legs: int) -> None:
    found, joined = joined_pnl(trips(*rows), PAIR)
    assert (sorted(found.tolist()), joined) == (sorted(profits), legs)


def test_other_coins_and_coin_margined_contracts_are_left_alone() -> None:
    rows = [(0, 1, 0, 10, 50.0), (1, -1, 0, 10, -49.0)]
    for other in (linear("ETHUSDT"), inverse()):
        assert joined_pnl(trips(*rows), (PAIR[0], other))[1] == 0


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        pytest.param([(0, 0, 100), (1, 0, -100)], 0.0, id="hedged"),
        pytest.param([(0, 0, 100), (1, 0, -95)], 0.0, id="nearly"),
        pytest.param([(1, 0, -100)], 1.0, id="the other leg refused"),
        pytest.param([(1, 0, -100), (0, 25, 100)], 0.25, id="late"),
        pytest.param([(0, 0, 100), (1, 0, -100), (0, 50, -100), (1, 50, 100)], 0.0, id="closed"),
        pytest.param([(0, 0, 100), (1, 0, -40)], 1.0, id="in part"),
        pytest.param([(0, 0, 1000), (1, 0, -999), (0, 9, -999), (1, 9, 999)], 0.0, id="dust"),
    ],
)
def test_how_long_the_legs_did_not_offset_each_other(rows: Any, share: float) -> None:
    assert unhedged_share(fills(*rows), PAIR, end_ms=100) == share


def test_without_a_pair_there_is_nothing_to_hedge() -> None:
    assert unhedged_share(fills((0, 0, 100)), PAIR[:1], end_ms=100) is None
    assert unhedged_share(fills((0, 0, 100)), (PAIR[0], linear("ETHUSDT")), end_ms=100) is None
