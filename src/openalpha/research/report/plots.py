"""Charts drawn straight on a page of paper: lines, areas, bars and points with axes and units."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS

__all__ = ["BENCH", "GAIN", "LOSS", "Box", "Plot", "nice_ticks", "time_ticks"]

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

INK, SOFT, GRID = (0.11, 0.11, 0.10), (0.42, 0.40, 0.37), (0.91, 0.90, 0.88)
GAIN, LOSS, BENCH = (0.09, 0.39, 0.65), (0.75, 0.29, 0.05), (0.61, 0.58, 0.54)
_SIZE = 6.8
_LEFT, _BOTTOM = 34.0, 13.0


class Box(NamedTuple):
    """A place on the page, in points: lower left corner, width, height."""

    x: float
    y: float
    width: float
    height: float


def nice_ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Return round numbers between two values.

    Examples
    --------
    >>> nice_ticks(0.0, 9.3)
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    span = high - low
    if not span > 0:
        return [low]
    raw = span / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * by for by in (1, 2, 2.5, 5, 10) if size * by >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(at * step, 12) for at in range(first, last + 1)]


def time_ticks(start_ms: int, end_ms: int, *, most: int = 6) -> list[tuple[float, str]]:
    """Return moments to mark on an axis of time, with their dates (UTC)."""
    first, last = start_ms // DAY_MS, -(-end_ms // DAY_MS)
    days = np.linspace(first, last, min(most, max(2, last - first + 1)))[:-1]
    whole = np.unique(np.ceil(days)).astype(np.int64)
    dates = whole.astype("datetime64[D]").astype(str).tolist()
    return [(float(at) * DAY_MS, text) for at, text in zip(whole, dates, strict=True)]


class Plot:
    """One chart in its box.

    Parameters
    ----------
    canvas : reportlab canvas
    box : Box
        The whole of it, axis labels included.
    x, y : (low, high)
        What the axes span.
    """

    def __init__(
        self, canvas: Any, box: Box, *, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        self._canvas = canvas
        self._x, self._y = x, y if y[1] > y[0] else (y[0] - 1, y[0] + 1)
        self._inner = Box(
            box.x + _LEFT, box.y + _BOTTOM, box.width - _LEFT - 4, box.height - _BOTTOM - 4
        )

    def at(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return where values lie on the page."""
        box, (x0, x1), (y0, y1) = self._inner, self._x, self._y
        return (
            box.x + (x - x0) / ((x1 - x0) or 1.0) * box.width,
            box.y + (y - y0) / (y1 - y0) * box.height,
        )

    def axes(
        self,
        x_ticks: Sequence[tuple[float, str]],
        *,
        y_words: Callable[[float], str],
        most: int = 4,
    ) -> None:
        """Draw the grid and what stands beside it."""
        canvas, box = self._canvas, self._inner
        canvas.setFont("Helvetica", _SIZE)
        for value in nice_ticks(*self._y, most=most):
            _, y = self.at(self._x[0], value)
            canvas.setStrokeColorRGB(*(SOFT if value == 0 else GRID))
            canvas.setLineWidth(0.5)
            canvas.line(box.x, y, box.x + box.width, y)
            canvas.setFillColorRGB(*SOFT)
            canvas.drawRightString(box.x - 4, y - 2.3, y_words(value))
        for value, text in x_ticks:
            x, _ = self.at(value, self._y[0])
            canvas.setStrokeColorRGB(*SOFT)
            canvas.line(x, box.y, x, box.y - 2)
            is_late = x > box.x + box.width - 26
            (canvas.drawRightString if is_late else canvas.drawCentredString)(
                box.x + box.width if is_late else x, box.y - 10, text
            )

    def line(self, x: Floats, y: Floats, *, colour: Colour, width: float = 0.9) -> None:
        """Draw a line; it breaks where a value is not defined."""
        path = self._canvas.beginPath()
        xs, ys = self.at(x, y)
        is_open = False
        for at, level in zip(xs.tolist(), ys.tolist(), strict=True):
            if not math.isfinite(level):
                is_open = False
                continue
            (path.lineTo if is_open else path.moveTo)(at, level)
            is_open = True
        self._canvas.setStrokeColorRGB(*colour)
        self._canvas.setLineWidth(width)
        self._canvas.drawPath(path)

    def area(self, x: Floats, y: Floats, *, colour: Colour) -> None:
        """Fill between a line and zero."""
        xs, ys = self.at(x, y)
        _, zero = self.at(0.0, 0.0)
        path = self._canvas.beginPath()
        path.moveTo(float(xs[0]), zero)
        for at, level in zip(xs.tolist(), ys.tolist(), strict=True):
            path.lineTo(at, level)
        path.lineTo(float(xs[-1]), zero)
        path.close()
        self._canvas.setFillColorRGB(*(1 - 0.28 * (1 - part) for part in colour))
        self._canvas.drawPath(path, stroke=0, fill=1)
        self.line(x, y, colour=colour, width=0.6)

    def between(self, x: Floats, *, low: Floats, high: Floats, colour: Colour) -> None:
        """Fill between two lines."""
        path = self._canvas.beginPath()
        there, back = self.at(x, low), self.at(x[::-1], high[::-1])
        corners = [*zip(*map(list, there), strict=True), *zip(*map(list, back), strict=True)]
        path.moveTo(*corners[0])
        for corner in corners[1:]:
            path.lineTo(*corner)
        path.close()
        self._canvas.setFillColorRGB(*colour)
        self._canvas.drawPath(path, stroke=0, fill=1)

    def columns(self, x: Floats, height: Floats, *, width: float, colour: Colour) -> None:
        """Draw bars from zero in one colour."""
        self._canvas.setFillColorRGB(*colour)
        for middle, level in zip(x.tolist(), height.tolist(), strict=True):
            if math.isfinite(level):
                left, bottom = self.at(middle - width / 2, 0.0)
                right, top = self.at(middle + width / 2, level)
                self._canvas.rect(left, bottom, right - left, top - bottom, stroke=0, fill=1)

    def bars(self, x: Floats, height: Floats, *, width: float) -> None:
        """Draw bars from zero, those right of zero as gains and the others as losses."""
        for middle, level in zip(x.tolist(), height.tolist(), strict=True):
            left, bottom = self.at(middle - width / 2, 0.0)
            right, top = self.at(middle + width / 2, level)
            self._canvas.setFillColorRGB(*(GAIN if middle > 0 else LOSS))
            self._canvas.rect(left, bottom, right - left, top - bottom, stroke=0, fill=1)

    def points(self, x: Floats, y: Floats, *, is_gain: NDArray[np.bool_]) -> None:
        """Draw points, gains as filled circles and losses as small crosses."""
        xs, ys = self.at(x, y)
        canvas = self._canvas
        canvas.setLineWidth(0.6)
        for at, level, gain in zip(xs.tolist(), ys.tolist(), is_gain.tolist(), strict=True):
            canvas.setFillColorRGB(*GAIN)
            canvas.setStrokeColorRGB(*LOSS)
            if gain:
                canvas.circle(at, level, 1.3, stroke=0, fill=1)
            else:
                canvas.line(at - 1.3, level - 1.3, at + 1.3, level + 1.3)
                canvas.line(at - 1.3, level + 1.3, at + 1.3, level - 1.3)
