"""Time: UTC milliseconds inside, timezone-aware at the edges, and the one port that tells "now"."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from openalpha.core.errors import InputError

__all__ = [
    "DAY_MS",
    "HOUR_MS",
    "MINUTE_MS",
    "SECOND_MS",
    "Clock",
    "ManualClock",
    "SystemClock",
    "format_ms",
    "parse_ms",
    "parse_timeframe",
    "timeframe_name",
]

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


class Clock(Protocol):
    """Where "now" comes from. Passed in, never imported."""

    def now_ms(self) -> int:
        """Return the time in UTC milliseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return the machine's time in UTC milliseconds."""
        return time.time_ns() // 1_000_000


@dataclass
class ManualClock:
    """A clock that stands still until told: for tests and accelerated runs."""

    ts_ms: int = 0

    def now_ms(self) -> int:
        """Return the time last set."""
        return self.ts_ms

    def advance(self, by_ms: int) -> None:
        """Move forward by `by_ms` milliseconds (>= 0)."""
        assert by_ms >= 0, "time only moves forward"
        self.ts_ms += by_ms


def parse_timeframe(text: str) -> int:
    """Return the length of a time frame in milliseconds.

    Parameters
    ----------
    text : str
        A positive whole number and one of s, m, h, d, w: `1m`, `15m`, `4h`, `1d`.

    Raises
    ------
    InputError
        If the text is not of that form.

    Examples
    --------
    >>> parse_timeframe("15m")
    900000
    """
    number, unit = text[:-1], text[-1:]
    if not number.isascii() or not number.isdigit() or int(number) == 0 or unit not in _UNITS_MS:
        raise InputError(
            f"'{text}' is not a time frame; write a number and s, m, h, d or w: 1m, 4h"
        )
    return int(number) * _UNITS_MS[unit]


def timeframe_name(timeframe_ms: int) -> str:
    """Return the shortest name of a time frame.

    Examples
    --------
    >>> timeframe_name(3_600_000), timeframe_name(90_000)
    ('1h', '90s')
    """
    for unit in ("d", "h", "m", "s"):
        if timeframe_ms % _UNITS_MS[unit] == 0:
            return f"{timeframe_ms // _UNITS_MS[unit]}{unit}"
    return f"{timeframe_ms}ms"


def parse_ms(text: str) -> int:
    """Read a moment: ISO-8601 (UTC unless it names an offset), a date, or UTC milliseconds.

    Raises
    ------
    InputError
        If the text is none of these.

    Examples
    --------
    >>> parse_ms("2024-01-01"), parse_ms("2024-01-01T00:00:00+10:00")
    (1704067200000, 1704031200000)
    """
    if text.isascii() and text.isdigit() and len(text) >= 12:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"'{text}' is not a time; write 2024-01-31, 2024-01-31T08:00 (UTC) or milliseconds"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def format_ms(ts_ms: int) -> str:
    """Write a moment as ISO-8601 in UTC, to the second (or millisecond where it has one).

    Examples
    --------
    >>> format_ms(1704067200000)
    '2024-01-01T00:00:00Z'
    """
    moment = datetime.fromtimestamp(ts_ms // 1000, UTC)
    fraction = f".{ts_ms % 1000:03d}" if ts_ms % 1000 else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
