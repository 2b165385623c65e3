"""Accounts on the price-time book: margin, liquidation, funding, exits, latency and memory."""

from dataclasses import replace

import numpy as np
import pytest

from openalpha.core.messages import EffectKind
from openalpha.core.reasons import Reason
from openalpha.venue.kernel import book_market as event
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.exchange import BookMachine
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, OrderRequest, Tier

R = Reason
LINEAR = InstrumentSetup(at.LINEAR, leverage_e2=1_000)
TIERED = replace(LINEAR, tiers=(Tier(at.BIG, 500_000, 10_000, 0),))
TWO_TIERS = replace(
    LINEAR, tiers=(Tier(5_000, 500_000, 10_000, 0), Tier(at.BIG, 1_000_000, 10_000, 25))
)


def venue_of(
    *balances: int, rules: InstrumentSetup = LINEAR, latency_ms: int = 0, mode: int = at.CROSS
) -> BookMachine:
    accounts = tuple(
        AccountSetup((balance,), margin_mode=mode, latency_ms=latency_ms) for balance in balances
    )
    return BookMachine((rules,), accounts)


def order(account: int, side: int, qty: int, limit: int = 0, **more: int) -> OrderRequest:
    kind = at.LIMIT if limit else at.MARKET
    return OrderRequest(side, qty, kind, limit, account=account, **more)  # type: ignore[arg-type]


def send(venue: BookMachine, ts: int, request: OrderRequest) -> int:
    number = venue.submit(0, ts, request)
    venue.advance(ts)
    return number


def fills(venue: BookMachine) -> list[tuple[int, int, int, Reason]]:
    """(account, signed quantity, price, reason) of each fill."""
    columns = (at.F_ACCT, at.F_QTY, at.F_PRICE)
    return [(*(int(row[c]) for c in columns), Reason(row[at.F_REASON])) for row in venue.fills]  # type: ignore[misc]


def ended(venue: BookMachine) -> dict[int, Reason]:
    return {int(row[at.D_ID]): Reason(row[at.D_REASON]) for row in venue.done}


def test_a_market_order_is_checked_at_the_last_price_it_would_reach() -> None:
    venue = venue_of(100)  # ten times leverage: 1,000 of notional
    venue.on_level(0, 1, -1, 100, 5)
    venue.on_level(0, 1, -1, 101, 5)
    assert ended(venue) == {}
    first = send(venue, 2, order(0, 1, 10))
    assert ended(venue)[first] is R.INSUFFICIENT_MARGIN
    send(venue, 3, order(0, 1, 5))
    assert fills(venue) == [(0, 5, 100, R.MARKET)]


def test_resting_orders_of_another_account_take_no_margin() -> None:
    venue = venue_of(100, 100)
    send(venue, 1, order(0, 1, 10, 100))
    send(venue, 2, order(1, 1, 10, 100))
    refused = send(venue, 3, order(1, 1, 1, 100))
    assert ended(venue) == {refused: R.INSUFFICIENT_MARGIN}


def test_a_takeover_is_worked_in_the_book_down_to_bankruptcy() -> None:
    venue = venue_of(1_000, 10**6, rules=TIERED)
    venue.on_level(0, 1, -1, 1_000, 10)
    send(venue, 1, order(0, 1, 10))
    send(venue, 2, order(1, 1, 5, 902))
    venue.on_level(0, 3, 1, 901, 2)
    venue.on_level(0, 3, 1, 899, 9)
    venue.on_mark(0, 4, 905)
    assert venue.position(0, 0)[0] == 10
    venue.on_mark(0, 5, 904)  # equity 40, maintenance 46: bankrupt at 900
    assert fills(venue)[1:] == [(0, -10, 900, R.LIQUIDATION_TAKEOVER), (1, 5, 902, R.LIMIT_RESTED)]
    assert venue.balances(0) == [0]
    assert venue.depth(0)[0] == [(899, 9)]
    assert venue.last(0) == 901


def test_a_partial_liquidation_takes_the_books_prices() -> None:
    venue = venue_of(1_000, rules=TWO_TIERS)
    venue.on_level(0, 1, -1, 1_000, 10)
    send(venue, 1, order(0, 1, 10))
    venue.on_snapshot(0, 2, [(905, 3), (899, 9)], [])
    venue.on_mark(0, 3, 906)  # five must go: three at 905; 899 lies beyond bankruptcy at 900
    assert fills(venue)[1:] == [
        (0, -3, 905, R.LIQUIDATION_PARTIAL),
        (0, -2, 898, R.LIQUIDATION_TAKEOVER),
    ]
    assert venue.position(0, 0)[0] == 5
    assert venue.depth(0)[0] == [(899, 7)]


def test_isolated_legs_are_liquidated_on_their_own_margin() -> None:
    venue = venue_of(10_000, rules=TIERED, mode=at.ISOLATED)
    venue.on_level(0, 1, -1, 1_000, 10)
    send(venue, 1, order(0, 1, 10))
    stays = send(venue, 2, order(0, 1, 1, 500))
    venue.on_mark(0, 3, 905)  # margin 1,000 less 950 is the 50 it must keep
    assert fills(venue)[1:] == [(0, -10, 900, R.LIQUIDATION_TAKEOVER)]
    assert venue.balances(0) == [9_000]
    assert ended(venue)[stays] is R.CANCELLED_BY_LIQUIDATION


def test_funding_is_paid_by_every_account() -> None:
    venue = venue_of(1_000, 1_000)
    send(venue, 1, order(0, -1, 5, 100))
    send(venue, 2, order(1, 1, 5))
    venue.on_mark(0, 3, 200)
    venue.on_funding(0, 3, 10**10)
    paid = [row for row in venue.effects.tolist() if row[at.E_KIND] == EffectKind.FUNDING]
    assert [(row[at.E_ACCT], row[at.E_AMOUNT]) for row in paid] == [(0, 10), (1, -10)]


def test_attached_exits_live_from_the_next_event_on() -> None:
    venue = venue_of(10_000)
    venue.on_snapshot(0, 1, [(90, 50)], [(100, 10)])
    venue.on_trade(0, 2, 100, 1, 1)
    send(venue, 3, order(0, 1, 2, stop_e6=50_000, take_profit_e6=50_000))
    assert len(venue.live_orders(0)) == 2
    venue.on_trade(0, 4, 95, 1, 1)
    assert fills(venue)[1:] == [(0, -2, 90, R.STOP)]
    assert ended(venue)[3] is R.CANCELLED_BY_OCO


def test_one_order_of_a_pair_cancels_the_other() -> None:
    venue = venue_of(10_000)
    send(venue, 1, order(0, 1, 2, 100, oco=7))
    other = send(venue, 2, order(0, -1, 2, 110, oco=7))
    venue.on_trade(0, 3, 100, 1, -1)
    assert fills(venue) == [(0, 1, 100, R.LIMIT_RESTED)]
    assert ended(venue) == {other: R.CANCELLED_BY_OCO}


def test_a_trailing_order_follows_the_tape() -> None:
    venue = venue_of(10_000)
    venue.on_snapshot(0, 1, [(99, 50)], [(100, 10)])
    send(venue, 2, order(0, 1, 2))
    send(venue, 3, order(0, -1, 0, trigger_kind=at.TRAILING, distance=5, reduce_only=1))
    for ts, price in ((4, 108), (5, 104), (6, 103)):
        venue.on_trade(0, ts, price, 1, 1)
    assert fills(venue)[1:] == [(0, -2, 99, R.TRAILING)]
    assert int(venue.fills[1, at.F_TS]) == 6


def test_orders_act_when_they_arrive() -> None:
    venue = venue_of(10_000, latency_ms=10)
    venue.on_level(0, 1, -1, 100, 5)
    venue.submit(0, 1, order(0, 1, 2))
    venue.on_level(0, 9, -1, 100, 1)
    venue.on_level(0, 12, -1, 100, 9)
    assert [(row[1], row[2]) for row in fills(venue)] == [(1, 100)]
    assert int(venue.fills[0, at.F_TS]) == 11


def test_a_command_comes_after_all_events_of_its_stamp() -> None:
    venue = venue_of(10_000)
    venue.on_level(0, 1, -1, 100, 5)
    venue.submit(0, 2, order(0, 1, 2))
    venue.on_level(0, 2, -1, 100, 0)
    venue.on_level(0, 2, -1, 103, 5)
    venue.advance(2)
    assert fills(venue) == [(0, 2, 103, R.MARKET)]


def test_spot_accounts_swap_coins() -> None:
    rules = InstrumentSetup(at.SPOT, base_coin=1, taker_e8=10_000_000)
    venue = BookMachine((rules,), (AccountSetup((1_000, 0)), AccountSetup((0, 10))))
    send(venue, 1, order(1, -1, 10, 50))
    send(venue, 2, order(0, 1, 10))
    assert venue.balances(0) == [500, 9]  # the taker's fee of a tenth is taken in the coin
    assert venue.balances(1) == [500, 0]
    refused = send(venue, 3, order(1, -1, 1, 50))
    assert ended(venue)[refused] is R.INSUFFICIENT_BALANCE


def test_hedged_legs_stand_side_by_side() -> None:
    account = AccountSetup((10_000,), position_mode=at.HEDGE)
    venue = BookMachine((LINEAR,), (account,))
    venue.on_snapshot(0, 1, [(99, 50)], [(100, 50)])
    send(venue, 2, order(0, 1, 3))
    send(venue, 3, order(0, -1, 2, leg=1))
    assert [venue.position(0, 0, leg)[0] for leg in (0, 1)] == [3, -2]


def test_memory_grows_with_levels_and_orders() -> None:
    venue = venue_of(10**9, 10**9)
    venue.on_snapshot(0, 1, [(5_000 - k, 1) for k in range(2_000)], [])
    for k in range(300):
        venue.submit(0, 1, order(k % 2, -1, 1, 6_000 + k))
    venue.advance(1)
    bids, asks = venue.depth(0)
    assert (len(bids), len(asks)) == (2_000, 300)
    send(venue, 2, order(0, -1, 2_000))
    assert venue.position(0, 0)[0] == -2_000
    assert venue.depth(0)[0] == []


def test_a_replay_equals_its_events_one_by_one() -> None:
    rng = np.random.default_rng(5)
    n = 3_000
    rows = np.zeros((n, event.EVENT_COLS), dtype=np.int64)
    rows[:, event.V_TS] = np.sort(rng.integers(1, n, n))
    rows[:, event.V_KIND] = rng.choice((event.LEVEL, event.TRADE, event.MARKS), n)
    rows[:, event.V_SIDE] = rng.choice((1, -1), n)
    rows[:, event.V_PRICE] = rng.integers(90, 111, n)
    rows[:, event.V_QTY] = rng.integers(0, 9, n)
    venues = [venue_of(10**6, 10**6, latency_ms=3) for _ in range(2)]
    for venue in venues:
        for k in range(200):
            venue.submit(0, 0, order(k % 2, 1 - 2 * (k % 3 == 0), 1 + k % 5, 90 + k % 20))
    whole, stepped = venues
    whole.replay(rows)
    for k in range(n):
        stepped.replay(rows[k : k + 1])
    assert len(whole.fills) > 100
    assert np.array_equal(whole.fills, stepped.fills)
    assert np.array_equal(whole.effects, stepped.effects)


@pytest.mark.parametrize("account", [-1, 2])
def test_an_order_needs_an_account(account: int) -> None:
    venue = venue_of(1, 1)
    with pytest.raises(AssertionError):
        venue.submit(0, 1, order(account, 1, 1))


def test_an_account_joins_a_venue_that_is_at_work() -> None:
    venue = venue_of(1_000)
    send(venue, 1, order(0, -1, 3, 100))
    joined = venue.add_account(AccountSetup((500,)))
    send(venue, 2, order(joined, 1, 2))
    assert fills(venue) == [(0, -2, 100, R.LIMIT_RESTED), (1, 2, 100, R.MARKET)]
    assert venue.depth(0) == ([], [(100, 1)])
    assert [venue.balances(number) for number in range(2)] == [[1_000], [500]]


def test_what_was_drained_is_forgotten_and_what_follows_is_not() -> None:
    venue = venue_of(1_000, 1_000)
    send(venue, 1, order(0, -1, 3, 100))
    send(venue, 2, order(1, 1, 2))
    taken, effects, _ = venue.drain()
    assert len(taken) == 2 and effects[:, at.E_FILL].tolist() == [0, 1]
    assert len(venue.fills) == len(venue.effects) == len(venue.done) == 0
    send(venue, 3, order(1, 1, 1))
    assert fills(venue) == [(0, -1, 100, R.LIMIT_RESTED), (1, 1, 100, R.MARKET)]


def test_an_account_is_told_its_margin_and_what_is_free() -> None:
    venue = venue_of(1_000, 1_000)
    send(venue, 1, order(0, -1, 10, 100))
    send(venue, 2, order(1, 1, 10))
    send(venue, 3, order(1, 1, 10, 99))
    venue.on_mark(0, 4, 90)
    # ten times leverage on the mark: 90 of 900; 99 for the order; 100 of open loss
    assert venue.state(1).tolist() == [900, 0, 711, 90, 99, -100]
    assert venue.leg_state(1, 0, 0).tolist() == [900, 90, 0, -100, 1]
    assert venue.leg_state(1, 0, 1).tolist() == [0] * 5


def test_isolated_margin_follows_leverage_and_mode() -> None:
    venue = venue_of(1_000, 1_000, mode=at.ISOLATED)
    send(venue, 1, order(0, -1, 10, 100))
    send(venue, 2, order(1, 1, 10))
    assert venue.position(1, 0)[2] == 100
    venue.set_leverage(1, 0, 0, 2_000)
    assert venue.position(1, 0)[2] == 50
    venue.set_modes(1, margin_mode=at.CROSS, position_mode=at.ONE_WAY)
    assert venue.position(1, 0)[2] == 0


def test_fees_are_an_account_s_own() -> None:
    venue = venue_of(1_000, 1_000)
    venue.set_fees(1, 0, maker_e8=0, taker_e8=1_000_000)
    send(venue, 1, order(0, -1, 10, 100))
    send(venue, 2, order(1, 1, 10))
    assert venue.balances(0) == [1_000] and venue.balances(1) == [990]


def test_a_closed_market_is_settled_at_a_price_without_a_fee() -> None:
    venue = venue_of(1_000, 1_000)
    venue.set_fees(1, 0, maker_e8=0, taker_e8=1_000_000)
    send(venue, 1, order(0, -1, 10, 100))
    send(venue, 2, order(1, 1, 10))
    protects = send(venue, 3, order(1, -1, 10, 130, reduce_only=True))
    venue.settle(1, 0, 4, leg=0, price=105, reason=R.SETTLED)
    assert fills(venue)[-1] == (1, -10, 105, R.SETTLED)
    assert venue.balances(1) == [1_000 - 10 + 50]
    assert ended(venue)[protects] is R.CANCELLED_POSITION_CLOSED
    venue.settle(1, 0, 5, leg=0, price=105, reason=R.SETTLED)
    assert len(fills(venue)) == 3


def test_a_coin_that_was_deposited_can_be_sold() -> None:
    spot = InstrumentSetup(at.SPOT, base_coin=1)
    venue = BookMachine((spot,), (AccountSetup((1_000, 0)), AccountSetup((1_000, 0))))
    venue.transfer(0, 1, 1, 5)
    send(venue, 1, order(0, -1, 5, 100))
    send(venue, 2, order(1, 1, 2))
    assert venue.balances(0) == [1_200, 3] and venue.balances(1) == [800, 2]
