"""A spot coin is counted finer than its lot, because fees are taken in it."""

import polars as pl
import pytest

import openalpha
from openalpha.core.clock import ManualClock
from openalpha.core.instruments import instrument_id
from openalpha.market.lake import Lake
from openalpha.market.synth import SPOT_MARKET, SynthSpec, synthesise
from openalpha.market.synth.keep import keep_in_lake

START, HOUR = 1_704_067_200_000, 3_600_000


def test_a_spot_history_of_the_lake_has_fine_units(tmp_path):
    market = synthesise(SynthSpec(days=2, timeframe_ms=HOUR), 7)
    lake = Lake(tmp_path)
    keep_in_lake(market, lake, clock=ManualClock(START), replaces=False)
    spot = lake.load(f"{SPOT_MARKET}:BTCUSDT", "1h")
    assert spot.instrument.qty_decimals == 8
    assert str(spot.instrument.steps[0].lot_size) == "0.001"
    kept = market.histories[spot.instrument.id].column("volume")
    assert spot.column("volume").tolist() == kept.tolist()


def test_a_fee_in_the_coin_is_a_tenth_of_a_percent(tmp_path):
    rules = synthesise(SynthSpec(days=1, timeframe_ms=HOUR), 7).histories
    instrument = rules[instrument_id(SPOT_MARKET, "BTCUSDT")].instrument
    assert instrument.qty_decimals == 3
    price = [60_000.0 + 10 * at for at in range(300)]
    frame = pl.DataFrame(
        {
            "ts": [START + HOUR * at for at in range(300)],
            **dict.fromkeys(("open", "high", "low", "close"), price),
            "volume": [1_000.0] * 300,
        }
    )
    history = openalpha.history(frame, instrument=instrument)
    result = openalpha.backtest("buy_and_hold", history, home=tmp_path)
    share = result.metrics["fees"] / result.fills["notional"].sum()
    assert share == pytest.approx(0.0010, rel=1e-2)
