"""Runs one worked example through the engine and keeps what its figures are read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.assessment import Assessment, CarryIn, YearResult, assess, statement_of
from openalpha.books.tax.companies import CompanyTax, company_tax, is_base_rate_entity
from openalpha.books.tax.dates import REFORM_START, income_year, parse_year
from openalpha.books.tax.entity import Entity, Policy, StockValue, Treatment, parse_method
from openalpha.books.tax.gains import Gain, Law, classify, may_discount
from openalpha.books.tax.indexation import Cpi
from openalpha.books.tax.losses import Statement, five_steps
from openalpha.books.tax.minimum_tax import MinimumTax, minimum_tax
from openalpha.books.tax.rates import Tables
from openalpha.books.tax.slices import OpenItem, Slice
from openalpha.books.tax.trusts import Share, TrustGain, attribute
from openalpha.books.tax.worked.events_read import read_events
from openalpha.books.tax.worked.index_lines import add_indexed_gain
from openalpha.books.tax.worked.reading import Reading
from openalpha.books.tax.worked.row import (
    HOME_ZONE,
    Row,
    Unsupported,
    as_object,
    as_objects,
    parse_decimal,
)
from openalpha.core.errors import InputError

__all__ = ["Outcome", "run_example"]

_SETTINGS = {
    "transfer_fee_to_cost_base",
    "derivatives",
    "funding_received",
    "venue_deposit",
    "rebates",
    "wash_window_days",
    "per_wallet",
    "stock_value",
}
_ALIASES = {
    "wash_days": "wash_window_days",
    "wash_sale_days": "wash_window_days",
    "wash_sale_window": "wash_window_days",
    "wash_sale_window_days": "wash_window_days",
    "tz": "time_zone",
}


@dataclass(frozen=True)
class Outcome:
    """One example after its run; figures are properties of this and nothing else."""

    example: Mapping[str, Any]
    reading: Reading
    policy: Policy
    law: Law
    carry_in: CarryIn
    tables: Tables
    assessment: Assessment
    cases: Mapping[str, "Outcome"] = field(default_factory=dict)

    # ---- the year the labels speak of

    @cached_property
    def year(self) -> int:
        """The last income year with a gain or loss, else the year of what has no date."""
        busy = [number for number, result in self.assessment.years.items() if result.gains]
        stated = self.fact("taxable_income")
        if not busy and stated is not None and "year" in stated:
            return parse_year(stated.text("year"))
        return max(busy) if busy else self.carry_in.year

    @property
    def result(self) -> YearResult | None:
        """That year's result, where anything happened in it."""
        return self.assessment.years.get(self.year)

    @cached_property
    def statement(self) -> Statement:
        """That year's method statement."""
        if self.result is not None:
            return self.result.statement
        prior = self.carry_in.prior_losses
        return statement_of((), prior, policy=self.policy, year=self.year)

    @cached_property
    def every_gain(self) -> Sequence[Gain]:
        """Gains and losses of all years."""
        return self.assessment.gains

    @cached_property
    def gains(self) -> Sequence[Gain]:
        """That year's gains and losses."""
        return self.result.gains if self.result is not None else ()

    @property
    def slices(self) -> Sequence[Slice]:
        """Every slice of the example."""
        return self.assessment.slices

    @property
    def real_slices(self) -> Sequence[Slice]:
        """Slices of disposals the example names, without fees paid in coin."""
        return [piece for piece in self.slices if not piece.disposal.endswith((".fee", ".paid"))]

    def gains_of(self, piece: Slice) -> list[Gain]:
        """Return the one or two gains a slice became."""
        return [gain for gain in self.every_gain if gain.slice is piece]

    # ---- facts

    def fact(self, kind: str) -> Row | None:
        """Return the first event of a type that is a fact, not a fill."""
        rows = self.reading.facts.get(kind)
        return rows[0] if rows else None

    def total_of(self, kind: str) -> Decimal:
        """Return the sum of the amounts of all facts of a type."""
        rows = self.reading.facts.get(kind, [])
        return sum((row.need("amount", "aud") for row in rows), ZERO)

    # ---- entity

    @cached_property
    def company(self) -> CompanyTax:
        """Tax of the example as a company."""
        facts = self.fact("base_rate_entity")
        is_base = False
        if facts is not None:
            stated = facts.fields.get("value", facts.fields.get("base_rate_entity"))
            turnover = facts.number("aggregated_turnover", "turnover")
            passive = facts.number("passive_share", "passive")
            is_base = stated is True or is_base_rate_entity(
                turnover, passive, tables=self.tables, year=self.year
            )
        return company_tax(
            self.net_income, is_base_rate=is_base, tables=self.tables, year=self.year
        )

    @property
    def net_income(self) -> Decimal:
        """Net capital gain and other income less deductions, in AUD; may be below zero."""
        stated = self.total_of("taxable_income") + self.total_of("other_taxable_income")
        own = sum((row.amount for row in self.revenue_rows), ZERO)
        return stated + own + self.net_capital_gain

    @property
    def revenue_rows(self) -> Sequence[Any]:
        """Rows on revenue account in the labels' year."""
        return self.result.revenue if self.result is not None else ()

    @property
    def net_capital_gain(self) -> Decimal:
        """The year's net capital gain, with any stated outright."""
        stated = self.total_of("net_capital_gain") + self.total_of("minimum_tax_capital_gain")
        return self.statement.net + stated

    @cached_property
    def minimum(self) -> MinimumTax:
        """The minimum tax of the year, by stated liabilities or the legislated scale."""
        gain = self.total_of("minimum_tax_capital_gain") + self.statement.minimum_tax_gain
        income = max(ZERO, self.net_income)
        given = self.fact("given_basic_liability")
        year = max(self.year, income_year(REFORM_START))

        def tax(at: Decimal) -> Decimal:
            if given is not None:
                return given.need("with_gain" if at == income else "without_gain")
            return self.tables.income_tax(at, year)

        support = self.fact("income_support")
        return minimum_tax(
            gain,
            income,
            tax=tax,
            rate=self.tables.rate("minimum_tax", year).value,
            is_exempt=support is not None and support.flag("received", default=True),
            gifts=self.total_of("deductible_gift"),
        )

    # ---- trusts

    @cached_property
    def shares(self) -> dict[str, Share]:
        """What reaches each beneficiary, by the entitlements of the example."""
        entitled = self._entitlements()
        if not entitled:
            raise Unsupported("the example names no beneficiary (specific_entitlement, entitled)")
        kinds = {
            name: (Entity.COMPANY if "company" in name else Entity.INDIVIDUAL, fraction)
            for name, fraction in entitled.items()
        }
        losses = {
            row.text("beneficiary", "individual"): row.need("amount", "loss")
            for row in self.reading.facts.get("beneficiary_loss", [])
        }
        rows = attribute(self.trust_gains, kinds, losses=losses)
        return {row.beneficiary: row for row in rows}

    @cached_property
    def trust_gains(self) -> list[TrustGain]:
        """What the trust's losses left, with and without indexation."""
        found = []
        for category, is_long, _, amount in self.statement.left:
            extra = sum(
                (
                    gain.unindexed - gain.amount
                    for gain in self.gains
                    if gain.category == category and gain.unindexed is not None and gain.amount > 0
                ),
                ZERO,
            )
            found.append(TrustGain(amount, amount + extra, is_long, category))
        return found

    def _entitlements(self) -> dict[str, Decimal]:
        for kind in ("specific_entitlement", "trust_gain"):
            for row in self.reading.facts.get(kind, []):
                stated = row.fields.get("entitled", row.fields if kind[0] == "s" else None)
                if isinstance(stated, Mapping):
                    return _fractions(stated)
        return {}

    # ---- other laws

    def under_old_law(self) -> Statement:
        """Apply the law before 1 July 2027 to the same gains, whatever their dates."""
        ignored: list[OpenItem] = []
        company_like = replace(self.policy, residency=())
        gains = []
        for piece in self.slices:
            old = piece._replace(day=min(piece.day, REFORM_START.replace(month=6, day=30)))
            gain = classify([old], company_like, law=self.law, open_items=ignored)[0]
            is_long = may_discount(piece, self.policy)
            gains.append(gain._replace(is_discountable=is_long, day=piece.day))
        for row in self.every_gain:
            if row.slice is None:
                is_long = self.reading.newly_undiscounted.get(row.source, row.is_discountable)
                gains.append(row._replace(is_discountable=is_long, category="non_residential"))
        discount = self.policy.entity.discount
        return five_steps(gains, self.carry_in.prior_losses, discount=discount, year=self.year)

    def under(self, **changes: Any) -> "Outcome":
        """Run the same example with other choices: `method="hifo"`, `entity="company"`."""
        return run_example({**self.example, **changes}, tables=self.tables)


def run_example(example: Mapping[str, Any], *, tables: Tables) -> Outcome:
    """Run one worked example.

    Parameters
    ----------
    example : mapping
        As the JSON schema in the manual describes.
    tables : Tables
        Rates and index numbers.

    Raises
    ------
    Refused
        If the law does not allow what the example asks.
    InputError
        If it cannot be read, or names an event type that is not known.
    """
    settings = as_object(example.get("settings"), what="settings")
    zone = str(settings.get("time_zone", settings.get("tz", example.get("tz", HOME_ZONE))))
    regime = str(example.get("regime", "pre-2027"))
    rows = as_objects(example.get("events") or [], what="events")
    reading = read_events(rows, regime=regime, zone=zone)
    add_indexed_gain(reading)
    policy = _policy(example, reading, settings)
    numbers = {**tables.cpi.numbers, **reading.cpi}
    law = Law(reading.boundary, Cpi(numbers, reading.factor), frozenset(reading.residential))
    carry_in = _carry_in(example, reading)
    assessment = assess(reading.events, policy, law=law, carry_in=carry_in)
    cases = {
        row.text("case"): run_example(_case(example, row), tables=tables)
        for row in reading.facts.get("case", [])
    }
    return Outcome(example, reading, policy, law, carry_in, tables, assessment, cases)


def _policy(example: Mapping[str, Any], reading: Reading, settings: Mapping[str, Any]) -> Policy:
    named = {_ALIASES.get(name, name): value for name, value in settings.items()}
    unknown = set(named) - _SETTINGS - {"time_zone", "treatment", "rounding"}
    if unknown:
        raise Unsupported(f"unknown setting {', '.join(sorted(unknown))}")
    chosen = {name: value for name, value in named.items() if name in _SETTINGS}
    if "stock_value" in chosen:
        chosen["stock_value"] = StockValue(str(chosen["stock_value"]))
    if "wash_window_days" in chosen:
        days = parse_decimal(chosen["wash_window_days"], what="wash_window_days")
        chosen["wash_window_days"] = int(days)
    treatment = Treatment(str(settings.get("treatment", "capital")))
    return Policy(
        entity=_entity(str(example.get("entity", "individual"))),
        method=parse_method(str(example.get("method", "fifo"))),
        treatment=treatment,
        residency=tuple(reading.residency),
        **chosen,
    )


def _entity(text: str) -> Entity:
    first = text.strip().lower().split(" ")[0].split("(")[0]
    names = {"n/a": "individual", "": "individual", "super": "smsf", "fund": "smsf"}
    try:
        return Entity(names.get(first, first))
    except ValueError:
        known = ", ".join(Entity)
        raise InputError(f"there is no entity {text!r}; it is one of {known}") from None


def _carry_in(example: Mapping[str, Any], reading: Reading) -> CarryIn:
    stated = as_object(example.get("carry_in"), what="carry_in")
    unknown = set(stated) - {"prior_net_capital_losses", "quarantined"}
    if unknown:
        raise Unsupported(f"unknown carry_in {', '.join(sorted(unknown))}")
    year = reading.default_year()
    quarantined = ZERO
    for row in reading.facts.get("quarantined", []):
        quarantined += row.need("amount", "aud")
    if "quarantined" in stated:
        quarantined += parse_decimal(stated["quarantined"], what="carry_in.quarantined")
    pools = {year: quarantined} if quarantined else {}
    return CarryIn(_prior(stated.get("prior_net_capital_losses"), year), pools, year)


def _prior(stated: Any, year: int) -> tuple[tuple[int, Decimal], ...]:
    what = "carry_in.prior_net_capital_losses"
    if stated is None:
        return ()
    if isinstance(stated, Mapping):
        rows = [(parse_year(str(key)), value) for key, value in stated.items()]
    elif isinstance(stated, list):
        objects = as_objects(stated, what=what)
        rows = [(parse_year(str(row.get("year"))), row.get("amount")) for row in objects]
    else:
        rows = [(0, stated)]
    found = [(made, parse_decimal(value, what=what)) for made, value in rows]
    return tuple((made, amount) for made, amount in found if amount)


def _fractions(stated: Mapping[str, Any]) -> dict[str, Decimal]:
    """Read entitlements as fractions; percentages are told by adding up to more than one."""
    plain = ("id", "type", "date", "note", "source", "asset", "tz")
    found = {
        str(name): parse_decimal(value, what=f"entitlement of {name}")
        for name, value in stated.items()
        if name not in plain
    }
    is_percent = Decimal(1) < sum(found.values(), ZERO) <= 100 and max(found.values()) > 1
    return {name: value / 100 if is_percent else value for name, value in found.items()}


def _case(example: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """Spell a taxpayer's summary out as events of its own."""
    events: list[dict[str, Any]] = []
    months = row.fields.get("gain_months", row.fields.get("months", row.fields.get("months_held")))
    gain = row.number("gain")
    if gain is None and "proceeds" in row:
        gain = row.need("proceeds") - row.need("cost", "cost_base")
    if gain is not None and gain < 0:
        events.append({"type": "loss", "loss": str(-gain)})
    elif gain is not None:
        held = {} if months is None else {"months_held": str(months)}
        flag = {name: row.fields[name] for name in ("discountable", "date") if name in row.fields}
        events.append({"type": "gain", "gain": str(gain), **held, **flag})
    if "loss" in row:
        events.append({"type": "loss", "loss": row.text("loss")})
    if not events:
        raise Unsupported(f"case {row.text('case')!r} states neither gain, loss nor proceeds")
    return {**example, "events": events, "expected": {}}
