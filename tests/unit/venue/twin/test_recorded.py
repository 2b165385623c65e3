"""A market replayed from recorded trades and depth: prints and book are the recorded ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openalpha.core.clock import MINUTE_MS, ManualClock
from openalpha.core.errors import InputError
from openalpha.market.catalogue import instrument_for
from openalpha.market.history import History
from openalpha.market.tape import Tape
from openalpha.venue.kernel.layout import I64
from openalpha.venue.twin import Exchange, TwinSettings
from openalpha.venue.twin.durable import open_twin, whole_state
from openalpha.venue.twin.recordings import shifted
from tests.fakes.twin import BTC, LINEAR, START_MS, Client, wait

FIRST_MS = START_MS - START_MS % MINUTE_MS
SETTINGS = TwinSettings(listings=(BTC,), levels=5)
KEY = "linear:BTCUSDT"


def told(depth: I64) -> Tape:
    """Two minutes of trades, one each second, a tick up each; and the depth given."""
    n = 120
    stamps = FIRST_MS + 1_000 * np.arange(n)
    prices = 600_000 + np.arange(n)
    sides = np.where(np.arange(n) % 2, 1, -1)
    history = History.of(
        instrument_for("bybit_linear:BTCUSDT"),
        timeframe_ms=MINUTE_MS,
        ts_ms=FIRST_MS + MINUTE_MS * np.arange(2),
        bars=np.array([[600_000, 600_059, 600_000, 600_059, 60], [600_060] * 4 + [60]]),
    )
    trades = np.column_stack((stamps, sides, prices, np.full(n, 5)))
    return Tape(history, trades, depth, "")


@pytest.fixture
def tape() -> Tape:
    """A snapshot before the first bar, then the book moves a tick each second."""
    rows = [(FIRST_MS - 500, 1, 1, 599_999, 7), (FIRST_MS - 500, 1, -1, 600_001, 9)]
    for second in range(120):
        at, up = FIRST_MS + 1_000 * second + 300, 600_000 + second
        rows += [(at, 0, -1, up + 1, 0), (at, 0, -1, up + 2, 9), (at, 0, 1, up, 7)]
    return told(np.array(rows))


def begin(tape: Tape) -> tuple[Exchange, Client]:
    exchange = Exchange(SETTINGS, ManualClock(FIRST_MS), histories={KEY: tape})
    exchange.limits.is_lifted = True
    return exchange, Client.of(exchange)


def book(me: Client) -> tuple[list[list[str]], list[list[str]]]:
    shown = me.get("/v5/market/orderbook", **LINEAR, limit=50)
    return shown["b"], shown["a"]


def test_the_book_is_the_recorded_one_of_the_moment(tape: Tape) -> None:
    exchange, me = begin(tape)
    assert book(me) == ([["59999.9", "0.007"]], [["60000.1", "0.009"]])
    wait(exchange, 10_200)
    bids, asks = book(me)
    assert bids[0] == ["60000.9", "0.007"]
    assert asks == [["60001.1", "0.009"]]
    assert len(bids) == SETTINGS.levels


def test_every_trade_is_printed_once_as_it_was(tape: Tape) -> None:
    exchange, me = begin(tape)
    wait(exchange, 30_000)
    prints = list(exchange.state.listings[KEY].tape.prints)
    expected = tape.trades[:31]
    assert [(one.price, one.qty, one.side) for one in prints] == [
        (price, qty, side) for _, side, price, qty in expected.tolist()
    ]
    candle = me.get("/v5/market/kline", **LINEAR, interval="1")["list"][0]
    assert candle[4] == "60003.0"


def test_an_order_meets_the_recorded_book(tape: Tape) -> None:
    exchange, me = begin(tape)
    wait(exchange, 10_200)
    order = me.shown(me.order("Buy", "0.009"))
    assert (order["avgPrice"], order["cumExecQty"]) == ("60001.1", "0.009")


def test_without_depth_the_book_stands_around_the_last_trade(tape: Tape) -> None:
    exchange, me = begin(told(np.empty((0, 5), dtype=np.int64)))
    wait(exchange, 10_200)
    bids, asks = book(me)
    assert (bids[0], asks[0]) == (["60000.9", "0.02"], ["60001.1", "0.02"])


def test_it_is_taken_up_where_it_was(tape: Tape, tmp_path: Path) -> None:
    clock = ManualClock(FIRST_MS)
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock, histories={KEY: tape})
    Client.of(exchange)
    wait(exchange, 10_200)
    journal.sync()
    journal.save(whole_state(exchange), number=journal.cut())
    journal.close()
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock, histories={KEY: tape})
    wait(again, 10_000)
    assert book(Client.of(again))[1] == [["60002.1", "0.009"]]
    journal.close()


def test_levels_off_the_market_s_tick_are_refused(tape: Tape) -> None:
    rules = replace(tape.history.instrument, price_decimals=2)
    history = replace(tape.history, instrument=rules)
    with pytest.raises(InputError, match="off the tick"):
        begin(replace(tape, history=history))


def test_moved_stamps_move_all_of_it(tape: Tape) -> None:
    moved = shifted(tape, by_ms=MINUTE_MS)
    assert isinstance(moved, Tape)
    assert moved.history.ts_ms[0] == moved.trades[0, 0] == FIRST_MS + MINUTE_MS
    assert moved.depth[0, 0] == FIRST_MS + MINUTE_MS - 500
    assert np.array_equal(moved.trades[:, 1:], tape.trades[:, 1:])
