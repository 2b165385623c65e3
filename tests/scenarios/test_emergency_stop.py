"""The emergency stop on the twin: it ends flat, under load, faults and real rate limits."""

import time
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.clock import SystemClock
from openalpha.core.orders import Side
from openalpha.market.catalogue import shipped_instruments
from openalpha.net import HttpTransport, Priority, RateBroker
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.flatten import flatten, naked_positions
from openalpha.venue.bybit.limits import ADDRESS_LIMIT
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import Exchange, ListingSpec, TwinSettings
from tests.fakes.bybit import account, executions, pausing, wire
from tests.fakes.twin import BTC, BTC_SPOT, BTC_USD, new_exchange, served, wait

ETH = ListingSpec("linear", "ETHUSDT", Decimal(3_000))


@pytest.fixture
def exchange() -> Exchange:
    return new_exchange(BTC, ETH, BTC_SPOT, BTC_USD)


def client_of(exchange: Exchange, **more: object) -> BybitClient:
    balances = {"USDT": "500000", "BTC": "3"}
    key = account(exchange, balances=balances, **more)
    return wire(exchange, key, priority=Priority.RISK)[0]


def order(market: str, side: Side, qty: str, price: str = "", **more: object) -> NewOrder:
    category, _, symbol = market.partition(":")
    limit = Decimal(price) if price else None
    link = f"t-{time.perf_counter_ns()}"
    return NewOrder(category, symbol, side, Decimal(qty), link, limit, **more)  # type: ignore[arg-type]  # by name


def trade(exchange: Exchange, client: BybitClient) -> None:
    """Positions on three markets, orders of every kind on four."""
    for one in (
        order("linear:BTCUSDT", Side.BUY, "0.5"),
        order("linear:ETHUSDT", Side.SELL, "3"),
        order("inverse:BTCUSD", Side.BUY, "1000"),
        order("linear:BTCUSDT", Side.BUY, "0.1", "50000"),
        order("linear:BTCUSDT", Side.SELL, "0.5", "70000", is_reduce_only=True),
        order(
            "linear:ETHUSDT",
            Side.BUY,
            "3",
            trigger_price=Decimal(4_000),
            trigger_rises=True,
            is_reduce_only=True,
        ),
        order("inverse:BTCUSD", Side.SELL, "100", "90000"),
        order("spot:BTCUSDT", Side.BUY, "0.01", "50000"),
        order("spot:BTCUSDT", Side.SELL, "0.01", "70000"),
        order("spot:BTCUSDT", Side.SELL, "0.01", trigger_price=Decimal(50_000)),
    ):
        client.orders.create(one)
        wait(exchange, 200)


def stands(client: BybitClient) -> tuple[int, int]:
    """How many orders and positions stand."""
    orders = [
        *client.orders.open_orders("linear", settle="USDT"),
        *client.orders.open_orders("inverse", settle="BTC"),
        *client.orders.open_orders("spot"),
    ]
    held = client.positions.held("linear", settle="USDT") + client.positions.held("inverse")
    return len(orders), len(held)


def test_nothing_stands_after_it_and_coins_stay(exchange: Exchange) -> None:
    client = client_of(exchange)
    trade(exchange, client)
    assert stands(client) == (7, 3)
    before = {coin.coin: coin.wallet for coin in client.account.wallet().coins}
    done = flatten(client, pause=pausing(exchange))
    assert done.is_done and done.left == []
    assert stands(client) == (0, 0)
    after = {coin.coin: coin.wallet for coin in client.account.wallet().coins}
    assert abs(after["BTC"] - before["BTC"]) < Decimal("0.001"), "spot coins are not sold"
    again = flatten(client, pause=pausing(exchange))
    assert (again.is_done, again.cancelled, again.closing_orders, again.rounds) == (True, 0, 0, 1)


def test_hedged_legs_are_both_closed(exchange: Exchange) -> None:
    client = client_of(exchange, position_mode="hedge")
    client.orders.create(order("linear:BTCUSDT", Side.BUY, "0.5", idx=1))
    client.orders.create(order("linear:BTCUSDT", Side.SELL, "0.3", idx=2))
    wait(exchange, 200)
    assert stands(client)[1] == 2
    assert flatten(client, pause=pausing(exchange)).is_done
    assert stands(client) == (0, 0)


def test_what_it_is_told_to_sell_is_sold_once(exchange: Exchange) -> None:
    client = client_of(exchange)
    exchange.faults.add({"kind": "drop_after", "match": "/v5/order/create", "count": 1})
    done = flatten(client, sell={"BTCUSDT": Decimal("0.5")}, pause=pausing(exchange))
    assert done.is_done
    (sale,) = executions(client, "spot")[:1]
    sold = sum(one.qty for one in executions(client, "spot"))
    assert (sale.side, sold) == (Side.SELL, Decimal("0.5"))


def test_kept_positions_are_never_naked(exchange: Exchange) -> None:
    """A restart or a stop that cancels the exits leaves the position naked: freqtrade 12984."""
    client = client_of(exchange)
    trade(exchange, client)
    done = flatten(client, keep_positions=True, pause=pausing(exchange))
    assert done.is_done, done
    assert stands(client)[1] == 3
    orders = client.orders.open_orders("linear", settle="USDT")
    orders += client.orders.open_orders("inverse", settle="BTC")
    assert all(one.is_protective for one in orders)
    with_stop = {one.symbol for one in orders if one.trigger_price is not None}
    assert with_stop == {"BTCUSDT", "ETHUSDT", "BTCUSD"}
    assert [one.side for one in client.orders.open_orders("spot")] == [Side.SELL, Side.SELL]
    count = len(orders)
    assert flatten(client, keep_positions=True, pause=pausing(exchange)).is_done
    again = client.orders.open_orders("linear", settle="USDT")
    assert len(again + client.orders.open_orders("inverse", settle="BTC")) == count


@pytest.mark.parametrize(("side", "rises"), [(Side.BUY, True), (Side.SELL, False)])
def test_a_take_profit_alone_protects_nothing_and_stays(
    exchange: Exchange, side: Side, rises: bool
) -> None:
    client, other = client_of(exchange), Side.SELL if side is Side.BUY else Side.BUY
    client.orders.create(order("linear:BTCUSDT", side, "0.02"))
    terms = {"trigger_price": Decimal(66_000 if rises else 54_000), "trigger_rises": rises}
    profit = order("linear:BTCUSDT", other, "0.02", is_reduce_only=True, **terms)
    client.orders.create(profit)
    (naked,) = naked_positions(client)
    assert naked.symbol == "BTCUSDT"
    assert flatten(client, keep_positions=True, pause=pausing(exchange)).is_done
    assert naked_positions(client) == []
    (kept,) = [one for one in client.orders.open_orders("linear", settle="USDT") if one.link_id]
    assert (kept.link_id, kept.is_protective, kept.is_stop) == (profit.link_id, True, False)


@pytest.mark.parametrize(("part", "is_naked"), [("0.005", True), ("0.02", False)])
@pytest.mark.parametrize("is_own", [True, False])
def test_a_stop_of_a_part_protects_that_part_only(
    exchange: Exchange, part: str, is_naked: bool, is_own: bool
) -> None:
    """As an order beside the position, or as one of its own for a part of it."""
    client = client_of(exchange)
    client.orders.create(order("linear:BTCUSDT", Side.BUY, "0.02"))
    terms = {"trigger_price": Decimal(55_000), "trigger_rises": False}
    if is_own:
        market = {"category": "linear", "symbol": "BTCUSDT", "positionIdx": 0}
        body = {"tpslMode": "Partial", "slSize": part, "stopLoss": "55000"}
        path = "/v5/position/trading-stop"
        client.channel.call(Call(path, market | body, is_write=True))
    else:
        client.orders.create(order("linear:BTCUSDT", Side.SELL, part, is_reduce_only=True, **terms))
    assert bool(naked_positions(client)) is is_naked
    assert flatten(client, keep_positions=True, pause=pausing(exchange)).is_done
    assert naked_positions(client) == []
    (held,) = client.positions.held("linear", settle="USDT")
    assert (held.stop_loss is not None) is is_naked, "all of it has one now"


@pytest.mark.parametrize("seed", range(6))
def test_it_ends_flat_through_faults(exchange: Exchange, seed: int) -> None:
    """The kill switch fired and orders went on: hummingbot 2534."""
    client = client_of(exchange)
    trade(exchange, client)
    exchange.faults.reseed(seed)
    for kind in ("drop_before", "drop_after", "busy_before", "busy_after", "http_500"):
        exchange.faults.add({"kind": kind, "match": "/v5/", "probability": 0.08})
    done = flatten(client, pause=pausing(exchange))
    exchange.faults.clear()
    assert done.is_done, done
    assert stands(client) == (0, 0)


def test_a_venue_that_does_not_answer_is_told_not_raised(exchange: Exchange) -> None:
    client = client_of(exchange)
    exchange.faults.add({"kind": "drop_before", "match": ""})
    done = flatten(client, limit_s=0, pause=pausing(exchange))
    assert not done.is_done
    assert done.left[0] == "linear: not known, the venue could not be asked"
    assert "did not answer" in done.troubles[0]


def test_five_hundred_orders_and_twenty_positions_under_real_limits(tmp_path: Path) -> None:
    """Through real HTTP, with the venue's limits on; it tells its time for the record."""
    known = (one for one in shipped_instruments().values() if one.market == "bybit_linear")
    symbols = [one.symbol for one in known][:20]
    listings = tuple(ListingSpec("linear", symbol, Decimal(100)) for symbol in symbols)
    exchange = Exchange(TwinSettings(listings=listings, backfill_days=0, levels=50), SystemClock())
    exchange.limits.is_lifted = True
    key = account(exchange, balances={"USDT": "5000000"})
    local, _ = wire(exchange, key)
    for symbol in symbols:
        local.orders.create(order(f"linear:{symbol}", Side.BUY, "10"))
        for _ in range(25):
            local.orders.create(order(f"linear:{symbol}", Side.BUY, "10", "50"))
    exchange.advance()
    assert len(local.positions.held("linear", settle="USDT")) == 20
    assert len(local.orders.open_orders("linear", settle="USDT")) == 500
    exchange.limits.is_lifted = False
    exchange.limits.forgive()
    with served(exchange) as url, HttpTransport(timeout_s=5, total_s=5) as network:
        broker = RateBroker(tmp_path, clock=SystemClock(), limit=ADDRESS_LIMIT)
        channel = Channel(
            network,
            ExchangeKey(key.api_key, key.secret, url),
            clock=SystemClock(),
            broker=broker,
            priority=Priority.RISK,
        )
        began = time.monotonic()
        done = flatten(BybitClient(channel))
        took_s = time.monotonic() - began
    assert done.is_done and done.troubles == [], done
    assert (done.cancelled, done.closing_orders) == (500, 20)
    print(f"flat in {took_s:.2f} s, {done.rounds} rounds")
