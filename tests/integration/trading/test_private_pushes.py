"""The private socket against a twin on loopback: heard, cut, mute, opened again, never an error."""

import json
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from uuid import uuid4

import pytest

from openalpha.core.clock import SystemClock
from openalpha.core.orders import Side
from openalpha.net import HttpTransport, Request
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.pushes import PrivatePushes
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import Exchange, TwinSettings
from tests.fakes.bybit import account
from tests.fakes.twin import BTC, served


class Account:
    """What the tests do at the venue, over the network like everybody."""

    def __init__(self, client: BybitClient) -> None:
        self.client = client

    def buy(self, qty: str) -> None:
        order = NewOrder("linear", "BTCUSDT", Side.BUY, Decimal(qty), link_id=uuid4().hex)
        self.client.orders.create(order)

    def strike(self, kind: str) -> None:
        body = json.dumps({"kind": kind, "match": "private"}).encode()
        with HttpTransport(timeout_s=5.0) as network:
            url = f"{self.client.channel.url}/twin/faults"
            assert network.send(Request(url, "POST", {}, body)).status == 200


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(TwinSettings(listings=(BTC,), backfill_days=0, levels=50), SystemClock())


@pytest.fixture
def pushes(exchange: Exchange) -> Iterator[tuple[PrivatePushes, Account]]:
    with served(exchange) as url:
        key = account(exchange)
        key = ExchangeKey(key.api_key, key.secret, url)
        listening = PrivatePushes(key, clock=SystemClock(), ping_s=0.2, mute_s=1.0)
        listening.start()
        with HttpTransport(timeout_s=5.0) as network:
            yield listening, Account(BybitClient(Channel(network, key, clock=SystemClock())))
        listening.close()


def until(pushes: PrivatePushes, is_it: Callable[[list], bool]) -> list:
    """Everything heard until it is enough."""
    heard: list = []
    ends = time.monotonic() + 30
    while not is_it(heard):
        assert time.monotonic() < ends, heard
        heard += [(kind, json.loads(payload)) for kind, payload in pushes.take()]
        time.sleep(0.01)
    return heard


def ups(heard: list) -> list[bool]:
    return [content["is_up"] for kind, content in heard if kind is FrameKind.HEALTH]


def topics(heard: list) -> set[str]:
    return {content["topic"] for kind, content in heard if kind is FrameKind.FEED}


def test_what_happens_to_the_account_is_heard(pushes: tuple[PrivatePushes, Account]) -> None:
    listening, client = pushes
    assert ups(until(listening, bool)) == [True]
    time.sleep(0.3)
    client.buy("0.01")
    heard = until(listening, lambda heard: topics(heard) >= {"order", "execution", "wallet"})
    rows = [
        row for _, content in heard if content["topic"] == "execution" for row in content["data"]
    ]
    assert sum(Decimal(row["execQty"]) for row in rows) == Decimal("0.01")


@pytest.mark.parametrize("kind", ["close_sockets", "half_open"])
def test_cut_or_mute_it_is_opened_again(pushes: tuple[PrivatePushes, Account], kind: str) -> None:
    listening, client = pushes
    until(listening, lambda heard: ups(heard) == [True])
    client.strike(kind)
    until(listening, lambda heard: ups(heard) == [False, True])
    time.sleep(0.3)
    client.buy("0.01")
    until(listening, lambda heard: "execution" in topics(heard))


def test_a_wrong_key_and_a_server_that_is_not_there_are_no_error() -> None:
    nobody = ExchangeKey("k", "s", "http://127.0.0.1:9")
    listening = PrivatePushes(nobody, clock=SystemClock())
    listening.start()
    time.sleep(0.5)
    assert listening.take() == []
    listening.close()
    listening.close()
