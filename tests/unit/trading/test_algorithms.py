"""Worked orders: pieces when due, never more than the whole, prices never past the limit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import InputError
from openalpha.core.instruments import InstrumentId
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderStatus, OrderType, Side, TimeInForce
from openalpha.trading.orders.algorithms import Child, Kind, Parent, Quote, next_step, volume_shares

BTC = InstrumentId("bybit_linear:BTCUSDT")
D = Decimal
QUOTE = Quote(D("99.9"), D("100.1"))
S = OrderStatus


def parent(kind: Kind, *, side: Side = Side.BUY, qty: str = "1", limit: str = "", **more) -> Parent:
    whole = OrderIntent(0, BTC, side, D(qty), limit_price=D(limit) if limit else None)
    return Parent(kind, whole, D("0.1"), D("0.1"), 1_000, 11_000, **{"pieces": 5, **more})


def child(name: str, status: OrderStatus, qty: str, filled: str = "0", price: str = "") -> Child:
    return Child(name, status, D(qty), D(filled), D(price) if price else None)


def test_twap_places_each_piece_at_its_interval_and_catches_up() -> None:
    twap = parent(Kind.TWAP)
    assert next_step(twap, [], quote=QUOTE, now_ms=999).place is None
    first = next_step(twap, [], quote=QUOTE, now_ms=1_000)
    assert first.place is not None
    assert (first.place.qty, first.place.order_type) == (D("0.2"), OrderType.MARKET)
    done = [child("a", S.FILLED, "0.2", "0.2")]
    assert next_step(twap, done, quote=QUOTE, now_ms=2_999).place is None
    late = next_step(twap, done, quote=QUOTE, now_ms=7_500)
    assert late.place is not None and (late.place.qty, late.leg) == (D("0.6"), "slice1")


def test_what_an_order_of_unknown_fate_may_fill_is_not_ordered_again() -> None:
    twap = parent(Kind.TWAP)
    unknown = [child("a", S.UNKNOWN, "0.2")]
    assert next_step(twap, unknown, quote=QUOTE, now_ms=1_500).place is None
    gone = [child("a", S.REJECTED, "0.2")]
    again = next_step(twap, gone, quote=QUOTE, now_ms=1_500)
    assert again.place is not None and (again.place.qty, again.leg) == (D("0.2"), "slice1")
    assert next_step(twap, gone, quote=QUOTE, now_ms=1_500, last_ms=1_400).place is None


def test_vwap_follows_the_curve_of_the_volume() -> None:
    vwap = parent(Kind.VWAP, shares=(0.5, 0.1, 0.1, 0.1, 0.2))
    step = next_step(vwap, [], quote=QUOTE, now_ms=1_000)
    assert step.place is not None and step.place.qty == D("0.5")
    with pytest.raises(InputError, match="as many shares"):
        parent(Kind.VWAP, shares=(1.0,))


def test_an_iceberg_shows_one_piece_at_its_limit() -> None:
    iceberg = parent(Kind.ICEBERG, limit="99.5")
    step = next_step(iceberg, [], quote=QUOTE, now_ms=1_000)
    assert step.place is not None
    terms = (step.place.qty, step.place.limit_price, step.place.time_in_force)
    assert terms == (D("0.2"), D("99.5"), TimeInForce.GTC)
    resting = [child("a", S.PARTIALLY_FILLED, "0.2", "0.1", "99.5")]
    assert next_step(iceberg, resting, quote=QUOTE, now_ms=3_000).place is None
    with pytest.raises(InputError, match="needs a limit price"):
        parent(Kind.ICEBERG)


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [(Side.BUY, "", "99.9"), (Side.SELL, "", "100.1"), (Side.BUY, "99", "99")],
)
def test_chase_rests_at_the_best_price_within_its_limit(side: Side, limit: str, price: str) -> None:
    chase = parent(Kind.CHASE, side=side, limit=limit)
    step = next_step(chase, [], quote=QUOTE, now_ms=2_000)
    assert step.place is not None
    assert (step.place.limit_price, step.place.qty) == (D(price), D(1))
    assert step.place.time_in_force is TimeInForce.POST_ONLY


def test_chase_follows_at_its_pace_and_waits_while_nothing_is_sure() -> None:
    chase = parent(Kind.CHASE)
    behind = [child("a", S.OPEN, "1", "0", "99.5")]
    assert next_step(chase, behind, quote=QUOTE, now_ms=5_000, last_ms=4_500).reprice == ()
    assert next_step(chase, behind, quote=QUOTE, now_ms=5_000).reprice == (("a", D("99.9")),)
    for status in (S.UNKNOWN, S.PENDING_AMEND, S.PENDING_CANCEL, S.SUBMITTED):
        unsure = [child("a", status, "1", "0", "99.5")]
        assert next_step(chase, unsure, quote=QUOTE, now_ms=5_000).reprice == ()
    there = [child("a", S.OPEN, "1", "0", "99.9")]
    assert next_step(chase, there, quote=QUOTE, now_ms=5_000).reprice == ()


def test_at_the_end_what_is_open_is_cancelled() -> None:
    for kind in (Kind.TWAP, Kind.CHASE):
        open_one = [child("a", S.OPEN, "1", "0.5", "99.9")]
        step = next_step(parent(kind), open_one, quote=QUOTE, now_ms=11_000)
        assert (step.cancels, step.place, step.is_done) == (("a",), None, False)
    ended = [child("a", S.CANCELLED, "1", "0.5", "99.9")]
    assert next_step(parent(Kind.CHASE), ended, quote=QUOTE, now_ms=11_000).is_done


def test_three_refusals_in_a_row_end_the_trying() -> None:
    refused = [child(str(number), S.REJECTED, "0.2") for number in range(3)]
    step = next_step(parent(Kind.TWAP), refused, quote=QUOTE, now_ms=5_000)
    assert step.is_blocked and step.place is None


@given(
    volumes=st.lists(st.integers(0, 10**7), max_size=48),
    pieces=st.integers(1, 40),
    start_ms=st.integers(0, 3 * 86_400_000),
    length_ms=st.integers(1, 2 * 86_400_000),
)
def test_shares_of_the_volume_are_the_whole(
    volumes: list[int], pieces: int, start_ms: int, length_ms: int
) -> None:
    shares = volume_shares(volumes, start_ms=start_ms, end_ms=start_ms + length_ms, pieces=pieces)
    assert len(shares) == pieces and all(share >= -1e-12 for share in shares)
    assert abs(sum(shares) - 1) < 1e-9


def test_a_vwap_over_midnight_goes_by_both_days() -> None:
    hour, curve = 3_600_000, [4] + [1] * 22 + [2]
    shares = volume_shares(curve, start_ms=23 * hour, end_ms=25 * hour, pieces=2)
    assert shares == pytest.approx((1 / 3, 2 / 3))


def test_a_chase_waits_where_nothing_is_known_of_the_market() -> None:
    chase = parent(Kind.CHASE)
    assert next_step(chase, [], quote=None, now_ms=2_000).place is None
    resting = [child("a", S.OPEN, "1", price="99.5")]
    assert next_step(chase, resting, quote=None, now_ms=9_000).reprice == ()


FATES = st.tuples(
    st.sampled_from([S.FILLED, S.CANCELLED, S.REJECTED, S.OPEN, S.UNKNOWN]), st.integers(0, 10)
)


@given(
    kind=st.sampled_from(list(Kind)),
    fates=st.lists(FATES, max_size=30),
    step_ms=st.integers(100, 3_000),
)
def test_never_more_than_the_whole_is_filled_or_open(kind: Kind, fates, step_ms: int) -> None:
    worked = parent(kind, limit="99.9", shares=(0.2,) * 5 if kind is Kind.VWAP else ())
    children: list[Child] = []
    now_ms = 1_000
    for status, tenths in fates:
        step = next_step(worked, children, quote=QUOTE, now_ms=now_ms)
        if step.place is not None:
            assert step.place.qty % D("0.1") == 0 and step.place.qty > 0
            assert step.place.limit_price == D("99.9")
            part = step.place.qty if status is S.FILLED else step.place.qty * tenths / 10
            part = D(0) if status is S.REJECTED else part
            children.append(Child(step.leg, status, step.place.qty, part, D("99.9")))
        assert sum(one.committed for one in children) <= 1
        now_ms += step_ms
    assert len({one.link_id for one in children}) == len(children)
