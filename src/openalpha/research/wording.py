"""Numbers as people read them: signs that are seen, thousands set apart, units kept."""

import math
from typing import TYPE_CHECKING

from openalpha.core.clock import format_ms
from openalpha.research.definitions import Unit, definition

if TYPE_CHECKING:
    from openalpha.research.after_tax import AfterTax

__all__ = ["after_tax_line", "count", "day", "figure", "money", "percent", "plural", "ratio"]

MISSING = "–"
_MINUS = "−"


def percent(value: float, *, signed: bool = False, digits: int = 1) -> str:
    """Write a fraction as a percentage.

    Examples
    --------
    >>> percent(-0.1234), percent(0.5, signed=True), percent(float("nan"))
    ('−12.3 %', '+50.0 %', '–')
    """
    return _signed(value * 100, digits, signed) + " %" if math.isfinite(value) else MISSING


def money(value: float, currency: str = "", *, signed: bool = False) -> str:
    """Write an amount of money, two decimals (more below one, so that nothing reads as zero).

    Examples
    --------
    >>> money(-12345.678, "USDT"), money(0.00123, "BTC", signed=True)
    ('−12,345.68 USDT', '+0.00123 BTC')
    """
    if not math.isfinite(value):
        return MISSING
    digits = 2 if value == 0 or abs(value) >= 1 else min(8, 2 - math.floor(math.log10(abs(value))))
    text = _signed(value, digits, signed)
    return f"{text} {currency}" if currency else text


def ratio(value: float, *, digits: int = 2) -> str:
    """Write a plain number.

    Examples
    --------
    >>> ratio(-1.005), ratio(float("nan"))
    ('−1.00', '–')
    """
    return _signed(value, digits, False) if math.isfinite(value) else MISSING


def count(value: float) -> str:
    """Write a whole number.

    Examples
    --------
    >>> count(27600.0)
    '27,600'
    """
    return f"{value:,.0f}".replace("-", _MINUS) if math.isfinite(value) else MISSING


def plural(number: float, one: str, *, many: str = "") -> str:
    """Write a number and its noun.

    Examples
    --------
    >>> plural(1, "day"), plural(1200, "fill")
    ('1 day', '1,200 fills')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def day(ts_ms: int) -> str:
    """Write a moment's UTC date.

    Examples
    --------
    >>> day(1704067200000)
    '2024-01-01'
    """
    return format_ms(ts_ms)[:10]


def figure(name: str, value: float, *, currency: str) -> str:
    """Write a metric in its unit.

    Examples
    --------
    >>> figure("max_drawdown", 0.25, currency=""), figure("years", 1.5, currency="")
    ('25.0 %', '1.50 years')
    """
    unit = definition(name).unit
    if unit is Unit.FRACTION:
        return percent(value, digits=2 if abs(value) < 0.1 else 1)
    if unit is Unit.CURRENCY:
        return money(value, currency)
    if unit in (Unit.COUNT, Unit.DAYS):
        return count(value)
    text = ratio(value, digits=2 if unit is not Unit.HOURS else 1)
    suffix = {Unit.HOURS: " h", Unit.BPS: " bps", Unit.YEARS: " years"}.get(unit, "")
    return text + suffix if math.isfinite(value) else text


def after_tax_line(found: "AfterTax") -> str:
    """Return the after-tax line of a report: the figures, or why there are none.

    Examples
    --------
    >>> from openalpha.research.after_tax import AfterTax
    >>> after_tax_line(AfterTax("individual", "capital", "revenue", False, reason="no rate"))
    'no estimate: no rate'
    """
    if found.tax is None or found.total_return is None or found.before is None:
        return f"no estimate: {found.reason}"
    years = plural(len(found.by_year), "income year")
    return (
        f"{percent(found.total_return, signed=True)} in AUD (before it "
        f"{percent(found.before, signed=True)}): tax {float(found.tax):,.2f} AUD in {years}, by "
        f"{found.basis}; open positions untaxed"
    )


def _signed(value: float, digits: int, signed: bool) -> str:
    text = f"{abs(value):,.{digits}f}"
    is_zero = not any(char in "123456789" for char in text)
    if is_zero:
        return text
    return (_MINUS if value < 0 else "+" if signed else "") + text
