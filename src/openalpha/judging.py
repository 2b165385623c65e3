"""The public Python functions that judge a strategy: walk-forward, Monte Carlo, stress."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from openalpha import api, studies
from openalpha.core.errors import InputError
from openalpha.engine.batch import FIGURES
from openalpha.research import stress_shocks, variations
from openalpha.research.liquidation import nearest
from openalpha.research.montecarlo import MonteCarloResult, Rerun
from openalpha.research.montecarlo_paths import block_paths, trade_paths
from openalpha.research.result import BacktestResult
from openalpha.research.stress import StressResult
from openalpha.research.stress_shocks import Passage
from openalpha.research.sweep import Progress, search_of
from openalpha.research.sweep_evaluate import Span
from openalpha.research.sweep_space import space_of
from openalpha.research.trials import TrialBatch
from openalpha.research.walkforward import label_span, memory, run_walkforward
from openalpha.research.walkforward_folds import folds_of
from openalpha.research.walkforward_result import WalkForwardResult
from openalpha.strategy.base import SignalStrategy
from openalpha.strategy.params import StrategyParams
from openalpha.studies import Study, check_groups, plan_of, study_of

__all__ = ["MonteCarloResult", "StressResult", "WalkForwardResult", "montecarlo", "stress",
           "walkforward"]  # fmt: skip

Group = Mapping[str, Any]
_NONE: Group = {}
_FEW = 5
_DAYS = 20
_AT_ONCE = 16


def walkforward(  # noqa: PLR0913 - one keyword a choice, all optional
    strategy: Any,
    data: Any,
    *,
    grid: Mapping[str, Any],
    folds: int = 8,
    train: float = 0.4,
    anchored: bool = False,
    purge_bars: int | None = None,
    embargo_bars: int | None = None,
    objective: str = "sharpe",
    method: str = "grid",
    trials: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    params: Group = _NONE,
    capital: Any = 10_000,
    timeframe: str = "1h",
    start: str | int | None = None,
    end: str | int | None = None,
    home: Any = None,
    family: str = "",
    progress: Progress | None = None,
    **groups: Any,
) -> WalkForwardResult:
    """Optimise a strategy on a stretch of time, test the best on the next, and move on.

    Parameters
    ----------
    strategy, data, grid, objective, method, trials, seed, workers, params, capital, timeframe, start, end, home, family, **groups
        As `openalpha.sweep`, with one objective. A method that learns begins anew in each fold.
    folds : int
        How many tests; they cover what the first training leaves, end to end.
    train : float
        Share of the time the first training takes.
    anchored : bool
        Every training begins at the first bar; otherwise all are as long as the first.
    purge_bars : int, optional
        Bars left out at the end of each training: as many as a decision's outcome reaches ahead.
        Without it the longest holding of some configurations before the first test.
    embargo_bars : int, optional
        Bars left out besides before each test. Without it as many as the strategy needs before its
        first opinion: what it remembers. Both measured ones are at most a third of the training.
    progress : callable, optional
        Told how many runs are done, and of how many. Ctrl-C ends it; what is done is put together.

    Returns
    -------
    WalkForwardResult

    Raises
    ------
    InputError
        If something given cannot be used, or the time is too short.
    """  # noqa: E501 - numpydoc wants the names of one description on one line
    check_groups(groups)
    study = study_of(
        strategy, data, params=params, capital=capital, groups=groups, timeframe=timeframe,
        span=(start, end), home=home,
    )  # fmt: skip
    space = space_of(grid, study.cls.Params, strategy=study.cls.name)
    plan = plan_of(
        study, space, objectives=(objective,), method=method, trials=trials, seed=seed,
        family=family,
    )  # fmt: skip
    search_of(plan)  # what cannot be searched is said before anything slow begins
    study.prove(studies.corners(space))
    evaluator = study.evaluator(workers)
    ledger = api.ledger_of(study.home)
    scheme = partial(folds_of, evaluator.subject, folds=folds, train=train, is_anchored=anchored)
    widest = scheme()[0]  # says what is wrong with the scheme before anything runs
    frame = next(iter(study.histories.values())).timeframe_ms
    bars = (widest.train_end_ms - widest.train_start_ms) // frame
    tried = studies.corners(space)
    if purge_bars is None:
        span = label_span(
            plan, evaluator, configs=tried, until_ms=widest.train_end_ms, ledger=ledger
        )
        purge_bars = min(span, bars // 3)
    if embargo_bars is None:
        embargo_bars = min(memory(plan, evaluator, configs=tried), bars // 3)
    cut = scheme(purge_bars=purge_bars, embargo_bars=embargo_bars)
    made = run_walkforward(plan, evaluator, folds=cut, ledger=ledger, progress=progress)
    return replace(made, purge_bars=purge_bars, embargo_bars=embargo_bars)


def montecarlo(  # noqa: PLR0913 - one keyword a choice, all optional
    strategy: Any,
    data: Any,
    *,
    params: Group = _NONE,
    paths: int = 10_000,
    reruns: int = 100,
    jitter: float = 0.1,
    ruin: float = 0.5,
    seed: int = 1,
    workers: int | None = None,
    capital: Any = 10_000,
    timeframe: str = "1h",
    start: str | int | None = None,
    end: str | int | None = None,
    home: Any = None,
    family: str = "",
    progress: Progress | None = None,
    **groups: Any,
) -> MonteCarloResult:
    """Ask how else a backtest could have gone.

    The run itself counts as a trial; what is made of it is kept under it and does not.

    Parameters
    ----------
    strategy, data, params, capital, timeframe, start, end, home, family, **groups
        As `openalpha.backtest`.
    paths : int
        Shuffled paths of round trips and of days.
    reruns : int
        Runs on resampled bars, and as many with parameters a little off; 0 leaves both out.
    jitter : float
        How far off a parameter may be, a share of itself.
    ruin : float
        Share of the capital at which a path counts as ruined.
    seed : int
        The same seed gives the same bytes.
    progress : callable, optional
        Told how many runs are done, and of how many. Ctrl-C ends them; what is done is kept.
    """
    check_groups(groups)
    if paths < 1 or reruns < 0 or not 0 < ruin < 1 or not 0 < jitter < 1:
        raise InputError(
            "Monte Carlo needs at least one path, 0 reruns or more, and a jitter and ruin share "
            "between 0 and 1"
        )
    study, base, given = _base(
        strategy, data, params=params, capital=capital, timeframe=timeframe, span=(start, end),
        home=home, family=family, groups=groups,
    )  # fmt: skip
    again = _Again(study, base, given, workers=workers, progress=progress)
    again.run(count=reruns, jitter=jitter, seed=seed)
    shares = _shares(base)
    returns = np.asarray(base.days.returns, dtype=np.float64)
    trades = days = None
    if len(shares) >= _FEW:
        trades = trade_paths(shares, paths=paths, seed=seed, ruin=ruin)
    if len(returns) >= _DAYS:
        days = block_paths(returns, paths=paths, seed=seed, ruin=ruin)
    return MonteCarloResult(
        record=_record(study, given) | {"seed": seed},
        base=base.metrics,
        trades=trades,
        days=days,
        reruns=tuple(again.found),
        is_complete=not again.is_stopped,
    )


def stress(  # noqa: PLR0913 - one keyword a choice, all optional
    strategy: Any,
    data: Any,
    *,
    params: Group = _NONE,
    capital: Any = 10_000,
    timeframe: str = "1h",
    start: str | int | None = None,
    end: str | int | None = None,
    home: Any = None,
    family: str = "",
    progress: Progress | None = None,
    **groups: Any,
) -> StressResult:
    """Lead a strategy through the crises its data holds, and through shocks made where it hurts.

    The run itself counts as a trial; the runs under shocks are kept under it and do not.

    Parameters
    ----------
    strategy, data, params, capital, timeframe, start, end, home, family, **groups
        As `openalpha.backtest`.
    progress : callable, optional
        Told how many shocks are done, and of how many. Ctrl-C ends them; what is done is kept.
    """
    check_groups(groups)
    study, base, given = _base(
        strategy, data, params=params, capital=capital, timeframe=timeframe, span=(start, end),
        home=home, family=family, groups=groups,
    )  # fmt: skip
    found: list[Passage] = []
    struck = stress_shocks.shocks(base, study.histories, settings=study.settings)
    is_complete = True
    try:
        for shock in struck:
            worse = replace(study, histories=shock.histories, settings=shock.settings)
            after = worse.run(given, shock.histories)
            _keep(study, base, shock.name, [(given, after.days.returns, after.metrics)])
            found.append(stress_shocks.passage_of(shock, after, base=base.metrics["total_return"]))
            if progress is not None:
                progress(len(found), len(struck))
    except KeyboardInterrupt:  # between two runs: what was found is whole
        is_complete = False
    return StressResult(
        record=_record(study, given), base=base.metrics,
        distance=nearest(base),
        crises=tuple(stress_shocks.crises_in(base)), shocks=tuple(found), is_complete=is_complete,
    )  # fmt: skip


def _base(
    strategy: Any, data: Any, *, groups: Group, span: Any, home: Any, family: str, **given: Any
) -> tuple[Study, BacktestResult, StrategyParams]:
    """Return the study, its one backtest, counted, and the parameters."""
    study = study_of(strategy, data, groups=groups, span=span, home=home, **given)
    chosen = study.build({})
    result = api.backtest(
        strategy, study.histories, params=study.params, capital=study.capital, home=study.home,
        family=family, **groups,
    )  # fmt: skip
    return study, result, chosen


def _record(study: Study, params: StrategyParams) -> dict[str, Any]:
    return {
        "strategy": study.cls.name, "params": api.plain_params(params),
        "instruments": list(study.instruments), "capital": str(study.capital),
        "settings": api.settings_record(study.settings),
    }  # fmt: skip


def _shares(base: BacktestResult) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return each round trip's net profit over the equity it began with (closed trips only)."""
    pnl = base.trips.pnl
    before = float(base.run.capital) + np.concatenate(([0.0], np.cumsum(pnl)[:-1]))
    out = np.zeros(len(pnl))
    np.divide(pnl, before, out=out, where=before > 0)
    return out


class _Again:
    """The runs a Monte Carlo study makes again; `found` holds those that are done."""

    def __init__(
        self,
        study: Study,
        base: BacktestResult,
        params: StrategyParams,
        *,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self.study, self.base, self.params = study, base, params
        self.workers, self.progress = workers, progress
        self.found: list[Rerun] = []
        self.is_stopped = False
        self._done = self._total = 0

    def run(self, *, count: int, jitter: float, seed: int) -> None:
        """Run everything again that is to be; Ctrl-C ends it between two runs."""
        study = self.study
        near = variations.jittered(self.params, seed=seed, count=count, share=jitter)
        chosen = _buildable(study, near)
        inner: SignalStrategy | None = None
        if issubclass(study.cls, SignalStrategy):
            inner = study.given if isinstance(study.given, SignalStrategy) else study.cls()
        self._total = len(chosen) + count + 2 + 3 * (inner is not None)
        try:
            for start in range(0, len(chosen), _AT_ONCE):
                self._one("parameters", "", study, chosen[start : start + _AT_ONCE])
            for path in range(count):
                bars = variations.resampled(study.histories, seed=seed, path=path)
                self._one("bars", str(path), replace(study, histories=bars), [self.params])
            every = list(study.histories.values())
            for times in (2, 3):
                dear = variations.costs_times(study.settings, every, times=times)
                self._one("costs", f"× {times}", replace(study, settings=dear), [self.params])
            if inner is not None:
                for late in (1, 2, 3):
                    given = variations.late(inner, late)
                    words = f"of {late} bars" if late > 1 else "of 1 bar"
                    self._one("delay", words, replace(study, given=given), [self.params])
        except KeyboardInterrupt:
            self.is_stopped = True

    def _one(
        self, kind: str, change: str, changed: Study, chosen: Sequence[StrategyParams]
    ) -> None:
        evaluator = changed.evaluator(self.workers)
        subject = evaluator.subject
        span = Span(subject, start_ms=subject.start_ms, end_ms=subject.end_ms)
        (outcome,) = evaluator.evaluate(chosen, [span])
        kept = []
        for row, one in enumerate(chosen):
            if outcome.done[row] and row not in outcome.faults:
                metrics = dict(zip(FIGURES, outcome.figures[row].tolist(), strict=True))
                self.found.append(Rerun(kind, change, metrics))
                kept.append((one, outcome.daily[row], metrics))
        _keep(self.study, self.base, f"{kind} {change}".strip(), kept)
        self._done += len(chosen)
        if self.progress is not None:
            self.progress(self._done, self._total)
        if evaluator.is_stopped:
            raise KeyboardInterrupt


def _buildable(study: Study, configs: Sequence[Mapping[str, Any]]) -> list[StrategyParams]:
    found = []
    for config in configs:
        try:
            found.append(study.build(dict(config)))
        except InputError:
            continue  # a step across a rule of the strategy's own, such as fast below slow
    return found


def _keep(
    study: Study, base: BacktestResult, what: str,
    kept: Sequence[tuple[StrategyParams, Any, Mapping[str, float]]],
) -> None:  # fmt: skip
    """Write runs that are no trials of their own under the one they were made of."""
    if not kept:
        return
    plain = [api.plain_params(params) for params, _, _ in kept]
    common = replace(
        study.common_trial(), params=plain[0], is_counted=False, parent=base.context.trial,
        settings_hash=f"{what} of row {base.context.trial}",
    )  # fmt: skip
    days = base.days.day
    api.ledger_of(study.home).append_all(
        TrialBatch(
            common=common,
            params=[{k: v for k, v in one.items() if v != plain[0][k]} for one in plain],
            first_day=int(days[0]) if len(days) else 0,
            daily_returns=[np.asarray(daily, dtype=np.float32) for _, daily, _ in kept],
            metrics=[
                {name: float(made[name]) for name in ("sharpe", "total_return", "max_drawdown")}
                for _, _, made in kept
            ],
        )
    )
