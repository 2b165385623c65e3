"""A market replayed from bars: its candles are the recorded ones, and it survives a restart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openalpha.core.clock import MINUTE_MS, ManualClock
from openalpha.core.errors import InputError
from openalpha.market.catalogue import instrument_for
from openalpha.market.history import History
from openalpha.venue.twin import Exchange, TwinSettings
from openalpha.venue.twin.durable import open_twin, whole_state
from tests.fakes.twin import BTC, LINEAR, START_MS, Client, Refusal, admin, wait

FIRST_MS = START_MS - START_MS % MINUTE_MS
SETTINGS = TwinSettings(listings=(BTC,), step_ms=1_000, levels=20)


@pytest.fixture
def recorded() -> History:
    rng = np.random.default_rng(5)
    n = 300
    closes = 600_000 + np.cumsum(rng.integers(-300, 301, n))
    opens = np.concatenate(([600_000], closes[:-1]))
    high = np.maximum(opens, closes) + rng.integers(0, 200, n)
    low = np.minimum(opens, closes) - rng.integers(0, 200, n)
    volume = rng.integers(6_000, 90_000, n)
    return History.of(
        instrument_for("bybit_linear:BTCUSDT"),
        timeframe_ms=MINUTE_MS,
        ts_ms=FIRST_MS + MINUTE_MS * np.arange(n),
        bars=np.column_stack((opens, high, low, closes, volume)),
        funding=(np.array([FIRST_MS + 90 * MINUTE_MS]), np.array([250_000_000])),
    )


def begin(recorded: History, at_bar: int = 0) -> Exchange:
    clock = ManualClock(FIRST_MS + at_bar * MINUTE_MS)
    exchange = Exchange(SETTINGS, clock, histories={"linear:BTCUSDT": recorded})
    exchange.limits.is_lifted = True
    return exchange


def test_the_candles_of_a_replay_are_the_recorded_bars(recorded: History) -> None:
    exchange = begin(recorded, at_bar=100)
    me = Client.of(exchange)
    wait(exchange, 60 * MINUTE_MS)
    rows = me.get("/v5/market/kline", **LINEAR, interval="1", limit=200)["list"][::-1]
    shown = {int(row[0]): [round(float(text) * 10) for text in row[1:5]] for row in rows}
    for number in range(159):
        stamp = int(recorded.ts_ms[number])
        assert shown[stamp] == recorded.bars[number, :4].tolist(), number


def test_an_order_fills_a_tick_beside_the_recorded_path(recorded: History) -> None:
    exchange = begin(recorded)
    me = Client.of(exchange)
    for number in range(1, 20):
        wait(exchange, MINUTE_MS)
        order = me.order("Buy" if number % 2 else "Sell", "0.01")
        price = float(me.shown(order)["avgPrice"])
        bar = recorded.bars[number] / 10
        assert abs(price - bar[0]) <= 0.11 + (bar[1] - bar[2]) / 20


def test_recorded_funding_is_settled_at_its_stamp(recorded: History) -> None:
    exchange = begin(recorded)
    me = Client.of(exchange)
    me.order("Buy", "0.01")
    wait(exchange, 89 * MINUTE_MS)
    assert me.get("/v5/account/transaction-log", type="SETTLEMENT")["list"] == []
    wait(exchange, 2 * MINUTE_MS)
    row = me.get("/v5/account/transaction-log", type="SETTLEMENT")["list"][0]
    assert row["feeRate"] == "0.00025"
    assert int(row["transactionTime"]) == FIRST_MS + 90 * MINUTE_MS


def test_after_the_last_bar_nothing_moves(recorded: History) -> None:
    exchange = begin(recorded, at_bar=299)
    wait(exchange, 10 * MINUTE_MS)
    tape = exchange.state.listings["linear:BTCUSDT"].tape
    assert tape.last == recorded.bars[-1, 3]
    assert tape.candles[-1, 5] == 0
    with pytest.raises(Refusal):
        admin(exchange, "/twin/market", symbol="BTCUSDT", event="gap", size=0.1)


def test_a_replay_is_taken_up_where_it_was(recorded: History, tmp_path: Path) -> None:
    clock = ManualClock(FIRST_MS)
    given = {"linear:BTCUSDT": recorded}
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock, histories=given)
    me = Client.of(exchange)
    me.order("Buy", "0.01")
    wait(exchange, 5 * MINUTE_MS)
    journal.sync()
    journal.save(whole_state(exchange), number=journal.cut())
    assert b"ForgottenFeed" in max(tmp_path.glob("state-*.bin")).read_bytes()
    journal.close()
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock, histories=given)
    me.exchange = again
    wait(again, 5 * MINUTE_MS)
    assert me.position()["size"] == "0.010"
    last = int(again.state.listings["linear:BTCUSDT"].tape.last)
    assert abs(last - int(recorded.bars[10, 0])) <= 10
    journal.close()


def test_a_step_that_does_not_divide_the_bars_is_refused(recorded: History) -> None:
    with pytest.raises(InputError, match="does not divide"):
        Exchange(
            replace(SETTINGS, step_ms=7_000),
            ManualClock(FIRST_MS),
            histories={"linear:BTCUSDT": recorded},
        )
