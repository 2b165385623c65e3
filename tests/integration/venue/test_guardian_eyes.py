"""What the guardian reads of an account on the twin: dollars, and transfers in and out."""

from decimal import Decimal
from typing import Any

import pytest

from openalpha.core.errors import VenueUnavailable
from openalpha.trading.safety.guardian_eyes import look
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import URL, wire
from tests.fakes.twin import BTC, BTC_SPOT, new_exchange, wait


@pytest.fixture
def exchange() -> Exchange:
    return new_exchange(BTC, BTC_SPOT)


@pytest.fixture
def place(exchange: Exchange) -> tuple[Any, str]:
    from openalpha.store.exchange_key import ExchangeKey

    made = exchange.arrange("/twin/accounts", {"balances": {"USDT": "50000"}})
    key = ExchangeKey(made["api_key"], made["api_secret"], URL)
    return wire(exchange, key)[0], str(made["uid"])


def moved(exchange: Exchange, uid: str, coin: str, amount: str) -> None:
    exchange.arrange("/twin/fund", {"uid": uid, "coin": coin, "amount": amount})
    wait(exchange, 1_000)


def test_transfers_are_flows_in_dollars(exchange: Exchange, place: tuple[Any, str]) -> None:
    client, uid = place
    first = look(client)
    assert [flow.amount for flow in first.flows] == [Decimal(50_000)]
    moved(exchange, uid, "USDT", "1000")
    moved(exchange, uid, "BTC", "0.5")
    moved(exchange, uid, "USDT", "-300")
    seen = look(client, since_ms=first.ts_ms)
    known = {flow.id for flow in first.flows}
    new = [flow.amount for flow in seen.flows if flow.id not in known]
    assert sorted(round(amount, -2) for amount in new)[:2] == [Decimal(-300), Decimal(1000)]
    assert len(new) == 3 and Decimal(25_000) < max(new) < Decimal(35_000)
    total = first.equity + sum(new)
    assert abs(seen.equity - total) < total / 100


def test_an_old_look_does_not_read_the_whole_statement(
    exchange: Exchange, place: tuple[Any, str]
) -> None:
    client, uid = place
    moved(exchange, uid, "USDT", "1000")
    wait(exchange, 180_000)
    now = look(client)
    moved(exchange, uid, "USDT", "5")
    assert [flow.amount for flow in look(client, since_ms=now.ts_ms).flows] == [Decimal(5)]


def test_an_account_that_does_not_state_its_equity_is_not_seen(
    exchange: Exchange, place: tuple[Any, str]
) -> None:
    client, _ = place
    exchange.faults.add({"kind": "drop_before", "match": "/v5/account/wallet-balance"})
    with pytest.raises(VenueUnavailable):
        look(client)


def test_zero_beside_coins_is_no_equity(place: tuple[Any, str]) -> None:
    """A venue under maintenance must not look like a ruined account."""
    client, _ = place
    from dataclasses import replace

    wallet = client.account.wallet()

    class Broken:
        def wallet(self) -> Any:
            return replace(wallet, equity_usd=Decimal(0))

        def statement(self, **_: Any) -> list[Any]:
            return []

    client.account = Broken()
    with pytest.raises(VenueUnavailable, match="did not state"):
        look(client)
