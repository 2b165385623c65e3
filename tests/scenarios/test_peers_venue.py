"""What hurt others in a trade at an exchange: each story is red without the guard it names."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import DAY_MS, HOUR_MS
from openalpha.core.orders import OrderType
from openalpha.engine import funding
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.record import Pending
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.halts import Halts
from openalpha.trading.venue.stops import Protection
from openalpha.venue.bybit.new_order import NewOrder
from tests.fakes.small_market import linear, market
from tests.fakes.twin import admin, wait
from tests.faults.stories import Acts, agrees, asked, buys, world_of
from tests.faults.trader import Wishes
from tests.integration.trading.test_people_and_spot import (
    LINEAR_ID,
    begun,
    both_markets,
    opened,
    said,
    turned,
)
from tests.integration.trading.test_venue_runs import Place

Scene = tuple[Place, VenueDriver]
Removal = Callable[[pytest.MonkeyPatch], None]
WISH = {"instrument": LINEAR_ID}
LINEAR = {"category": "linear", "symbol": "BTCUSDT"}


@pytest.fixture
def scene(home: Path) -> Iterator[Scene]:
    """A run that people trade by, on a twin."""
    with both_markets(home) as place:
        yield place, opened(place, begun(place, on=LINEAR_ID), None)


def size(place: Place) -> Decimal:
    return Decimal(place.client.position()["size"] or 0)


def gap(place: Place, share: str) -> None:
    admin(place.exchange, "/twin/market", symbol="BTCUSDT", event="gap", size=share)
    wait(place.exchange, 30_000)


def waiting(place: Place) -> list[dict[str, Any]]:
    rows = place.client.get("/v5/order/realtime", **LINEAR)["list"]
    return [row for row in rows if row["orderStatus"] == "Untriggered"]


def a_delisting_while_in_a_trade_closes_it_and_the_run_goes_on(scene: Scene) -> None:
    """https://github.com/freqtrade/freqtrade/issues/11414"""
    place, driver = scene
    said(driver, "ORDER", **WISH, side="buy", qty="0.02")
    assert size(place)
    told = {"what": "instrument", "id": LINEAR_ID, "status": "Trading"}
    told |= {"delivery_ms": driver.clock.now_ms() + DAY_MS // 2}
    driver.take(FrameKind.HEALTH, canonical_json(told))
    rows = driver.desk.rows
    while driver.desk.rows < rows + 2:
        turned(driver, 1)
    assert not size(place) and not waiting(place), "out, a day before the exchange settles it"
    assert [one.code for one in driver.desk.incidents] == ["instrument_halted"]
    refused = said(driver, "ORDER", **WISH, side="buy", qty="0.02")
    assert "link" not in refused or not size(place)


def a_stop_covers_what_is_left_after_partial_exits(scene: Scene) -> None:
    """https://github.com/freqtrade/freqtrade/issues/8045"""
    place, driver = scene
    said(driver, "ORDER", **WISH, side="buy", qty="0.03")
    turned(driver, 4)
    for left in ("0.02", "0.01"):
        said(driver, "ORDER", **WISH, side="sell", qty="0.01", reduce_only=True)
        turned(driver, 4)
        assert size(place) == Decimal(left)
        assert [Decimal(row["qty"]) for row in waiting(place)] == [Decimal(left)]


def a_stop_that_is_reached_gets_out_at_any_price(scene: Scene) -> None:
    """https://github.com/freqtrade/freqtrade/issues/12984"""
    place, driver = scene
    said(driver, "ORDER", **WISH, side="buy", qty="0.02")
    turned(driver, 4)
    assert waiting(place) and Decimal(place.client.position()["stopLoss"] or 0) == 0
    gap(place, "-0.15")
    assert not size(place), "the market is far below the stop, and nothing is left hanging"


def a_cancel_without_an_answer_is_not_repeated_for_ever() -> None:
    """https://github.com/hummingbot/hummingbot/pull/6107"""
    acts: Acts = {1: buys("0.02", order_type=OrderType.LIMIT, limit_price=Decimal(50_000))}
    acts |= dict.fromkeys(range(3, 40), cancels_all)
    world = world_of(acts)
    world.run(10)
    world.exchange.faults.add({"kind": "drop_after", "match": "/v5/order/cancel", "count": 9})
    world.exchange.faults.add({"kind": "miss_push", "match": "order", "count": 9})
    world.run(120)
    world.settle()
    lost = [one for one in world.exchange.faults.log if one["what"] == "/v5/order/cancel"]
    assert asked(world, "order/cancel") + len(lost) == 1, "its fate is asked for, it is not shouted"
    agrees(world)


def cancels_all(side: BybitSide) -> Wishes:
    """A decision that wants nothing to be open."""
    return Wishes(cancels=[order.link_id for order in side.record.open_orders()])


def a_missing_funding_rate_is_an_open_item_and_no_constant() -> None:
    """https://github.com/freqtrade/freqtrade/issues/7978"""
    rules = linear(funding_interval_ms=8 * HOUR_MS)
    rates = {0: "0.0001", 8: "0.0003", 16: "-0.0002", 32: "0.0001"}
    history = market([100] * 40, instrument=rules, funding=rates)
    assert len(history.funding_gaps) == 1, "it is named"
    lowest, highest = (
        funding.bounded(history, highest=one)[1].tolist()[3] for one in (False, True)
    )
    assert (lowest, highest) == (-200_000_000, 300_000_000), "from both sides, by what is known"


def _never_limits(patch: pytest.MonkeyPatch) -> None:
    params = NewOrder.params

    def limited(self: NewOrder) -> dict[str, Any]:
        fields = params(self)
        if self.is_reduce_only and self.trigger_price is not None:
            fields |= {"orderType": "Limit", "price": fields["triggerPrice"]}
        return fields

    patch.setattr(NewOrder, "params", limited)


GUARDS: dict[Callable[[Any], None], tuple[str, Removal]] = {
    a_delisting_while_in_a_trade_closes_it_and_the_run_goes_on: (
        "what is to be delisted is closed while it can be (Halts.must_close)",
        lambda patch: patch.setattr(Halts, "must_close", lambda self, name, now_ms: False),
    ),
    a_stop_covers_what_is_left_after_partial_exits: (
        "each movement of a position leads its exits along (Protection.settle)",
        lambda patch: patch.setattr(Protection, "settle", lambda self, work: work.moved.clear()),
    ),
    a_stop_that_is_reached_gets_out_at_any_price: (
        "a stop goes out at the market once it is reached (NewOrder.params)",
        _never_limits,
    ),
}


@pytest.mark.parametrize("story", GUARDS, ids=lambda story: story.__name__)
def test_it_does_not_happen_here(story: Callable[[Scene], None], scene: Scene) -> None:
    assert story.__doc__ is not None and story.__doc__.startswith("https://github.com/")
    story(scene)


@pytest.mark.parametrize("story", GUARDS, ids=lambda story: story.__name__)
def test_it_would_without_its_guard(
    story: Callable[[Scene], None], scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, remove = GUARDS[story]
    remove(monkeypatch)
    with pytest.raises(AssertionError):
        story(scene)
    assert guard


def test_a_cancel_is_asked_for_once() -> None:
    a_cancel_without_an_answer_is_not_repeated_for_ever()


def test_it_would_be_shouted_without_its_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: what became of a cancel without an answer is asked (`BybitSide._cancelled`)."""

    def as_if_nothing_happened(self: BybitSide, reply: Any) -> None:
        for name in reply.link_ids:
            order = self.record.orders[name]
            order.pending, order.wants_cancel = Pending.NONE, False

    monkeypatch.setattr(BybitSide, "_cancelled", as_if_nothing_happened)
    with pytest.raises(AssertionError):
        a_cancel_without_an_answer_is_not_repeated_for_ever()


def test_missing_funding_is_bounded_and_named() -> None:
    a_missing_funding_rate_is_an_open_item_and_no_constant()


def test_it_would_be_a_constant_without_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guard: a stretch is filled at the means that are known (`funding._known_sums`)."""
    monkeypatch.setattr(funding, "_known_sums", lambda history, length_ms: funding.np.zeros(1, int))
    with pytest.raises(AssertionError):
        a_missing_funding_rate_is_an_open_item_and_no_constant()
