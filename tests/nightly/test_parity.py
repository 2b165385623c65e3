"""Seven days of three strategies on four instruments: what was traded is what is decided again.

In paper each strategy trades every instrument; at the twin each pair of strategy and instrument
is a sub-book of its own. The gate runs the same with hours instead of days
(`tests/integration/trading/test_paper_runs.py`, `test_venue_runs.py`).
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from openalpha.core.clock import MINUTE_MS
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.market.history import History
from openalpha.net import HttpTransport
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.run_log import INPUTS, Frame, read
from openalpha.trading.analysis.gap import gap_of
from openalpha.trading.analysis.replay import replay
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from openalpha.venue.twin import ListingSpec
from tests.fakes.event_runs import START_MS, bars_of, perp, walk
from tests.fakes.live_runs import begun, books, led_to_its_end
from tests.fakes.twin import Client, new_exchange, served
from tests.integration.trading.test_paper_runs import assert_is_backtest, backtest_of, mutated
from tests.integration.trading.test_venue_runs import Place

pytestmark = pytest.mark.nightly

DAYS = 7
STRATEGIES = ("ma_cross", "rsi_reversion", "momentum")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
QUARTER_MS = 15 * MINUTE_MS


def minutes(symbol: str, seed: int) -> History:
    """A week of minute bars."""
    count = DAYS * 24 * 60
    nothing = np.zeros(0, np.int64)
    return History.of(
        perp(symbol),
        MINUTE_MS,
        ts_ms=START_MS + np.arange(count, dtype=np.int64) * MINUTE_MS,
        bars=bars_of(walk(count, seed), wick=0.4, volume=500.0),
        funding=(nothing, nothing),
    )


def differs(folder: RunFolder, change: Callable[[list[Frame]], list[Frame]]) -> bool:
    """Whether a changed tape leads to other decisions."""
    return not replay(folder, tape=change(list(read(folder.log, INPUTS)))).is_same


def test_a_week_in_paper_is_its_backtest_and_its_replay(home: Path) -> None:
    every = {}
    for seed, symbol in enumerate(SYMBOLS, 1):
        history = minutes(symbol, seed)
        every[str(history.instrument.id)] = history
    shares = [Decimal("0.25"), Decimal("0.25"), Decimal("0.5")]
    asked = [Asked(name, share=share) for name, share in zip(STRATEGIES, shares, strict=True)]
    folder = begun(home, asked, every, capital=Decimal(40_000))
    with books(home) as ledger:
        led_to_its_end(folder, list(every.values()), ledger)
    for number, name in enumerate(STRATEGIES):
        run = backtest_of(name, every, home, capital=40_000 * shares[number])
        assert_is_backtest(folder, run, book=number)
    verdict = replay(folder)
    assert (verdict.is_same, verdict.count) == (True, 0)
    assert verdict.inputs >= DAYS * 24 * 60
    assert differs(folder, mutated)


def test_a_week_at_the_twin_is_its_replay_and_its_gap_is_explained(home: Path) -> None:
    prices = dict(zip(SYMBOLS, (60_000, 3_000, 150, 1), strict=True))
    listings = [ListingSpec("linear", name, Decimal(price)) for name, price in prices.items()]
    exchange = new_exchange(*listings, step_ms=MINUTE_MS)
    client = Client.of(exchange)
    with served(exchange) as url, HttpTransport(timeout_s=60.0, total_s=120.0) as transport:
        key = ExchangeKey(client.key, client.secret, url)
        place = Place(exchange, client, key, transport, home)
        folder = begin_venue_run(
            home,
            [Asked(name) for name in (*STRATEGIES, STRATEGIES[0])],
            instruments=[instrument_for(f"bybit_linear:{name}") for name in SYMBOLS],
            terms=VenueTerms(Environment.TWIN, QUARTER_MS, Decimal(40_000), DAYS * 96 * QUARTER_MS),
            settings=EngineSettings(),
            clock=place.clock,
        )
        with books(home) as ledger:
            driver = place.led(folder, ledger)
    assert driver.reconciled is not None
    assert driver.reconciled.is_equal
    assert driver.desk.incidents == []
    assert driver.desk.rows >= DAYS * 96 - 1
    assert replay(folder).is_same
    assert differs(folder, _other_close)
    gap = gap_of(folder)
    assert gap.pairs > 20
    assert gap.signal == 0, "the same functions decide on the same bars"
    assert gap.score > 0


def _other_close(frames: list[Frame]) -> list[Frame]:
    """The same tape, one bar's close half as high."""
    bars = [number for number, frame in enumerate(frames) if b'"bars":[[' in frame.payload]
    at = bars[len(bars) // 2]
    return [*frames[:at], *mutated([frames[at]]), *frames[at + 1 :]]
