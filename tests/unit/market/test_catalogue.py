"""The shipped table is consistent, and unknown instruments get the grid of their data."""

from decimal import Decimal

import pytest

from openalpha.core.clock import HOUR_MS
from openalpha.core.instruments import Kind
from openalpha.market.catalogue import instrument_for, known_instrument, shipped_instruments


@pytest.mark.parametrize("name", shipped_instruments())
def test_each_row_is_consistent(name):
    row = shipped_instruments()[name]
    assert row.steps[0].since_ms == 0
    assert [step.since_ms for step in row.steps] == sorted({step.since_ms for step in row.steps})
    for step in row.steps:
        assert step.tick_size % Decimal(1).scaleb(-row.price_decimals) == 0
        assert step.lot_size % Decimal(1).scaleb(-row.qty_decimals) == 0
        assert row.min_qty >= 0
    assert (row.funding_interval_ms is None) == (row.kind is Kind.SPOT)
    assert row.settle == (row.base if row.kind is Kind.INVERSE else row.quote)
    assert row.source
    deduction = Decimal(0)
    for lower, upper in zip(row.tiers[:-1], row.tiers[1:], strict=True):
        step = upper.maintenance_rate - lower.maintenance_rate
        deduction += lower.limit_notional * step
        assert upper.deduction == deduction
        assert upper.max_leverage < lower.max_leverage


def test_an_unknown_instrument_gets_the_grid_of_its_data():
    found = instrument_for("bybit_linear:NEWUSDT", grid=(4, 1))
    assert known_instrument("bybit_linear:NEWUSDT") is None
    assert (found.base, found.quote, found.kind) == ("NEW", "USDT", Kind.LINEAR)
    assert found.steps[0].tick_size == Decimal("0.0001")
    assert found.funding_interval_ms == 8 * HOUR_MS
    assert "inferred" in found.source
    assert instrument_for("bybit_inverse:NEWUSD").settle == "NEW"
    assert instrument_for("x_spot:NEWBTC").funding_interval_ms is None
