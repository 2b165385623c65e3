"""Our own Bybit client on a twin in this process: no socket between, time by hand."""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from openalpha.core.clock import Clock, ManualClock
from openalpha.core.errors import VenueUnavailable
from openalpha.net import MemoryTransport, Priority, RateBroker, Request, Response
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.orders import Orders
from openalpha.venue.bybit.rows import Execution
from openalpha.venue.twin import Exchange
from openalpha.venue.twin import Request as TwinRequest

URL = "http://127.0.0.1:8315"


def answer_of(exchange: Exchange) -> Callable[[Request], Response]:
    """What a network that leads to this exchange gives back."""

    alone = threading.Lock()

    def answer(request: Request) -> Response:
        with alone:
            return ask(request)

    def ask(request: Request) -> Response:
        parts = urlsplit(request.url)
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = exchange.request(
            TwinRequest(request.method, parts.path, parts.query, request.body, headers)
        )
        if reply.is_dropped or reply.is_cut:
            raise VenueUnavailable(f"{parts.netloc} did not answer")
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Response(reply.status, headers, reply.body)

    return answer


def wire(
    exchange: Exchange,
    key: ExchangeKey | str,
    *,
    clock: Clock | None = None,
    broker: RateBroker | None = None,
    priority: Priority = Priority.ORDERS,
) -> tuple[BybitClient, MemoryTransport]:
    """A client of a key, and the network it speaks through."""
    network = MemoryTransport(answer_of(exchange))
    pause = pausing(exchange)
    channel = Channel(
        network,
        key,
        clock=clock or exchange.clock,
        broker=broker,
        priority=priority,
        pause=pause,
    )
    client = BybitClient(channel)
    client.orders = Orders(channel, pause=pause)
    return client, network


def pausing(exchange: Exchange) -> Callable[[float], object]:
    def pause(seconds: float) -> None:
        clock = exchange.clock
        assert isinstance(clock, ManualClock)
        clock.advance(max(1, round(seconds * 1000)))

    return pause


def account(exchange: Exchange, **more: Any) -> ExchangeKey:
    """Open an account of 50,000 USDT; `more` goes to the twin's own address for accounts."""
    made = exchange.arrange("/twin/accounts", {"balances": {"USDT": "50000"}, **more})
    return ExchangeKey(made["api_key"], made["api_secret"], URL)


def paths(network: MemoryTransport) -> list[str]:
    """What was asked, in order."""
    return [urlsplit(request.url).path for request in network.requests]


def executions(client: BybitClient, category: str) -> list[Execution]:
    """What the exchange says was executed, newest first."""
    rows = client.channel.pages(Call("/v5/execution/list", {"category": category}))
    return [Execution.of(row, category) for row in rows]
