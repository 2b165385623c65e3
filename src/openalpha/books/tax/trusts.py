"""Trusts: capital gains attributed to beneficiaries (Subdivision 115-C), grossed up in their hands.

A trust's loss never leaves the trust. A beneficiary who may not index (a company, a foreign
resident) takes its share as if nothing had been indexed (s 115-225(4) to (6)).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.entity import Entity, Refused
from openalpha.books.tax.gains import Gain
from openalpha.books.tax.losses import Statement, seven_steps

__all__ = ["Share", "TrustGain", "attribute", "gross_up", "reached"]

_NAMED_REDUCTIONS = {
    "discount": Decimal("0.5"),
    "cgt_discount": Decimal("0.5"),
    "general_discount": Decimal("0.5"),
    "small_business": Decimal("0.5"),
    "small_business_50": Decimal("0.5"),
    "active_asset": Decimal("0.5"),
}


@dataclass(frozen=True, slots=True)
class TrustGain:
    """A gain left to a trust after its losses, as it reaches a beneficiary.

    `amount` is after indexation, `unindexed` as if there were none; both before any discount.
    """

    amount: Decimal
    unindexed: Decimal
    is_discountable: bool
    category: str


@dataclass(frozen=True, slots=True)
class Share:
    """One beneficiary's capital gains from a trust, in AUD."""

    beneficiary: str
    entity: Entity
    attributable: tuple[Decimal, ...]
    gains: tuple[Gain, ...]
    statement: Statement

    @property
    def extra_gain(self) -> Decimal:
        """Sum of the gains the beneficiary is treated as having, before its own discount."""
        return sum((gain.amount for gain in self.gains), ZERO)


def gross_up(net_amount: Decimal, reductions: Iterable[str | Decimal]) -> Decimal:
    """Undo the trust's reductions: doubled for one, quadrupled for two (s 115-215(3)).

    Parameters
    ----------
    net_amount : Decimal
        Amount attributed after the trust's reductions, in AUD.
    reductions : iterable of str or Decimal
        Names ("discount", "small_business_50") or fractions taken off.

    Examples
    --------
    >>> gross_up(Decimal(2000), ["discount", "small_business_50"]) == 8000
    True
    """
    kept = Decimal(1)
    for reduction in reductions:
        kept *= 1 - (_named(reduction) if isinstance(reduction, str) else reduction)
    if kept <= 0:
        raise Refused("a trust's reductions must leave something of the gain")
    return net_amount / kept


def _named(name: str) -> Decimal:
    plain = name.strip().lower().replace("-", "_").replace(" ", "_").replace("%", "")
    if plain in _NAMED_REDUCTIONS:
        return _NAMED_REDUCTIONS[plain]
    if "small_business" in plain or "active_asset" in plain or "discount" in plain:
        return Decimal("0.5")
    raise Refused(f"a trust's reduction {name!r} is not known; state it as a fraction")


def attribute(
    gains: Iterable[TrustGain],
    shares: Mapping[str, tuple[Entity, Decimal]],
    *,
    losses: Mapping[str, Decimal] | None = None,
) -> list[Share]:
    """Attribute a trust's gains by specific entitlement.

    Parameters
    ----------
    gains : iterable of TrustGain
        What is left after the trust's own losses.
    shares : mapping of str to (Entity, Decimal)
        Who is entitled, of what kind, to which fraction; together at most 1.
    losses : mapping of str to Decimal or None
        Capital losses each beneficiary has of its own, in AUD.

    Raises
    ------
    Refused
        If the fractions exceed the whole.
    """
    total = sum((fraction for _, fraction in shares.values()), ZERO)
    if total > 1:
        raise Refused(f"the entitlements add up to {total}, more than the whole gain")
    rows = list(gains)
    found = []
    for name, (entity, fraction) in shares.items():
        own = [reached(gain, entity, fraction=fraction) for gain in rows]
        own_losses = (losses or {}).get(name, ZERO)
        prior = [(0, own_losses)] if own_losses else []
        statement = seven_steps(own, prior, discount=entity.discount)
        half = Entity.TRUST.discount
        attributable = tuple(
            gain.amount * (1 - half) if source.is_discountable else gain.amount
            for gain, source in zip(own, rows, strict=True)
        )
        found.append(Share(name, entity, attributable, tuple(own), statement))
    return found


def reached(gain: TrustGain, entity: Entity, *, fraction: Decimal) -> Gain:
    """Return a beneficiary's part of a trust's gain, before its own losses and discount."""
    amount = gain.amount if entity.is_reformed else gain.unindexed
    may_discount = gain.is_discountable and entity.discount > 0
    return Gain("trust", None, gain.category, amount * fraction, may_discount, "trust_attribution")
