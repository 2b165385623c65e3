"""Series that show how steady a run was: rolling Sharpe ratio, days by return, trade excursions."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.research.daily import DAYS_A_YEAR
from openalpha.research.drawdown import drawdowns
from openalpha.research.report.listing import Listing
from openalpha.research.report.thinning import keep_extremes
from openalpha.research.wording import percent

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = [
    "bands_chart",
    "bands_listing",
    "day_histogram",
    "excursion_listing",
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


def excursion_listing(result: "JudgedRun") -> Listing:
    """Return the middle and the far end of the moves, of round trips that won and that lost."""
    adverse, favourable = result.excursions
    gained = result.trips.pnl > 0
    rows = []
    for name, mine in (("gained", gained), ("did not", ~gained)):
        if mine.any():
            against, along = (
                np.quantile(part[mine], [0.5, 0.95]) for part in (adverse, favourable)
            )
            rows.append((name, int(mine.sum()), *(percent(float(x), digits=2)
                                                  for x in (*against, *along))))  # fmt: skip
    head = ("round trips that", "count", "against it, half within", "19 of 20 within",
            "for it, half within", "19 of 20 within")  # fmt: skip
    return Listing(head, rows)


def bands_chart(result: "JudgedRun") -> dict[str, Any]:
    """Return, by day, the deepest drawdown so far in %, and that of its days in other orders."""
    fell, bands = _deepest(result)
    rows = np.unique(np.linspace(0, len(fell) - 1, min(len(fell), 300)).astype(np.int64))

    def short(values: Floats) -> list[float]:
        return [float(f"{-100 * value:.4g}") for value in values[rows].tolist()]

    return {
        "t": ((result.days.day[rows] + 1) * DAY_MS).tolist() if len(fell) else [],
        "fell": short(fell) if len(fell) else [],
        "half": short(bands[:, 0]) if len(fell) else [],
        "most": short(bands[:, 1]) if len(fell) else [],
    }


def bands_listing(result: "JudgedRun") -> Listing:
    """Return the same after 30, 90, 180 and 365 days and at the end."""
    fell, bands = _deepest(result)
    marks = sorted({*(day for day in (30, 90, 180, 365) if day < len(fell)), len(fell)})
    rows = [
        (day, *(percent(-float(value)) for value in (fell[day - 1], *bands[day - 1])))
        for day in marks
        if day
    ]
    return Listing(("days from the start", "it fell", "half of the orders", "95 % of them"), rows)


def _deepest(result: "JudgedRun") -> tuple[Floats, Floats]:
    falls = drawdowns(result.days.equity, float(result.run.capital))
    return np.maximum.accumulate(falls), result.drawdown_bands


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
