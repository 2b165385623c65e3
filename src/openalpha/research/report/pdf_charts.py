"""The charts of the PDF report, each of a fixed height across the page."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.pages.paper import BOLD, MARGIN, PLAIN, SOFT
from openalpha.research.report.charts import histogram_chart
from openalpha.research.report.plots import (
    BENCH,
    GAIN,
    LOSS,
    Box,
    Plot,
    nice_ticks,
    time_ticks,
)
from openalpha.research.report.robust import day_histogram, rolling_sharpe, rolling_window
from openalpha.research.wording import money, percent

if TYPE_CHECKING:
    from openalpha.pages.paper import Paper

__all__ = [
    "alone",
    "bands",
    "curves",
    "exposure",
    "months",
    "steadiness",
    "trades",
    "under_water",
    "waterfall",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[int, int]

_INK = (0.11, 0.11, 0.10)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _box(paper: "Paper", height: float, *, part: int = 0, parts: int = 1) -> Box:
    width = (paper.width - 14 * (parts - 1)) / parts
    return Box(MARGIN + part * (width + 14), paper.y - height, width, height)


def _reach(*values: Floats) -> tuple[float, float]:
    every = np.concatenate([part[np.isfinite(part)] for part in values])
    low, high = float(every.min()), float(every.max())
    room = 0.04 * (high - low) or abs(high) * 0.01 or 1.0
    return low - room, high + room


def _short(value: float) -> str:
    text = f"{value:,.6g}" if abs(value) < 1e6 else f"{value / 1e6:,.4g} M"
    return text.replace("-", "\u2013")


def curves(paper: "Paper", span: Span, *, t: Ints, equity: Floats, held: Floats) -> None:
    """Draw the equity against buying and holding."""
    paper.need(150)
    plot = Plot(paper.canvas, _box(paper, 140), x=span, y=_reach(equity, held))
    plot.axes(time_ticks(*span), y_words=_short)
    x = t.astype(np.float64)
    plot.line(x, held, colour=BENCH, width=0.7)
    plot.line(x, equity, colour=GAIN, width=1.1)
    paper.y -= 144
    _legend(paper, (("strategy", GAIN), ("buy and hold, before costs", BENCH)))


def alone(paper: "Paper", span: Span, *, t: Ints, equity: Floats) -> None:
    """Draw the equity on a scale of its own."""
    paper.need(96)
    plot = Plot(paper.canvas, _box(paper, 84), x=span, y=_reach(equity))
    plot.axes(time_ticks(*span), y_words=_short, most=3)
    plot.line(t.astype(np.float64), equity, colour=GAIN)
    paper.y -= 88


def _legend(paper: "Paper", names: Sequence[tuple[str, tuple[float, float, float]]]) -> None:
    canvas, x = paper.canvas, MARGIN + 34
    paper.y -= 8
    for name, colour in names:
        canvas.setStrokeColorRGB(*colour)
        canvas.setLineWidth(1.4)
        canvas.line(x, paper.y + 2.2, x + 12, paper.y + 2.2)
        canvas.setFillColorRGB(*SOFT)
        canvas.setFont(PLAIN, 7)
        canvas.drawString(x + 15, paper.y, name)
        x += 30 + canvas.stringWidth(name, PLAIN, 7)
    paper.y -= 4


def under_water(paper: "Paper", span: Span, *, t: Ints, falls: Floats) -> None:
    """Draw the drawdown, in % below the high."""
    _filled(paper, span, t, falls, colour=LOSS, y=(min(float(falls.min()) * 1.05, -0.1), 0.0))


def exposure(paper: "Paper", span: Span, *, t: Ints, values: Floats) -> None:
    """Draw the gross exposure, in multiples of equity."""
    top = max(float(values.max()) * 1.05, 0.01)
    _filled(paper, span, t, values, colour=SOFT, y=(0.0, top), unit="×")


def _filled(
    paper: "Paper",
    span: Span,
    t: Ints,
    values: Floats,
    *,
    colour: tuple[float, float, float],
    y: tuple[float, float],
    unit: str = " %",
) -> None:
    paper.need(92)
    plot = Plot(paper.canvas, _box(paper, 84), x=span, y=y)
    plot.axes(time_ticks(*span), y_words=lambda value: _short(value) + unit, most=3)
    plot.area(t.astype(np.float64), values, colour=colour)
    paper.y -= 90


def trades(paper: "Paper", pnl: Floats, *, adverse: Floats, results: Floats, currency: str) -> None:
    """Draw round trips by profit, and each one's worst move beside its result."""
    paper.need(130)
    bars = histogram_chart(pnl, currency)
    _histogram(paper, bars, _box(paper, 112, part=0, parts=2))
    box = _box(paper, 112, part=1, parts=2)
    x = (0.0, max(float(np.nanmax(adverse)) * 1.05, 0.01))
    plot = Plot(paper.canvas, box, x=x, y=_reach(results, np.zeros(1)))
    ticks = [(value, f"{value:g} %") for value in nice_ticks(*x)]
    plot.axes(ticks, y_words=lambda value: _short(value) + " %")
    rows = np.arange(len(results))[:: max(1, len(results) // 1_500)]
    plot.points(adverse[rows], results[rows], is_gain=results[rows] > 0)
    paper.y -= 122


def steadiness(paper: "Paper", returns: Floats, *, t: Ints) -> None:
    """Draw the rolling Sharpe ratio and the days by return."""
    paper.need(130)
    window = rolling_window(len(returns))
    left = _box(paper, 112, part=0, parts=2)
    values = rolling_sharpe(returns, window) if window else np.empty(0)
    if np.isfinite(values).any():
        span = (int(t[window - 1]), int(t[-1]))
        plot = Plot(paper.canvas, left, x=span, y=_reach(values, np.zeros(1)))
        plot.axes(time_ticks(*span, most=4), y_words=_short)
        plot.line(t.astype(np.float64), values, colour=GAIN)
        _caption(paper, left, f"{window} days")
    else:
        _caption(paper, left, "too few days with movement for a rolling figure")
    _histogram(paper, day_histogram(returns), _box(paper, 112, part=1, parts=2), unit=" %")
    paper.y -= 122


def bands(paper: "Paper", chart: Mapping[str, Any]) -> None:
    """Draw the deepest drawdown so far beside that of the same days in other orders."""
    paper.need(120)
    x = np.array(chart["t"], dtype=np.float64)
    lines = [np.array(chart[name]) for name in ("fell", "half", "most")]
    span = (int(x[0]), int(x[-1]))
    y = (min(float(min(map(np.min, lines))) * 1.05, -0.1), 0.0)
    plot = Plot(paper.canvas, _box(paper, 92), x=span, y=y)
    plot.axes(time_ticks(*span), y_words=lambda value: _short(value) + " %", most=3)
    names = ("deepest drawdown so far", "half of the orders stay within", "95 % stay within")
    colours = (LOSS, SOFT, BENCH)
    for line, colour in zip(lines, colours, strict=True):
        plot.line(x, line, colour=colour)
    paper.y -= 96
    _legend(paper, tuple(zip(names, colours, strict=True)))


def _histogram(paper: "Paper", bars: dict[str, list[float]], box: Box, *, unit: str = "") -> None:
    if not bars["x"]:
        _caption(paper, box, "nothing to show")
        return
    x, heights = np.array(bars["x"]), np.array(bars["count"], dtype=np.float64)
    width = float(str(bars["width"]))
    reach = (min(0.0, float(x.min())) - width, max(0.0, float(x.max())) + width)
    plot = Plot(paper.canvas, box, x=reach, y=(0.0, float(heights.max()) * 1.08))
    ticks = [(value, _short(value) + unit) for value in nice_ticks(*reach)]
    plot.axes(ticks, y_words=lambda value: f"{value:,.0f}" if value == int(value) else "")
    plot.bars(x, heights, width=width * 0.86)


def _caption(paper: "Paper", box: Box, text: str) -> None:
    paper.canvas.setFont(PLAIN, 7)
    paper.canvas.setFillColorRGB(*SOFT)
    paper.canvas.drawRightString(box.x + box.width - 4, box.y + box.height - 8, text)


def months(paper: "Paper", values: Sequence[tuple[str, float]]) -> None:
    """Draw calendar months as coloured cells, years down, months across."""
    by_year: dict[str, dict[int, float]] = {}
    for name, value in values:
        by_year.setdefault(name[:4], {})[int(name[5:])] = value
    largest = max([1e-9, *(abs(value) for _, value in values)])
    canvas, step, height = paper.canvas, paper.width / 14.4, 14.0
    paper.need(height * 2 + 4)
    canvas.setFont(PLAIN, 7)
    canvas.setFillColorRGB(*SOFT)
    paper.y -= 8
    for at, name in enumerate((*_MONTHS, "Year")):
        canvas.drawCentredString(MARGIN + (at + 1.5) * step, paper.y, name)
    paper.y -= 3
    for year, cells in by_year.items():
        paper.need(height)
        paper.y -= height
        canvas.setFont(PLAIN, 7)
        canvas.setFillColorRGB(*SOFT)
        canvas.drawString(MARGIN, paper.y + 4, year)
        for month, value in cells.items():
            x = MARGIN + month * step
            share = 0.10 + 0.60 * math.sqrt(min(1.0, abs(value) / largest))
            tone = GAIN if value > 0 else LOSS if value < 0 else (0.6, 0.6, 0.6)
            canvas.setFillColorRGB(*(1 - share * (1 - part) for part in tone))
            canvas.rect(x + 1, paper.y + 1, step - 2, height - 2, stroke=0, fill=1)
            canvas.setFillColorRGB(*((1, 1, 1) if share > 0.55 else _INK))
            canvas.drawCentredString(x + step / 2, paper.y + 4.5, _percent(value))
        whole = math.prod(1 + value for value in cells.values()) - 1
        canvas.setFont(BOLD, 7)
        canvas.setFillColorRGB(*(GAIN if whole > 0 else LOSS if whole < 0 else _INK))
        canvas.drawCentredString(MARGIN + 13.5 * step, paper.y + 4.5, _percent(whole))
    paper.y -= 8


def _percent(value: float) -> str:
    return percent(value, signed=True).removesuffix(" %").replace("\u2212", "\u2013")


def waterfall(paper: "Paper", steps: Sequence[tuple[str, float]]) -> None:
    """Draw the way from the first amount to the last, whose total it is."""
    steps = [step for step in steps if step[1] or step[0] != "Liquidation fees"]
    level, spans = 0.0, []
    for at, (_, amount) in enumerate(steps):
        start = 0.0 if at in (0, len(steps) - 1) else level
        level = start + amount
        spans.append((start, level))
    ends = [0.0, *(end for span in spans for end in span)]
    low, wide = min(ends), (max(ends) - min(ends)) or 1.0
    canvas, room = paper.canvas, paper.width - 190
    paper.need(15 * len(steps))
    for (name, amount), (start, stop) in zip(steps, spans, strict=True):
        paper.y -= 15
        canvas.setFont(PLAIN, 8)
        canvas.setFillColorRGB(*_INK)
        canvas.drawString(MARGIN, paper.y + 3, name)
        left = MARGIN + 110 + (min(start, stop) - low) / wide * room
        canvas.setFillColorRGB(*(GAIN if amount > 0 else LOSS))
        size = max(abs(stop - start) / wide * room, 0.6)
        canvas.rect(left, paper.y, size, 10, stroke=0, fill=1)
        text = money(amount, signed=True).replace("\u2212", "\u2013")
        canvas.drawRightString(MARGIN + paper.width, paper.y + 3, text)
    zero = MARGIN + 110 + (0.0 - low) / wide * room
    canvas.setStrokeColorRGB(*SOFT)
    canvas.setLineWidth(0.4)
    canvas.line(zero, paper.y - 2, zero, paper.y + 15 * len(steps))
    paper.y -= 8
