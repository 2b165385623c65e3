"""A real recording of depth and trades replayed by the twin: candles and book are the market's."""

from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.core.clock import MINUTE_MS, ManualClock, SystemClock
from openalpha.core.errors import InputError
from openalpha.market.importers import import_paths
from openalpha.market.lake import Lake
from openalpha.market.tape import Tape
from openalpha.venue.twin import Exchange, TwinSettings
from openalpha.venue.twin.recordings import load_recordings
from tests.fakes.twin import BTC, LINEAR, Client, wait

NAMES = {"linear:BTCUSDT": "binance_usdm:BTCUSDT"}


def loaded(home: Path, feed: str) -> tuple[Exchange, Tape]:
    given, begin = load_recordings(home, NAMES, timeframe="1m", feed=feed)
    clock = ManualClock(begin)
    exchange = Exchange(TwinSettings(listings=(BTC,)), clock, histories=given)
    exchange.limits.is_lifted = True
    tape = given["linear:BTCUSDT"]
    assert isinstance(tape, Tape)
    return exchange, tape


@pytest.mark.parametrize("feed", ["book", "trades"])
def test_a_recorded_market_is_replayed_as_it_was(
    real_data: Path, tmp_path: Path, feed: str
) -> None:
    kinds = ("trades", "book") if feed == "book" else ("trades",)
    folders = [real_data / kind / "binance_usdm" for kind in kinds]
    import_paths(Lake(tmp_path), folders, clock=SystemClock())
    exchange, tape = loaded(tmp_path, feed)
    me = Client.of(exchange)
    spreads = []
    for _ in range(120):
        wait(exchange, 1_000)
        shown = me.get("/v5/market/orderbook", **LINEAR, limit=1)
        spreads.append(Decimal(shown["a"][0][0]) - Decimal(shown["b"][0][0]))
    assert min(spreads) > 0
    assert sorted(spreads)[60] == Decimal("0.1") * (1 if feed == "book" else 2)
    candles = {
        int(row[0]): row for row in me.get("/v5/market/kline", **LINEAR, interval="1")["list"]
    }
    bars, scale = tape.history, 10 ** (tape.history.instrument.price_decimals - 1)
    shown_bars = 0
    for stamp, bar in zip(bars.ts_ms.tolist(), bars.bars.tolist(), strict=True):
        if stamp + MINUTE_MS <= exchange.now_ms():
            row = candles[stamp]
            # A candle opens where the one before closed; all else is as recorded.
            opened, *others = (round(float(text) * 10 * scale) for text in row[1:5])
            assert others == [max(opened, bar[1]), min(opened, bar[2]), bar[3]]
            assert round(float(row[5]) * 10**bars.instrument.qty_decimals) == bar[4]
            shown_bars += 1
    assert shown_bars == 2


def test_a_feed_there_is_none_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of bars, trades, book"):
        load_recordings(tmp_path, NAMES, timeframe="1m", feed="ticks")
