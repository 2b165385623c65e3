"""From instruments and cost settings to the kernel's integers: numbers worked out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from openalpha.core.errors import ConfigError, DataError
from openalpha.core.instruments import FeeSchedule, Instrument, RiskTier, StepRule, instrument_id
from openalpha.market.catalogue import instrument_for
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import InstrumentSetup
from openalpha.venue.rules import (
    account_setup,
    cash_decimals,
    fee_notes,
    fees_bps,
    instrument_setup,
)
from openalpha.venue.settings import TIERS, CostSettings, FillSettings, MarginSettings
from tests.fakes.small_market import inverse, linear, spot

BTC = instrument_for("bybit_linear:BTCUSDT")


def setup_of(
    instrument: Instrument,
    costs: CostSettings | None = None,
    margin: MarginSettings | None = None,
    cash: int = 8,
) -> InstrumentSetup:
    return instrument_setup(
        instrument,
        costs=CostSettings() if costs is None else costs,
        margin=MarginSettings() if margin is None else margin,
        cash=cash,
        base_coin=0,
    )


def test_bitcoin_linear():
    made = setup_of(BTC, margin=MarginSettings(leverage=Decimal("12.5")))
    # Prices in 10^-1, quantities in 10^-3, dollars in 10^-8: one value unit is 10^4 cash units.
    assert (made.num, made.den, made.k) == (10_000, 1, 0)
    assert made.steps == ((0, 1, 1),)
    assert (made.min_qty, made.max_qty) == (1, at.BIG)
    assert made.min_notional == 5 * 10**8
    assert (made.maker_e8, made.taker_e8) == (20_000, 55_000)
    # A spread of 1 bp, an impact of 10 bps, a tenth of the volume.
    assert (made.half_spread_e8, made.impact_e8, made.participation_e6) == (5_000, 100_000, 100_000)
    assert (made.leverage_e2, made.max_leverage_e2) == (1_250, 10_000)
    first, second = made.tiers
    assert (first.limit, first.maintenance_e8, first.deduction) == (2 * 10**14, 500_000, 0)
    assert (second.maintenance_e8, second.max_leverage_e2) == (560_000, 9_000)
    assert second.deduction == 1_200 * 10**8


def test_tiers_meet_where_they_touch():
    low, high = BTC.tiers
    at_edge = low.limit_notional
    assert at_edge * low.maintenance_rate == at_edge * high.maintenance_rate - high.deduction


def test_finer_units_than_cash_divide():
    made = setup_of(linear(price_decimals=6, qty_decimals=4))
    assert (made.num, made.den) == (1, 100)


def test_a_multiplier_counts():
    made = setup_of(linear(multiplier=Decimal("0.01")))
    # 10^-1 × 10^-3 × 10^-2 = 10^-6 dollars a value unit.
    assert (made.num, made.den) == (100, 1)
    thousand = setup_of(linear(multiplier=Decimal(1000)))
    assert (thousand.num, thousand.den) == (10**7, 1)


def test_bitcoin_inverse():
    made = setup_of(inverse())
    # One dollar contract at price p is 10^8/p cash units of BTC: 10^9 over p in tenths.
    assert (made.num, made.den, made.k) == (1, 1, 10**9)
    assert made.steps == ((0, 5, 1),)
    assert made.tiers == ()


def test_an_inverse_contract_finer_than_its_cash():
    with pytest.raises(DataError, match="finer than the cash unit"):
        setup_of(inverse(qty_decimals=12), cash=2)


def test_spot_has_its_fees_and_no_tiers():
    tier = RiskTier(Decimal(1), Decimal("0.01"), Decimal("0.02"), Decimal(10), Decimal(0))
    made = setup_of(replace(spot(), tiers=(tier,)))
    assert made.tiers == ()
    assert (made.maker_e8, made.taker_e8) == (100_000, 100_000)


def test_dated_steps_are_counted_in_units():
    rules = (
        StepRule(0, Decimal("0.001"), Decimal("0.1")),
        StepRule(5, Decimal("0.01"), Decimal("0.1")),
    )
    made = setup_of(linear(price_decimals=3, qty_decimals=2, steps=rules))
    assert made.steps == ((0, 1, 10), (5, 10, 10))


def test_a_tick_finer_than_the_grid_is_named():
    rule = (StepRule(0, Decimal("0.01"), Decimal("0.001")),)
    with pytest.raises(DataError, match=r"0\.01 has more than 1 decimals"):
        setup_of(linear(steps=rule))


def test_the_most_of_a_market_order_falls_back_to_the_most():
    both = setup_of(linear(max_qty=Decimal(50), max_market_qty=Decimal(5)))
    assert (both.max_qty, both.max_market_qty) == (50_000, 5_000)
    one = setup_of(linear(max_qty=Decimal(50)))
    assert (one.max_qty, one.max_market_qty) == (50_000, 50_000)


# Bybit help centre, trading fee structure: taker and maker in per cent, spot and linear.
FEES = {
    "VIP0": ("0.1000", "0.1000", "0.0550", "0.0200"),
    "VIP1": ("0.0800", "0.0675", "0.0400", "0.0180"),
    "VIP2": ("0.0775", "0.0650", "0.0375", "0.0160"),
    "VIP3": ("0.0750", "0.0625", "0.0350", "0.0140"),
    "VIP4": ("0.0600", "0.0500", "0.0320", "0.0120"),
    "VIP5": ("0.0500", "0.0400", "0.0320", "0.0100"),
    "SUPREME": ("0.0450", "0.0300", "0.0300", "0.0000"),
}


@pytest.mark.parametrize("tier", FEES)
def test_fee_tiers(tier):
    spot_taker, spot_maker, taker, maker = (Decimal(text) * 100 for text in FEES[tier])
    costs = CostSettings(tier=tier)
    assert fees_bps(spot(), costs) == (spot_maker, spot_taker)
    assert fees_bps(linear(), costs) == (maker, taker)
    assert fees_bps(inverse(), costs) == (maker, taker)


def test_no_tier_is_missing():
    assert set(TIERS) == set(FEES)


def test_named_costs_win_over_preset_and_tier():
    none = CostSettings(preset="none", taker_bps=Decimal("5.5"))
    assert fees_bps(linear(), none) == (0, Decimal("5.5"))
    made = setup_of(linear(), none)
    assert (made.half_spread_e8, made.impact_e8, made.participation_e6) == (0, 0, 0)
    rebate = CostSettings(maker_bps=Decimal("-0.5"))
    assert setup_of(linear(), rebate).maker_e8 == -5_000


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"spread_bps": Decimal(-1)}, r"costs\.spread_bps was -1, expected 0 to 5000"),
        ({"participation": Decimal(-1)}, r"costs\.participation"),
        ({"taker_bps": Decimal(2000)}, r"costs\.taker_bps was 2000 bps"),
    ],
)
def test_absurd_costs_are_refused(wrong, words):
    with pytest.raises(ConfigError, match=words):
        CostSettings(**wrong)


def test_cash_gets_coarser_where_a_balance_could_pass_64_bits():
    # 2^62 is 4.6e18: capital × 1000 × 10^c stays below it.
    assert cash_decimals(Decimal(10_000), [linear()]) == 8
    assert cash_decimals(Decimal(10_000_000), [linear()]) == 8
    assert cash_decimals(Decimal(100_000_000), [linear()]) == 7
    assert cash_decimals(Decimal(10**12), [linear()]) == 3
    assert cash_decimals(Decimal(10_000), [linear(cash_decimals=2), linear()]) == 8


def test_account_modes():
    costs, margin = CostSettings(latency_ms=250), MarginSettings("isolated", position_mode="hedge")
    made = account_setup((5, 0), costs=costs, margin=margin, fills=FillSettings("nearer_first"))
    assert (made.margin_mode, made.position_mode, made.path) == (
        at.ISOLATED, at.HEDGE, at.NEARER_FIRST
    )  # fmt: skip
    assert (made.balances, made.latency_ms) == ((5, 0), 250)


def known(market: str, fees: FeeSchedule | None = None) -> Instrument:
    return replace(linear(), id=instrument_id(market, "BTCUSDT"), fees=fees)


@pytest.mark.parametrize(
    ("instrument", "costs", "words"),
    [
        (BTC, {"tier": "VIP2"}, "fees 1.6 bps maker, 3.75 bps taker: tier VIP2 of bybit_linear"),
        (BTC, {"preset": "none"}, "fees 0 bps maker, 0 bps taker: costs.preset = none"),
        (
            known("binance_usdm", FeeSchedule(Decimal(2), Decimal(5))),
            {"tier": "VIP5"},
            "fees 2 bps maker, 5 bps taker: lowest tier of binance_usdm (VIP5 is a tier of "
            "Bybit's)",
        ),
        (
            known("moon_linear"),
            {},
            "fees 2 bps maker, 5.5 bps taker: no schedule of moon_linear is known, so those of "
            "Bybit's VIP0",
        ),
        (
            known("binance_usdm", FeeSchedule(Decimal(2), Decimal(5))),
            {"maker_bps": Decimal(-1)},
            "fees -1 bps maker, 5 bps taker: costs.maker_bps as set, the other by lowest tier of "
            "binance_usdm",
        ),
        (
            BTC,
            {"maker_bps": Decimal(10), "taker_bps": Decimal("20.50")},
            "fees 10 bps maker, 20.5 bps taker: as costs.maker_bps and costs.taker_bps say",
        ),
    ],
)
def test_whose_fees_are_paid_is_said(instrument, costs, words):
    assert fee_notes([instrument], CostSettings(**costs)) == [f"{instrument.id}: {words}"]


def test_fees_reach_the_kernel_by_the_instruments_own_schedule():
    made = setup_of(instrument_for("binance_usdm:BTCUSDT"))
    assert (made.maker_e8, made.taker_e8) == (20_000, 50_000)
    # Not in the shipped table, but its market is.
    unlisted = setup_of(instrument_for("binance_usdm:MOONUSDT"))
    assert (unlisted.maker_e8, unlisted.taker_e8) == (20_000, 50_000)
