"""Equity for breakers: open profit counts, money moved in or out does not."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.clock import DAY_MS
from openalpha.risk.equity import EquityTrack

NO_FLOW = Decimal(0)


def track_of(*readings: tuple[int, int, int]) -> EquityTrack:
    """Start with 1,000; each reading is an hour, the equity, and the sum of all flows so far."""
    track = EquityTrack(Decimal(1000))
    for hour, equity, flows in readings:
        track.observe(hour * DAY_MS // 24, Decimal(equity), net_flows=Decimal(flows))
    return track


@pytest.mark.parametrize(
    ("story", "readings", "drawdown"),
    [
        ("a fall", [(1, 900, 0)], "0.1"),
        ("from the highest, not from the start", [(1, 2000, 0), (2, 1500, 0)], "0.25"),
        ("a deposit hides nothing", [(1, 900, 0), (2, 1900, 1000)], "0.1"),
        ("a withdrawal is no loss", [(1, 500, -500)], "0"),
        ("half withdrawn, then a tenth lost", [(1, 500, -500), (2, 450, -500)], "0.1"),
        ("a loss beside a deposit", [(1, 1900, 1000), (2, 1710, 1000)], "0.19"),
        ("all withdrawn and put back", [(1, 900, 0), (2, 0, -900), (3, 900, 0)], "0.1"),
        ("a deposit to a ruined account", [(1, 0, 0), (2, 1000, 1000)], "0.5"),
        ("a deposit below zero", [(1, -100, 0), (2, 900, 1000)], "0.55"),
    ],
)
def test_drawdown(story: str, readings: list[tuple[int, int, int]], drawdown: str) -> None:
    assert abs(track_of(*readings).drawdown - Decimal(drawdown)) < Decimal("1e-20"), story


def test_a_profit_that_a_flow_hides_is_seen() -> None:
    # 1,000 grow to 1,500 while 1,500 are withdrawn and 1,000 come back: the peak is the 1,500.
    track = track_of((1, 1500, 0), (2, 500, -1000), (3, 475, -1000))
    assert abs(track.drawdown - Decimal("0.05")) < Decimal("1e-20")


def test_the_day_begins_with_the_last_equity_before_it() -> None:
    track = track_of((20, 900, 0), (24, 880, 0))
    assert track.day_opening == 1000, "a reading at midnight belongs to the day that ends"
    track.observe(DAY_MS + 1, Decimal(860), net_flows=NO_FLOW)
    assert (track.day_opening, track.is_day_lost(Decimal("0.02"))) == (880, True)
    assert not track.is_day_lost(Decimal("0.03"))


def test_the_day_s_opening_moves_with_a_deposit() -> None:
    track = track_of((1, 960, 0), (2, 1920, 960))
    assert not track.is_day_lost(Decimal("0.04")) and track.is_day_lost(Decimal("0.039"))


def test_a_limit_of_exactly_the_loss_holds() -> None:
    track = track_of((1, 850, 0))
    assert not track.is_fallen(Decimal("0.15")) and track.is_fallen(Decimal("0.149"))
    assert not track.is_fallen(Decimal(0)), "0 is off"


def test_a_clock_set_back_begins_no_day() -> None:
    track = track_of((30, 900, 0), (31, 700, 0))
    opening = track.day_opening
    track.observe(DAY_MS // 2, Decimal(700), net_flows=NO_FLOW)
    track.observe(DAY_MS + DAY_MS // 3, Decimal(700), net_flows=NO_FLOW)
    assert track.day_opening == opening == 1000


@pytest.mark.parametrize("equity", [500, 1000, 40_000])
def test_another_run_s_money_is_as_deep_below_its_highest(equity: int) -> None:
    track = track_of((1, 1500, 0), (2, 1200, -100))
    deep = track.drawdown
    track.rebase(Decimal(equity))
    assert track.last == equity and abs(track.drawdown - deep) < Decimal("1e-20")
    track.observe(3 * DAY_MS, Decimal(equity), net_flows=NO_FLOW)
    assert abs(track.drawdown - deep) < Decimal("1e-20")


def test_only_a_command_forgets_the_peak() -> None:
    track = track_of((1, 500, 0))
    track.reset_peak()
    assert (track.peak, track.drawdown) == (500, 0)


moves = st.lists(st.tuples(st.integers(-50, 50), st.integers(-400, 400)), min_size=1, max_size=30)


@given(moves, st.integers(0, 29))
def test_flows_alone_never_change_the_drawdown_and_a_restart_changes_nothing(
    steps: list[tuple[int, int]], cut: int
) -> None:
    """Against the value of one share of a fund, into which money comes and goes at its price."""
    track, equity, flows = EquityTrack(Decimal(1000)), Decimal(1000), Decimal(0)
    shares, price, best = Decimal(1000), Decimal(1), Decimal(1)
    for number, (percent, flow) in enumerate(steps):
        equity = equity * (100 + percent) / 100
        price = equity / shares
        best = max(best, price)
        track.observe(number * 7_200_000, equity, net_flows=flows)
        if equity + flow > 1:
            equity, flows = equity + flow, flows + flow
            shares += flow / price
            track.observe(number * 7_200_000 + 1, equity, net_flows=flows)
        assert abs(track.drawdown - (1 - price / best)) < Decimal("1e-15")
        if number == cut:
            other = EquityTrack(Decimal(7))
            other.restore(json.loads(json.dumps(track.state())))
            track = other
