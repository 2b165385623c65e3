"""Turns events into parcels, slices, income and open items, one event after the other.

`TaxBook` holds the state; `post` is the only way to change it. It decides no tax: gains are
classified elsewhere, so the same book serves both treatments.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from openalpha.books.tax.amounts import ZERO, share
from openalpha.books.tax.entity import Method, Policy, Refused
from openalpha.books.tax.events import (
    Acquire,
    CoinFee,
    Cost,
    Derivative,
    Dispose,
    Event,
    ForexItem,
    Left,
    Money,
    Moved,
    StatedGain,
    Swap,
)
from openalpha.books.tax.parcels import Outlay, Parcel, Pool, Sale, make_pool
from openalpha.books.tax.slices import OpenItem, Revenue, Slice, Sold, cut, short_lots

__all__ = ["TaxBook"]


class TaxBook:
    """The state of one entity's parcels and everything posted to it so far.

    Parameters
    ----------
    policy : Policy
        The choices in force; the method orders the pools.
    weight : Decimal
        Taxed share of a discountable gain, which the tax-minimising pool reckons with.
    """

    def __init__(self, policy: Policy, *, weight: Decimal = Decimal("0.5")) -> None:
        self.policy = policy
        self.weight = weight
        self._method: Method = policy.method
        self.pools: dict[tuple[str, str], Pool] = {}
        self.slices: list[Slice] = []
        self.revenue: list[Revenue] = []
        self.stated: list[StatedGain] = []
        self.open_items: list[OpenItem] = []
        self._order = 0

    def post(self, events: Iterable[Event]) -> None:
        """Apply events that stand in order (`events.in_order`)."""
        for event in events:
            _POST[type(event)](self, event)

    def fork(self, method: Method, *, weight: Decimal) -> "TaxBook":
        """Return a book with the same open parcels under another method, and nothing else."""
        book = TaxBook(self.policy, weight=weight)
        book._order = self._order
        for key, pool in self.pools.items():
            fresh = make_pool(method, weight=weight)
            fresh.replace_all(pool.copy().parcels())
            book.pools[key] = fresh
        book._method = method
        return book

    def absorb(self, later: "TaxBook") -> None:
        """Take over what a forked book posted, and its open parcels."""
        self.pools = later.pools
        self._order = later._order
        self.slices += later.slices
        self.revenue += later.revenue
        self.stated += later.stated
        self.open_items += later.open_items

    def parcels(self) -> list[Parcel]:
        """List every open parcel, by asset, oldest first."""
        return [parcel for key in sorted(self.pools) for parcel in self.pools[key].parcels()]

    # ---- acquiring

    def _acquire(self, event: Acquire) -> None:
        if event.qty <= 0:
            raise Refused(f"event {event.id} acquires {event.qty}; a quantity must be above zero")
        cost = event.cost
        if cost is None:
            self._ask("missing_cost", event.id, f"nobody stated what {event.asset} cost")
            cost = ZERO
        fee = self._rebated(event)
        if event.income:
            self.revenue.append(Revenue(event.id, event.day, event.kind, event.income))
        qty, coin_fee = event.qty, event.coin_fee
        if coin_fee is not None and coin_fee.asset == event.asset:
            self._fee_in_kind(event, coin_fee, cost + fee)
            self._add(event, qty - coin_fee.qty, cost + fee, fee)
            return
        if coin_fee is not None:
            fee += self._pay_fee(event, coin_fee)
        self._add(event, qty, cost + fee, fee)

    def _fee_in_kind(self, event: Any, fee: CoinFee, cost: Decimal) -> None:
        """Dispose of part of what was just bought, at its cost; its value stays on the rest."""
        gross = event.qty if isinstance(event, Acquire) else event.in_qty
        value = cost * fee.qty / gross
        parcel = Parcel(event.id, fee.asset, event.day, self._order, fee.qty, value)
        piece = parcel.take(fee.qty)
        sold = Sold(f"{event.id}.fee", "A1", fee.asset, event.day, fee.qty, value, ZERO)
        self.slices += cut(sold, [piece], missing=ZERO)

    def _add(self, event: Any, qty: Decimal, cost: Decimal, fee: Decimal) -> None:
        if qty < 0:
            raise Refused(f"event {event.id}: its fee is more than what it brought")
        if not qty:
            return
        is_swap = isinstance(event, Swap)
        asset = event.in_asset if is_swap else event.asset
        kind = "swap" if is_swap else event.kind
        day = event.day if is_swap else event.acquired or event.day
        self._order += 1
        parcel = Parcel(
            event.id, asset, day, self._order, qty, cost, fee, kind=kind, wallet=event.wallet
        )
        self._pool(asset, event.wallet).add(parcel)

    # ---- disposing

    def _dispose(self, event: Dispose) -> None:
        fee = self._rebated(event)
        proceeds = event.proceeds
        if proceeds is None:
            self._ask("missing_value", event.id, f"nobody stated what {event.asset} brought")
            proceeds = ZERO
        proceeds, fee = proceeds - min(fee, ZERO), max(fee, ZERO)
        if event.is_personal_use and (not event.reason or event.wallet):
            why = "is not for coins on a venue" if event.reason else "needs a reason; state why"
            raise Refused(f"event {event.id}: personal use {why}")
        value = self._fee_value(event) if event.coin_fee is not None else ZERO
        sold = Sold(
            event.id,
            event.kind,
            event.asset,
            event.day,
            event.qty,
            proceeds,
            fee + value,
            event.agreed,
            event.is_personal_use,
        )
        self._sell(sold, event.lots, event.wallet)
        if event.coin_fee is not None:
            self._pay_fee(event, event.coin_fee)

    def _sell(
        self, sold: Sold, lots: tuple[tuple[str, Decimal], ...] = (), wallet: str = ""
    ) -> None:
        if sold.qty <= 0:
            raise Refused(
                f"event {sold.disposal} disposes of {sold.qty} {sold.asset}; "
                "a quantity must be above zero"
            )
        unit = ZERO
        if self._method is Method.MIN_TAX:  # the others do not look at the price
            unit = (sold.proceeds - sold.sale_cost) / sold.qty
        pieces = self._pool(sold.asset, wallet).take(sold.qty, Sale(sold.day, unit, lots))
        missing = sold.qty
        for piece in pieces:
            missing -= piece.qty
        if missing > 0:
            found = sold.qty - missing
            text = (
                f"{sold.qty} {sold.asset} left but only {found} were held: {missing} lack an "
                "acquisition; their cost counts as zero until it is found"
            )
            self.open_items.append(
                OpenItem("missing_acquisition", sold.disposal, text, found, missing)
            )
        if lots:
            self.open_items += short_lots(sold, lots, pieces=pieces)
        self.slices += cut(sold, pieces, missing=missing)

    def _swap(self, event: Swap) -> None:
        value = event.value
        if value is None:
            self._ask(
                "missing_value",
                event.id,
                f"neither {event.in_asset} received nor {event.out_asset} given has a value",
            )
            value = ZERO
        coin_fee = event.coin_fee
        is_in_kind = coin_fee is not None and coin_fee.asset == event.in_asset
        fee = self._rebated(event)
        brought, fee = value - min(fee, ZERO), max(fee, ZERO)
        if coin_fee is not None and not is_in_kind:
            fee += self._fee_value(event)
        self._sell(
            Sold(event.id, "A1", event.out_asset, event.day, event.out_qty, brought, fee),
            event.lots,
            event.wallet,
        )
        in_qty = event.in_qty
        if coin_fee is not None and is_in_kind:
            self._fee_in_kind(event, coin_fee, value)
            in_qty -= coin_fee.qty
        elif coin_fee is not None:
            self._pay_fee(event, coin_fee)
        self._add(event, in_qty, value, ZERO)

    # ---- fees

    def _rebated(self, event: Any) -> Decimal:
        """Return the fee in AUD; a rebate is income, or else below 0: less cost, more proceeds."""
        fee: Decimal = event.fee
        if fee < 0 and self.policy.rebates == "income":
            self.revenue.append(Revenue(event.id, event.day, "rebate", -fee))
            return ZERO
        return fee

    def _fee_value(self, event: Any) -> Decimal:
        value: Decimal | None = event.coin_fee.value
        if value is None:
            self._ask(
                "missing_value",
                event.id,
                f"the fee of {event.coin_fee.qty} {event.coin_fee.asset} has no value",
            )
            return ZERO
        return value

    def _pay_fee(self, event: Any, fee: CoinFee) -> Decimal:
        """Dispose of the fee coin at its value and return that value (element 2 of the trade)."""
        value = fee.value if fee.value is not None else ZERO
        if isinstance(event, Acquire | Moved):
            value = self._fee_value(event)
        if fee.qty:
            sold = Sold(f"{event.id}.fee", "A1", fee.asset, event.day, fee.qty, value, ZERO)
            self._sell(sold, wallet=getattr(event, "wallet", ""))
        return value

    # ---- moving

    def _move(self, event: Moved) -> None:
        lost = event.qty - event.received
        if lost < 0:
            raise Refused(f"transfer {event.id}: {event.received} arrived but {event.qty} left")
        fee_value = ZERO
        if lost > 0:
            fee_value = event.fee_value if event.fee_value is not None else ZERO
            if event.fee_value is None:
                self._ask("missing_value", event.id, "the network's fee has no AUD value")
            sold = Sold(event.id, "A1", event.asset, event.day, lost, fee_value, ZERO)
            self._sell(sold, wallet=event.source)
        if event.coin_fee is not None:
            fee_value += self._pay_fee(event, event.coin_fee)
        if event.to_derivatives and self.policy.venue_deposit == "disposal":
            self._deposit(event)
            return
        if self.policy.per_wallet and event.source != event.target:
            self._between_wallets(event)
        if fee_value and self.policy.transfer_fee_to_cost_base:
            outlay = Cost(event.id, event.day, event.asset, 2, fee_value)
            self._spread(outlay, self._pool(event.asset, event.target))

    def _deposit(self, event: Moved) -> None:
        """Dispose of a deposit by which ownership ends, at market value."""
        if event.value is None:
            self._ask("missing_value", event.id, f"the deposit of {event.asset} has no value")
        value = event.value if event.value is not None else ZERO
        self._sell(
            Sold(event.id, "A1", event.asset, event.day, event.received, value, ZERO),
            wallet=event.source,
        )

    def _between_wallets(self, event: Moved) -> None:
        target = self._pool(event.asset, event.target)
        gone = Left(event.id, event.day, event.asset, event.received, event.source)
        for parcel in self.taken_out(gone):
            parcel.wallet = event.target
            target.add(parcel)

    def taken_out(self, event: Left) -> list[Parcel]:
        """Take the oldest parcels out of a pool without any tax event, and return them."""
        wanted = event.qty
        gone = []
        for parcel in self._pool(event.asset, event.wallet).parcels():
            if wanted <= 0:
                break
            piece = parcel.rest(min(wanted, parcel.left))
            wanted -= piece.qty
            gone.append(piece)
        if wanted > 0:
            found = event.qty - wanted
            text = (
                f"{event.qty} {event.asset} left {event.wallet or 'a portfolio'} but only {found} "
                "were held there: the rest lacks an acquisition"
            )
            self.open_items.append(OpenItem("missing_acquisition", event.id, text, found, wanted))
        return gone

    def _cost(self, event: Cost) -> None:
        if event.element not in (1, 2, 3, 4, 5):
            raise Refused(f"event {event.id}: a cost base has elements 1 to 5, not {event.element}")
        pools = [pool for (asset, _), pool in self.pools.items() if asset == event.asset]
        held = [pool for pool in pools if pool.parcels()]
        if not held:
            self._ask("nothing_held", event.id, f"a cost of {event.asset}, but none is held")
            return
        total = sum((p.left for pool in held for p in pool.parcels()), ZERO)
        for pool in held:
            part = sum((p.left for p in pool.parcels()), ZERO)
            self._spread(event, pool, amount=share(event.amount, part, whole=total))

    def _spread(self, event: Cost, pool: Pool, amount: Decimal | None = None) -> None:
        """Add a cost to the open parcels of a pool, by quantity; the last takes the remainder."""
        parcels = pool.parcels()
        chosen = [p for p in parcels if not event.parcel or p.id == event.parcel]
        if not chosen:
            self._ask("nothing_held", event.id, f"a cost of {event.asset}, but none is held")
            return
        total = sum((parcel.left for parcel in chosen), ZERO)
        left = whole = event.amount if amount is None else amount
        kept = [p for p in parcels if event.parcel and p.id != event.parcel]
        for parcel in chosen[:-1]:
            part = share(whole, parcel.left, whole=total)
            left -= part
            kept.append(parcel.with_cost(Outlay(event.element, event.day, part)))
        kept.append(chosen[-1].with_cost(Outlay(event.element, event.day, left)))
        pool.replace_all(kept)

    # ---- money

    def _derivative(self, event: Derivative) -> None:
        is_pnl = event.kind in ("pnl", "liquidation", "adl", "settlement", "clawback")
        if self.policy.derivatives == "revenue" or (
            event.kind == "funding"
            and event.amount > 0
            and self.policy.funding_received == "income"
        ):
            kind = f"derivative_{event.kind}"
            self.revenue.append(Revenue(event.id, event.day, kind, event.amount))
        else:
            # Fees and funding are folded into the contract's result: one signed amount either way.
            kind = "derivative" if is_pnl else f"derivative_{event.kind}"
            self.stated.append(StatedGain(event.id, event.day, event.amount, category=kind))
        if not event.coin or not event.qty:
            return
        if event.qty > 0:
            qty, value = event.qty, event.amount
            got = Acquire(
                event.id, event.day, event.coin, qty, value, kind="derivative", wallet=event.wallet
            )
            self._add(got, qty, value, ZERO)
        else:
            sold = Sold(
                f"{event.id}.paid", "A1", event.coin, event.day, -event.qty, -event.amount, ZERO
            )
            self._sell(sold, wallet=event.wallet)

    def _money(self, event: Money) -> None:
        self.revenue.append(Revenue(event.id, event.day, event.kind, event.amount))

    def _state(self, event: StatedGain) -> None:
        self.stated.append(event)

    def _forex(self, event: ForexItem) -> None:
        if event.is_capital:
            code = "K10" if event.amount > 0 else "K11"
            self.stated.append(StatedGain(event.id, event.day, event.amount, category=code))
        else:
            self.revenue.append(Revenue(event.id, event.day, "forex", event.amount))

    def _pool(self, asset: str, wallet: str) -> Pool:
        key = (asset, wallet if self.policy.per_wallet else "")
        pool = self.pools.get(key)
        if pool is None:
            pool = self.pools[key] = make_pool(self._method, weight=self.weight)
        return pool

    def _ask(self, code: str, event: str, text: str) -> None:
        self.open_items.append(OpenItem(code, event, f"{text}; state it or name its source"))


# By class, not by instance: a book that points at itself would outlive its use.
_POST: dict[type[Any], Callable[[TaxBook, Any], Any]] = {
    Acquire: TaxBook._acquire,
    Dispose: TaxBook._dispose,
    Swap: TaxBook._swap,
    Moved: TaxBook._move,
    Left: TaxBook.taken_out,
    Cost: TaxBook._cost,
    Derivative: TaxBook._derivative,
    Money: TaxBook._money,
    StatedGain: TaxBook._state,
    ForexItem: TaxBook._forex,
}
