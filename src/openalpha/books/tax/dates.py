"""Dates of Australian tax: the income year, the clear year of the discount, the local day.

Whether twelve months have passed is a question of the calendar, never of days or hours.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openalpha.core.errors import InputError

__all__ = [
    "BOUNDARY",
    "REFORM_START",
    "first_eligible_day",
    "held_twelve_months",
    "income_year",
    "local_date",
    "parse_year",
    "quarter_of",
    "zone_of",
]

BOUNDARY = date(2027, 6, 30)
REFORM_START = date(2027, 7, 1)


@lru_cache(maxsize=65536)
def income_year(day: date) -> int:
    """Return the calendar year in which the income year of a day ends.

    Examples
    --------
    >>> income_year(date(2026, 6, 30)), income_year(date(2026, 7, 1))
    (2026, 2027)
    """
    return day.year + (day.month >= 7)


def parse_year(text: str) -> int:
    """Read an income year as people write it, "2025-26".

    Raises
    ------
    InputError
        If the two halves are not consecutive years.

    Examples
    --------
    >>> parse_year("2025-26")
    2026
    """
    first, _, second = text.strip().partition("-")
    if not (first.isdigit() and second.isdigit() and len(first) == 4):
        raise InputError(f"an income year is written 2025-26, not {text!r}")
    ends = int(first) + 1
    if int(second) % 100 != ends % 100:
        raise InputError(f"an income year spans two consecutive years, {text!r} does not")
    return ends


@lru_cache(maxsize=65536)
def first_eligible_day(acquired: date) -> date:
    """Return the first day on which an event finds the asset held for at least 12 months.

    Neither the day of acquisition nor the day of the event counts (TD 2002/10: a clear year must
    lie between them). The clear year starts the day after acquisition.

    Examples
    --------
    >>> first_eligible_day(date(2001, 2, 2))
    datetime.date(2002, 2, 3)
    >>> first_eligible_day(date(2024, 2, 28))
    datetime.date(2025, 3, 1)
    """
    start = acquired + timedelta(days=1)
    try:
        return start.replace(year=start.year + 1)
    except ValueError:  # 29 February has no anniversary next year
        return date(start.year + 1, 3, 1)


def held_twelve_months(acquired: date | None, event: date) -> bool:
    """Say whether an asset was held for at least 12 months before a CGT event.

    An unknown day of acquisition counts as short: the conservative answer.

    Examples
    --------
    >>> held_twelve_months(date(2023, 3, 1), date(2024, 3, 1))
    False
    >>> held_twelve_months(date(2023, 3, 1), date(2024, 3, 2))
    True
    """
    return acquired is not None and event >= first_eligible_day(acquired)


def local_date(ts_ms: int, zone: str) -> date:
    """Return the taxpayer's local day of an instant.

    Parameters
    ----------
    ts_ms : int
        UTC milliseconds.
    zone : str
        IANA name, "Australia/Sydney".

    Raises
    ------
    InputError
        If no such zone exists.

    Examples
    --------
    >>> local_date(1751292000000, "Australia/Sydney")
    datetime.date(2025, 7, 1)
    """
    return (datetime.fromtimestamp(ts_ms / 1000, UTC)).astimezone(zone_of(zone)).date()


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises
    ------
    InputError
        If no such zone exists.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(
            f"there is no time zone {name!r}; use one like Australia/Sydney"
        ) from error


def quarter_of(day: date) -> str:
    """Name the calendar quarter of a day by year and last month, as the CPI table does.

    Examples
    --------
    >>> quarter_of(date(2027, 7, 1))
    '2027-09'
    """
    return f"{day.year}-{(day.month + 2) // 3 * 3:02d}"
