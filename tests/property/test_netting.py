"""Netting of sub-books: nothing appears, nothing is lost, and nobody's part is another's."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.messages import ApprovedIntent
from openalpha.core.orders import Side
from openalpha.trading.venue.netting import Want, netted, share_out
from openalpha.trading.venue.state import Part
from tests.fakes.gate_view import BTC, buy, sell

LOT = BTC.steps[-1].lot_size
QTYS = st.lists(st.integers(-500, 500).filter(bool), min_size=1, max_size=6)


def wants_of(lots: list[int]) -> list[Want]:
    made = [(buy if n > 0 else sell)(str(abs(n) * LOT)) for n in lots]
    return [Want(at, 0, "entry", ApprovedIntent(one, at)) for at, one in enumerate(made)]


@given(QTYS, st.integers(-800, 800))
def test_what_is_crossed_and_what_is_sent_is_what_each_wanted(lots: list[int], held: int) -> None:
    crossed, orders, _ = netted(wants_of(lots), position=held * LOT, item=BTC)
    assert sum(one.side * one.qty for one in crossed) == 0
    assert sum(order.side * order.qty for order in orders) == sum(lots) * LOT
    got = dict.fromkeys(range(len(lots)), Decimal(0))
    for one in crossed:
        got[one.book] += one.side * one.qty
    for order in orders:
        assert abs(sum(part.qty for part in order.parts) - order.qty) < LOT / 1000
        for part in order.parts:
            got[part.book] += order.side * part.qty
    assert all(abs(got[at] - n * LOT) < LOT / 1000 for at, n in enumerate(lots))
    for order in orders:
        if order.is_reduce_only:
            assert order.qty <= abs(held * LOT) and order.side * held < 0


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
)
def test_fills_are_shared_out_in_proportion_and_whole_lots(
    wanted: list[int], fills: list[int]
) -> None:
    parts = [Part(at, 0, "entry", qty * LOT) for at, qty in enumerate(wanted)]
    done = Decimal(0)
    for fill in fills:
        given_now = share_out(parts, fill * LOT, lot=LOT)
        done += fill * LOT
        assert sum(qty for _, qty in given_now) == fill * LOT
        assert all(qty > 0 and qty % LOT == 0 for _, qty in given_now)
    for part, qty in zip(parts, wanted, strict=True):
        fair = done * qty / sum(wanted)
        assert abs(part.got - fair) <= 2 * LOT


def test_a_flip_closes_by_one_order_and_opens_by_another() -> None:
    _, (close, entry), _ = netted(wants_of([-300]), position=100 * LOT, item=BTC)
    assert (close.qty, close.is_reduce_only) == (100 * LOT, True)
    assert (entry.qty, entry.is_reduce_only) == (200 * LOT, False)
    assert entry.side is Side.SELL
