"""The order record under any order of rows and executions: what is true in the end is believed."""

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import OrderError
from openalpha.core.instruments import InstrumentId, Kind
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.core.orders import TRANSITIONS, OrderStatus, Side, is_terminal
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.bybit.state import freeze, thaw
from openalpha.trading.orders.held import Holding
from openalpha.trading.orders.link_id import Cause, attempt_of, is_ours, link_id, next_attempt
from openalpha.trading.orders.moves import path
from openalpha.trading.orders.side import Input, PlacedOrder

BTC = InstrumentId("bybit_linear:BTCUSDT")
TEXT = st.text(max_size=30)


@given(run=TEXT, strategy=TEXT, seq=st.integers(0, 2**40), leg=TEXT, attempt=st.integers(0, 998))
def test_ids_fit_the_venue_and_follow_from_their_cause(
    run: str, strategy: str, seq: int, leg: str, attempt: int
) -> None:
    cause = Cause(run, strategy, seq, BTC, leg)
    name = link_id(cause, attempt=attempt)
    assert len(name) <= 36 and is_ours(name)
    assert name == link_id(Cause(run, strategy, seq, BTC, leg), attempt=attempt)
    assert attempt_of(name) == attempt
    assert next_attempt(name) == link_id(cause, attempt=attempt + 1)


def test_no_two_causes_share_an_id() -> None:
    causes = [
        Cause(run, strategy, seq, BTC, leg)
        for run in ("a", "ab")
        for strategy in ("b", "")
        for seq in range(12)
        for leg in ("1", "11", "")
    ]
    assert len({link_id(cause) for cause in causes}) == len(causes)


def test_an_order_is_not_tried_for_ever() -> None:
    with pytest.raises(OrderError, match="tried 1000 times"):
        next_attempt(link_id(Cause("r", "s", 1, BTC, "l"), attempt=999))
    with pytest.raises(OrderError, match="no order id of ours"):
        next_attempt("web-7")


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("target", OrderStatus)
def test_paths_use_the_table_and_never_leave_an_end_but_by_fills(
    status: OrderStatus, target: OrderStatus
) -> None:
    events = path(status, target)
    if events is None:
        return
    here = status
    for number, event in enumerate(events):
        assert number == 0 or not is_terminal(here)
        here = TRANSITIONS[here, event]
    assert here is target


def rows_of(draw: random.Random, link: str, qty: int, steps: int) -> tuple[list[bytes], str, int]:
    """A life of an order at the venue as its pushes in true order, its end and what it filled."""
    pushes, filled, ts = [], 0, 1_000

    def order(status: str) -> None:
        row = {
            "category": "linear",
            "symbol": "BTCUSDT",
            "orderId": "v1",
            "orderLinkId": link,
            "side": "Buy",
            "orderType": "Limit",
            "orderStatus": status,
            "price": "100",
            "qty": str(qty),
            "cumExecQty": str(filled),
            "updatedTime": str(ts),
        }
        pushes.append(canonical_json({"topic": "order", "data": [row]}))

    order("New")
    for step in range(steps):
        ts += draw.randint(0, 3)
        part = draw.randint(1, max(1, qty - filled)) if step < steps - 1 else qty - filled
        if draw.random() < 0.2 or part == 0:
            break
        filled += part
        execution = {
            "category": "linear",
            "symbol": "BTCUSDT",
            "orderId": "v1",
            "orderLinkId": link,
            "side": "Buy",
            "execId": f"e{step}",
            "execType": "Trade",
            "execPrice": str(100 - step),
            "execQty": str(part),
            "execFee": "0.01",
            "execTime": str(ts),
        }
        pushes.append(canonical_json({"topic": "execution", "data": [execution]}))
        order("Filled" if filled == qty else "PartiallyFilled")
        if filled == qty:
            return pushes, "FILLED", filled
    ts += 1
    order("Cancelled")
    return pushes, "CANCELLED", filled


@given(seed=st.integers(0, 100_000))
def test_pushes_in_any_order_and_twice_end_in_the_truth(seed: int) -> None:
    draw = random.Random(seed)
    side = BybitSide()
    side.account.is_grounded = True
    intent = OrderIntent(
        0, BTC, Side.BUY, Decimal(10), limit_price=Decimal(100), is_reduce_only=False
    )
    name = link_id(Cause("r", "s", 1, BTC, "entry"))
    side.send([PlacedOrder(ApprovedIntent(intent, 1), name)])
    pushes, end, filled = rows_of(draw, name, 10, 4)
    heard = pushes + draw.sample(pushes, k=draw.randint(0, len(pushes)))
    draw.shuffle(heard)
    events = [
        event
        for number, push in enumerate(heard)
        for event in side.hear(Input(FrameKind.FEED, push, 2_000 + number))
    ]
    order = side.record.orders[name]
    assert (order.shown.name, order.filled_qty) == (end, Decimal(filled))
    assert order.is_settled
    assert side.account.holdings.get("bybit_linear:BTCUSDT/0", Holding(Kind.LINEAR)).qty == filled
    assert not [event for event in events if type(event).__name__ == "Incident"]
    again = thaw(freeze(side.record, side.account, stops=side.stops, now_ms=side.now_ms))
    assert again[0] == side.record or again[0].orders == side.record.orders
    assert again[1] == side.account


@given(
    parts=st.lists(
        st.tuples(st.sampled_from(list(Side)), st.integers(1, 50), st.integers(1, 500)),
        max_size=12,
    ),
    kind=st.sampled_from([Kind.LINEAR, Kind.INVERSE]),
)
def test_a_position_closed_at_its_average_booked_what_cash_moved(
    parts: list[tuple[Side, int, int]], kind: Kind
) -> None:
    held = Holding(kind)
    cash = Decimal(0)
    for side, qty, price in parts:
        held.apply(side, qty=Decimal(qty), price=Decimal(price))
        value = Decimal(qty) * price if kind is Kind.LINEAR else -Decimal(qty) / price
        cash -= side * value
    if held.qty:
        value = held.qty * held.avg_price if kind is Kind.LINEAR else -held.qty / held.avg_price
        cash += value
    assert abs(cash - held.realised) < Decimal("1e-20")


@given(
    parts=st.lists(
        st.tuples(
            st.sampled_from(list(Side)),
            st.integers(1, 9),
            st.integers(1, 500),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=8,
    ),
    data=st.data(),
)
def test_executions_heard_in_any_order_are_put_in_the_venues_by_part_of_its_list(
    parts: list[tuple[Side, int, int, int]], data: st.DataObject
) -> None:
    """Found by scenario 5731: an answer that began after the older ones put those last."""
    told = Holding(Kind.LINEAR)
    made, ts_ms = [], 1_000
    for number, (side, qty, price, later_ms) in enumerate(parts):
        ts_ms += later_ms
        told.apply(side, qty=Decimal(qty), price=Decimal(price))
        made.append((f"e{number}", side, Decimal(qty), Decimal(price), ts_ms))
    held = Holding(Kind.LINEAR)
    for name, side, qty, price, at_ms in data.draw(st.permutations(made)):
        held.take(name, side, qty=qty, price=price, ts_ms=at_ms)
    since_ms = data.draw(st.sampled_from([at_ms for *_, at_ms in made]))
    answered = [name for name, *_, at_ms in made if at_ms >= since_ms]
    for names in ([name for name, *_ in made], answered):
        held.put_in_order({name: place for place, name in enumerate(names)})
    assert (held.qty, held.avg_price) == (told.qty, told.avg_price)


def test_what_is_settled_and_old_is_forgotten_and_nothing_else() -> None:
    side = BybitSide()
    side.account.is_grounded = True
    day = 86_400_000
    names = []
    for number in range(3):
        name = link_id(Cause("r", "s", number, BTC, "entry"))
        names.append(name)
        intent = OrderIntent(0, BTC, Side.BUY, Decimal(10), limit_price=Decimal(100))
        side.send([PlacedOrder(ApprovedIntent(intent, 1), name)])
        pushes, _, _ = rows_of(random.Random(number), name, 10, 4)
        for push in pushes if number else pushes[:1]:
            side.hear(Input(FrameKind.FEED, push.replace(b'"v1"', b'"v%d"' % number), 2_000))
    side.hear(Input(FrameKind.TIMER, b"{}", 3_700_000))
    assert list(side.record.orders) == names
    side.account.fills_since_ms = 3 * day
    side.hear(Input(FrameKind.TIMER, b"{}", 3 * day))
    assert list(side.record.orders) == names[:1], "the open one is kept"
    assert side.record.exec_ids == {} and set(side.record.by_venue_id) == {"v0"}


@given(seed=st.integers(0, 100_000))
def test_a_field_that_is_missing_breaks_no_reader(seed: int) -> None:
    draw = random.Random(seed)
    side = BybitSide()
    side.account.is_grounded = True
    intent = OrderIntent(0, BTC, Side.BUY, Decimal(10), limit_price=Decimal(100))
    name = link_id(Cause("r", "s", 1, BTC, "entry"))
    side.send([PlacedOrder(ApprovedIntent(intent, 1), name)])
    pushes, end, filled = rows_of(draw, name, 10, 4)
    for push in pushes:
        poor = json.loads(push)
        row = poor["data"][0]
        del row[draw.choice([field for field in row if field != "orderLinkId"])]
        side.hear(Input(FrameKind.FEED, canonical_json(poor), 2_000))
    # Whole rows come with the answer to a question, and put everything right.
    for push in pushes:
        side.hear(Input(FrameKind.FEED, push, 3_000))
    order = side.record.orders[name]
    assert (order.status.name, order.filled_qty) == (end, Decimal(filled))
