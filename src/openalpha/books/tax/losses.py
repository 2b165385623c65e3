"""The two method statements of section 102-5: five steps to 2026-27, seven from 2027-28.

Losses of the year come before those of earlier years, oldest first. Within what the law leaves
free, losses are set against gains without discount first: that leaves the smallest net gain.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.gains import CATEGORIES, Gain

__all__ = ["NetGain", "Statement", "five_steps", "seven_steps"]


class NetGain:
    """What is left of one category, by what reduces it: (is discountable, concession fraction).

    Parameters
    ----------
    discount : Decimal
        Share of a discount gain not taxed, as a fraction.
    """

    def __init__(self, discount: Decimal) -> None:
        self._discount = discount
        self.parts: dict[tuple[bool, Decimal], Decimal] = {}

    def add(self, gain: Gain) -> None:
        """Put a gain (>= 0) in."""
        key = (gain.is_discountable, gain.concession)
        self.parts[key] = self.parts.get(key, ZERO) + gain.amount

    @property
    def total(self) -> Decimal:
        """Every part, in AUD, before discount and concession."""
        return sum(self.parts.values(), ZERO)

    @property
    def undiscounted(self) -> Decimal:
        """Net amount of what no discount applies to, in AUD."""
        rows = self.parts.items()
        return sum((amount * self._kept(key) for key, amount in rows if not key[0]), ZERO)

    def absorb(self, loss: Decimal) -> Decimal:
        """Set a loss against this category, least reduced part first; return what is left."""
        for key in sorted(self.parts, key=self._kept, reverse=True):
            used = min(loss, self.parts[key])
            self.parts[key] -= used
            loss -= used
        return loss

    def discounted(self) -> Decimal:
        """Return the category after the discount, in AUD."""
        rows = self.parts.items()
        return sum((a * (1 - self._discount) if key[0] else a for key, a in rows), ZERO)

    def net(self) -> Decimal:
        """Return the category after discount and concession, in AUD."""
        return sum((amount * self._kept(key) for key, amount in self.parts.items()), ZERO)

    def _kept(self, key: tuple[bool, Decimal]) -> Decimal:
        is_discountable, concession = key
        kept = 1 - concession
        return kept * (1 - self._discount) if is_discountable else kept


@dataclass(frozen=True, slots=True)
class Statement:
    """One year's net capital gain with every figure on the way, in AUD.

    `steps` holds, for each step, what was left in each category after it. `carried` lists the
    losses carried forward by the year they were made, oldest first. `left` lists what the losses
    left: category, whether discountable, concession, amount.
    """

    gross: Decimal
    current_losses: Decimal
    applied_current: Decimal
    applied_prior: Decimal
    after_losses: Decimal
    quarantined_applied: Decimal
    discount: Decimal
    net: Decimal
    carried: tuple[tuple[int, Decimal], ...]
    steps: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    minimum_tax_gain: Decimal = ZERO
    left: tuple[tuple[str, bool, Decimal, Decimal], ...] = ()

    @property
    def carried_forward(self) -> Decimal:
        """Net capital losses carried to later years, in AUD."""
        return sum((amount for _, amount in self.carried), ZERO)


def five_steps(
    gains: Iterable[Gain],
    prior: Sequence[tuple[int, Decimal]] = (),
    *,
    discount: Decimal,
    year: int = 0,
) -> Statement:
    """Work out the net capital gain of a year to 2026-27.

    Parameters
    ----------
    gains : iterable of Gain
        The year's gains (+) and losses (-), in AUD.
    prior : sequence of (int, Decimal)
        Unapplied net losses by the income year they were made, oldest first, in AUD.
    discount : Decimal
        Share of a discount gain not taxed, as a fraction.
    year : int
        Income year a loss of this year is carried as.

    Examples
    --------
    >>> rows = [
    ...     Gain("a", None, "non_residential", Decimal(70000), True, ""),
    ...     Gain("b", None, "non_residential", Decimal(-4500), False, ""),
    ... ]
    >>> statement = five_steps(rows, discount=Decimal("0.5"))
    >>> statement.after_losses, statement.net
    (Decimal('65500'), Decimal('32750.0'))
    """
    pool = NetGain(discount)
    losses = _fill({"non_residential": pool}, gains)
    gross = pool.total
    left = pool.absorb(losses)
    after_current = pool.total
    remaining = _use_prior([pool], prior)
    after, discounted, net = pool.total, pool.discounted(), pool.net()
    figures = (after_current, after, discounted, net, net)
    steps = {f"step{index + 1}": {"total": amount} for index, amount in enumerate(figures)}
    return Statement(
        gross,
        losses,
        losses - left,
        after_current - after,
        after,
        ZERO,
        after - discounted,
        net,
        (*remaining, *([(year, left)] if left else ())),
        steps,
        left=_left({"non_residential": pool}),
    )


def seven_steps(
    gains: Iterable[Gain],
    prior: Sequence[tuple[int, Decimal]] = (),
    *,
    discount: Decimal,
    year: int = 0,
    quarantined: Decimal = ZERO,
) -> Statement:
    """Work out the net capital gain of a year from 2027-28, by the four categories.

    Parameters
    ----------
    gains, prior, discount, year
        As for `five_steps`; losses go against the categories in the law's order.
    quarantined : Decimal
        Rental amounts that may reduce residential gains (steps 3 and 4), in AUD.
    """
    pools = {name: NetGain(discount) for name in CATEGORIES}
    left = losses = _fill(pools, gains)
    gross = _total(pools)
    for pool in pools.values():
        left = pool.absorb(left)
    steps = {"step1": _amounts(pools)}
    after_current = _total(pools)
    remaining = _use_prior(list(pools.values()), prior)
    steps["step2"] = _amounts(pools)
    after = _total(pools)
    kept = _left(pools)
    rental = pools["deferred_residential"].absorb(quarantined)
    steps["step3"] = _amounts(pools)
    rental = pools["residential"].absorb(rental)
    steps["step4"] = _amounts(pools)
    steps["step5"] = {name: pool.discounted() for name, pool in pools.items()}
    steps["step6"] = {name: pool.net() for name, pool in pools.items()}
    net = sum(steps["step6"].values(), ZERO)
    steps["step7"] = {"total": net}
    # A new dwelling that kept its discount is outside the minimum tax (s 119-5).
    base = pools["non_residential"].undiscounted + pools["residential"].undiscounted
    return Statement(
        gross,
        losses,
        losses - left,
        after_current - after,
        after,
        quarantined - rental,
        _total(pools) - sum(steps["step5"].values(), ZERO),
        net,
        (*remaining, *([(year, left)] if left else ())),
        steps,
        base,
        kept,
    )


def _fill(pools: dict[str, NetGain], gains: Iterable[Gain]) -> Decimal:
    """Put gains in their categories and return the sum of the losses, positive."""
    losses = ZERO
    other = pools["non_residential"]
    for gain in gains:
        if gain.amount < 0:
            losses -= gain.amount
        else:
            pools.get(gain.category, other).add(gain)
    return losses


def _left(pools: dict[str, NetGain]) -> tuple[tuple[str, bool, Decimal, Decimal], ...]:
    return tuple(
        (name, is_long, concession, amount)
        for name, pool in pools.items()
        for (is_long, concession), amount in pool.parts.items()
        if amount
    )


def _use_prior(
    pools: list[NetGain], prior: Sequence[tuple[int, Decimal]]
) -> list[tuple[int, Decimal]]:
    """Apply earlier losses, oldest first; return what is left of each."""
    remaining = []
    for made, amount in sorted(prior):
        left = amount
        for pool in pools:
            left = pool.absorb(left)
        if left:
            remaining.append((made, left))
    return remaining


def _total(pools: dict[str, NetGain]) -> Decimal:
    return sum((pool.total for pool in pools.values()), ZERO)


def _amounts(pools: dict[str, NetGain]) -> dict[str, Decimal]:
    return {name: pool.total for name, pool in pools.items()}
