"""A result as others take it: JSON by its schema, run folder, CSV, HTML, terminal."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from openalpha.core.errors import InputError
from openalpha.research.report import compare_html, print_comparison, print_report, report_html
from openalpha.research.report.page import data_of
from openalpha.research.result import BacktestResult
from openalpha.research.schema import ResultDocument
from openalpha.research.trials import Trial, TrialLedger
from openalpha.research.wording import percent
from openalpha.store.runs import RunStore
from tests.fakes.engine_run import fake_result

SHAPES: dict[str, dict[str, Any]] = {
    "ordinary": {"bars": 3_000, "changes": 120},
    "no trade": {"bars": 100, "changes": 0},
    "one bar": {"bars": 1, "changes": 0},
    "ruined": {"bars": 2_000, "changes": 900, "notional": 200_000.0},
    "minutes": {"bars": 60_000, "changes": 300, "timeframe_ms": 60_000},
}


@pytest.fixture(scope="module", params=list(SHAPES))
def result(request: pytest.FixtureRequest) -> BacktestResult:
    made: BacktestResult = fake_result(**SHAPES[request.param])
    return made


def test_the_json_keeps_to_its_schema(result: BacktestResult) -> None:
    document = json.loads(result.to_json())
    ResultDocument.model_validate(document)
    assert document["metrics"]["final_equity"] == pytest.approx(float(result.run.final_equity))
    assert document["account"]["final_equity"] == str(result.run.final_equity)


def test_a_field_too_many_or_of_another_type_breaks_the_schema() -> None:
    document = json.loads(fake_result(bars=100, changes=4).to_json())
    with pytest.raises(ValueError, match="surprise"):
        ResultDocument.model_validate(document | {"surprise": 1})
    document["fills"][0]["price"] = 1.5
    with pytest.raises(ValueError, match="price"):
        ResultDocument.model_validate(document)


def test_prices_and_quantities_are_exact_strings() -> None:
    document = fake_result(bars=500, changes=10).document()
    assert all(re.fullmatch(r"\d+\.\d", fill["price"]) for fill in document["fills"])
    assert all(re.fullmatch(r"\d+\.\d{3}", fill["qty"]) for fill in document["fills"])
    assert {fill["reason"] for fill in document["fills"]} == {"market"}


def test_a_long_run_is_told_by_days_and_says_so() -> None:
    curve = fake_result(bars=60_000, changes=5, timeframe_ms=60_000).document()["equity"]
    assert curve["resolution"] == "day"
    assert len(curve["equity"]) == len(curve["close_ms"]) == 42
    assert fake_result(bars=500, changes=5).document()["equity"]["resolution"] == "bar"


def test_saving_leaves_everything_to_read_again(result: BacktestResult, tmp_path: Path) -> None:
    saved = result.save(tmp_path)
    found = RunStore(tmp_path).open_run(saved.id)
    assert found.document("result")["verdict"]["headline"] == result.verdict.headline
    assert found.frame("fills").equals(result.fills)
    assert found.frame("equity")["equity"].to_numpy() == pytest.approx(result.run.equity)
    assert found.record["data"] == result.context.data_record()
    assert found.record["settings"]["costs"]["taker_bps"] == 5.5


def test_saving_without_a_home_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"result\.save\(home\)"):
        fake_result(bars=10, changes=0).save()


def test_the_record_and_the_verdict_know_how_often_the_family_was_tried(tmp_path: Path) -> None:
    ledger, made = TrialLedger(tmp_path), fake_result(bars=3_000, changes=60)
    for seed in range(40):
        trial = Trial(
            strategy="ma_cross", instruments=tuple(made.context.histories), params={"seed": seed},
            source_hash="", data_fingerprint="", settings_hash="", first_day=int(made.days.day[0]),
            daily_returns=made.days.returns,
        )  # fmt: skip
        row = ledger.append(trial)
    counted = fake_result(bars=3_000, changes=60, context={"trial": row, "ledger": ledger})
    assert counted.record["trial"] == {"row": 39, "hash": ledger.row(39).hash, "family": 40}
    ResultDocument.model_validate(json.loads(counted.to_json()))
    ledger.close()


def test_csv_holds_every_row(tmp_path: Path) -> None:
    made = fake_result(bars=300, changes=20)
    paths = {path.name: path for path in made.to_csv(tmp_path)}
    assert len(paths["fills.csv"].read_text().splitlines()) == len(made.fills) + 1
    assert "final_equity" in paths["metrics.csv"].read_text()


def test_the_record_names_what_flatters() -> None:
    settings = {"costs": {"preset": "none", "maker_bps": 0.0, "taker_bps": 0.0}}
    made = fake_result(bars=300, changes=20, context={"settings": settings})
    assert any("fees" in sentence for sentence in made.record["flattering"])
    assert fake_result(bars=300, changes=20).record["flattering"] == []


def test_the_page_asks_nobody_for_anything(result: BacktestResult) -> None:
    page = report_html(result)
    shell = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    shell = re.sub(r'<script type="text/plain".*?</script>', "", shell, flags=re.DOTALL)
    assert not re.search(r"(src|href)=|@import|url\(", shell)
    assert page.count("</script>") == 4
    assert 'id="library"' in page


def test_the_page_holds_what_a_reader_needs(result: BacktestResult) -> None:
    page = report_html(result)
    for part in ("Net profit", "Verdict", "What it cost", 'id="curve"', 'id="price"', "Months",
                 "Last round trips", "USDT", "UTC", "before costs"):  # fmt: skip
        assert part in page, part
    drawn = data_of(page)
    assert drawn["curve"]["equity"][0] == 10_000
    assert drawn["curve"]["equity"][-1] == pytest.approx(result.run.equity[-1], rel=1e-6)
    assert max(drawn["curve"]["drawdown"]) == 0
    assert -min(drawn["curve"]["drawdown"]) == pytest.approx(100 * result.metrics["max_drawdown"])


def test_names_from_outside_cannot_break_the_page() -> None:
    nasty = "<img src=x onerror=alert(1)></script>"
    page = report_html(fake_result(nasty, bars=50, changes=2, context={"notes": (nasty,)}))
    assert "<img" not in page
    assert page.count("</script>") == 4
    beside = compare_html([fake_result(nasty, bars=50, changes=2)])
    assert "<img" not in beside and beside.count("</script>") == 4


def test_a_synthetic_market_is_called_so() -> None:
    made = fake_result(bars=50, changes=2)
    history = next(iter(made.context.histories.values()))
    named = fake_result(
        bars=50, changes=0, context={"histories": {"synthetic_linear:BTCUSDT": history}}
    )
    assert "Synthetic market" in report_html(named)
    assert "SYNTHETIC" in shown(named)
    assert "Synthetic" not in report_html(made)


def shown(result: BacktestResult, **options: Any) -> str:
    out = io.StringIO()
    print_report(result, Console(file=out, width=80, **options))
    return out.getvalue()


def test_the_terminal_fits_80_columns(result: BacktestResult) -> None:
    text = shown(result)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for part in ("Money", "Risk", "Round trips", "Costs", "Sharpe", "fees"):
        assert part in text, part
    assert "…" not in text


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    made = fake_result(bars=300, changes=20)
    assert "\x1b[3" in shown(made, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in shown(made, force_terminal=True)


def test_several_results_stand_side_by_side() -> None:
    names = ("ma_cross", "momentum", "grid")
    results = [fake_result(name, bars=500, changes=30, seed=at) for at, name in enumerate(names)]
    page = compare_html(results, links={"grid": "grid.html"})
    assert 'href="grid.html"' in page
    assert all(name in page for name in names)
    assert len(data_of(page)["overlay"]) == 3
    assert page.count('<details class="behind">') == 2
    last = percent(float(results[0].run.equity[-1]) / 10_000 - 1, signed=True)
    assert f">{last}</td>" in page
    out = io.StringIO()
    print_comparison(results, Console(file=out, width=80))
    assert all(name in out.getvalue() for name in names)
    with pytest.raises(InputError, match="no result"):
        compare_html([])


def test_a_missing_mark_and_gaps_are_open_items() -> None:
    made = fake_result(bars=50, changes=0)
    assert [item["code"] for item in made.open_items] == ["mark_missing"]


def test_figures_do_not_depend_on_the_order_they_are_asked_in() -> None:
    one, other = fake_result(bars=800, changes=40), fake_result(bars=800, changes=40)
    _ = (one.verdict, one.round_trips)
    assert np.array_equal(list(one.metrics.values()), list(other.metrics.values()), equal_nan=True)


def test_the_page_has_a_table_behind_each_chart_and_what_would_change_the_verdict() -> None:
    made = fake_result(bars=9_000, changes=260)
    text = report_html(made)
    data = data_of(text)
    assert text.count('<details class="behind">') == 7
    assert sum(data["days"]["count"]) + data["days"]["still"] == len(made.days)
    assert data["moves"]["of"] == len(made.trips)
    assert data["rolling"]["window"] == 90
    assert len(data["rolling"]["t"]) == len(made.days) - 89
    assert "What would speak for it" in text
    fills = data["prices"][0]["views"][0]
    assert len(fills["why"]) == len(fills["t_fill"])
    for place in ("rolling", "days", "moves"):
        assert f'id="{place}"' in text


def test_a_page_of_a_million_minutes_is_small_and_hides_no_extreme() -> None:
    made = fake_result(bars=1_000_000, changes=21_000, timeframe_ms=60_000, notional=300.0)
    page = report_html(made)
    assert len(made.trips) > 9_000 and len(page) < 1_850_000
    curve = data_of(page)["curve"]
    equity = np.append(10_000.0, made.run.equity)
    assert max(curve["equity"]) == pytest.approx(equity.max(), rel=1e-6)
    assert min(curve["equity"]) == pytest.approx(equity.min(), rel=1e-6)
    assert curve["t"][-1] == made.end_ms and (np.diff(curve["t"]) > 0).all()
