"""Monte Carlo: how else a run could have gone, by shuffling what happened and by running it again.

Shuffled: its round trips, and its days in blocks. Run again: on bars put together from blocks of
the recorded ones, with parameters a little off, with costs doubled and trebled, with every decision
one to three bars late. Nothing here chooses parameters, so no path counts as a trial of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.research.daily import DAYS_A_YEAR
from openalpha.research.strict_json import strict_json
from openalpha.store.atomic import write_bytes

__all__ = [
    "BANDS", "MonteCarloResult", "Paths", "Rerun", "block_paths", "stationary_rows", "trade_paths",
]  # fmt: skip

Floats = NDArray[np.float64]

BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)
DRAWDOWNS = (0.1, 0.2, 0.3, 0.5)
_POINTS = 200
_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Many paths of an account that began with one unit of money.

    Parameters
    ----------
    kind : str
        `trades` or `days`.
    steps : int64[m]
        Steps (round trips or days) at which the bands stand.
    bands : float64[m, 5]
        Equity at the shares of `BANDS`.
    final, drawdown, sharpe : float64[paths]
        Equity at the end, deepest fall from a high, yearly Sharpe ratio (NaN for trades).
    ruin : float
        Share of equity that counts as ruin.
    ruined : float64[paths]
        1 where the path fell to it, at any step.
    """

    kind: str
    steps: NDArray[np.int64]
    bands: Floats
    final: Floats
    drawdown: Floats
    sharpe: Floats
    ruin: float
    ruined: Floats

    def summary(self) -> dict[str, Any]:
        """Return probabilities and intervals as JSON can hold them."""
        found: dict[str, Any] = {
            "paths": len(self.final),
            "probability_of_loss": float((self.final < 1).mean()),
            "probability_of_ruin": float(self.ruined.mean()),
            "ruin_equity": self.ruin,
            "drawdown_beyond": {
                f"{depth:.0%}": float((self.drawdown > depth).mean()) for depth in DRAWDOWNS
            },
            "total_return": _interval(self.final - 1),
            "max_drawdown": _interval(self.drawdown),
        }
        if self.kind == "days":
            found["sharpe"] = _interval(self.sharpe)
        return found


@dataclass(frozen=True, slots=True)
class Rerun:
    """The run made again with something changed: what, and the metrics that came out."""

    kind: str
    change: str
    metrics: Mapping[str, float]


def trade_paths(shares: Floats, *, paths: int = 10_000, seed: int = 1, ruin: float = 0.5) -> Paths:
    """Draw round trips with replacement, each on what the ones before left.

    Parameters
    ----------
    shares : float64[k]
        Net profit of each round trip over the equity before it.
    paths, seed : int
    ruin : float
        Share of the starting equity at which a path counts as ruined.

    Examples
    --------
    >>> made = trade_paths(np.array([0.02, -0.01]), paths=1000)
    >>> bool(abs(np.median(made.final) - 1.01) < 0.02)
    True
    """
    logs = np.log1p(np.maximum(shares, -1 + 1e-12))
    rng = np.random.default_rng([seed, 1])

    def draw(count: int) -> Floats:
        return logs[rng.integers(0, len(logs), (count, len(logs)), dtype=np.int32)]

    return _followed("trades", draw, len(logs), paths, ruin)


def block_paths(
    returns: Floats, *, paths: int = 10_000, seed: int = 1, block: float = 10.0, ruin: float = 0.5
) -> Paths:
    """Put days together again in blocks of random length (stationary bootstrap).

    Parameters
    ----------
    returns : float64[k]
        Daily simple returns.
    block : float
        Mean length of a block, days: what hangs together within it stays together.
    """
    logs = np.log1p(np.maximum(returns, -1 + 1e-12))
    rng = np.random.default_rng([seed, 2])
    days = len(logs)

    def draw(count: int) -> Floats:
        return logs[stationary_rows(rng, days, count=count, block=block)]

    return _followed("days", draw, days, paths, ruin)


def stationary_rows(
    rng: np.random.Generator, length: int, *, count: int, block: float
) -> NDArray[np.int64]:
    """Return rows of a stationary bootstrap, int64[count, length]; blocks wrap around the end."""
    starts = rng.integers(0, length, (count, length))
    is_new = rng.random((count, length)) < 1.0 / block
    is_new[:, 0] = True
    begun = np.maximum.accumulate(np.where(is_new, np.arange(length), 0), axis=1)
    rows: NDArray[np.int64] = np.take_along_axis(starts, begun, axis=1)
    rows += np.arange(length) - begun
    rows %= length
    return rows


def _followed(kind: str, draw: Any, length: int, paths: int, ruin: float) -> Paths:
    steps = np.unique(np.linspace(1, length, min(length, _POINTS)).astype(np.int64))
    kept = np.empty((paths, len(steps)))
    drawdown, sharpe = np.empty(paths), np.full(paths, math.nan)
    ruined, done = np.empty(paths), 0
    while done < paths:
        count = min(paths - done, max(1, _AT_ONCE // length))
        logs = draw(count)
        part = slice(done, done + count)
        if kind == "days":
            simple = np.expm1(logs)
            spread = simple.std(axis=1, ddof=1) if length > 1 else np.zeros(count)
            with np.errstate(all="ignore"):
                ratio = simple.mean(axis=1) / spread * math.sqrt(DAYS_A_YEAR)
            sharpe[part] = np.where(spread > 1e-12, ratio, math.nan)
        curve = np.cumsum(logs, axis=1, out=logs)
        kept[part] = curve[:, steps - 1]
        ruined[part] = curve.min(axis=1) <= math.log(ruin)
        peaks = np.maximum(np.maximum.accumulate(curve, axis=1), 0.0)
        drawdown[part] = -np.expm1((curve - peaks).min(axis=1).clip(max=0.0))
        done += count
    equity = np.exp(kept)
    bands = np.quantile(equity, BANDS, axis=0).T
    return Paths(kind, steps, bands, equity[:, -1].copy(), drawdown, sharpe, ruin, ruined)


def _interval(values: Floats) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return dict.fromkeys(("low", "median", "high"), math.nan)
    low, median, high = np.quantile(known, [0.05, 0.5, 0.95])
    return {"low": float(low), "median": float(median), "high": float(high)}


@dataclass(frozen=True, eq=False)
class MonteCarloResult:
    """What else could have come of a run.

    Parameters
    ----------
    record : mapping
        What was run.
    base : mapping of str to float
        Metrics of the run itself.
    trades, days : Paths or None
        None where there were too few round trips or days to draw from.
    reruns : tuple of Rerun
    """

    record: Mapping[str, Any]
    base: Mapping[str, float]
    trades: Paths | None
    days: Paths | None
    reruns: tuple[Rerun, ...]

    def of_kind(self, kind: str) -> tuple[Rerun, ...]:
        """Return the reruns of a kind: `bars`, `parameters`, `costs`, `delay`."""
        return tuple(one for one in self.reruns if one.kind == kind)

    def intervals(self, kind: str) -> dict[str, dict[str, float]]:
        """Return 5 %, median and 95 % of each metric over the reruns of a kind."""
        found = self.of_kind(kind)
        if not found:
            return {}
        names = list(found[0].metrics)
        return {name: _interval(np.array([one.metrics[name] for one in found])) for name in names}

    @property
    def headline(self) -> str:
        """Return one sentence."""
        paths = self.days or self.trades
        if paths is None:
            return "Too few round trips and days to say how else it could have gone"
        made = paths.summary()
        return (
            f"{_share(made['probability_of_loss']).capitalize()} of {made['paths']:,} paths lose "
            f"money; half fall {made['max_drawdown']['median']:.0%} or more below a high"
        )

    @property
    def sentences(self) -> tuple[tuple[str, str], ...]:
        """The verdict: tone and words."""
        found: list[tuple[str, str]] = []
        paths = self.days or self.trades
        if paths is not None:
            made = paths.summary()
            loss, ruin = made["probability_of_loss"], made["probability_of_ruin"]
            tone = "alarm" if loss > 0.4 else "caution" if loss > 0.1 else "note"
            found.append(
                (tone, f"The account ends below its start in {_share(loss)} of the paths.")
            )
            words = f"It falls to {paths.ruin:.0%} of its start or less in {_share(ruin)} of them."
            found.append(("alarm" if ruin > 0.05 else "note", words))
        for kind, many in (("costs", "costs"), ("delay", "delay")):
            lost = [one for one in self.of_kind(kind) if one.metrics["total_return"] <= 0]
            if lost and self.base["total_return"] > 0:
                found.append(("caution", f"Its profit is gone with {many} {lost[0].change}."))
        for kind, what in (("parameters", "parameters a little off"), ("bars", "resampled bars")):
            reach = self.intervals(kind).get("total_return")
            if reach and not math.isnan(reach["median"]):
                words = (
                    f"With {what} it returns {reach['low']:+.1%} to "
                    f"{reach['high']:+.1%} in nine of ten runs, median {reach['median']:+.1%}."
                )
                found.append(("note", words))
        return tuple(found) or (("caution", self.headline + "."),)

    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it."""
        return {
            "schema_version": 1, "kind": "montecarlo", "run": dict(self.record),
            "headline": self.headline, "verdict": [words for _, words in self.sentences],
            "base": dict(self.base),
            "trades": None if self.trades is None else self.trades.summary(),
            "days": None if self.days is None else self.days.summary(),
            "bars": self.intervals("bars"), "parameters": self.intervals("parameters"),
            "costs": [{"change": r.change, **r.metrics} for r in self.of_kind("costs")],
            "delay": [{"change": r.change, **r.metrics} for r in self.of_kind("delay")],
        }  # fmt: skip

    def to_json(self) -> str:
        """Return the document as JSON text; NaN is null."""
        return strict_json(self.document())

    def to_html(self, path: Path | str) -> Path:
        """Write the report as one self-contained page.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.montecarlo_html import montecarlo_html

        write_bytes(Path(path), montecarlo_html(self).encode())
        return Path(path)


def _share(part: float) -> str:
    """Say a share of paths; the smallest as what it is, not as 0 %."""
    if part == 0:
        return "none"
    return "fewer than one in a thousand" if part < 0.001 else f"{part:.1%}"
