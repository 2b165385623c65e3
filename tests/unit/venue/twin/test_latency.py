"""Latency and lock-step: commands arrive later, in order, and the clock moves only when told."""

from pathlib import Path

import pytest

from openalpha.core.clock import ManualClock, SystemClock
from openalpha.venue.twin import Exchange, TwinSettings
from openalpha.venue.twin.durable import open_twin
from tests.fakes.twin import BTC, LINEAR, START_MS, Client, Refusal, admin, new_exchange, wait


@pytest.fixture
def venue() -> Exchange:
    exchange = new_exchange()
    admin(exchange, "/twin/latency", ms=250)
    return exchange


def test_an_order_is_acknowledged_now_and_acts_when_it_arrives(venue: Exchange) -> None:
    me = Client.of(venue)
    order = me.order("Buy", "0.01", "50000", orderLinkId="later")
    with pytest.raises(Refusal) as unknown:
        me.post("/v5/order/cancel", **LINEAR, orderLinkId="later")
    assert unknown.value.code == 110001
    with pytest.raises(Refusal) as twice:
        me.order("Buy", "0.01", "50000", orderLinkId="later")
    assert twice.value.code == 110072
    wait(venue, 249)
    assert me.get("/v5/order/realtime", **LINEAR)["list"] == []
    wait(venue, 1)
    shown = me.shown(order)
    assert shown["orderStatus"] == "New"
    assert int(shown["createdTime"]) == START_MS + 250
    me.post("/v5/order/cancel", **LINEAR, orderId=order)
    assert me.shown(order)["orderStatus"] == "New"
    wait(venue, 250)
    assert me.shown(order)["orderStatus"] == "Cancelled"


def test_what_is_refused_on_arrival_ends_rejected(venue: Exchange) -> None:
    me = Client.of(venue, USDT="1000")
    first, second = me.order("Buy", "0.12"), me.order("Buy", "0.12")
    wait(venue, 300)
    assert me.shown(first)["orderStatus"] == "Filled"
    shown = me.shown(second)
    assert (shown["orderStatus"], shown["cumExecQty"]) == ("Rejected", "0.000")
    assert me.position()["size"] == "0.120"


def test_a_cancel_that_comes_too_late_changes_nothing(venue: Exchange) -> None:
    me, other = Client.of(venue), Client.of(venue)
    resting = me.order("Buy", "0.01", "61000", timeInForce="GTC")
    wait(venue, 300)
    assert me.shown(resting)["orderStatus"] == "Filled"
    mine = me.order("Buy", "0.01", "59000")
    wait(venue, 300)
    me.post("/v5/order/amend", **LINEAR, orderId=mine, qty="0.02")
    other.order("Sell", "0.01", "59000")
    wait(venue, 300)
    assert me.shown(mine)["qty"] == "0.020"


def test_commands_in_flight_outlive_a_restart(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    settings = TwinSettings(listings=(BTC,), backfill_days=0, levels=50, latency_ms=500)
    exchange, journal = open_twin(tmp_path, settings, clock=clock)
    me = Client.of(exchange)
    order = me.order("Buy", "0.01", "50000")
    journal.sync()
    journal.close()
    exchange, journal = open_twin(tmp_path, settings, clock=clock)
    me.exchange = exchange
    wait(exchange, 600)
    assert me.shown(order)["orderStatus"] == "New"
    journal.close()


def test_a_lock_step_clock_moves_when_it_is_told(venue: Exchange) -> None:
    assert admin(venue, "/twin/clock", advance_ms=60_000) == {"now_ms": START_MS + 60_000}
    with pytest.raises(Refusal):
        admin(venue, "/twin/clock", advance_ms="soon")
    wall = Exchange(TwinSettings(listings=(BTC,), backfill_days=0, levels=50), SystemClock())
    with pytest.raises(Refusal, match="lockstep"):
        admin(wall, "/twin/clock", advance_ms=1)
