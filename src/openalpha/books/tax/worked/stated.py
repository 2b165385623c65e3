"""Readers of events that state a figure instead of a fill: gains, losses, trusts, settlements."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import REFORM_START, first_eligible_day, held_twelve_months
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.events import Acquire, Cost, Dispose, ForexItem, Money, StatedGain
from openalpha.books.tax.gains import CATEGORIES
from openalpha.books.tax.indexation import index_factor
from openalpha.books.tax.trusts import gross_up
from openalpha.books.tax.worked.reading import Reading, amount_of, asset_of, quantity_of
from openalpha.books.tax.worked.row import Row, Unsupported, parse_decimal
from openalpha.core.errors import InputError

__all__ = ["STATED_READERS", "is_long_held", "reductions_of"]


def is_long_held(row: Row) -> bool:
    """Say whether a stated gain's asset was held 12 months: said, or by months or dates."""
    if "discountable" in row:
        return row.flag("discountable")
    months = row.number("months_held", "gain_months", "months")
    if months is not None:
        return months >= 12
    acquired, day = row.day("acquired"), row.day()
    return acquired is not None and day is not None and held_twelve_months(acquired, day)


def reductions_of(row: Row) -> list[str | Decimal]:
    """Return what a trust took off a distribution: names or fractions."""
    value = row.fields.get("reductions")
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [parse_decimal(part, what=f"event {row.id}: reductions") for part in value.values()]
    if isinstance(value, int) and not isinstance(value, bool):
        return [Decimal("0.5")] * value
    if isinstance(value, str):
        value = [part for part in value.replace("+", ",").replace(" and ", ",").split(",") if part]
    if not isinstance(value, list):
        raise InputError(f"event {row.id}: reductions must be a list of names or fractions")
    return [_reduction(part) for part in value]


def _reduction(value: Any) -> str | Decimal:
    text = str(value).strip()
    if text.replace(".", "", 1).isdigit():
        number = Decimal(text)
        return number / 100 if number > 1 else number
    return text


def _gain(row: Row, found: Reading) -> None:
    amount = row.need("gain", "amount", "aud")
    day = row.day()
    is_new = found.is_reform if day is None else day >= REFORM_START
    category = row.text("category", "non_residential")
    if category not in CATEGORIES:
        raise Unsupported(f"event {row.id}: unknown category {category!r}")
    if row.text("asset_class") == "residential":
        category = "residential"
    is_long = is_long_held(row)
    if category.startswith("deferred"):
        is_new = False
    if is_new and row.flag("discountable"):
        # From 1 July 2027 what still carries the discount is what was deferred.
        category = f"deferred_{category}"
    elif is_new:
        found.newly_undiscounted[row.id] = is_long
        is_long = False
    found.events.append(StatedGain(row.id, day, amount, is_long, category))
    found.fact(row)


def _loss(row: Row, found: Reading) -> None:
    amount = row.need("loss", "amount", "aud")
    found.events.append(StatedGain(row.id, row.day(), -abs(amount)))


def _categorised(category: str) -> Callable[[Row, Reading], None]:
    def read(row: Row, found: Reading) -> None:
        amount = row.number("gain", "amount", "aud")
        if amount is None:
            amount = -abs(row.need("loss"))
        # What was deferred came from the old law; it is discountable unless said otherwise.
        is_old = category.startswith("deferred")
        is_long = row.flag("discountable", default=is_old)
        found.events.append(StatedGain(row.id, row.day(), amount, is_long, category))

    return read


def _trust_distribution(row: Row, found: Reading) -> None:
    found.fact(row)
    day = row.day()
    discounted = row.number("discounted")
    if discounted is not None:
        grossed = gross_up(discounted, ["discount"])
        found.events.append(StatedGain(f"{row.id}.discounted", day, grossed, True))
    other = row.number("other", "indexed")
    if other is not None:
        found.events.append(StatedGain(f"{row.id}.other", day, other))
    net = row.number("net_amount", "net")
    if net is None:
        return
    reductions = reductions_of(row)
    names = [part.lower() for part in reductions if isinstance(part, str)]
    is_long = any("discount" in name for name in names) or (bool(reductions) and not names)
    business = [name for name in names if "discount" not in name]
    is_second = len(reductions) > 1 and not names
    concession = Decimal("0.5") if business or is_second else ZERO
    amount = gross_up(net, reductions)
    found.events.append(StatedGain(row.id, day, amount, is_long, concession=concession))


def _settle(row: Row, found: Reading) -> None:
    """Pair a settlement with the contract before it: the move of the currency is its own item."""
    contracts = found.facts.get("contract", [])
    named = [c for c in contracts if c.id == row.text("of", row.text("contract_id"))]
    if not contracts:
        raise InputError(f"event {row.id} settles nothing: no contract in foreign currency before")
    contract = (named or contracts)[-1]
    day, agreed = row.day(), contract.day()
    usd = row.need("usd")
    at_contract, at_settlement = usd / contract.need("audusd", "rate"), amount_of(row)
    if day is None or at_settlement is None:
        raise InputError(f"event {row.id}: a settlement needs a date and a rate")
    is_short = agreed is None or day < first_eligible_day(agreed)
    if contract.type == "buy":
        extra = at_settlement - at_contract
        if is_short:
            found.events.append(Cost(row.id, day, asset_of(contract, found), 1, extra))
        else:
            found.events.append(ForexItem(row.id, day, -extra, False))
        return
    found.events.append(ForexItem(row.id, day, at_settlement - at_contract, is_short))


def _sell_loss(row: Row, found: Reading) -> None:
    """Make a parcel and its sale at a loss; without an amount, one dollar stands for it."""
    cost, proceeds = row.number("cost", "cost_base"), row.number("proceeds")
    loss = row.number("loss", "amount", "aud")
    if cost is None:
        cost = loss if loss is not None else Decimal(1)
        proceeds = ZERO
    asset, qty = asset_of(row, found), quantity_of(row)
    day = found.day_of(row)
    found.events.append(Acquire(f"{row.id}.parcel", None, asset, qty, abs(cost), kind="holding"))
    found.events.append(Dispose(row.id, day, asset, qty, proceeds or ZERO, ts_ms=row.when()[1]))


def _rebuy(row: Row, found: Reading) -> None:
    day: date = found.day_of(row)
    cost = amount_of(row) or ZERO
    asset = asset_of(row, found)
    found.events.append(
        Acquire(row.id, day, asset, quantity_of(row), cost, kind="buy", ts_ms=row.when()[1])
    )


def _money(kind: str, *, sign: int) -> Callable[[Row, Reading], None]:
    def read(row: Row, found: Reading) -> None:
        amount = row.need("amount", "aud", "income", "loss") * sign
        found.events.append(Money(row.id, row.day(), amount, kind))

    return read


def _index(row: Row, found: Reading) -> None:
    """Keep a cost to index; index numbers without one give the factor of every cost."""
    has_cost = any(row.fields.get(name) is not None for name in ("cost", "elements", "unindexed"))
    if not has_cost and "cpi_num" in row:
        found.factor = index_factor(row.need("cpi_num"), row.need("cpi_den"))
        return
    found.fact(row)


def _refuse(row: Row, _: Reading) -> None:
    raise Refused(
        "a deceased estate is outside this program: cost base, holding period and residence pass "
        f"on by rules of their own; see a registered tax agent (event {row.id})"
    )


def _fact(row: Row, found: Reading) -> None:
    found.fact(row)


_FACTS = (
    "base_rate_entity",
    "beneficiary_loss",
    "case",
    "deductible_gift",
    "given_basic_liability",
    "income_support",
    "minimum_tax_capital_gain",
    "net_capital_gain",
    "other_taxable_income",
    "quarantined",
    "specific_entitlement",
    "taxable_income",
)

STATED_READERS: dict[str, Callable[[Row, Reading], None]] = {
    "gain": _gain,
    "index": _index,
    "trust_gain": _gain,
    "loss": _loss,
    "deferred_non_residential": _categorised("deferred_non_residential"),
    "deferred_residential": _categorised("deferred_residential"),
    "non_residential": _categorised("non_residential"),
    "residential": _categorised("residential"),
    "trust_distribution": _trust_distribution,
    "settle": _settle,
    "deceased": _refuse,
    "sell_loss": _sell_loss,
    "rebuy": _rebuy,
    "business_loss": _money("business_loss", sign=-1),
    "business_income": _money("business_income", sign=1),
    "other_income": _money("other_income", sign=1),
    "deduction": _money("deduction", sign=-1),
    **dict.fromkeys(_FACTS, _fact),
}
