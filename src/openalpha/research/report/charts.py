"""What the charts of a report draw, as plain numbers for the page's script. Computes no figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS, timeframe_name
from openalpha.core.reasons import Reason
from openalpha.market.history import History
from openalpha.research.benchmark import buy_and_hold
from openalpha.research.compared import Compared
from openalpha.research.drawdown import drawdowns
from openalpha.research.report.thinning import bucket_means, candles, keep_extremes
from openalpha.research.settings import ReportSettings
from openalpha.research.wording import plural

if TYPE_CHECKING:
    from openalpha.research.judged import JudgedRun

__all__ = ["curve_chart", "histogram_chart", "hour_chart", "overlay_chart", "price_charts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_INSTRUMENTS = 6
_MOST_LINKS = 400


def curve_chart(result: "JudgedRun", settings: ReportSettings) -> dict[str, Any]:
    """Return equity, benchmark, drawdown and exposure, thinned to a drawable size."""
    run = result.run
    capital = float(run.capital)
    closes = run.ts_ms + run.timeframe_ms
    rows = keep_extremes(run.equity, settings.line_points)
    worth = buy_and_hold(result.context.histories, result.start_ms, moments_ms=closes[rows])
    falls = drawdowns(run.equity, capital)
    deep = keep_extremes(falls, settings.line_points)
    first, exposure = bucket_means(run.exposure, settings.line_points)
    is_thinned = len(rows) < len(closes)
    return {
        "currency": result.currency,
        "t": [result.start_ms, *closes[rows].tolist()],
        "equity": [capital, *_short(run.equity[rows])],
        "benchmark": [capital, *_short(capital * worth)],
        "t_drawdown": [result.start_ms, *closes[deep].tolist()],
        "drawdown": [0.0, *_short(-100 * falls[deep])],
        "t_exposure": closes[first].tolist(),
        "exposure": _short(exposure),
        "remark": (
            f"{plural(len(closes), 'bar')} drawn as {plural(len(rows), 'point')}: each stretch "
            "keeps its lowest and highest; exposure is averaged."
            if is_thinned
            else f"Every bar's close is drawn ({plural(len(closes), 'bar')})."
        ),
    }


def price_charts(result: "JudgedRun", settings: ReportSettings) -> list[dict[str, Any]]:
    """Return candles with fills for each of the first instruments: the whole period and its end."""
    charts = []
    for code, (name, history) in enumerate(result.context.histories.items()):
        if code < _MOST_INSTRUMENTS:
            views = [_view(result, history, code, settings.candles, "Whole period", 0)]
            if len(history) > settings.candles:
                start = len(history) - settings.candles
                label = f"Last {plural(settings.candles, 'bar')}"
                views.append(_view(result, history, code, settings.candles, label, start))
            charts.append({"name": name, "quote": history.instrument.quote, "views": views})
    return charts


def histogram_chart(pnl: Floats, currency: str, *, bins: int = 41) -> dict[str, Any]:
    """Return counts of round trips by net profit; a bin never holds both gains and losses."""
    if not len(pnl):
        return {"currency": currency, "x": [], "count": [], "width": 1.0}
    reach = float(np.quantile(np.abs(pnl), 0.99)) or 1.0
    width = float(2 * reach / bins)
    # Bins begin at zero to both sides; what lies beyond the 99 % quantile is in the outer ones.
    half = bins // 2
    index = np.clip(np.floor(pnl / width), -half, half - 1).astype(np.int64)
    slots, counts = np.unique(index, return_counts=True)
    middles = (slots + 0.5).astype(np.float64) * width
    return {
        "currency": currency,
        "x": _short(middles),
        "count": counts.tolist(),
        "width": float(width),
    }


def hour_chart(result: "JudgedRun") -> dict[str, Any]:
    """Return net profit and round trips by the hour of their entry, UTC."""
    rows = result.by_hour
    return {
        "currency": result.currency,
        "pnl": _short(rows["pnl"].to_numpy()),
        "trips": rows["round_trips"].to_list(),
    }


def overlay_chart(
    runs: Sequence[Compared], names: Sequence[str], *, settings: ReportSettings
) -> dict[str, list[dict[str, Any]]]:
    """Return each run's equity as a percentage of its capital, and its drawdown in %."""
    points = max(200, settings.line_points // 2)
    growth: list[dict[str, Any]] = []
    falls: list[dict[str, Any]] = []
    for run, name in zip(runs, names, strict=True):
        closes = run.ts_ms + run.timeframe_ms
        values = 100 * (run.equity / run.capital - 1)
        deep = -100 * drawdowns(run.equity, run.capital)
        for lines, column in ((growth, values), (falls, deep)):
            rows = keep_extremes(column, points)
            stamps = [run.span[0], *closes[rows].tolist()]
            lines.append({"name": name, "t": stamps, "y": [0.0, *_short(column[rows])]})
    return {"growth": growth, "falls": falls}


def _view(
    result: "JudgedRun", history: History, code: int, most: int, label: str, start: int
) -> dict[str, Any]:
    scale = float(10**history.instrument.price_decimals)
    merged = candles(history.ts_ms[start:], history.bars[start:, :4] / scale, most=most)
    begin_ms = int(history.ts_ms[start])
    fills = result.fill_columns
    rows = np.flatnonzero((fills.instrument == code) & (fills.ts_ms >= begin_ms))
    shown = _spread_out(rows, _MOST_LINKS)
    links = _links(result, code, begin_ms)
    length = timeframe_name(merged.bars * history.timeframe_ms)
    remark = f"Candles of {_length(merged.bars * history.timeframe_ms) or length}"
    if merged.bars > 1:
        remark += f", each of {plural(merged.bars, 'bar')}"
    if len(shown) < len(rows):
        remark += f"; {plural(len(shown), 'fill')} of {len(rows):,} shown, evenly chosen"
    elif len(rows):
        remark += f"; all {plural(len(rows), 'fill')} shown"
    return {
        "label": label,
        "remark": remark + ".",
        "t": merged.ts_ms.tolist(),
        "open": _short(merged.prices[:, 0]),
        "high": _short(merged.prices[:, 1]),
        "low": _short(merged.prices[:, 2]),
        "close": _short(merged.prices[:, 3]),
        "t_fill": fills.ts_ms[shown].tolist(),
        "price": _short(fills.price[shown]),
        "side": fills.side[shown].tolist(),
        "qty": _short(fills.qty[shown]),
        "why": [Reason(code).name.lower().replace("_", " ") for code in fills.reason[shown]],
        "links": links if len(shown) == len(rows) else [],
    }


def _links(result: "JudgedRun", code: int, begin_ms: int) -> list[dict[str, Any]]:
    trips = result.trips
    rows = np.flatnonzero((trips.instrument == code) & (trips.entry_ts_ms >= begin_ms))
    if len(rows) > _MOST_LINKS:
        return []
    return [
        {
            "t": [int(trips.entry_ts_ms[row]), int(trips.exit_ts_ms[row])],
            "p": [float(trips.entry_price[row]), float(trips.exit_price[row])],
            "gain": bool(trips.pnl[row] > 0),
        }
        for row in rows
    ]


def _length(length_ms: int) -> str:
    for unit_ms, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        if length_ms >= 2 * unit_ms or length_ms == unit_ms:
            whole = length_ms / unit_ms
            return plural(whole, name) if whole == int(whole) else f"{whole:.1f} {name}s"
    return ""


def _spread_out(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def _short(values: Floats) -> list[float]:
    """Return values with seven significant digits: more than a screen shows, half the file."""
    return [float(f"{value:.7g}") for value in values.tolist()]
