"""Indexing a cost base by the consumer price index, for events from 1 July 2027.

The factor is the index number of the event's quarter over that of the quarter of the expenditure,
no earlier than the September quarter of 2027, to three decimals; a factor of one or less indexes
nothing. Element 3 is never indexed and a loss is never measured on an indexed cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from openalpha.books.tax.dates import REFORM_START, quarter_of
from openalpha.books.tax.entity import Refused

__all__ = ["Cpi", "index_factor"]

_THREE_DECIMALS = Decimal("0.001")
_ONE = Decimal(1)


def index_factor(event_cpi: Decimal, spent_cpi: Decimal) -> Decimal:
    """Return an indexation factor, rounded half up to three decimals and never below one.

    Parameters
    ----------
    event_cpi, spent_cpi : Decimal
        Index numbers of the event's and the expenditure's quarter, above zero.

    Raises
    ------
    Refused
        If an index number is not above zero.

    Examples
    --------
    >>> index_factor(Decimal("68.7"), Decimal("59.0"))
    Decimal('1.164')
    """
    if event_cpi <= 0 or spent_cpi <= 0:
        raise Refused("a consumer price index number must be above zero")
    factor = (event_cpi / spent_cpi).quantize(_THREE_DECIMALS, rounding=ROUND_HALF_UP)
    return max(factor, _ONE)


@dataclass(frozen=True, slots=True)
class Cpi:
    """Quarterly index numbers, by `quarter_of`; `fixed` is one factor stated for every cost."""

    numbers: Mapping[str, Decimal] = field(default_factory=dict)
    fixed: Decimal | None = None

    def factor(self, spent: date | None, event: date) -> Decimal:
        """Return the factor of a cost at an event.

        Raises
        ------
        Refused
            If the index number of a quarter is not in the table.

        Examples
        --------
        >>> Cpi({"2027-09": Decimal(100), "2029-03": Decimal(105)}).factor(
        ...     date(2020, 1, 15), date(2029, 3, 1)
        ... )
        Decimal('1.050')
        """
        first = REFORM_START if spent is None else max(spent, REFORM_START)
        if quarter_of(first) == quarter_of(event):
            return _ONE
        if self.fixed is not None:
            return max(self.fixed, _ONE)
        return index_factor(self._number(event), self._number(first))

    def covers(self, spent: date | None, event: date) -> bool:
        """Say whether the factor of a cost at an event can be worked out."""
        first = REFORM_START if spent is None else max(spent, REFORM_START)
        quarters = {quarter_of(first), quarter_of(event)}
        return self.fixed is not None or len(quarters) == 1 or quarters <= self.numbers.keys()

    def _number(self, day: date) -> Decimal:
        quarter = quarter_of(day)
        try:
            return self.numbers[quarter]
        except KeyError:
            raise Refused(
                f"the consumer price index of the quarter ending {quarter} is not in the table; "
                "add it to cpi.toml once the ABS has published it"
            ) from None
