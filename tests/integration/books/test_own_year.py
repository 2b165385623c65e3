"""More than a year of backtests in the ledger: the tax figures equal a plain recomputation."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import openalpha
from openalpha.books.accounts import Book
from openalpha.books.imports.history import ImportedHistory, imported_history
from openalpha.books.imports.own_books import own_book
from openalpha.books.ledger import Ledger
from openalpha.books.manual import transfer
from openalpha.books.rates import NO_RATES, Rate, RateTable
from openalpha.books.tax import Assessment, Policy, assess
from openalpha.cli.tax_report_make import Wish, make_report
from openalpha.core.clock import DAY_MS, HOUR_MS, ManualClock
from openalpha.core.messages import Environment
from openalpha.market.synth import PRESETS, synthesise
from openalpha.research.posting import post_run
from openalpha.store.database import open_database
from tests.reference.tax_year import SYDNEY, PlainTax, year_of

BOOK = Book(Environment.BACKTEST, "me")
SPOT, PERP = "synthetic_spot:BTCUSDT", "synthetic_linear:BTCUSDT"
PLANS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    (
        "funding_carry",
        {"spot": SPOT, "perp": PERP},
        {"period": 72, "open_apr_pct": 1, "close_apr_pct": 0},
    ),
    ("ma_cross", {SPOT: SPOT}, {"fast": 10, "slow": 60}),
    ("macd", {PERP: PERP}, {}),
)
NEAR = Fraction(1, 10**9)
LATER_MS = 1_800_000_000_000


def weekly_rates(histories: Any) -> RateTable:
    """Rates that change every week, so that a value taken at another time shows."""
    spot = histories[SPOT]
    rows = []
    for number, at in enumerate(range(0, len(spot.ts_ms), 24 * 7)):
        ts_ms = int(spot.ts_ms[at])
        usdt = Decimal("1.5") + Decimal(number % 7) / 100
        price = Decimal(int(spot.bars[at, 3])).scaleb(-spot.instrument.price_decimals)
        rows.append(("USDT", "AUD", Rate(usdt, "test", ts_ms)))
        rows.append(("BTC", "AUD", Rate(usdt * price, "test", ts_ms)))
    return RateTable(rows, carry_ms=8 * DAY_MS)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("year")
    histories = synthesise(
        replace(PRESETS["demo"], days=430, timeframe_ms=HOUR_MS), seed=5
    ).histories
    rates = weekly_rates(histories)
    ledger = Ledger(open_database(folder / "books.sqlite"), ManualClock(0), rates)
    plain = PlainTax(lambda coin, ts_ms: Fraction(rates.rate(coin, "AUD", ts_ms=ts_ms).rate))  # type: ignore[union-attr]
    runs = []
    for number, (name, market, params) in enumerate(PLANS):
        data = {role: histories[key] for role, key in market.items()}
        run = openalpha.backtest(name, data, params=params, home=folder).run
        used = {key: histories[key] for key in market.values()}
        post_run(ledger, BOOK, run=run, histories=used, run_id=f"run{number}")
        runs.append(run)
    yield Told(ledger, plain, runs)
    ledger.database.close()


class Told:
    """The ledger, the plain recomputation, and what was run."""

    def __init__(self, ledger: Ledger, plain: PlainTax, runs: list[Any]) -> None:
        self.ledger, self.plain, self.runs = ledger, plain, runs

    def history(self, venue: str | None = None) -> ImportedHistory:
        own = own_book(self.ledger.database, BOOK, venue=venue)
        return imported_history(own.records, rates=NO_RATES, zone=SYDNEY, stated=own.rates)


@pytest.mark.parametrize("number", range(len(PLANS)))
def test_figures_equal_a_plain_recomputation(told: Told, number: int) -> None:
    run = told.runs[number]
    plain = PlainTax(told.plain.aud)
    start_ms = int(run.ts_ms[0])
    capital = Fraction(run.capital)
    plain.buy("USDT", capital, capital * plain.aud("USDT", start_ms), start_ms)
    plain.run(list(run.fills.messages()), list(run.effects.messages()), {SPOT})
    history = told.history(f"run{number}")
    assert history.open_items == []
    found = assess(history.events, Policy())
    assert found.open_items == ()
    agree(found, plain)
    held = {coin: sum(lot[1] for lot in lots) for coin, lots in plain.lots.items() if lots}
    assert held == {coin: Fraction(qty) for coin, qty in run.balances.items() if qty}
    assert all(check.is_right and not check.opening for check in history.checks)
    assert {c.coin: c.closing for c in history.checks} == run.balances


def agree(found: Assessment, plain: PlainTax) -> None:
    """Every year's gains, income, deductions and losses carried; then every parcel."""
    brought = Fraction(0)
    years = sorted({*plain.short, *plain.long, *plain.income, *plain.deductions})
    assert years == sorted(found.years)
    assert len(years) >= 2
    for year in years:
        result = found.years[year]
        rows = [*plain.short[year], *plain.long[year]]
        assert len(rows) <= len(result.slices)
        gains = sum((Fraction(s.gain) for s in result.slices), Fraction(0))
        assert abs(gains - sum(rows)) < NEAR
        net, brought = plain.net_gain(year, brought)
        assert abs(Fraction(result.statement.net) - net) < NEAR
        left = sum((Fraction(loss) for _, loss in result.statement.carried), Fraction(0))
        assert abs(left - brought) < NEAR
        assert abs(Fraction(result.income) - plain.income[year]) < NEAR
        assert abs(Fraction(result.deductions) - plain.deductions[year]) < NEAR
    parcels = [(p.asset, p.acquired, Fraction(p.left)) for p in found.parcels]
    lots = [(coin, lot[0], lot[1]) for coin in sorted(plain.lots) for lot in plain.lots[coin]]
    assert parcels == lots
    costs = sum((Fraction(p.cost_left) for p in found.parcels), Fraction(0))
    assert abs(costs - sum(lot[2] for lots in plain.lots.values() for lot in lots)) < NEAR


def test_transfers_between_own_accounts_change_no_figure(told: Told) -> None:
    before = assess(told.history().events, Policy())
    last_ms = int(told.runs[0].ts_ms[-1]) + HOUR_MS
    moved = [
        transfer(coin="BTC", amount=Decimal("0.01"), ts_ms=last_ms, source="run0", target="cold"),
        transfer(coin="USDT", amount=Decimal(100), ts_ms=last_ms + 1, source="run1", target="run2"),
    ]
    told.ledger.post(BOOK, moved)
    history = told.history()
    assert history.open_items == []
    assert len(history.transfers) == 2
    after = assess(history.events, Policy())
    assert {y: r.statement for y, r in after.years.items()} == {
        y: r.statement for y, r in before.years.items()
    }
    cold = [check for check in history.checks if check.venue == "cold"]
    assert [(c.coin, c.closing) for c in cold] == [("BTC", Decimal("0.01"))]


def test_years_are_those_of_the_taxpayers_zone() -> None:
    assert year_of(1_688_133_600_000) == 2024  # 2023-07-01 00:00 in Sydney, 30 June in UTC
    assert year_of(1_688_133_599_999) == 2023


def test_the_report_of_a_year_is_final_with_those_figures(told: Told) -> None:
    run, year = told.runs[0], 2024
    plain = PlainTax(told.plain.aud)
    start_ms, capital = int(run.ts_ms[0]), Fraction(run.capital)
    plain.buy("USDT", capital, capital * plain.aud("USDT", start_ms), start_ms)
    plain.run(list(run.fills.messages()), list(run.effects.messages()), {SPOT})
    _, brought = plain.net_gain(year - 1)
    net, left = plain.net_gain(year, brought)
    later = Ledger(told.ledger.database, ManualClock(LATER_MS), told.ledger.rates)
    wish = Wish(year=year, entity="me", chosen_by="me", environment="backtest", account="run0")
    made = make_report(later, wish)
    assert made.reasons == ()
    assert made.is_final
    figures = {line.label: Fraction(line.exact) for line in made.labels if line.exact is not None}
    gains = sum((g for g in plain.short[year] + plain.long[year] if g > 0), Fraction(0))
    for name, wanted in (
        ("18A", net),
        ("18H", gains),
        ("18V", left),
        ("24", plain.income[year]),
        ("D15", plain.deductions[year]),
    ):
        assert abs(figures[name] - wanted) < Fraction(1, 100), name
