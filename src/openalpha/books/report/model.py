"""What a tax report says, as frozen rows: exact amounts in AUD, days of the taxpayer's own zone."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.imports.reconcile import Check

__all__ = [
    "Comparison",
    "Disposal",
    "Earning",
    "FormLine",
    "Holding",
    "Kept",
    "LabelLine",
    "LossLine",
    "OpenLine",
    "RateLine",
    "Said",
    "Settled",
    "SourceFile",
    "TaxReport",
    "WashLine",
]


class Said(NamedTuple):
    """One line of the first page: a choice or fact, what it is, and where that comes from."""

    name: str
    value: str
    source: str = ""
    mark: str = ""


class LabelLine(NamedTuple):
    """One label of the return: the exact figure, and what is written there (whole dollars)."""

    label: str
    text: str
    exact: Decimal | None
    shown: str
    source: str
    mark: str


class FormLine(NamedTuple):
    """One line of a trust's distribution or a company's tax: whose, what, AUD, where, mark."""

    who: str
    what: str
    amount: Decimal | None
    source: str
    mark: str


class Disposal(NamedTuple):
    """One parcel's part of one disposal.

    `reduced` is the cost base without `owning` (element 3). `gain` follows the year's law;
    `proceeds` is None on the deferred half of a parcel held over 30 June 2027. `chosen_at` is when
    parcels were named for this sale, "standing" where the method in force chose. `sha256` is the
    hash of that choice: the ledger entry's that names it, else of who chose which parcel, and how.
    """

    disposal: str
    time: str
    day: date
    asset: str
    qty: Decimal
    event: str
    parcel: str
    acquired: date | None
    proceeds: Decimal | None
    reduced: Decimal
    owning: Decimal
    gain: Decimal
    category: str
    is_discountable: bool
    rule: str
    concession: Decimal
    method: str
    chosen_by: str
    chosen_at: str
    sha256: str
    source: str


class Earning(NamedTuple):
    """One amount on revenue account: above 0 income, below 0 a deduction."""

    event: str
    day: date | None
    kind: str
    label: str
    amount: Decimal
    source: str


class Holding(NamedTuple):
    """One parcel held at the end of the year."""

    parcel: str
    asset: str
    wallet: str
    acquired: date | None
    qty: Decimal
    cost: Decimal
    owning: Decimal
    discount_from: date | None
    kind: str
    source: str


class LossLine(NamedTuple):
    """Net capital losses by the year they were made: brought in, used, carried on."""

    year: int
    brought: Decimal
    used: Decimal
    carried: Decimal


class WashLine(NamedTuple):
    """A loss with a purchase near it: counted all the same, and shown with its reasons."""

    disposal: str
    asset: str
    day: date
    loss: Decimal
    bought: str
    days_apart: int
    reason: str


class OpenLine(NamedTuple):
    """Something a person must settle: kind, key for `openalpha tax settle`, sentence."""

    code: str
    key: str
    text: str


class Settled(NamedTuple):
    """An item a person said a word on: what was open, and the word."""

    code: str
    key: str
    text: str
    way: str
    aud: Decimal | None
    reason: str


class Comparison(NamedTuple):
    """One figure under every treatment, in the order of `TaxReport.treatments`; None is refused."""

    name: str
    amounts: tuple[Decimal | None, ...]


class RateLine(NamedTuple):
    """One conversion: what a coin was worth in AUD at a moment, and who says so."""

    coin: str
    time: str
    rate: Decimal
    source: str


class SourceFile(NamedTuple):
    """What the report was made from: a file, or a ledger book, with its hash."""

    name: str
    kind: str
    sha256: str


class Kept(NamedTuple):
    """When a final year was locked, and by whom; None's place is a draft."""

    time: str
    chosen_by: str
    words: str


@dataclass(frozen=True, slots=True)
class TaxReport:
    """One income year of one entity.

    Parameters
    ----------
    entity, kind : str
        Whose, and what that is: individual, trust, company, smsf.
    year : str
        As people write it: 2025-26.
    is_final : bool
        Whether nothing is open.
    reasons : tuple of str
        Why it is a draft; empty when it is final.
    is_synthetic : bool
        Whether any figure rests on made-up prices.
    simulated : str
        The environment whose book this is, where no real money was moved; else "".
    treatment, treatments : str, tuple of str
        The chosen one, and those compared.
    refused : tuple of str
        Why a treatment could not be computed, in the order of `treatments`; "" where it was.
    pools : tuple of (str, bool)
        Categories in the order losses meet them: name, whether discountable.
    discount : Decimal
        Share of a discount gain that is not taxed, as a fraction.
    figures_sha256, report_sha256 : str
        Hash of every figure, and of the whole report with its settings and sources.
    """

    entity: str
    kind: str
    year: str
    is_final: bool
    reasons: tuple[str, ...]
    is_synthetic: bool
    simulated: str
    treatment: str
    treatments: tuple[str, ...]
    refused: tuple[str, ...]
    settings: tuple[Said, ...]
    labels: tuple[LabelLine, ...]
    schedule: tuple[LabelLine, ...]
    needs_schedule: bool
    steps: tuple[tuple[str, Decimal], ...]
    pools: tuple[tuple[str, bool], ...]
    discount: Decimal
    comparison: tuple[Comparison, ...]
    entity_lines: tuple[FormLine, ...]
    disposals: tuple[Disposal, ...]
    earnings: tuple[Earning, ...]
    holdings: tuple[Holding, ...]
    losses: tuple[LossLine, ...]
    wash: tuple[WashLine, ...]
    open_items: tuple[OpenLine, ...]
    settled: tuple[Settled, ...]
    balances: tuple[Check, ...]
    rates: tuple[RateLine, ...]
    files: tuple[SourceFile, ...]
    remarks: tuple[str, ...]
    version: str
    made: str
    figures_sha256: str
    parcels_sha256: str
    report_sha256: str
    kept: Kept | None = None

    @property
    def status(self) -> str:
        """FINAL or DRAFT."""
        return "FINAL" if self.is_final else "DRAFT"

    @property
    def income(self) -> tuple[Earning, ...]:
        """Amounts above zero."""
        return tuple(row for row in self.earnings if row.amount > 0)

    @property
    def deductions(self) -> tuple[Earning, ...]:
        """Amounts below zero."""
        return tuple(row for row in self.earnings if row.amount < 0)
