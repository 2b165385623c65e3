"""Whole reports of small fixed runs, as text: a change of a figure or a word is a line in a diff.

`make golden` writes the files of tests/golden/reports anew. Versions, commits and stamps of the
machine are left out; floats are written with nine digits.
"""

import io
import json
import os
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader
from rich.console import Console

import openalpha
from openalpha.core.clock import ManualClock, parse_ms
from openalpha.research.report import report_html
from openalpha.research.stress_shocks import CRISES
from openalpha.research.wording import percent
from tests.fakes.markets import noise, planted

FOLDER = Path(__file__).parent / "reports"
GRID = {"fast": "3:9:3", "slow": [16, 32]}
RUN: dict[str, Any] = {
    "params": {"fast": 5, "slow": 20}, "sizing": {"kind": "fixed_fraction", "fraction": "0.5"},
}  # fmt: skip
FIXED = {"params": RUN["params"], "sizing": RUN["sizing"]}
OF_THE_MACHINE = ("versions", "commit", "source_hash")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Return each run by its name, made once."""
    home = tmp_path_factory.mktemp("home")
    clock = ManualClock(parse_ms("2026-01-01"))
    market, edge = noise(3_000, funding=True), planted(3_000)
    makers: dict[str, Callable[[], Any]] = {
        "backtest": lambda: openalpha.backtest(
            "ma_cross", market, home=home / "a", clock=clock, **FIXED
        ),
        "backtest_edge": lambda: openalpha.backtest(
            "ma_cross", edge, home=home / "b", clock=clock, **FIXED
        ),
        "walkforward": lambda: openalpha.walkforward(
            "ma_cross", market, grid=GRID, folds=4, home=home / "c", sizing=FIXED["sizing"]
        ),
        "montecarlo": lambda: openalpha.montecarlo(
            "ma_cross", market, paths=400, reruns=4, home=home / "d", **FIXED
        ),
        "stress": lambda: openalpha.stress("ma_cross", market, home=home / "e", **FIXED),
    }
    known: dict[str, Any] = {}

    def ask(name: str) -> Any:
        if name not in known:
            known[name] = makers[name]()
        return known[name]

    return ask


NAMES = ("backtest", "backtest_edge", "walkforward", "montecarlo", "stress")
KINDS = ("txt", "json", "html.txt", "pdf.txt")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_report_says_what_it_said(made: Any, tmp_path: Path, name: str, kind: str) -> None:
    result = made(name)
    if kind == "txt" and not name.startswith("backtest"):
        pytest.skip("a study's table in the terminal is that of its page")
    text = {"txt": terminal, "json": document, "html.txt": page, "pdf.txt": paper}[kind](
        result, tmp_path
    )
    path = FOLDER / f"{name}.{kind}"
    if os.environ.get("OPENALPHA_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, f"run `make golden` and review {path.name}"


def terminal(result: Any, _: Path) -> str:
    out = io.StringIO()
    result.show(Console(file=out, width=80))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def document(result: Any, _: Path) -> str:
    found = json.loads(result.to_json())
    for name in OF_THE_MACHINE:
        found.get("record", {}).pop(name, None)
        found.get("sweep", {}).pop(name, None)
    found.get("record", {}).get("trial", {}).pop("hash", None)
    for name in ("fills", "round_trips", "equity", "daily_returns"):
        if name in found:
            found[name] = f"{len(found[name])} of them, kept elsewhere"
    return json.dumps(rounded(found), indent=1, ensure_ascii=False) + "\n"


def rounded(item: Any) -> Any:
    if isinstance(item, dict):
        return {name: rounded(part) for name, part in item.items()}
    if isinstance(item, list):
        return [rounded(part) for part in item]
    return float(f"{item:.9g}") if isinstance(item, float) else item


def page(result: Any, _: Path) -> str:
    text = report_html(result) if hasattr(result, "fills") else result.page().html()
    text = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S)
    text = re.sub(r"</(p|h\d|li|tr|section|title|summary|caption|div)>", "\n", text)
    text = re.sub(r"</t[hd]>", " | ", text)
    lines = (re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", "", line))).strip(" |")
             for line in text.splitlines())  # fmt: skip
    return "".join(f"{line}\n" for line in lines if line and not of_the_machine(line))


def paper(result: Any, folder: Path) -> str:
    reader = PdfReader(result.to_pdf(folder / "report.pdf"))
    lines = "\n".join(found.extract_text() for found in reader.pages).splitlines()
    return "".join(f"{line}\n" for line in lines if not of_the_machine(line))


def of_the_machine(line: str) -> bool:
    return line.startswith(("Code", "Versions", "Strategy: ", "Strategy |", "ta-lib"))


def said(result: Any) -> str:
    return " ".join([result.headline, *(words for _, words in result.sentences)])


@pytest.mark.parametrize("name", ["backtest", "backtest_edge"])
def test_the_sentences_of_a_backtest_are_true(made: Any, name: str) -> None:
    result = made(name)
    change = float(result.run.equity[-1]) / 10_000 - 1
    assert f"{'gained' if change > 0 else 'lost'} {percent(abs(change))}" in result.verdict.headline
    closes = next(iter(result.context.histories.values())).bars[:, 3]
    first = next(iter(result.context.histories.values())).bars[0, 0]
    held = percent(float(closes[-1] / first) - 1, signed=True)
    assert f"buying and holding made {held}" in result.verdict.headline
    before = result.costs["profit_before_costs"]
    opinion = result.verdict.opinion
    assert opinion.startswith("It did not earn its costs") == (change <= 0 < before)
    assert opinion.startswith("It lost on this history even before") == (change <= 0 >= before)


@pytest.mark.parametrize("name", ["backtest", "backtest_edge"])
def test_every_cut_of_a_backtest_adds_up(made: Any, name: str) -> None:
    result = made(name)
    total = float(result.trips.pnl.sum())
    for frame in (result.by_side, result.by_hour, result.by_instrument):
        assert frame["pnl"].sum() == pytest.approx(total)
        assert frame["round_trips"].sum() == len(result.trips)
    hours = result.by_hour
    parts = hours["gross_pnl"] - hours["fees"] + hours["funding"]
    assert parts.to_list() == pytest.approx(hours["pnl"].to_list())
    known = result.days.returns[30:]
    whole = np.prod(1 + result.by_regime["total_return"].to_numpy())
    assert whole == pytest.approx(np.prod(1 + known))
    assert result.by_regime["days"].sum() == len(known)
    steps = result.costs
    assert steps["profit_before_costs"] - steps["total_costs"] == pytest.approx(steps["net_profit"])
    assert result.metrics["beta"] == pytest.approx(result.against.beta)
    assert result.metrics["alpha_annual"] == pytest.approx(result.against.alpha_annual)


def test_the_sentences_of_a_walk_forward_are_true(made: Any) -> None:
    result = made("walkforward")
    ends = [float(np.prod(1 + one.daily)) for one in result.outcomes]
    assert percent(float(np.prod(ends)) - 1, signed=True) in result.headline
    won = sum(end > 1 for end in ends)
    assert f"{won} of {len(ends)} tests made a profit" in said(result)
    is_short = len(result.stitched[0]) < 90
    assert ("too few to tell skill from luck" in said(result)) == is_short
    lost = "lost money on the time that followed" in said(result)
    assert lost == (np.prod(ends) <= 1 and result.metrics["trained_mean_daily_return"] > 0)


def test_the_sentences_of_a_monte_carlo_are_true(made: Any) -> None:
    result = made("montecarlo")
    lost = percent(float((result.days.final < 1).mean()))
    assert f"below its start in {lost}" in said(result)
    assert f"{lost} of 400 paths lose money" in result.headline
    for one in result.of_kind("costs"):
        is_gone = one.metrics["total_return"] <= 0 < result.base["total_return"]
        assert (f"gone with costs {one.change}" in said(result)) <= is_gone


def test_the_sentences_of_a_stress_are_true(made: Any) -> None:
    result = made("stress")
    worst = min(result.shocks, key=lambda one: one.total_return)
    assert f"{worst.name}, leaves {percent(worst.total_return, signed=True)}" in result.headline
    ended = [one.name for one in result.shocks if one.is_liquidated]
    assert ("It is liquidated by" in said(result)) == bool(ended)
    assert ("no move short of 100 %" in said(result)) == (result.distance >= 1)
    held = [one.name for one in result.crises]
    assert [one.name for one in CRISES if one.name not in held] == [
        one.name for one in result.absent
    ]
    assert result.absent
