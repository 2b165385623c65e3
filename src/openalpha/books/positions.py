"""Quantity and cost of a position: the average cost rule, to the unit as the kernel keeps it."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, Inexact
from typing import NamedTuple

from openalpha.books.accounts import Account, Category, position_coin
from openalpha.books.entries import FillDraft, Posting, StoredFill
from openalpha.core.instruments import Instrument, Kind
from openalpha.store.decimals import EXACT, checked

__all__ = [
    "FLAT",
    "Held",
    "Terms",
    "after_fill",
    "fill_accounts",
    "fill_postings",
    "money_of",
    "stored_fill",
    "terms_of",
    "unrealised",
    "value_of",
]

_ROUGH = EXACT.copy()
_ROUGH.traps[Inexact] = False


class Held(NamedTuple):
    """A position: signed quantity, and what it cost in the settle coin (for a short, negative)."""

    qty: Decimal
    cost: Decimal


FLAT = Held(Decimal(0), Decimal(0))


class Terms(NamedTuple):
    """How value follows from quantity and price.

    Parameters
    ----------
    is_inverse : bool
    multiplier : Decimal
    step : Decimal
        The unit the settle coin is booked in: what cost and profit are counted in.
    """

    is_inverse: bool
    multiplier: Decimal
    step: Decimal


def terms_of(instrument: Instrument, cash_decimals: int) -> Terms:
    """Return an instrument's terms.

    Parameters
    ----------
    cash_decimals : int
        Decimals the settle coin is booked in.
    """
    step = Decimal(1).scaleb(-cash_decimals)
    return Terms(instrument.kind is Kind.INVERSE, instrument.multiplier, step)


def money_of(instrument: Instrument) -> str:
    """Return the coin an instrument's cost and profit are counted in."""
    return instrument.quote if instrument.kind is Kind.SPOT else instrument.settle


def value_of(terms: Terms, qty: Decimal, *, price: Decimal) -> Decimal:
    """Return the value of a signed quantity at a price, in the settle coin.

    Linear and spot: quantity × price × multiplier. Inverse: -quantity × multiplier / price, rounded
    down to the coin's unit.

    Examples
    --------
    >>> linear = Terms(False, Decimal(1), Decimal("0.01"))
    >>> value_of(linear, Decimal(-2), price=Decimal("10.5"))
    Decimal('-21.0')
    """
    if terms.is_inverse:
        units = _ROUGH.divide(EXACT.multiply(-qty, terms.multiplier), price)
        return _to_step(units, terms.step, ROUND_FLOOR)
    return EXACT.multiply(EXACT.multiply(qty, price), terms.multiplier)


def after_fill(held: Held, terms: Terms, *, qty: Decimal, price: Decimal) -> Held:
    """Return the position after a signed quantity was filled at a price.

    What closes releases its share of the cost, the rest opens at its own value; both are rounded up
    to the coin's unit.

    Examples
    --------
    >>> linear = Terms(False, Decimal(1), Decimal(1))
    >>> after_fill(Held(Decimal(3), Decimal(302)), linear, qty=Decimal(-1), price=Decimal(110))
    Held(qty=Decimal('2'), cost=Decimal('201'))
    """
    closing = min(abs(qty), abs(held.qty)) if qty * held.qty < 0 else Decimal(0)
    cost, opening = held.cost, qty
    if closing:
        cost = EXACT.subtract(cost, _released(held, terms, closing))
        opening = EXACT.add(qty, closing if held.qty > 0 else closing.copy_negate())
    if opening:
        worth = value_of(terms, opening, price=price)
        cost = EXACT.add(cost, _to_step(worth, terms.step, ROUND_CEILING))
    return Held(EXACT.add(held.qty, qty), cost)


def unrealised(held: Held, terms: Terms, *, price: Decimal) -> Decimal:
    """Return what closing at a price would add, before fees, in the settle coin.

    Examples
    --------
    >>> linear = Terms(False, Decimal(1), Decimal(1))
    >>> unrealised(Held(Decimal(2), Decimal(201)), linear, price=Decimal(110))
    Decimal('19')
    """
    worth = value_of(terms, held.qty, price=price)
    return EXACT.subtract(_to_step(worth, terms.step, ROUND_FLOOR), held.cost)


def _released(held: Held, terms: Terms, closing: Decimal) -> Decimal:
    """Return the share of the cost that a closing quantity frees, rounded up to the step."""
    if closing == abs(held.qty):
        return held.cost
    share = _ROUGH.divide(EXACT.multiply(held.cost, closing), abs(held.qty))
    return _to_step(share, terms.step, ROUND_CEILING)


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return value.quantize(step, rounding=rounding, context=_ROUGH)


def fill_accounts(draft: FillDraft) -> tuple[Account, Account]:
    """Return the position and the cost account a fill works on."""
    fill, instrument = draft.fill, draft.instrument
    name = position_coin(str(instrument.id), fill.leg)
    return (
        Account(draft.venue, Category.POSITION, name, name),
        Account(draft.venue, Category.COST, money_of(instrument), name),
    )


def fill_postings(draft: FillDraft, held: Held) -> tuple[tuple[Posting, ...], Held]:
    """Return the lines a fill makes of the position it finds, and the position after it.

    A fee that spot takes in the coin bought leaves less of it at the same cost.
    """
    fill, instrument = draft.fill, draft.instrument
    terms = terms_of(instrument, draft.cash_decimals)
    qty = checked(fill.qty, "a quantity") * fill.side
    after = after_fill(held, terms, qty=qty, price=fill.price)
    if instrument.kind is Kind.SPOT and fill.fee_coin == instrument.base:
        after = Held(EXACT.subtract(after.qty, fill.fee), after.cost)
    position, cost = fill_accounts(draft)
    postings: list[Posting] = []
    for account, change in (
        (position, EXACT.subtract(after.qty, held.qty)),
        (cost, EXACT.subtract(after.cost, held.cost)),
    ):
        amount = checked(change, "a change of position")
        against = account._replace(category=Category.CLEARING)
        postings += [Posting(account, amount), Posting(against, amount.copy_negate())]
    return tuple(postings), after


def stored_fill(draft: FillDraft) -> StoredFill:
    """Return a fill as the books keep it."""
    fill = draft.fill
    return StoredFill(
        venue=draft.venue,
        instrument=str(fill.instrument),
        kind=int(draft.instrument.kind),
        multiplier=checked(draft.instrument.multiplier, "a multiplier"),
        order_ref=str(fill.order_id),
        side=int(fill.side),
        leg=int(fill.leg),
        price=checked(fill.price, "a price"),
        qty=checked(fill.qty, "a quantity"),
        role=int(fill.role),
        fee=checked(fill.fee, "a fee"),
        fee_coin=fill.fee_coin,
        realised_pnl=checked(fill.realised_pnl, "a profit"),
        is_reducing=fill.is_reducing,
        reason=int(fill.reason),
    )
