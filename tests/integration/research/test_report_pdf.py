"""The PDF of a backtest: every page and figure, awkward runs, the same bytes for the same run."""

import io
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

from openalpha.research.reconsider import reconsider
from openalpha.research.report.pdf import report_pdf
from openalpha.research.report.plots import nice_ticks
from openalpha.research.report.robust import day_histogram, rolling_sharpe
from openalpha.research.verdict import Check, Severity, Verdict
from openalpha.research.wording import money
from tests.fakes.engine_run import fake_result

SHAPES: dict[str, dict[str, Any]] = {
    "no trade": {"bars": 100, "changes": 0},
    "one bar": {"bars": 1, "changes": 0},
    "two bars": {"bars": 2, "changes": 2},
    "ruined": {"bars": 2_000, "changes": 900, "notional": 200_000.0},
}


def words_of(data: bytes) -> str:
    pages = PdfReader(io.BytesIO(data)).pages
    return "\n".join(page.extract_text() for page in pages)


def test_it_says_what_the_result_says_in_order() -> None:
    result = fake_result(bars=3_000, changes=120)
    text = words_of(report_pdf(result))
    outline = [item.title for item in PdfReader(io.BytesIO(report_pdf(result))).outline]
    assert outline == [
        "In short", "Verdict", "Money", "Months", "Risk", "Trades", "Costs", "Where it came from",
        "Robustness",
        "What would change my mind", "All figures", "What it was made from",
    ]  # fmt: skip
    assert money(result.metrics["net_profit"]).lstrip("−") in text
    assert result.verdict.checks[0].sentence.split()[0] in text
    assert "?" not in text, "a character the fonts do not have"


def test_the_same_run_gives_the_same_bytes() -> None:
    one, other = (report_pdf(fake_result(bars=500, changes=20)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("shape", SHAPES)
def test_awkward_runs_have_a_report(shape: str) -> None:
    text = words_of(report_pdf(fake_result(**SHAPES[shape])))
    assert "What would change my mind" in text
    assert "nan" not in text.lower().split()


def test_minds_change_by_numbers_of_the_run() -> None:
    result = fake_result(bars=3_000, changes=40)
    found = reconsider(result.metrics, result.verdict)
    assert len(set(found.more)) == len(found.more)
    trips = result.metrics["round_trips"]
    needed = round(result.metrics["years"] * 365 * 30 / trips)
    if trips < 30:
        assert any(f"{needed:,} days in all" in words for words in found.more)
    idle = fake_result(bars=100, changes=0)
    assert reconsider(idle.metrics, idle.verdict).less == ()


def test_rolling_figures_begin_when_their_stretch_is_whole() -> None:
    returns = np.tile([0.01, -0.005, 0.0], 20)
    found = rolling_sharpe(returns, 30)
    assert np.isnan(found[:29]).all()
    part = returns[10:40]
    assert found[39] == pytest.approx(part.mean() / part.std(ddof=1) * np.sqrt(365))
    assert np.isnan(rolling_sharpe(np.zeros(50), 30)).all()


def test_days_by_return_count_every_day_once() -> None:
    returns = np.array([0.0, 0.01, -0.02, 0.03, 0.0])
    found = day_histogram(returns)
    assert (sum(found["count"]), found["still"]) == (3, 2)


def test_ticks_are_round_and_inside() -> None:
    assert nice_ticks(-0.31, 0.42, most=4) == [-0.2, 0.0, 0.2, 0.4]
    assert nice_ticks(5.0, 5.0) == [5.0]


def test_legs_that_hedge_are_not_counted_as_a_pace() -> None:
    made = fake_result(bars=500, changes=6)
    hedged = Check("hedged_legs", Severity.NOTE, "")
    few = Check("too_few_round_trips", Severity.ALARM, "")
    verdict = Verdict("", "", (few, hedged))
    assert reconsider(made.metrics, verdict).more[0] == "30 positions or more."
    assert "days in all" in reconsider(made.metrics, Verdict("", "", (few,))).more[0]
