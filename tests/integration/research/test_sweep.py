"""Sweeps: the same bytes however they are run, every trial counted, nothing lost when stopped."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import openalpha
from openalpha import studies
from openalpha.core.errors import DataError, InputError, LookAheadError, StorageError
from openalpha.engine.batch import FIGURES
from openalpha.market.history import History
from openalpha.research import sweep_apart, sweep_evaluate
from openalpha.research.definitions import DEFINITIONS
from openalpha.research.sweep_result import Status, SweepResult
from openalpha.research.sweep_store import SweepStore
from openalpha.research.trials import TrialLedger
from openalpha.strategy.bars import Bars
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.events import Context, EventStrategy
from openalpha.strategy.indicators.memory import Memo, remembering
from openalpha.strategy.params import Param, StrategyParams
from tests.fakes.markets import noise, planted

PARENT = os.getpid()
GRID = {"fast": "3:9:2", "slow": [12, 20, 31]}
SETTINGS: dict[str, Any] = {"sizing": {"kind": "fixed_fraction", "fraction": "0.5"}}


def swept(home: Path, **choices: Any) -> SweepResult:
    given = {"grid": GRID, **SETTINGS, **choices}
    return openalpha.sweep("ma_cross", noise(1_500), home=home, **given)


def same(one: SweepResult, other: SweepResult) -> bool:
    """Whether two sweeps agree in every byte of what they found."""
    a, b = one.trials, other.trials
    return a.configs == b.configs and all(
        x.tobytes() == y.tobytes()
        for x, y in ((a.figures, b.figures), (a.daily, b.daily), (a.status, b.status))
    )


@pytest.mark.parametrize(
    ("costs", "spot"), [({"preset": "none"}, False), ({}, False), ({}, True)],
    ids=["bare", "full", "fee in the coin bought"],
)  # fmt: skip
def test_figures_are_those_of_a_backtest(tmp_path: Path, costs: Any, spot: bool) -> None:
    history = noise(3_000, spot=spot, funding=not spot)
    result = openalpha.sweep(
        "ma_cross", history, grid={"fast": [4, 7], "slow": [15, 40]},
        params={"stop_pct": 0.8, "trailing_pct": 1.1}, home=tmp_path, costs=costs, **SETTINGS,
    )  # fmt: skip
    for number, config in enumerate(result.trials.configs):
        params = {**config, "stop_pct": 0.8, "trailing_pct": 1.1}
        one = openalpha.backtest(
            "ma_cross", history, params=params, home=tmp_path, costs=costs, **SETTINGS
        )
        assert one.metrics["round_trips"] > 20
        found = result.row(number)["metrics"]
        for item in DEFINITIONS:
            assert found[item.name] == pytest.approx(
                one.metrics[item.name], rel=1e-9, abs=1e-9, nan_ok=True
            ), item.name
        assert np.allclose(result.daily[number], one.days.returns, atol=1e-7)


def test_several_instruments_share_an_account(tmp_path: Path) -> None:
    data = [noise(2_000), noise(1_800, seed=5, symbol="ETHUSDT")]
    grid = {"fast": [4], "slow": [15, 40]}
    result = openalpha.sweep("ma_cross", data, grid=grid, home=tmp_path, **SETTINGS)
    one = openalpha.backtest(
        "ma_cross", data, params={"fast": 4, "slow": 40}, home=tmp_path, **SETTINGS
    )
    found = result.row(1)["metrics"]
    streaks = {"longest_win_streak", "longest_loss_streak"}  # trips that end together have no order
    for item in DEFINITIONS:
        if item.name not in streaks:
            assert found[item.name] == pytest.approx(
                one.metrics[item.name], rel=1e-9, abs=1e-9, nan_ok=True
            ), item.name


@pytest.mark.parametrize("method", ["grid", "random", "tpe", "nsga2", "cmaes", "genetic"])
def test_workers_leave_no_trace(tmp_path: Path, method: str) -> None:
    objective = ["sharpe", "max_drawdown"] if method == "nsga2" else "sharpe"
    trials = None if method == "grid" else 40
    grid = GRID if method == "grid" else {"fast": "2:12", "slow": "14:60"}
    choices = {"method": method, "trials": trials, "grid": grid, "objective": objective}
    runs = [
        swept(tmp_path / str(workers), workers=workers, **choices) for workers in (1, 2, 5)
    ]  # fmt: skip
    assert same(runs[0], runs[1]) and same(runs[0], runs[2])
    assert len(runs[0]) == (12 if method == "grid" else 40)


class Stopper:
    """Presses Ctrl-C while configuration number `after` is asked for its targets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.left = after
        usual = sweep_evaluate.targets_of

        def asked(*given: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return usual(*given, **named)

        monkeypatch.setattr(sweep_evaluate, "targets_of", asked)


@pytest.mark.parametrize(
    ("method", "prune"), [("random", 0.0), ("random", 0.4), ("tpe", 0.0), ("genetic", 0.3)]
)
def test_a_stopped_sweep_goes_on_as_if_it_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, prune: float
) -> None:
    choices = {
        "grid": {"fast": "2:12", "slow": "14:60"}, "method": method, "trials": 160, "prune": prune,
        "workers": 2,
    }  # fmt: skip
    if method == "random" and not prune:
        choices["trials"] = 520  # its batches are large
    whole = swept(tmp_path / "whole", **choices)
    with monkeypatch.context() as patch:
        Stopper(patch, after=len(whole) * 3 // 4)
        part = swept(tmp_path / "part", **choices)
    assert not part.is_complete and 0 < len(part) < len(whole)
    rest = swept(tmp_path / "part", resume=True, **choices)
    assert rest.is_complete and same(rest, whole)
    # What was evaluated twice is one configuration.
    assert rest.family == whole.family


def test_a_pruned_trial_is_kept_with_its_returns_and_counts(tmp_path: Path) -> None:
    choices = {"grid": {"fast": "2:20", "slow": "24:60:2"}, "prune": 0.4}
    result = swept(tmp_path, **choices)
    counts = result.counts
    assert counts["pruned"] > 50 and counts["complete"] > 50
    pruned = np.flatnonzero(result.trials.status == Status.PRUNED)
    assert (result.trials.lengths[pruned] < result.trials.lengths.max()).all()
    assert (result.daily[pruned] != 0).any(axis=1).all()
    assert result.family == counts["pruned"] + counts["complete"]
    whole = swept(tmp_path / "whole", grid=choices["grid"])
    kept = result.trials.status == Status.COMPLETE
    assert result.trials.figures[kept].tobytes() == whole.trials.figures[kept].tobytes()
    # The bar is the median of what was given up on or not before the batch; the first sets none.
    assert (result.trials.status[:64] == Status.COMPLETE).all()


def test_every_trial_is_in_the_ledger_in_its_order(tmp_path: Path) -> None:
    result = swept(tmp_path)
    ledger = TrialLedger(tmp_path)
    assert ledger.verify() is None
    for number, row in enumerate(result.trials.rows.tolist()):
        kept = ledger.row(row)
        assert {name: kept.text["params"][name] for name in GRID} == result.trials.configs[number]
        assert kept.text["params"]["kind"] == "sma"  # all parameters, not only those varied
        assert np.array_equal(kept.values, result.daily[number])
    one = openalpha.backtest(
        "ma_cross", noise(1_500), params={"fast": 5, "slow": 20}, home=tmp_path, **SETTINGS
    )
    assert one.tried == 12  # the backtest is one of them, not a thirteenth


def test_nothing_is_evaluated_without_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **named: Any) -> int:
        raise StorageError("the disk is full")

    monkeypatch.setattr(TrialLedger, "append_all", full)
    with pytest.raises(StorageError):
        swept(tmp_path)
    assert not any((tmp_path / "sweeps").rglob("*.npz")), "a batch was kept that was not counted"


def test_a_full_disk_loses_no_finished_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = {"method": "genetic", "trials": 48, "grid": {"fast": "2:12", "slow": "14:60"}}
    whole = swept(tmp_path / "whole", **choices)
    usual, calls = SweepStore.keep, iter(range(100))

    def keep(self: SweepStore, batch: Any) -> None:
        if next(calls) == 2:
            raise StorageError("the disk is full")
        usual(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(SweepStore, "keep", keep)
        with pytest.raises(StorageError):
            swept(tmp_path / "part", **choices)
    assert same(swept(tmp_path / "part", resume=True, **choices), whole)


class Slow(EventStrategy):
    """Buys and sells in turn; `end` kills the worker it runs in."""

    name = "slow_event"
    idea = "For tests."

    class Params(StrategyParams):
        every: int = Param(10, ge=1, le=1000, help="Bars between orders.")
        end: bool = Param(False, help="End the process.")

    params: Params

    def on_bar(self, ctx: Context) -> None:
        if self.params.end and ctx.index == 50 and os.getpid() != PARENT:
            os.kill(os.getpid(), signal.SIGKILL)
        if ctx.index % self.params.every == 0:
            if ctx.position:
                ctx.close_position()
            else:
                ctx.buy(1.0)


def test_event_strategies_are_swept_in_processes(tmp_path: Path) -> None:
    runs = [
        openalpha.sweep(
            Slow, noise(600), grid={"every": [5, 7, 11]}, home=tmp_path / str(n), workers=n
        )
        for n in (1, 2)
    ]
    assert same(*runs)
    one = openalpha.backtest(Slow, noise(600), params={"every": 7}, home=tmp_path)
    assert runs[0].row(1)["metrics"] == pytest.approx(one.metrics, nan_ok=True)


def test_a_killed_worker_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ended from outside"):
        openalpha.sweep(
            Slow, noise(600), grid={"every": [5, 7], "end": [False, True]}, home=tmp_path, workers=2
        )
    assert TrialLedger(tmp_path).verify() is None


class Peeking(SignalStrategy):
    """Sees the next close with one of its parameters."""

    name = "peeking"
    idea = "For tests."

    class Params(StrategyParams):
        ahead: int = Param(0, ge=0, le=3, help="Bars it peeks.")

    def target(self, bars: Bars, params: Params) -> np.ndarray:
        later = np.roll(bars.close, -params.ahead)
        return np.where(later > bars.close, 1.0, 0.0) if params.ahead else np.zeros(len(bars))


def test_a_strategy_that_sees_the_future_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookAheadError):
        openalpha.sweep(Peeking, noise(600), grid={"ahead": [0, 1]}, home=tmp_path)


def test_indicators_are_computed_once(tmp_path: Path) -> None:
    study = studies.study_of("ma_cross", noise(600), home=tmp_path)
    evaluator = sweep_evaluate.Evaluator(
        sweep_evaluate.Subject(study.cls(), study.histories, study.capital, study.settings),
        workers=2,
    )
    configs = [
        {"fast": fast, "slow": slow, "kind": "ema"} for fast in range(2, 8) for slow in (20, 30, 40)
    ]
    evaluator.evaluate([study.build(config) for config in configs], [evaluator.whole()])
    assert len(evaluator.memo._known) == 9
    # Two threads may both compute what neither has yet.
    assert 9 <= evaluator.memo.misses <= 18


def test_what_is_remembered_cannot_be_changed() -> None:
    from openalpha.strategy.indicators import ema

    bars = Bars.from_columns({"close": np.linspace(1, 2, 50)}, timeframe_ms=60_000)
    plain = ema(bars.close, period=5)
    with remembering(Memo()) as memo:
        first = ema(bars.close, period=5)
        first[:] = 0.0
        assert np.array_equal(ema(bars.close, period=5), plain, equal_nan=True)
        assert (memo.hits, memo.misses) == (1, 1)
        mine = np.array(bars.close)
        ema(mine, period=5)  # may change: not remembered
        assert (memo.hits, memo.misses) == (1, 1)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"grid": {}}, "the grid is empty"),
        ({"grid": {"fest": [1]}}, "did you mean 'fast'"),
        ({"grid": {"fast": []}}, "no value for fast"),
        ({"grid": {"fast": "9:3"}}, "exchange them"),
        ({"grid": {"fast": "3:9:0"}}, "above 0"),
        ({"grid": {"fast": [3, 3]}}, "twice"),
        ({"grid": {"fast": [9_999]}}, "expected 1 to 2000"),
        ({"objective": "sharp"}, "did you mean"),
        ({"method": "annealing"}, "there is no method"),
        ({"method": "tpe"}, "needs --trials"),
        ({"method": "cmaes", "trials": 9, "grid": {"fast": "2:9"}}, "at least two"),
        ({"method": "genetic", "trials": 9, "objective": ["sharpe", "ulcer"]}, "one objective"),
        ({"prune": 1.0}, "share of the time"),
        ({"params": {"fast": 3}}, "in the grid and in the parameters"),
        ({"grid": {"stop_pct": "1.5:3"}}, "step for stop_pct|range without a step"),
        ({"cost": {}}, "no setting 'cost'"),
    ],
)
def test_bad_input_is_refused_before_the_first_trial(
    tmp_path: Path, choices: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        swept(tmp_path, **choices)
    assert not (tmp_path / "sweeps").exists() and not (tmp_path / "trials").exists()


def test_odd_markets_give_figures_that_say_nothing(tmp_path: Path) -> None:
    for bars in (1, 40):
        flat = noise(bars, sigma=0.0)
        result = openalpha.sweep("ma_cross", flat, grid=GRID, home=tmp_path)
        assert result.best_row == -1 and "none with a Sharpe ratio" in result.headline
        assert result.verdict.luck == "unknown"
    idle = openalpha.sweep("buy_and_hold", noise(900), grid={"share": [0.0]}, home=tmp_path)
    assert idle.row(0)["metrics"]["fills"] == 0 and idle.best_row == -1


def test_configurations_the_strategy_refuses_are_no_trials(tmp_path: Path) -> None:
    result = swept(tmp_path, grid={"fast": [5, 30], "slow": [12, 40]})
    assert result.counts["refused"] == 1 and result.counts["complete"] == 3
    assert "expected less than slow" in result.trials.faults[2]
    assert result.family == 3


def test_noise_is_called_luck_and_an_edge_is_not(tmp_path: Path) -> None:
    grid = {"fast": "2:14:2", "slow": "16:64:8"}
    costs = {"preset": "none"}
    judged = [
        openalpha.sweep(
            "ma_cross", noise(9_000, seed=seed), grid=grid, home=tmp_path / f"noise{seed}",
            costs=costs,
        ).verdict
        for seed in range(100, 120)
    ]  # fmt: skip
    lucky = [verdict for verdict in judged if verdict.luck == "likely"]
    # One in twenty is the test's own level; four of twenty would be a broken test.
    assert len(lucky) > 16
    told = ("what luck would show", "lost money after all costs", "made nothing")
    assert all(any(words in verdict.headline for words in told) for verdict in lucky)
    real = openalpha.sweep(
        "ma_cross", planted(9_000), grid=grid, home=tmp_path / "edge", costs=costs
    )
    assert real.verdict.luck == "unlikely" and real.verdict.shape == "plateau"


def test_a_spike_is_called_a_ridge(tmp_path: Path) -> None:
    result = swept(tmp_path, grid={"fast": "3:9", "slow": "20:40:5"}, costs={"preset": "none"})
    best = result.best_row
    column = FIGURES.index("sharpe")
    result.trials.figures[:, column] = 0.2
    result.trials.figures[best, column] = 3.0
    del result.scores, result.order
    assert result.best_row == best
    assert result.verdict.shape == "ridge" and "small change" in result.verdict.sentences[-1]


def test_apart_and_together_agree(tmp_path: Path) -> None:
    study = studies.study_of("ma_cross", noise(900), home=tmp_path)
    subject = sweep_evaluate.Subject(study.cls(), study.histories, study.capital, study.settings)
    together = sweep_evaluate.Evaluator(subject, workers=2)

    def measure(params: StrategyParams, parts: Mapping[str, History]) -> Any:
        result = study.run(params, parts)
        return result.metrics, result.days.returns

    apart = sweep_apart.ApartEvaluator(subject, measure, workers=2)
    params: Sequence[StrategyParams] = [study.build({"fast": 3, "slow": s}) for s in (9, 15)]
    (one,), (other,) = (e.evaluate(params, [together.whole()]) for e in (together, apart))
    assert one.figures == pytest.approx(other.figures, rel=1e-9, abs=1e-9, nan_ok=True)
    assert np.array_equal(one.daily, other.daily)


def test_whoever_evaluates_a_configuration_writes_the_ledger() -> None:
    package = Path(openalpha.__file__).parent
    runs, counts = [], []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text("utf-8")
        # A worker of a cluster only answers the evaluator that asked it.
        if "evaluator.evaluate(" in text and path.name != "sweep_cluster.py":
            runs.append(path.name)
            if "append_all(" in text:
                counts.append(path.name)
    assert runs == counts == ["judging.py", "sweep.py", "walkforward.py"]
    lanes = [path.name for path in package.rglob("*.py") if "Lane()" in path.read_text("utf-8")]
    assert sorted(lanes) == ["sweep_evaluate.py", "warm.py"], "only the evaluator leads batches"
