"""What happened to users of other systems where a listing was long or a row was cut short."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from openalpha.core.orders import OrderType
from openalpha.net import Request, Response
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.replies import read_reply
from openalpha.trading.bybit.requests import ask_open
from openalpha.venue.bybit.flatten import flatten
from openalpha.venue.twin import Exchange, ListingSpec
from tests.fakes.bybit import URL, pausing, wire
from tests.fakes.twin import BTC, LINEAR, Client, new_exchange
from tests.faults.stories import Acts, agrees, buys, sells, world_of

LISTINGS = (
    BTC,
    ListingSpec("linear", "ETHUSDT", Decimal(3_000)),
    ListingSpec("linear", "SOLUSDT", Decimal(150)),
)
_LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50_000)}
_PATHS = ("order/realtime", "order/history", "execution/list", "position/list", "transaction-log")


def a_missing_field_is_asked_for_and_never_a_zero() -> None:
    """https://github.com/nautechsystems/nautilus_trader/issues/3836"""
    acts: Acts = {1: buys("0.02"), 3: buys("0.01", **_LIMIT), 9: sells("0.005"), 15: buys("0.01")}
    world = world_of(acts, seed=5)
    draw = random.Random(5)
    is_eating = [True]

    def eaten(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if draw.random() < 0.5:
                name = draw.choice(sorted(row))
                # An empty id says that an order is somebody else's: no field that is missing.
                row[name] = None if name == "orderLinkId" else draw.choice([None, ""])

    answer, hear = world.network._answer, world.socket.hear

    def answering(request: Request) -> Response:
        response = answer(request)
        if not is_eating[0] or not any(path in request.url for path in _PATHS):
            return response
        content = json.loads(response.body)
        eaten((content.get("result") or {}).get("list") or [])
        return Response(response.status, response.headers, json.dumps(content).encode())

    def hearing() -> list[bytes]:
        messages = [json.loads(text) for text in hear()]
        for message in messages if is_eating[0] else ():
            eaten(message["data"])
        return [json.dumps(message).encode() for message in messages]

    world.network._answer, world.socket.hear = answering, hearing  # type: ignore[method-assign]
    world.run(120)
    is_eating[0] = False
    world.settle()
    agrees(world, "incomplete_answer")


def an_order_before_the_last_500_is_found() -> None:
    """https://github.com/freqtrade/freqtrade/issues/9815"""
    world = world_of({1: buys("0.01", **_LIMIT)})
    world.run(12)
    world.steps.at = world.steps.count + 1
    world.turn()
    assert world.trader is None, "the process has ended"
    (mine,) = [one for one in world.account.orders.values() if one.is_open]
    world.client.post(
        "/v5/order/cancel", category="linear", symbol="BTCUSDT", orderId=mine.order_id
    )
    for _ in range(501):
        other = world.client.order("Buy", "0.001", "40000")
        world.client.post("/v5/order/cancel", **LINEAR, orderId=other)
    world.run(12)
    world.settle()
    agrees(world)


def more_than_500_open_orders_are_all_told() -> None:
    """https://github.com/freqtrade/freqtrade/issues/9815"""
    exchange = new_exchange(*LISTINGS)
    there, key = crowded(exchange)
    client = wire(exchange, key)[0]
    executor = Executor(client.channel, settle_coins={"linear": ("USDT",)})
    reply = read_reply(executor.carry_out(ask_open("linear")))
    assert sorted(str(row["orderId"]) for row in reply.rows) == sorted(there)
    assert len(client.orders.open_orders("linear", settle="USDT")) == len(there) > 500


def more_than_500_open_orders_are_all_cancelled() -> None:
    """https://github.com/freqtrade/freqtrade/issues/9815"""
    exchange = new_exchange(*LISTINGS)
    there, key = crowded(exchange)
    client = wire(exchange, key)[0]
    done = flatten(client, pause=pausing(exchange))
    left = [one for pool in exchange.state.pools for one in pool.orders.values() if one.is_open]
    assert left == []
    assert done.is_done and done.cancelled == len(there)


def crowded(exchange: Exchange) -> tuple[list[str], ExchangeKey]:
    """An account with 600 orders resting on three markets; returns their ids and its key."""
    client = Client.of(exchange)
    there = [
        client.order("Buy", qty, price, symbol=symbol)
        for symbol, qty, price in (
            ("BTCUSDT", "0.001", "40000"),
            ("ETHUSDT", "0.01", "2000"),
            ("SOLUSDT", "0.1", "100"),
        )
        for _ in range(200)
    ]
    return there, ExchangeKey(client.key, client.secret, URL)


STORIES: tuple[Callable[[], None], ...] = (
    a_missing_field_is_asked_for_and_never_a_zero,
    an_order_before_the_last_500_is_found,
    more_than_500_open_orders_are_all_told,
    more_than_500_open_orders_are_all_cancelled,
)
