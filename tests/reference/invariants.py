"""What must hold of any outcome, whatever the rules: conservation, budgets, reduce-only."""

from collections import Counter, defaultdict
from fractions import Fraction

from openalpha.core.instruments import Kind
from openalpha.core.orders import OrderStatus
from openalpha.core.reasons import Reason
from tests.reference.money import sign
from tests.reference.scenario import NO_EXITS, Case, New, Outcome

LIQUIDATIONS = (Reason.LIQUIDATION_PARTIAL, Reason.LIQUIDATION_TAKEOVER)


def check_invariants(case: Case, out: Outcome) -> None:
    balances_are_the_sum_of_effects(case, out)
    positions_are_the_sum_of_fills(case, out)
    orders_filled_what_fills_say(out)
    reduce_only_never_increases(case, out)
    budgets_are_kept(case, out)


def balances_are_the_sum_of_effects(case: Case, out: Outcome) -> None:
    sums = list(case.account.balances)
    for effect in out.effects:
        sums[effect.coin] += effect.amount
    assert tuple(sums) == out.balances


def positions_are_the_sum_of_fills(case: Case, out: Outcome) -> None:
    """A position is what was filled; a spot position is its coin's balance."""
    filled: Counter[tuple[int, int]] = Counter()
    for fill in out.fills:
        filled[fill.instrument, fill.leg] += fill.qty
    for (i, leg), position in out.positions.items():
        rules = case.instruments[i]
        if rules.kind is Kind.SPOT:
            expected = out.balances[rules.base_coin] if leg == 0 else 0
        else:
            expected = filled[i, leg]
            assert position.qty != 0 or (position.cost == 0 and position.isolated == 0)
        assert position.qty == expected


def orders_filled_what_fills_say(out: Outcome) -> None:
    filled: Counter[int] = Counter()
    for fill in out.fills:
        if fill.order_id:
            filled[fill.order_id] += abs(fill.qty)
    for order_id, order in out.orders.items():
        assert order.filled == filled[order_id]
        has_refusal = order.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)
        assert has_refusal == (order.reason is not Reason.NONE)


def reduce_only_never_increases(case: Case, out: Outcome) -> None:
    """Follow each perpetual leg: a reduce-only fill brings it nearer to 0 and not beyond."""
    held: Counter[tuple[int, int]] = Counter()
    for fill in out.fills:
        at = fill.instrument, fill.leg
        before, after = held[at], held[at] + fill.qty
        held[at] = after
        rules = case.instruments[fill.instrument]
        if rules.kind is not Kind.SPOT and _only_reduces(case, fill.order_id, fill.reason):
            assert abs(after) < abs(before)
            assert sign(after) in (0, sign(before))


def _only_reduces(case: Case, order_id: int, reason: Reason) -> bool:
    """Orders made by the venue only reduce; of a user's we know what was asked, in order of ids."""
    if reason in (*LIQUIDATIONS, Reason.TIME_EXIT):
        return True
    news = [c for c in case.commands if isinstance(c, New)]
    # Ids follow the commands as long as no exits were made in between.
    if any(n.exits != NO_EXITS for n in news) or not 0 < order_id <= len(news):
        return False
    return news[order_id - 1].is_reduce_only


def budgets_are_kept(case: Case, out: Outcome) -> None:
    """Fills strictly inside a bar fit its share of the volume; with both edges, its neighbours'."""
    length = case.market.timeframe_ms
    used: defaultdict[tuple[int, int], int] = defaultdict(int)
    for fill in out.fills:
        if fill.reason not in LIQUIDATIONS and fill.ts_ms % length:
            used[fill.instrument, fill.ts_ms // length] += abs(fill.qty)
    stamps = {ts // length: bar for bar, ts in enumerate(case.market.ts_ms)}
    for (i, moment), qty in used.items():
        row = case.market.series[i].bars[stamps[moment]]
        assert row is not None, "a fill needs a bar"
        share = case.instruments[i].participation_e6
        assert not share or qty <= Fraction(row[4] * share, 10**6)
