"""The growth rows as a picture: seconds over bars, both by decades, one line a series."""

from collections.abc import Sequence
from math import ceil, floor, log10

from benchmarks.rows import Line

__all__ = ["picture"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 64, 130, 20, 48
COLOURS = ("#2563eb", "#b45309", "#15803d", "#7c3aed")


def picture(lines: Sequence[Line]) -> str:
    """Return the growth rows among some lines as SVG, readable on light and dark pages.

    Parameters
    ----------
    lines : sequence of Line

    Returns
    -------
    str
    """
    series: dict[str, list[tuple[float, float]]] = {}
    for line in lines:
        if line.point is not None:
            name, bars, seconds = line.point
            series.setdefault(name, []).append((log10(bars), log10(seconds)))
    points = [point for one in series.values() for point in one]
    if not points:
        raise SystemExit("--plot needs the growth rows: --rows growth")
    across = floor(min(x for x, _ in points)), ceil(max(x for x, _ in points))
    up = floor(min(y for _, y in points)), ceil(max(y for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return (
            round(LEFT + (x - across[0]) / (across[1] - across[0]) * wide, 1),
            round(TOP + (up[1] - y) / (up[1] - up[0]) * high, 1),
        )

    drawn = [_grid(place(x, up[0]), place(x, up[1]), _bars(x)) for x in _decades(across)]
    drawn += [_grid(place(across[0], y), place(across[1], y), _seconds(y)) for y in _decades(up)]
    for colour, (name, found) in zip(COLOURS, series.items(), strict=False):
        drawn += _series(name, [place(*point) for point in sorted(found)], colour)
    words = f'<text x="{LEFT}" y="{HEIGHT - 8}">time over bars in all, both by decades</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Seconds over bars" font-family="sans-serif" font-size="13" fill="#737373">\n'
        + "\n".join([*drawn, words])
        + "\n</svg>\n"
    )


def _decades(ends: tuple[int, int]) -> range:
    return range(ends[0], ends[1] + 1)


def _grid(start: tuple[float, float], end: tuple[float, float], word: str) -> str:
    (a, b), (c, d) = start, end
    at = f'x="{a - 8}" y="{b + 4}" text-anchor="end"'
    if a == c:
        at = f'x="{a}" y="{b + 18}" text-anchor="middle"'
    return (
        f'<line x1="{a}" y1="{b}" x2="{c}" y2="{d}" stroke="#a3a3a3" stroke-opacity="0.4"/>'
        f"<text {at}>{word}</text>"
    )


def _series(name: str, points: list[tuple[float, float]], colour: str) -> list[str]:
    path = " ".join(f"{x},{y}" for x, y in points)
    dots = [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
    x, y = points[-1]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<text x="{x + 8}" y="{y + 4}" fill="{colour}">{name}</text>',
    ]


def _bars(decade: int) -> str:
    return f"{10**decade:,}" if decade < 6 else f"{10 ** (decade - 6):,} M"


def _seconds(decade: int) -> str:
    return f"{10**decade:,} s" if decade >= 0 else f"{10 ** (decade + 3):g} ms"
