"""The 30 % minimum tax on capital gains from 1 July 2027 (Division 119): steps 1 to 7."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from openalpha.books.tax.amounts import DOLLAR, ZERO

__all__ = ["MinimumTax", "minimum_tax"]


@dataclass(frozen=True, slots=True)
class MinimumTax:
    """Every step of s 119-10(2), in AUD; `rate` is the extra rate on the minimum tax gain."""

    gain: Decimal
    benchmark: Decimal
    tax_with: Decimal
    tax_without: Decimal
    difference: Decimal
    shortfall: Decimal
    gap: Decimal
    rate: Decimal

    @property
    def steps(self) -> dict[str, Decimal]:
        """The seven steps by name."""
        return {
            "step1": self.benchmark,
            "step2": self.tax_with,
            "step3": self.tax_without,
            "step4": self.difference,
            "step5": self.shortfall,
            "step6": self.shortfall.quantize(DOLLAR, rounding=ROUND_DOWN),
            "step7": self.gap,
        }


def minimum_tax(
    gain: Decimal,
    taxable_income: Decimal,
    *,
    tax: Callable[[Decimal], Decimal],
    rate: Decimal,
    is_exempt: bool = False,
    gifts: Decimal = ZERO,
) -> MinimumTax:
    """Work out the minimum tax gap of a resident individual.

    Parameters
    ----------
    gain : Decimal
        New gains left after step 6 of the method statement, in AUD.
    taxable_income : Decimal
        With the gain, in AUD.
    tax : callable
        Basic income tax of a taxable income: before offsets, without the Medicare levy.
    rate : Decimal
        The minimum rate, as a fraction.
    is_exempt : bool
        Whether a listed income support payment was received in the year.
    gifts : Decimal
        Deductible gifts, which reduce the gain (s 119-5 as enacted), in AUD.

    Examples
    --------
    >>> illustrated = {90000: Decimal(18000), 40000: Decimal(3500)}
    >>> found = minimum_tax(
    ...     Decimal(50000), Decimal(90000), tax=lambda at: illustrated[int(at)], rate=Decimal("0.3")
    ... )
    >>> found.gap, found.rate
    (Decimal('500'), Decimal('0.01'))
    """
    base = max(ZERO, gain - gifts)
    benchmark = base * rate
    with_gain = tax(taxable_income)
    without = tax(max(ZERO, taxable_income - base))
    difference = with_gain - without
    shortfall = benchmark - difference
    gap = shortfall.quantize(DOLLAR, rounding=ROUND_DOWN)
    if is_exempt or gap <= 0:
        gap = ZERO
    extra = gap / base if base else ZERO
    return MinimumTax(base, benchmark, with_gain, without, difference, shortfall, gap, extra)
