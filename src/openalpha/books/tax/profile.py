"""Who is taxed, as the books know them: an entity with its choices, losses, facts and deeds.

One profile holds everything about an entity that is not an event; every report, estimate and plan
reads the same one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.assessment import CarryIn
from openalpha.books.tax.entity import Entity, Policy, Refused, Treatment
from openalpha.books.tax.handing import NO_PORTFOLIOS, Portfolios
from openalpha.books.tax.portfolios import Choice

__all__ = [
    "ASKS_AN_AGENT",
    "AgentsWord",
    "Beneficiary",
    "BroughtLoss",
    "Deed",
    "Profile",
    "Resolution",
    "VenueTerms",
    "refuse_unfit",
]

ASKS_AN_AGENT = ("refer_change",)
"""Open items that only an agent's word settles: no rule says how to work them out."""

_UNFIT = {
    "deceased": "a deceased person's gains pass by Division 128 to the estate and its heirs",
    "foreign": "a foreign resident's gains and discount follow Divisions 855 and 115-105",
    "temporary": "a temporary resident's gains and discount follow Subdivision 768-R",
}


@dataclass(frozen=True, slots=True)
class BroughtLoss:
    """A loss of an earlier year, in AUD, with its evidence.

    `wallet`: "capital" or "revenue", which are never mixed. `test`: for a company "ownership" or
    "business", whichever of Division 165's tests was passed; empty while none was.
    """

    year: int
    amount: Decimal
    wallet: str = "capital"
    evidence: str = ""
    test: str = ""


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """Someone a trust may distribute to; `losses` are own capital losses, in AUD."""

    name: str
    entity: Entity = Entity.INDIVIDUAL
    losses: Decimal = ZERO
    is_resident: bool = True


@dataclass(frozen=True, slots=True)
class Resolution:
    """What trustees resolved for an income year, and the day it was made or recorded.

    `kind`: "income" (present entitlement, by 30 June) or "gains" (specific entitlement, recorded
    by 31 August). `shares` are fractions by beneficiary. `gains` names disposals; empty means all.
    """

    year: int
    kind: str
    day: date
    shares: Mapping[str, Decimal]
    gains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """A trust's deed as far as tax asks: who may receive, what was resolved, may gains stream."""

    beneficiaries: tuple[Beneficiary, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    allows_streaming: bool = False


@dataclass(frozen=True, slots=True)
class AgentsWord:
    """What a registered tax agent said about open items of a kind, and who vouches for it.

    `item` is one of `ASKS_AN_AGENT`; with a word on its kind an item no longer keeps a report a
    draft.
    """

    item: str
    word: str
    signer: str


@dataclass(frozen=True, slots=True)
class VenueTerms:
    """What a venue's terms make of a deposit: a "transfer", or a "disposal" that ends ownership.

    `terms` is where they were read, `day` when, `sha256` the hash of that text, if it was kept.
    """

    venue: str
    deposit: str
    terms: str
    day: date
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """One entity. Amounts are AUD, years are named by the calendar year they end in.

    `other_income`: taxable income apart from these books. `turnover` and `passive_share` decide a
    company's rate. `support_years`: years with a listed income support payment.
    `business_loss_years`: years whose business loss Division 35 lets a person use. `aud_market`:
    the market whose own prices in AUD value its events; empty takes published rates.
    """

    name: str
    policy: Policy = field(default_factory=Policy)
    full_name: str = ""
    time_zone: str = "Australia/Sydney"
    choices: tuple[Choice, ...] = ()
    portfolios: Portfolios = NO_PORTFOLIOS
    agent: tuple[AgentsWord, ...] = ()
    losses: tuple[BroughtLoss, ...] = ()
    other_income: Mapping[int, Decimal] = field(default_factory=dict)
    gifts: Mapping[int, Decimal] = field(default_factory=dict)
    support_years: frozenset[int] = frozenset()
    turnover: Mapping[int, Decimal] = field(default_factory=dict)
    passive_share: Mapping[int, Decimal] = field(default_factory=dict)
    deed: Deed = field(default_factory=Deed)
    venues: tuple[VenueTerms, ...] = ()
    business_loss_years: frozenset[int] = frozenset()
    aud_market: str = ""

    @property
    def entity(self) -> Entity:
        """Whose books these are."""
        return self.policy.entity

    @property
    def is_in_business(self) -> bool:
        """Whether any of its accounts is that of a business: trading stock."""
        accounts = {self.policy.treatment, *(choice.treatment for choice in self.choices)}
        return Treatment.REVENUE_TRADING_STOCK in accounts

    def ending(self, traded: Iterable[str]) -> frozenset[str]:
        """Return the venues at which a deposit ends ownership.

        Parameters
        ----------
        traded : iterable of str
            Venues where contracts were traded: the policy's choice speaks of these, unless a
            venue's own terms are stated.
        """
        said = {row.venue: row.deposit for row in self.venues}
        standing = dict.fromkeys(traded, self.policy.venue_deposit)
        whole = standing | said
        return frozenset(venue for venue, deposit in whole.items() if deposit == "disposal")

    def may_use(self, loss: BroughtLoss) -> bool:
        """Say whether a loss brought in may be applied: a company's needs a test passed."""
        return self.entity is not Entity.COMPANY or bool(loss.test)

    def carry_in(self) -> CarryIn:
        """Return the capital losses that may be applied, oldest first."""
        usable = [x for x in self.losses if x.wallet == "capital" and self.may_use(x)]
        return CarryIn(tuple(sorted((loss.year, loss.amount) for loss in usable)))


def refuse_unfit(profile: Profile, *, first: date, last: date) -> None:
    """Refuse an entity whose tax these books do not work out, with a referral.

    Parameters
    ----------
    first, last : date
        The span of its history.

    Raises
    ------
    Refused
        If the person died, or was a foreign or temporary resident on any day of the span.

    Examples
    --------
    >>> refuse_unfit(Profile("me"), first=date(2025, 7, 1), last=date(2026, 6, 30))
    """
    for period in profile.policy.residency:
        if period.touches(first, last):
            why = _UNFIT.get(period.status, f"{period.status!r} is no status these books know")
            raise Refused(
                f"{profile.name} is not worked out here: {why}; take the history to a registered "
                "tax agent"
            )
