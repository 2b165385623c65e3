"""`openalpha demo` on a short market: the table, the pages, what a second call does."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.cli import demo_trading
from openalpha.cli.border import execute
from openalpha.cli.demo import PLANS
from openalpha.core.clock import MINUTE_MS
from openalpha.market.synth import PRESETS


@pytest.fixture(autouse=True)
def _short_market(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty days instead of two years, three at the twin; all else is as a user gets it."""
    monkeypatch.setitem(PRESETS, "demo", replace(PRESETS["demo"], days=30, timeframe_ms=MINUTE_MS))
    monkeypatch.setattr(demo_trading, "DAYS", 3)


def test_the_demo_compares_all_strategies_and_runs_again(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert execute(["demo", "--json", str(tmp_path / "demo.json")]) == 0
    captured = capsys.readouterr()
    out = captured.out
    assert "SYNTHETIC" in out
    assert "incident" not in captured.err, "nothing at the twin needs a person"
    assert max(len(line) for line in captured.out.splitlines()) <= 80
    for plan in PLANS:
        for part in plan.strategy.split("_volume"):
            assert part in captured.out
    assert "\n_volume " in captured.out
    assert f"HTML report: {home / 'demo' / 'report.html'}" in captured.err
    assert "Next, for example" in captured.err
    document = json.loads((tmp_path / "demo.json").read_text())
    assert [run["strategy"] for run in document["runs"]] == [plan.strategy for plan in PLANS]
    assert document["is_synthetic"] is True
    tax = document["tax"]
    assert f"Books: {tax['entries']:,} entries of funding_carry posted to backtest/me" in out
    assert tax["is_synthetic"] is True
    assert tax["open_items"] == 0, "every entry has a value: a made-up one, and it says so"
    (year,) = tax["years"]
    assert year["year"] == "2022-23"
    assert f"Tax 2022-23, AUD: capital gains {year['net_capital_gain']:,}" in out
    assert out.index("Tax 2022-23") < out.index("SYNTHETIC: made-up trades")
    page = (home / "demo" / "report.html").read_text()
    assert "Synthetic market" in page
    for plan in PLANS:
        assert f'href="report/{plan.strategy}.html"' in page
        assert (home / "demo" / "report" / f"{plan.strategy}.html").is_file()

    told = _told_by_the_books(tax["account"])
    assert told == {name: year[name] for name in told}

    before = {run["strategy"]: run["metrics"] for run in document["runs"]}
    assert execute(["demo", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "is in the lake already" in captured.err
    again = json.loads(captured.out)
    assert {run["strategy"]: run["metrics"] for run in again["runs"]} == before
    assert {run["trials"] for run in again["runs"]} == {1}

    assert execute(["demo", "--seed", "8", "--html", str(tmp_path / "eight.html"), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    assert (tmp_path / "eight.html").is_file()


def _told_by_the_books(account: str) -> dict[str, int]:
    """Work the year out again from the fees, funding and profits the ledger shows by category."""
    from openalpha.books.accounts import Category
    from openalpha.books.rates import in_quote
    from openalpha.books.trades import Filters, entries
    from openalpha.cli.ledger_open import open_book

    sums = {"income": Decimal(0), "deductions": Decimal(0)}
    with open_book(None, None, environment="backtest", entity="me") as (books, book):
        for entry in entries(books.database, book, filters=Filters(source=account)):
            is_spot = any("synthetic_spot" in line.account.instrument for line in entry.postings)
            for line in entry.postings:
                if line.account.category is not Category.CASH or is_spot:
                    continue
                if entry.ref == "opening balance":
                    continue
                worth = in_quote(
                    books.rates, line.account.coin, quote="AUD", amount=line.amount,
                    ts_ms=entry.ts_ms,
                )  # fmt: skip
                assert worth is not None
                sums["income" if worth > 0 else "deductions"] += abs(worth)
    return {name: int(amount) for name, amount in sums.items()}


def test_another_synthetic_market_is_not_replaced_unasked(home, tmp_path, capsys):
    synth = ["data", "synth", "--days", "30", "--seed", "3", "--quiet"]
    assert execute(synth) == 0
    assert execute(["demo", "--quiet"]) == 1
    assert "--replace" in capsys.readouterr().err
    assert not (home / "runs").exists()
    other = tmp_path / "other"
    assert execute(["demo", "--home", str(other), "--quiet"]) == 0
    assert (other / "demo" / "report.html").is_file()
    assert not (home / "demo").exists()


def test_every_built_in_strategy_is_in_the_demo() -> None:
    from openalpha.strategy import strategy_names

    assert {plan.strategy for plan in PLANS} == set(strategy_names())


@pytest.mark.nightly
def test_a_damaged_note_of_the_market_only_costs_time(home: Path, capsys):
    assert execute(["demo", "--quiet"]) == 0
    (home / "demo" / "market.json").write_text("{")
    assert execute(["demo"]) == 0
    assert "Making a SYNTHETIC market" in capsys.readouterr().err
    assert json.loads((home / "demo" / "market.json").read_text())["seed"] == 7
