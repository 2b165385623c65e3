"""Income tax scales and the tax they give; the figures come from dated tables, never from here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.indexation import Cpi

__all__ = ["Lito", "Rate", "Scale", "Tables", "band_tax"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Progressive scale in force from an income year on: (lower limit, rate above it) rows."""

    from_year: int
    bands: tuple[tuple[Decimal, Decimal], ...]
    source: str
    mark: str


@dataclass(frozen=True, slots=True)
class Rate:
    """One dated number with its source and confidence mark."""

    name: str
    from_year: int
    value: Decimal
    source: str
    mark: str


@dataclass(frozen=True, slots=True)
class Lito:
    """Low income tax offset: its largest amount and how it shrinks above each income."""

    maximum: Decimal
    steps: tuple[tuple[Decimal, Decimal], ...]


def band_tax(income: Decimal, bands: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """Return the tax of a progressive scale, in AUD.

    Parameters
    ----------
    income : Decimal
        Taxable income, in AUD; below zero it counts as zero.
    bands : sequence of (Decimal, Decimal)
        Lower limit and rate of each band, ascending.

    Examples
    --------
    >>> band_tax(Decimal(20000), [(Decimal(0), Decimal(0)), (Decimal(18200), Decimal("0.16"))])
    Decimal('288.00')
    """
    tax = ZERO
    for index, (lower, rate) in enumerate(bands):
        upper = bands[index + 1][0] if index + 1 < len(bands) else income
        part = min(income, upper) - lower
        if part > 0:
            tax += part * rate
    return tax


@dataclass(frozen=True, slots=True)
class Tables:
    """Every dated table the engine reads, as plain values."""

    scales: tuple[Scale, ...]
    rates: tuple[Rate, ...]
    lito: Lito
    cpi: Cpi

    def scale(self, year: int) -> Scale:
        """Return the individuals' scale of an income year.

        Raises
        ------
        Refused
            If the year lies before the first table.
        """
        fitting = [scale for scale in self.scales if scale.from_year <= year]
        if not fitting:
            raise Refused(f"no income tax scale for {year - 1}-{year % 100:02d} is in the tables")
        return max(fitting, key=lambda scale: scale.from_year)

    def rate(self, name: str, year: int) -> Rate:
        """Return a dated number in force in an income year.

        Raises
        ------
        Refused
            If no row of that name is in force that year.
        """
        fitting = [row for row in self.rates if row.name == name and row.from_year <= year]
        if not fitting:
            raise Refused(f"no {name} for {year - 1}-{year % 100:02d} is in the tables")
        return max(fitting, key=lambda row: row.from_year)

    def income_tax(self, income: Decimal, year: int) -> Decimal:
        """Return a resident individual's basic income tax: no levy, no offsets, in AUD."""
        return band_tax(income, self.scale(year).bands)

    def medicare_levy(self, income: Decimal, year: int) -> Decimal:
        """Return a single person's Medicare levy, shaded in above the low-income threshold."""
        full = income * self.rate("medicare_levy", year).value
        over = income - self.rate("medicare_threshold", year).value
        return max(ZERO, min(full, over * self.rate("medicare_shade_in", year).value))

    def low_income_offset(self, income: Decimal) -> Decimal:
        """Return the low income tax offset, in AUD."""
        offset = self.lito.maximum
        limits = [*self.lito.steps, (None, ZERO)]
        for (lower, rate), (upper, _) in zip(self.lito.steps, limits[1:], strict=True):
            top = income if upper is None else min(income, upper)
            offset -= max(ZERO, top - lower) * rate
        return max(ZERO, offset)

    def as_rows(self) -> Mapping[str, str]:
        """List every source by name, for the settings page of a report."""
        rows = {f"scale from {s.from_year}": f"{s.source} [{s.mark}]" for s in self.scales}
        return rows | {f"{r.name} from {r.from_year}": f"{r.source} [{r.mark}]" for r in self.rates}
