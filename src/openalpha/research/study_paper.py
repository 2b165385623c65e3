"""The page of a study on paper, drawn without a browser; the same study gives the same bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openalpha.pages.paper import ALARM, BOLD, MARGIN, PLAIN, PORTRAIT, SOFT, Paper, wrapped
from openalpha.research.report.listing import Listing
from openalpha.research.report.plots import BENCH, GAIN, LOSS, Box, Plot, nice_ticks, time_ticks
from openalpha.research.report.sheet import CAUTION, INK, grid, marked, plain, say
from openalpha.research.study_page import Block, Chart, Charted, Page, Said

__all__ = ["study_pdf"]

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

_TONES = {"alarm": ALARM, "caution": CAUTION, "note": SOFT}
_COLOURS = {"@gain": GAIN, "@loss": LOSS, "@soft": SOFT, "@bench": BENCH, "@ink": INK}
_CYCLE = (GAIN, LOSS, SOFT, BENCH)
_STAMP = 1e11
_DRAWN = {"scatter", "bar", "heatmap"}
_BANDS = ((0.88, 0.90, 0.92), (0.77, 0.80, 0.83))
_ROWS = 60
_CELL, _APART = 7.4, 12.0


def study_pdf(page: Page) -> bytes:
    """Return a study's page as a PDF document.

    Parameters
    ----------
    page : Page
    """
    paper = Paper(
        title=plain(page.title),
        foot=plain(f"{page.kicker} · made by OpenAlpha · UTC"[:120]),
        watermark="SYNTHETIC" if page.is_synthetic else "",
    )
    paper.turn(PORTRAIT)
    say(paper, page.kicker, size=9, colour=SOFT)
    say(paper, page.headline, size=17, font=BOLD, gap=6)
    if page.is_synthetic:
        say(paper, "SYNTHETIC market: made by a generator, not recorded anywhere.", colour=ALARM)
    for number, part in enumerate(page.parts):
        _PARTS[type(part)](paper, part, f"part{number}")
    say(paper, page.footer, size=7.5, colour=SOFT)
    return paper.bytes()


def _said(paper: Paper, part: Said, key: str) -> None:
    paper.heading("Verdict", key=key)
    say(paper, part.sentences[0][1], size=11, font=BOLD, gap=3)
    for tone, words in part.sentences[1:]:
        marked(paper, words, mark=tone.capitalize(), colour=_TONES[tone])


def _charted(paper: Paper, part: Charted, key: str) -> None:
    chart = part.chart
    paper.need(190)
    kinds = {trace["type"] for trace in chart.traces}
    note = " ".join(filter(None, (chart.heading + "." if chart.heading else "", part.note)))
    if not kinds <= _DRAWN:
        note = "This picture is on the HTML page only."
    paper.heading(plain(part.title), key=key, note=plain(note))
    if kinds <= {"scatter", "bar"}:
        is_across = any(trace.get("orientation") == "h" for trace in chart.traces)
        (_levels if is_across else _curves)(paper, chart)
    elif "heatmap" in kinds:
        _heat(paper, chart)
    for listing in (part.below, chart.behind):
        if listing is not None:
            _listed(paper, listing)


def _block(paper: Paper, part: Block, key: str) -> None:
    paper.heading(plain(part.title), key=key, note=plain(part.note))
    _listed(paper, part.listing)


def _listed(paper: Paper, listing: Listing) -> None:
    """Draw a table; one too wide for the sheet goes on below, its first column repeated."""
    rows, heads = listing.cells, listing.heads
    shown = rows[:_ROWS]
    every = zip(heads, *shown, strict=True)
    needs = [
        max(paper.canvas.stringWidth(plain(cell), PLAIN, _CELL) for cell in column) + _APART
        for column in every
    ]
    start = 1
    while start < len(heads) or len(heads) == start == 1:
        stop, room = start, paper.width - needs[0]
        while stop < len(heads) and (stop == start or needs[stop] <= room):
            room -= needs[stop]
            stop += 1
        columns = [0, *range(start, stop)]
        grid(
            paper,
            [[row[at] for at in columns] for row in shown],
            head=[heads[at] for at in columns],
            widths=[needs[at] for at in columns],
            numbers=range(1, len(columns)),
        )
        start = max(stop, start + 1)
    if len(shown) < len(rows):
        words = f"The first {len(shown)} of {len(rows):,} rows; JSON and HTML hold them all."
        say(paper, words, size=7.5, colour=SOFT)


_PARTS: Mapping[type, Any] = {Said: _said, Charted: _charted, Block: _block}


def _box(paper: Paper, height: float) -> Box:
    return Box(MARGIN, paper.y - height, paper.width, height)


def _column(values: Sequence[Any]) -> Floats:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def _colour(trace: Mapping[str, Any], number: int) -> Colour:
    named = trace.get("line", {}).get("color") or trace.get("marker", {}).get("color")
    return _COLOURS.get(named, _CYCLE[number % 4]) if isinstance(named, str) else _CYCLE[number % 4]


def _curves(paper: Paper, chart: Chart) -> None:
    """Draw lines, bands between lines, and bars side by side."""
    traces = chart.traces
    xs = [_column(trace["x"]) for trace in traces]
    ys = [_column(trace["y"]) for trace in traces]
    every, levels = np.concatenate(xs), np.concatenate(ys)
    bars = [at for at, trace in enumerate(traces) if trace["type"] == "bar"]
    room = 0.5 if bars else 0.0
    low, high = float(np.nanmin(levels, initial=0.0)), float(np.nanmax(levels, initial=0.0))
    span = (float(every.min()) - room, float(every.max()) + room)
    edge = 0.04 * (high - low) or 1.0
    plot = Plot(paper.canvas, _box(paper, 140), x=span, y=(low - edge, high + edge))
    is_time = span[0] > _STAMP
    ticks = time_ticks(int(span[0]), int(span[1])) if is_time else [
        (value, f"{value:,g}") for value in nice_ticks(*span)
    ]  # fmt: skip
    suffix = chart.layout.get("yaxis", {}).get("ticksuffix", "")
    plot.axes(ticks, y_words=lambda value: plain(f"{value:,.4g}{suffix}"))
    fills = 0
    for at, trace in enumerate(traces):
        if trace.get("fill") == "tonexty":
            plot.between(xs[at], low=ys[at - 1], high=ys[at], colour=_BANDS[fills % 2])
            fills += 1
        elif trace["type"] == "bar":
            place = (bars.index(at) + 0.5) / len(bars) - 0.5
            colour = _colour(trace, at)
            plot.columns(xs[at] + 0.8 * place, ys[at], width=0.8 / len(bars), colour=colour)
        elif trace.get("line", {}).get("width", 1) > 0:
            is_stepped = trace.get("line", {}).get("shape") == "hvh"
            x, y = _stepped(xs[at], ys[at]) if is_stepped else (xs[at], ys[at])
            plot.line(x, y, colour=_colour(trace, at))
    paper.y -= 146
    named = [
        (trace["name"], _colour(trace, at)) for at, trace in enumerate(traces) if trace.get("name")
    ]
    _legend(paper, named)


def _stepped(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return steps that turn halfway between two points."""
    turns = np.repeat((x[1:] + x[:-1]) / 2, 2)
    return np.concatenate([x[:1], turns, x[-1:]]), np.repeat(y, 2)


def _legend(paper: Paper, named: Sequence[tuple[str, Colour]]) -> None:
    x = MARGIN + 34
    for name, colour in named:
        paper.canvas.setFillColorRGB(*colour)
        paper.canvas.rect(x, paper.y - 6, 7, 7, stroke=0, fill=1)
        paper.canvas.setFillColorRGB(*SOFT)
        paper.canvas.setFont(PLAIN, 7)
        paper.canvas.drawString(x + 10, paper.y - 5, plain(name))
        x += 22 + paper.canvas.stringWidth(name, PLAIN, 7)
    if named:
        paper.y -= 14


def _levels(paper: Paper, chart: Chart) -> None:
    """Draw named bars from zero, the first name at the top."""
    (trace,) = chart.traces
    names, values = list(trace["y"])[::-1], list(trace["x"])[::-1]
    low, high = min(0.0, *values), max(0.0, *values)
    room, left = paper.width - 250, MARGIN + 190
    scale = room / ((high - low) or 1.0)
    suffix = chart.layout.get("xaxis", {}).get("ticksuffix", "")
    for name, value in zip(names, values, strict=True):
        paper.need(16)
        paper.y -= 15
        canvas = paper.canvas
        canvas.setFont(PLAIN, 8)
        canvas.setFillColorRGB(*INK)
        canvas.drawString(
            MARGIN, paper.y + 3, wrapped(plain(name), font=PLAIN, size=8, room=185)[0]
        )
        canvas.drawRightString(
            MARGIN + paper.width, paper.y + 3, plain(f"{value:+.2f}{suffix}".replace("-", "−"))
        )
        canvas.setFillColorRGB(*(GAIN if value > 0 else LOSS))
        start = left + (min(value, 0.0) - low) * scale
        canvas.rect(start, paper.y, max(abs(value) * scale, 0.6), 10, stroke=0, fill=1)
    paper.y -= 8


def _heat(paper: Paper, chart: Chart) -> None:
    """Draw a map of coloured cells; what was not tried stays blank."""
    trace = next(one for one in chart.traces if one["type"] == "heatmap")
    cells = np.array([_column(row) for row in trace["z"]])
    rows, columns = cells.shape
    height = min(220.0, 16.0 * rows)
    paper.need(height + 30)
    step, tall = (paper.width - 60) / columns, height / rows
    low, high = float(np.nanmin(cells)), float(np.nanmax(cells))
    first, last = (_COLOURS[trace["colorscale"][at][1]] for at in (0, -1))
    reach = (low, high)
    if "zmid" in trace:
        reach = (-max(-low, high), max(-low, high))
    canvas = paper.canvas
    canvas.setFont(PLAIN, 6.8)
    base = paper.y - height
    for (row, column), value in np.ndenumerate(cells):
        if np.isnan(value):
            continue
        share = (float(value) - reach[0]) / ((reach[1] - reach[0]) or 1.0)
        tone, weight = (last, 2 * share - 1) if share >= 0.5 else (first, 1 - 2 * share)
        canvas.setFillColorRGB(*(1 - weight * (1 - part) for part in tone))
        canvas.rect(MARGIN + 50 + column * step, base + row * tall, step, tall, stroke=0, fill=1)
    for ring in (one for one in chart.traces if one["type"] == "scatter"):
        column, row = trace["x"].index(ring["x"][0]), trace["y"].index(ring["y"][0])
        canvas.setStrokeColorRGB(*INK)
        canvas.circle(MARGIN + 50 + (column + 0.5) * step, base + (row + 0.5) * tall, 4, fill=0)
    canvas.setFillColorRGB(*SOFT)
    for at in range(0, columns, max(1, columns // 10)):
        x = MARGIN + 50 + (at + 0.5) * step
        canvas.drawCentredString(x, base - 9, f"{trace['x'][at]}")
    for at in range(0, rows, max(1, rows // 10)):
        canvas.drawRightString(MARGIN + 46, base + (at + 0.3) * tall, f"{trace['y'][at]}")
    paper.y = base - 14
    names = (chart.layout["xaxis"]["title"]["text"], chart.layout["yaxis"]["title"]["text"])
    what = trace["colorbar"]["title"]["text"]
    words = f"{what} by {names[0]} (across) and {names[1]} (up): {low:.4g} to {high:.4g}; "
    words += "blue is better, orange worse."
    say(paper, words, size=7.5, colour=SOFT, gap=4)
