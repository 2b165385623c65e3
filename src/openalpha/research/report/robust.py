"""Series that show how steady a run was: rolling Sharpe ratio, days by return, trade excursions."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.research.daily import DAYS_A_YEAR
from openalpha.research.report.thinning import keep_extremes

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = [
    "day_histogram",
    "excursion_points",
    "rolling_chart",
    "rolling_sharpe",
    "rolling_window",
]

Floats = NDArray[np.float64]

_LONGEST, _SHORTEST, _MOST_POINTS = 90, 20, 1_000


def rolling_window(days: int) -> int:
    """Return the days of a rolling figure: 90, or a quarter of a shorter run; 0 if too short.

    Examples
    --------
    >>> rolling_window(400), rolling_window(100), rolling_window(30)
    (90, 25, 0)
    """
    window = min(_LONGEST, days // 4)
    return window if window >= _SHORTEST else 0


def rolling_sharpe(returns: Floats, window: int) -> Floats:
    """Return the yearly Sharpe ratio of each stretch of days, NaN before the first is whole.

    A stretch without movement has none either.

    Parameters
    ----------
    returns : float64[k]
        Daily simple returns.
    window : int
        >= 2.

    Examples
    --------
    >>> rolling_sharpe(np.array([0.01, 0.03, 0.01, 0.03]), 2).round(2).tolist()
    [nan, 27.02, 27.02, 27.02]
    """
    found = np.full(len(returns), np.nan)
    if window < 2 or len(returns) < window:
        return found
    parts = np.lib.stride_tricks.sliding_window_view(returns, window)
    spread = parts.std(axis=1, ddof=1)
    ok = spread > 1e-15
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = parts.mean(axis=1) / spread * np.sqrt(DAYS_A_YEAR)
    found[window - 1 :] = np.where(ok, ratios, np.nan)
    return found


def day_histogram(returns: Floats, *, bins: int = 41) -> dict[str, Any]:
    """Return counts of days by return in %; days without any movement are counted apart."""
    moved = 100 * returns[returns != 0]
    still = int(len(returns) - len(moved))
    if not len(moved):
        return {"x": [], "count": [], "width": 1.0, "still": still}
    reach = float(np.quantile(np.abs(moved), 0.99)) or 1.0
    width, half = 2 * reach / bins, bins // 2
    index = np.clip(np.floor(moved / width), -half, half - 1).astype(np.int64)
    slots, counts = np.unique(index, return_counts=True)
    middles = (slots + 0.5) * width
    return {
        "x": [float(f"{x:.6g}") for x in middles.tolist()],
        "count": counts.tolist(),
        "width": float(width),
        "still": still,
    }


def excursion_points(result: "JudgedRun") -> dict[str, Any]:
    """Return of each round trip the worst and best move and the result, all in % of the entry."""
    adverse, favourable = result.excursions
    returns = result.trips.returns
    rows = np.arange(len(returns))
    if len(rows) > _MOST_POINTS:
        rows = keep_extremes(returns, _MOST_POINTS)

    def short(values: Floats) -> list[float]:
        return [float(f"{100 * value:.5g}") for value in values[rows].tolist()]

    return {
        "adverse": short(adverse),
        "favourable": short(favourable),
        "result": short(returns),
        "shown": len(rows),
        "of": len(returns),
    }


def rolling_chart(result: "JudgedRun") -> dict[str, Any]:
    """Return the rolling Sharpe ratio by day, thinned to a drawable size."""
    window = rolling_window(len(result.days))
    values = rolling_sharpe(result.days.returns, window) if window else np.empty(0)
    rows = np.flatnonzero(np.isfinite(values))
    if len(rows) > _MOST_POINTS:
        rows = rows[keep_extremes(values[rows], _MOST_POINTS)]
    return {
        "window": window,
        "t": ((result.days.day[rows] + 1) * DAY_MS).tolist(),
        "y": [float(f"{value:.5g}") for value in values[rows].tolist()],
    }
