"""The after-tax line of a run against sums of its own fills, and what it says without a rate."""

import io
import math
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from rich.console import Console

import openalpha
from openalpha.books.rates import Rate, RateTable
from openalpha.books.tax import Entity, Policy, Treatment
from openalpha.books.tax.entity import Residency
from openalpha.books.tax.profile import Profile
from openalpha.core.clock import parse_ms
from openalpha.research import after_tax as module
from openalpha.research.after_tax import AfterTax, Taxpayer, after_tax
from openalpha.research.report import print_report, report_html
from openalpha.research.result import BacktestResult
from tests.fakes.engine_run import fake_result

D = Decimal
HOUR_MS = 3_600_000
START_MS = parse_ms("2025-05-20T00:00Z")
BARS = 2_000
SYDNEY = ZoneInfo("Australia/Sydney")


def rates(*, source: str = "mine", rate: str = "1.5") -> RateTable:
    days = range(-1, BARS // 24 + 2)
    rows = [("USDT", "AUD", Rate(D(rate), source, START_MS + day * 24 * HOUR_MS)) for day in days]
    return RateTable(rows)


@cache
def run(instrument: str) -> BacktestResult:
    close = [100 + at / 40 + 8 * math.sin(at / 35) for at in range(BARS)]
    frame = pl.DataFrame(
        {
            "ts": [START_MS + at * HOUR_MS for at in range(BARS)],
            "open": close,
            "high": [price + 0.5 for price in close],
            "low": [price - 0.5 for price in close],
            "close": close,
            "volume": [1e7] * BARS,
        }
    )
    history = openalpha.history(
        frame.with_columns(pl.col(pl.Float64).round(2)), instrument=instrument
    )
    made: BacktestResult = openalpha.backtest(
        "ma_cross",
        history,
        home=Path(mkdtemp()),
        sizing={"kind": "all_in"},
        params={"fast": 8, "slow": 30},
    )
    return made


def year_of(ts_ms: int) -> int:
    day = datetime.fromtimestamp(ts_ms / 1000, UTC).astimezone(SYDNEY).date()
    return day.year + (day.month >= 7)


def test_a_contracts_tax_is_that_of_its_cash_by_income_year() -> None:
    result = run("bybit_linear:BTCUSDT")
    found = after_tax(result, Taxpayer(rates=rates()))
    cash: dict[int, float] = defaultdict(float)
    for row in result.run.effects.to_frame().iter_rows(named=True):
        cash[year_of(row["ts_ms"])] += row["amount"] * 1.5
    assert set(cash) == {2025, 2026}
    carried, tax = 0.0, {}
    for year in sorted(cash):
        taxed = cash[year] - carried
        carried, tax[year] = max(-taxed, 0), max(taxed, 0) * 0.47
    assert sum(tax.values()) > 0
    assert {y: float(a) for y, a in found.by_year} == pytest.approx(tax, abs=0.01)
    final, capital = float(result.run.final_equity) * 1.5, 15_000
    assert found.total_return == pytest.approx((final - sum(tax.values())) / capital - 1)
    assert found.before == pytest.approx(final / capital - 1)


def test_a_spot_runs_tax_is_that_of_its_parcels() -> None:
    result = run("bybit_spot:BTCUSDT")
    found = after_tax(result, Taxpayer(rates=rates()))
    gains: dict[int, float] = defaultdict(float)
    held: list[list[float]] = []
    for row in result.fills.iter_rows(named=True):
        value, fee = row["qty"] * row["price"] * 1.5, row["fee"]
        if row["side"] > 0:  # the fee is taken in the coin: the whole cost sits on the rest
            held.append([row["qty"] - fee, value])
            continue
        assert row["fee_coin"] == "USDT"
        left, cost = row["qty"], 0.0
        while left > 1e-12:
            part = min(left, held[0][0])
            cost += held[0][1] * part / held[0][0]
            held[0] = [held[0][0] - part, held[0][1] * (1 - part / held[0][0])]
            left -= part
            if held[0][0] <= 1e-12:
                held.pop(0)
        gains[year_of(row["ts_ms"])] += value - cost - fee * 1.5
    # A sale's fee is taken in USDT: it sits on the USDT received, and what is left still holds it.
    gains[max(gains)] += float(result.run.balances["USDT"]) * 1.5 * (1 / 0.999 - 1)
    carried, tax = 0.0, 0.0
    for year in sorted(gains):
        taxed = gains[year] - carried
        carried, tax = max(-taxed, 0), tax + max(taxed, 0) * 0.47
    assert tax > 0
    assert found.tax is not None
    assert float(found.tax) == pytest.approx(tax, abs=0.01)


def test_treatment_and_entity_are_the_books() -> None:
    result = run("bybit_spot:BTCUSDT")
    company = Profile("c", Policy(Entity.COMPANY, treatment=Treatment.REVENUE_PROFIT_SCHEME))
    found = after_tax(result, Taxpayer(company, rates()))
    assert (found.entity, found.treatment) == ("company", "revenue_profit_scheme")
    assert "company rate of 30 %" in found.basis
    assert "spot on revenue profit scheme account" in found.words


def test_without_a_rate_it_says_so_and_assumes_nothing() -> None:
    result = run("bybit_linear:BTCUSDT")
    for source in (RateTable([]), rates(source="SYNTHETIC close")):
        found = after_tax(result, Taxpayer(rates=source))
        assert (found.tax, found.total_return, found.before) == (None, None, None)
        assert found.reason.startswith("nobody says what USDT was worth in AUD at 2025-05-20")


def test_who_cannot_be_worked_out_gets_the_reason() -> None:
    away = Policy(residency=(Residency("foreign"),))
    found = after_tax(run("bybit_linear:BTCUSDT"), Taxpayer(Profile("x", away), rates()))
    assert "registered tax agent" in found.reason


def test_a_run_of_very_many_spot_fills_says_where_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SPOT_FILLS", 3)
    found = after_tax(run("bybit_spot:BTCUSDT"), Taxpayer(rates=rates()))
    assert "--post-to-ledger" in found.reason


def test_a_run_of_many_spot_fills_says_that_its_line_takes_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spot, contracts = run("bybit_spot:BTCUSDT"), run("bybit_linear:BTCUSDT")
    assert module.slow_words(spot) == ""
    monkeypatch.setattr(module, "_SLOW_FROM", 3)
    assert "spot fills is worked out parcel by parcel" in module.slow_words(spot)
    assert module.slow_words(contracts) == "", "a contract's days are summed"
    monkeypatch.setattr(module, "MOST_SPOT_FILLS", 4)
    assert module.slow_words(spot) == "", "it has no line"


def test_every_report_has_the_line() -> None:
    result = run("bybit_linear:BTCUSDT")
    again = BacktestResult(result.run, replace(result.context, home=None))
    shown = _shown(again)
    assert "After tax" in shown
    assert "no estimate: nobody says what USDT was worth" in " ".join(shown.split())
    assert again.document()["after_tax"]["reason"].startswith("nobody says")
    told = BacktestResult(result.run, result.context)
    told.taxpayer = Taxpayer(rates=rates())
    assert "in 2 income years" in " ".join(_shown(told).split())
    assert "An estimate, not advice: individual" in report_html(told)
    assert "not advice" not in report_html(again)
    document = told.document()["after_tax"]
    assert [row["year"] for row in document["by_year"]] == ["2024-25", "2025-26"]
    assert document["tax"] == f"{told.after_tax.tax:.2f}"


def test_a_table_without_exact_effects_says_so() -> None:
    found: AfterTax = fake_result(bars=100, changes=4).after_tax
    assert found.reason == "the run keeps no exact cash effects"


def _shown(result: BacktestResult) -> str:
    out = io.StringIO()
    print_report(result, Console(file=out, width=80, no_color=True))
    return out.getvalue()
