"""Walk-forward, Monte Carlo and stress: what they may see, what they count, what they say."""

import json
import math
import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

import openalpha
from openalpha import studies
from openalpha.core.errors import InputError
from openalpha.core.instruments import RiskTier
from openalpha.engine.batch import FIGURES
from openalpha.market.history import History
from openalpha.research import stress_shocks, variations
from openalpha.research.liquidation import distances, nearest
from openalpha.research.montecarlo_paths import block_paths, trade_paths
from openalpha.research.report.page import data_of
from openalpha.research.sweep_evaluate import Evaluator, Span
from openalpha.research.trials import TrialLedger
from openalpha.research.walkforward_folds import folds_of
from tests.fakes.markets import noise, planted

GRID = {"fast": "3:9:3", "slow": [16, 32, 48]}
SETTINGS: dict[str, Any] = {"sizing": {"kind": "fixed_fraction", "fraction": "0.5"}}
RUN = {"params": {"fast": 5, "slow": 20}, **SETTINGS}


def subject(tmp_path: Path, bars: int = 1_000) -> Any:
    return studies.study_of("ma_cross", noise(bars), home=tmp_path).evaluator(1).subject


@pytest.mark.parametrize("anchored", [False, True])
def test_folds_leave_the_gap_and_cover_the_rest(tmp_path: Path, anchored: bool) -> None:
    on = subject(tmp_path)
    found = folds_of(on, folds=5, train=0.4, is_anchored=anchored, purge_bars=7, embargo_bars=3)
    hour = 3_600_000
    assert found[0].test_start_ms == on.start_ms + 400 * hour and found[-1].test_end_ms == on.end_ms
    for one, after in pairwise(found):
        assert one.test_end_ms == after.test_start_ms
    for one in found:
        assert one.test_start_ms - one.train_end_ms == 10 * hour
        length = one.train_end_ms - one.train_start_ms
        assert one.train_start_ms == on.start_ms if anchored else length == 390 * hour


@pytest.mark.parametrize(
    "scheme",
    [{"folds": 0}, {"train": 1.0}, {"folds": 900}, {"purge_bars": 500}, {"purge_bars": -1}],
)
def test_time_too_short_is_said(tmp_path: Path, scheme: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        folds_of(subject(tmp_path), **{"folds": 4, "train": 0.4, **scheme})


def test_folds_lie_where_every_instrument_has_bars(tmp_path: Path) -> None:
    early, late = noise(1_000), noise(1_000, symbol="ETHUSDT").window(300, 900)
    on = studies.study_of("momentum", [early, late], home=tmp_path).evaluator(1).subject
    found = folds_of(on, folds=3, train=0.5)
    assert found[0].train_start_ms == int(late.ts_ms[0])
    assert found[-1].test_end_ms == late.end_ms


def test_the_future_of_a_fold_changes_nothing_it_chose(tmp_path: Path) -> None:
    history = noise(2_000)
    whole = openalpha.walkforward("ma_cross", history, grid=GRID, home=tmp_path, folds=4)
    known = history.window(0, 1_400)  # ends with the second test: 0.4 + 2 × 0.15
    part = openalpha.walkforward(
        "ma_cross", known, grid=GRID, home=tmp_path, folds=2, train=0.4 * 2_000 / 1_400
    )
    for one, other in zip(whole.outcomes, part.outcomes, strict=False):
        assert one.fold == other.fold and one.config == other.config
        assert np.array_equal(one.daily, other.daily)


def test_a_test_is_the_chosen_configuration_run_there(tmp_path: Path) -> None:
    result = openalpha.walkforward(
        "ma_cross", noise(2_000), grid=GRID, home=tmp_path, folds=3, **SETTINGS
    )
    study = studies.study_of("ma_cross", noise(2_000), home=tmp_path, groups=SETTINGS)
    evaluator = study.evaluator(1)
    assert isinstance(evaluator, Evaluator)
    one = result.outcomes[1]
    span = Span(evaluator.subject, start_ms=one.fold.train_start_ms, end_ms=one.fold.train_end_ms)
    every = [{"fast": f, "slow": s} for f in (3, 6, 9) for s in (16, 32, 48)]
    (found,) = evaluator.evaluate([study.build(config) for config in every], [span])
    sharpe = found.figures[:, FIGURES.index("sharpe")]
    assert one.config == every[int(np.nanargmax(sharpe))]
    assert one.trained["sharpe"] == pytest.approx(np.nanmax(sharpe))


def test_tests_are_put_together_end_to_end(tmp_path: Path) -> None:
    result = openalpha.walkforward(
        "ma_cross", noise(2_000), grid=GRID, home=tmp_path, folds=5, **SETTINGS
    )
    product = math.prod(float(np.prod(1 + one.daily)) for one in result.outcomes)
    assert result.equity[-1] == pytest.approx(product)
    days, _ = result.stitched
    assert np.array_equal(np.diff(days), np.ones(len(days) - 1))
    assert result.family == 9 and len(TrialLedger(tmp_path)) >= 45
    made = json.loads(result.to_json())
    assert len(made["folds"]) == 5 and made["kind"] == "walkforward"


def test_workers_leave_no_trace_in_a_walkforward(tmp_path: Path) -> None:
    made = [
        openalpha.walkforward(
            "ma_cross", noise(2_000), grid=GRID, home=tmp_path / str(n), workers=n
        ).to_json()
        for n in (1, 3)
    ]
    assert made[0] == made[1]


def test_an_edge_is_kept_and_noise_is_not(tmp_path: Path) -> None:
    costs = {"preset": "none"}
    real = openalpha.walkforward(
        "ma_cross", planted(6_000), grid=GRID, home=tmp_path / "edge", costs=costs
    )
    assert real.efficiency > 0.5 and real.metrics["sharpe"] > 2
    assert "kept" in real.sentences[0][1]
    none = openalpha.walkforward(
        "ma_cross", noise(6_000), grid=GRID, home=tmp_path / "noise", **SETTINGS
    )
    assert none.sentences[0][0] in ("alarm", "caution")


@pytest.mark.parametrize("method", ["tpe", "nsga2", "cmaes", "genetic"])
def test_a_method_that_learns_begins_anew_in_each_fold(tmp_path: Path, method: str) -> None:
    history = noise(1_600)
    asked = {"method": method, "trials": 12, "grid": {"fast": "3:12", "slow": "16:60"}}
    whole = openalpha.walkforward("ma_cross", history, home=tmp_path / "a", folds=3, **asked)
    assert whole.is_complete and len(whole.outcomes) == 3 and whole.configurations <= 12
    first = openalpha.walkforward(
        "ma_cross", history.window(0, 960), home=tmp_path / "b", folds=1,
        train=0.4 * 1_600 / 960, **asked,
    )  # fmt: skip
    assert first.outcomes[0].config == whole.outcomes[0].config
    assert np.array_equal(first.outcomes[0].daily, whole.outcomes[0].daily)
    assert len(TrialLedger(tmp_path / "a")) > len(TrialLedger(tmp_path / "b"))


def test_the_gap_is_measured_unless_it_is_given(tmp_path: Path) -> None:
    result = openalpha.walkforward("ma_cross", noise(2_000), grid=GRID, home=tmp_path, folds=3)
    assert result.embargo_bars == 48 - 1 or result.embargo_bars >= 47  # the slowest average
    assert result.purge_bars > 0
    for one in result.outcomes:
        gap = one.fold.test_start_ms - one.fold.train_end_ms
        assert gap == (result.purge_bars + result.embargo_bars) * 3_600_000
    # A tested time that ends before the first test knows nothing of what follows it.
    cut = openalpha.walkforward(
        "ma_cross", noise(2_000).window(0, 1_200), grid=GRID, home=tmp_path / "b", folds=1,
        train=800 / 1_200,
    )  # fmt: skip
    assert (cut.purge_bars, cut.embargo_bars) == (result.purge_bars, result.embargo_bars)


class Stopping:
    """Presses Ctrl-C after so many calls."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, done: int, total: float) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_a_stop_keeps_what_is_done(tmp_path: Path) -> None:
    history = noise(1_500)
    made = openalpha.montecarlo(
        "ma_cross", history, home=tmp_path, paths=50, reruns=20, progress=Stopping(3), **RUN
    )
    assert not made.is_complete and 0 < len(made.reruns) < 40 and made.days is not None
    assert made.sentences[-1][1].startswith("It was stopped")
    shaken = openalpha.stress("ma_cross", history, home=tmp_path, progress=Stopping(2), **RUN)
    assert not shaken.is_complete and len(shaken.shocks) == 2
    walked = openalpha.walkforward(
        "ma_cross", history, home=tmp_path, folds=4, method="genetic", trials=10,
        grid={"fast": "3:12", "slow": "16:60"}, progress=Stopping(2),
    )  # fmt: skip
    assert not walked.is_complete and 1 <= len(walked.outcomes) < 4
    assert "stopped" in walked.sentences[-1][1] and walked.page().html()
    assert TrialLedger(tmp_path).verify() is None


def test_trade_paths_have_the_odds_of_a_coin() -> None:
    made = trade_paths(np.array([0.1, -0.1]), paths=40_000, seed=3)
    # Two throws: 1.21, 0.99 twice, 0.81; a fall of 10 % or more unless both win.
    assert np.mean(made.final > 1) == pytest.approx(0.25, abs=0.01)
    assert np.mean(made.drawdown > 0.09) == pytest.approx(0.75, abs=0.01)
    assert np.mean(made.drawdown > 0.15) == pytest.approx(0.25, abs=0.01)
    wiped = trade_paths(np.array([0.0, -0.6]), paths=10_000)
    assert wiped.summary()["probability_of_ruin"] == pytest.approx(0.75, abs=0.02)


def test_the_same_seed_gives_the_same_paths() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    one, other, third = (block_paths(returns, paths=200, seed=s) for s in (5, 5, 6))
    assert one.final.tobytes() == other.final.tobytes() != third.final.tobytes()


def test_blocks_keep_what_hangs_together() -> None:
    runs = np.repeat([0.01, -0.01], 20).tolist() * 5
    wide = block_paths(np.array(runs), paths=4_000, block=20.0)
    narrow = block_paths(np.array(runs), paths=4_000, block=1.0)
    assert wide.final.std() > 1.6 * narrow.final.std()


def test_what_is_made_of_a_run_is_kept_under_it_and_not_counted(tmp_path: Path) -> None:
    result = openalpha.montecarlo(
        "ma_cross", noise(1_500, funding=True), home=tmp_path, paths=500, reruns=6, **RUN
    )
    assert len(result.of_kind("bars")) == 6 and len(result.of_kind("costs")) == 2
    assert len(result.of_kind("delay")) == 3
    ledger = TrialLedger(tmp_path)
    assert ledger.verify() is None
    found = ledger.family("ma_cross", ["bybit_linear:BTCUSDT"], start_ms=0, end_ms=2**45)
    assert found.configurations == 1 and len(found.rows) > 12
    made = json.loads(result.to_json())
    assert made["days"]["paths"] == 500 and "verdict" in made
    again = openalpha.montecarlo(
        "ma_cross", noise(1_500, funding=True), home=tmp_path, paths=500, reruns=6, **RUN
    )
    assert again.to_json() == result.to_json()


def test_higher_costs_and_delay_do_what_they_say(tmp_path: Path) -> None:
    history = noise(1_500)
    result = openalpha.montecarlo("ma_cross", history, home=tmp_path, paths=50, reruns=0, **RUN)
    base, (double, treble) = result.base, result.of_kind("costs")
    paid = [one["fees"] / one["turnover_per_day"] for one in (base, double.metrics, treble.metrics)]
    assert paid[1] / paid[0] == pytest.approx(2, rel=0.06)
    assert paid[2] / paid[0] == pytest.approx(3, rel=0.1)
    assert base["total_return"] > double.metrics["total_return"] > treble.metrics["total_return"]
    study = studies.study_of("ma_cross", history, home=tmp_path)
    inner = study.cls()
    late = variations.late(inner, 2)
    from openalpha.strategy.bars import Bars

    params, bars = study.build(RUN["params"]), Bars.of(history)
    wanted, later = inner.target(bars, params), late.target(bars, params)
    assert np.array_equal(later[2:], wanted[:-2], equal_nan=True) and np.isnan(later[:2]).all()


def test_resampled_bars_are_bars(tmp_path: Path) -> None:
    history = noise(800, funding=True)
    (made,) = variations.resampled({"a": history}, seed=1, path=0).values()
    bars = made.bars
    assert (bars[:, 1] >= bars[:, :4].max(axis=1)).all() and (bars[:, 2] > 0).all()
    assert (bars[:, 2] <= bars[:, :4].min(axis=1)).all()
    moves, were = np.diff(np.log(bars[:, 3])), np.diff(np.log(history.bars[:, 3]))
    # Every move is one that was recorded, but for rounding to a tick.
    nearest = np.abs(moves[:, None] - were[None, :]).min(axis=1)
    assert nearest.max() < 1e-4


def test_instruments_of_other_stamps_are_resampled_where_they_meet(tmp_path: Path) -> None:
    whole, later = noise(800), noise(800, symbol="ETHUSDT").window(300, 700)
    made = rerun_of({"a": whole, "b": later})
    assert len(made["a"]) == len(made["b"]) == 400
    assert np.array_equal(made["a"].ts_ms, later.ts_ms)
    moves = [np.diff(np.log(h.bars[:, 3])) for h in made.values()]
    assert np.corrcoef(*moves)[0, 1] > 0.99  # both are seeded alike: the same rows were taken


def rerun_of(histories: Any) -> Any:
    return variations.resampled(histories, seed=2, path=0)


def test_a_crisis_one_instrument_did_not_see_is_none(tmp_path: Path) -> None:
    crisis = stress_shocks.Crisis("made up", "2023-12-10", "2023-12-12")
    late = noise(1_500, symbol="ETHUSDT").window(200, 1_500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stress_shocks, "CRISES", (crisis,))
        both = openalpha.stress("buy_and_hold", [noise(1_500), late], home=tmp_path)
        one = openalpha.stress("buy_and_hold", noise(1_500), home=tmp_path)
    assert both.crises == () and len(one.crises) == 1


def test_shocks_strike_where_it_hurts(tmp_path: Path) -> None:
    margin = {"leverage": 5}
    result = openalpha.stress(
        "buy_and_hold", noise(1_500, sigma=0.002, funding=True), home=tmp_path, margin=margin,
        sizing={"kind": "fixed_amount", "amount": "25000"},
    )  # fmt: skip
    found = {one.name: one for one in result.shocks}
    assert found["gap of −50 %"].is_liquidated and found["gap of −20 %"].change < -0.4
    assert found["funding of 0.5 % every 8 h for three days"].change < 0
    assert result.distance < 0.4 and result.sentences[0][0] == "alarm"
    short = openalpha.stress("buy_and_hold", noise(1_500), home=tmp_path, params={"share": -1.0})
    assert [one.name for one in short.shocks][:2] == ["gap of +20 %", "gap of +50 %"]
    assert short.shocks[0].change < 0
    ledger = TrialLedger(tmp_path)
    family = ledger.family("buy_and_hold", ["bybit_linear:BTCUSDT"], start_ms=0, end_ms=2**45)
    assert family.configurations == 2


def test_funding_strikes_each_position_of_a_hedge(tmp_path: Path) -> None:
    spot = noise(1_500, spot=True)
    dearer = spot.bars.copy()
    dearer[172:, :4] += dearer[172:, :4] // 10  # bought before: the whole of it is long from then
    legs = {
        "spot": History.of(spot.instrument, spot.timeframe_ms, ts_ms=spot.ts_ms, bars=dearer),
        "perp": noise(1_500, funding=True),
    }
    asked: dict[str, Any] = {"params": {"open_apr_pct": -99, "close_apr_pct": -100}}
    result = openalpha.stress("funding_carry", legs, home=tmp_path, **asked)
    (paid,) = [one for one in result.shocks if one.name.startswith("funding")]
    assert paid.change < 0, "the short leg pays, whatever the whole is worth"


def test_nothing_held_is_nothing_to_stress(tmp_path: Path) -> None:
    idle = openalpha.stress("buy_and_hold", noise(900), params={"share": 0.0}, home=tmp_path)
    assert idle.shocks == () and "Nothing was ever held" in idle.headline
    few = openalpha.montecarlo("buy_and_hold", noise(30), home=tmp_path, reruns=0, paths=10)
    assert few.trades is None and few.days is None and "Too few" in few.headline


def test_a_crisis_is_measured_on_its_days(tmp_path: Path) -> None:
    crisis = stress_shocks.Crisis("made up", "2023-12-20", "2023-12-28")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stress_shocks, "CRISES", (crisis,))
        result = openalpha.stress("buy_and_hold", noise(1_500), home=tmp_path)
    base = openalpha.backtest("buy_and_hold", noise(1_500), home=tmp_path)
    days = base.daily
    start, end = 19_711 * 86_400_000, 19_719 * 86_400_000
    inside = days.filter((days["ts_ms"] >= start) & (days["ts_ms"] < end))
    (found,) = result.crises
    assert found.total_return == pytest.approx(float(np.prod(1 + inside["return"].to_numpy()) - 1))


@pytest.mark.parametrize("study", ["sweep", "walkforward", "montecarlo", "stress"])
def test_pages_work_offline(tmp_path: Path, study: str) -> None:
    grids = {"grid": GRID} if study in ("sweep", "walkforward") else {"params": RUN["params"]}
    more = {"reruns": 3, "paths": 100} if study == "montecarlo" else {}
    run = getattr(openalpha, study)
    result = run("ma_cross", noise(1_500), home=tmp_path, **grids, **more, **SETTINGS)
    text = result.to_html(tmp_path / "page.html").read_text("utf-8")
    assert "Verdict" in text and 'src="http' not in text
    assert data_of(text)["figures"] and not re.search(r"<td[^>]*>nan", text.lower())


@pytest.mark.parametrize("study", ["sweep", "walkforward", "montecarlo", "stress"])
def test_pages_are_written_on_paper_too(tmp_path: Path, study: str) -> None:
    grids = {"grid": GRID} if study in ("sweep", "walkforward") else {"params": RUN["params"]}
    more = {"reruns": 3, "paths": 100} if study == "montecarlo" else {}
    result = getattr(openalpha, study)(
        "ma_cross", noise(1_500), home=tmp_path, **grids, **more, **SETTINGS
    )
    pages = PdfReader(result.to_pdf(tmp_path / "page.pdf")).pages
    words = " ".join(page.extract_text() for page in pages)
    assert result.sentences[0][1].split()[0] in words if study != "sweep" else "The best" in words
    assert "nan" not in words.lower().split()
    again = tmp_path / "again.pdf"
    assert result.to_pdf(again).read_bytes() == (tmp_path / "page.pdf").read_bytes()


def test_the_distance_to_liquidation_knows_every_tier(tmp_path: Path) -> None:
    # Ten thousand at five times its equity, in a tier that keeps a tenth from 20,000 up.
    rows = ((20_000, "0.01", 0), (10**9, "0.10", 1_800))
    tiers = tuple(RiskTier(*map(Decimal, (a, b, 1, 10, c))) for a, b, c in rows)
    history = noise(300, sigma=0.0001)
    steep = replace(history, instrument=replace(history.instrument, tiers=tiers))
    asked: dict[str, Any] = {
        "margin": {"leverage": 10}, "sizing": {"kind": "fixed_amount", "amount": "50000"},
        "costs": {"preset": "none"},
    }  # fmt: skip
    low = openalpha.backtest("buy_and_hold", steep, home=tmp_path, **asked)
    # 10,000 − 50,000 d = 50,000 (1 − d) 0.1 − 1,800
    expected = (10_000 - (5_000 - 1_800)) / (50_000 - 5_000)
    held = distances(low)
    assert held[np.isfinite(held)][0] == pytest.approx(expected, rel=0.02)
    short = openalpha.backtest(
        "buy_and_hold", steep, home=tmp_path, params={"share": -1.0}, **asked
    )
    found = distances(short)
    expected = (10_000 - (5_000 - 1_800)) / (50_000 + 5_000)
    assert found[np.isfinite(found)][0] == pytest.approx(expected, rel=0.02)
    assert nearest(low) <= held[np.isfinite(held)][0]
