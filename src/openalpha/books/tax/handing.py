"""Coins that pass between portfolios of one entity, each on an account of its own.

On one account a parcel keeps cost and date. Into trading stock it passes at cost or market value,
as the portfolio's choice says (s 70-30); out of it at cost (s 70-110). Between capital and a profit
scheme nothing is deemed: it passes at cost, and out of a scheme an agent is asked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from openalpha.books.tax.amounts import ZERO, exact
from openalpha.books.tax.changes import Choice, policy_on
from openalpha.books.tax.entity import Method, Policy, Refused, Treatment
from openalpha.books.tax.events import Acquire, Cost, Dispose, Event, Left, Moved
from openalpha.books.tax.parcels import Parcel
from openalpha.books.tax.posting import TaxBook
from openalpha.books.tax.slices import OpenItem

__all__ = ["NO_PORTFOLIOS", "Portfolios", "handed_over"]

_STOCK = Treatment.REVENUE_TRADING_STOCK


class Portfolios(NamedTuple):
    """Which wallets belong to which portfolio, by the beginning of their names; "" is all else."""

    wallets: Mapping[str, str]

    def of(self, wallet: str) -> str:
        """Return the portfolio of a wallet; the longest beginning wins.

        Examples
        --------
        >>> Portfolios({"trend": "bybit"}).of("bybit unified")
        'trend'
        """
        fitting = [
            (len(start), name) for name, start in self.wallets.items() if wallet.startswith(start)
        ]
        return max(fitting)[1] if fitting else ""


NO_PORTFOLIOS = Portfolios({})
"""Every wallet belongs to the one portfolio of all else."""


def handed_over(
    events: Iterable[Event], portfolios: Portfolios, *, policy: Policy, choices: Sequence[Choice]
) -> tuple[list[Event], list[OpenItem]]:
    """Give every event its portfolio, and turn moves between two of them into what they are.

    Parameters
    ----------
    events : iterable of Event
        In order.
    policy : Policy
        The account of portfolios without a choice.
    choices : sequence of Choice

    Returns
    -------
    tuple of list of Event and list of OpenItem

    Raises
    ------
    Refused
        If coins become stock at a market value nobody states; if parcels are chosen by `min_tax`,
        or a portfolio changed its account while it held coins, and coins move between portfolios.
    """
    with exact():
        rows = list(events)
        has_moves = any(
            isinstance(event, Moved) and portfolios.of(event.source) != portfolios.of(event.target)
            for event in rows
        )
        if has_moves and policy.method is Method.MIN_TAX:
            raise Refused(
                "min_tax is not searched where coins move between portfolios on accounts of their "
                "own; choose fifo, lifo, hifo or specific"
            )
        hands = _Hands(portfolios, policy, choices=choices, has_moves=has_moves)
        done = [made for event in rows for made in hands.take(event)]
    return done, hands.items


class _Hands:
    """The parcels of every portfolio as events go by, to know what leaves one for another."""

    def __init__(
        self,
        portfolios: Portfolios,
        policy: Policy,
        *,
        choices: Sequence[Choice],
        has_moves: bool,
    ) -> None:
        self.portfolios = portfolios
        self.policy = policy
        self.choices = choices
        self.has_moves = has_moves
        self.books: dict[str, TaxBook] = {}
        self.first: dict[str, date] = {}
        self.items: list[OpenItem] = []

    def take(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Moved):
            yield from self._moved(event)
            return
        wallet = getattr(event, "wallet", None)
        named = getattr(event, "strategy", None)
        if wallet is not None and named == "":
            named_one: Any = event
            event = replace(named_one, strategy=self.portfolios.of(wallet))
        yield self._post(event)

    def _post(self, event: Event) -> Event:
        name = getattr(event, "strategy", "")
        self.first.setdefault(name, event.day or date.min)
        if self.has_moves:
            self._book(name).post([event])
        return event

    def _book(self, name: str) -> TaxBook:
        if name not in self.books:
            begun, _ = self._at(name, self.first[name])
            self.books[name] = TaxBook(policy_on(self.policy, begun))
        return self.books[name]

    def _at(self, name: str, day: date) -> tuple[Treatment, Choice | None]:
        """Return the account of a portfolio on a day, and the choice that made it so."""
        current = [c for c in self.choices if c.portfolio == name and c.since <= day]
        if not current:
            return self.policy.treatment, None
        last = max(current, key=lambda choice: choice.since)
        return last.treatment, last

    def _refuse_changed(self, name: str, day: date) -> None:
        """Refuse moves of a portfolio that changed its account while it had a history."""
        begun, _ = self._at(name, self.first[name])
        if self._at(name, day)[0] is not begun:
            raise Refused(
                f"coins move in or out of {name or 'all else'} on {day}, whose account changed "
                "while it held coins; the two together are not worked out: see a tax agent"
            )

    def _moved(self, event: Moved) -> Iterator[Event]:
        giver, taker = self.portfolios.of(event.source), self.portfolios.of(event.target)
        if giver == taker:
            yield self._post(replace(event, strategy=giver))
            return
        for name in (giver, taker):
            self.first.setdefault(name, event.day)
            self._refuse_changed(name, event.day)
        lost = event.qty - event.received
        fee = event.fee_value or ZERO
        if lost > 0:
            yield self._post(
                Dispose(
                    f"{event.id}.fee",
                    event.day,
                    event.asset,
                    lost,
                    event.fee_value,
                    wallet=event.source,
                    ts_ms=event.ts_ms,
                    strategy=giver,
                )
            )
        yield from self._handed(event, giver, taker)
        if fee and self.policy.transfer_fee_to_cost_base:
            yield self._post(_cost(event, f"{event.id}.cost", fee, taker))

    def _handed(self, event: Moved, giver: str, taker: str) -> Iterator[Event]:
        old, _ = self._at(giver, event.day)
        new, choice = self._at(taker, event.day)
        out = Left(
            event.id, event.day, event.asset, event.received, event.source, event.ts_ms, giver
        )
        gone = self._book(giver).taken_out(out)
        is_stock = _STOCK in (old, new) and old is not new
        is_market = new is _STOCK and old is not _STOCK and choice and choice.value == "market"
        if is_market or (old is _STOCK and new is not _STOCK):
            yield from self._sold(event, gone, giver, at_market=bool(is_market))
        else:
            yield out
        if old is Treatment.REVENUE_PROFIT_SCHEME and new is Treatment.CAPITAL:
            self._refer(event, giver)
        unit = self._unit(event) if is_market else None
        for number, parcel in enumerate(gone, 1):
            cost = parcel.cost + (parcel.third if is_stock else ZERO)
            yield self._post(
                Acquire(
                    f"{parcel.id}@{event.id[:12]}.{number}",
                    event.day,
                    event.asset,
                    parcel.qty,
                    cost if unit is None else unit * parcel.qty,
                    kind="change_of_account" if is_stock else parcel.kind,
                    wallet=event.target,
                    ts_ms=event.ts_ms,
                    strategy=taker,
                    acquired=None if is_stock else parcel.acquired,
                )
            )
        third = sum((parcel.third for parcel in gone), ZERO)
        if third and not is_stock:
            owning = _cost(event, f"{event.id}.3", third, taker)
            yield self._post(replace(owning, element=3))

    def _sold(
        self, event: Moved, gone: Sequence[Parcel], giver: str, *, at_market: bool
    ) -> Iterator[Event]:
        """Yield the deemed sale; the parcels are out of the book already."""
        qty = sum((parcel.qty for parcel in gone), ZERO)
        if not qty:
            return
        cost = sum((parcel.cost + parcel.third for parcel in gone), ZERO)
        yield Dispose(
            event.id,
            event.day,
            event.asset,
            qty,
            self._unit(event) * qty if at_market else cost,
            kind="K4" if self._at(giver, event.day)[0] is Treatment.CAPITAL else "A1",
            lots=tuple((parcel.id, parcel.qty) for parcel in gone),
            reason="moved to a portfolio on another account",
            wallet=event.source,
            ts_ms=event.ts_ms,
            strategy=giver,
        )

    def _unit(self, event: Moved) -> Decimal:
        if event.value is None or not event.received:
            raise Refused(
                f"{event.asset} became trading stock on {event.day} at market value, which nobody "
                'states; choose value = "cost", or import a rate of that day'
            )
        return event.value / event.received

    def _refer(self, event: Moved, giver: str) -> None:
        text = (
            f"{event.asset} left the profit scheme {giver or 'of all else'} for an investment; no "
            "rule says how its gain parts: a registered tax agent's word goes under [[agent]]"
        )
        self.items.append(OpenItem("refer_change", event.id, text))


def _cost(event: Moved, name: str, amount: Decimal, taker: str) -> Cost:
    return Cost(name, event.day, event.asset, 2, amount, ts_ms=event.ts_ms, strategy=taker)
