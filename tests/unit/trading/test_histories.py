"""What a run asks the venue's histories for after it was away for long: nothing may be left out."""

from collections.abc import Mapping
from typing import Any

import pytest

from openalpha.core.clock import DAY_MS
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.bybit.executor import Executor
from openalpha.trading.bybit.replies import read_reply
from openalpha.trading.bybit.requests import ask_account, ask_fills
from openalpha.trading.orders.side import Request
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import URL, wire
from tests.fakes.twin import START_MS, Client, admin, new_exchange, wait


@pytest.fixture
def exchange() -> Exchange:
    return new_exchange(step_ms=3_600_000)


def rows_of(exchange: Exchange, me: Client, request: Request) -> list[Mapping[str, Any]]:
    client, _ = wire(exchange, ExchangeKey(me.key, me.secret, URL))
    return list(read_reply(Executor(client.channel).carry_out(request)).rows)


@pytest.mark.parametrize("days", [0, 2, 8])
def test_the_statement_is_read_whole_however_long_a_run_was_away(
    exchange: Exchange, days: int
) -> None:
    # The venue tells one day where no end is asked for, and never more than seven at once.
    me = Client.of(exchange, USDT="1000")
    for amount in ("1", "2"):
        wait(exchange, days * DAY_MS)
        admin(exchange, "/twin/fund", uid=me.uid, coin="USDT", amount=amount)
    rows = rows_of(exchange, me, ask_account("statement", start_ms=START_MS))
    assert [row["change"] for row in rows] == ["2", "1", "1000"]


@pytest.mark.parametrize("days", [2, 8])
def test_executions_are_read_whole_however_long_a_run_was_away(
    exchange: Exchange, days: int
) -> None:
    me = Client.of(exchange)
    orders = []
    for _ in range(2):
        wait(exchange, days * DAY_MS)
        orders.append(me.order("Buy", "0.001"))
    rows = rows_of(exchange, me, ask_fills("linear", start_ms=START_MS))
    assert [row["orderId"] for row in rows if row["execType"] == "Trade"] == orders[::-1]
