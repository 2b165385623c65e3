"""Instruments: names, kinds, and the tick and lot in force at a time."""

from decimal import Decimal

import pytest

from openalpha.core.errors import InputError
from openalpha.core.instruments import (
    Instrument,
    Kind,
    StepRule,
    instrument_id,
    market_kind,
    split_instrument_id,
)

OLD = StepRule(1000, Decimal("0.001"), Decimal("0.1"))
NEW = StepRule(2000, Decimal("0.01"), Decimal("0.1"))
SOL = Instrument(
    id=instrument_id("bybit_linear", "SOLUSDT"), kind=Kind.LINEAR, base="SOL", quote="USDT",
    settle="USDT", price_decimals=3, qty_decimals=1, steps=(OLD, NEW),
)  # fmt: skip


@pytest.mark.parametrize(
    ("ts_ms", "rule"), [(0, OLD), (1000, OLD), (1999, OLD), (2000, NEW), (9999, NEW)]
)
def test_the_step_in_force(ts_ms, rule):
    assert SOL.step_at(ts_ms) is rule


def test_names():
    assert (SOL.market, SOL.symbol) == ("bybit_linear", "SOLUSDT")
    assert split_instrument_id(SOL.id) == ("bybit_linear", "SOLUSDT")


@pytest.mark.parametrize("text", ["", "BTCUSDT", ":BTCUSDT", "bybit_linear:"])
def test_what_is_no_instrument(text):
    with pytest.raises(InputError, match="write MARKET:SYMBOL"):
        split_instrument_id(text)


@pytest.mark.parametrize(
    ("market", "kind"),
    [
        ("bybit_spot", Kind.SPOT),
        ("bybit_inverse", Kind.INVERSE),
        ("binance_coinm", Kind.INVERSE),
        ("bybit_linear", Kind.LINEAR),
        ("binance_usdm", Kind.LINEAR),
    ],
)
def test_a_market_s_kind(market, kind):
    assert market_kind(market) is kind
