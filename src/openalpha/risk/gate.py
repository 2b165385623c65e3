"""The gate: every order of every strategy passes here or is refused by reason.

It is the only maker of an `ApprovedIntent`. It never enlarges: an intent leaves as it came, but for
the stop an entry must carry. Pure: it reads a view of the account and keeps two counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from openalpha.core.clock import DAY_MS
from openalpha.core.instruments import Kind
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.core.orders import Leg, Side, TriggerKind
from openalpha.core.reasons import Reason, explain
from openalpha.risk.limits import Limits, setting_of
from openalpha.risk.view import AccountView, MarketNow, Stage, SubBook, floored

__all__ = ["NETTED", "Gate", "Refusal"]

NETTED = "net"
"""The name of an order that several sub-books share."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order may not be sent: a code and the numbers behind it."""

    reason: Reason
    words: str


class Gate:
    """Judges the orders of one account, of all its strategies together.

    Parameters
    ----------
    limits : Limits
        Held within the bounds that stand in code, whatever they say.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits.held()
        self._stop_e6 = int(self.limits.stop * _MILLION)
        self._seq = 0
        self._day = -1
        self._trades = 0

    def judge(
        self,
        intent: OrderIntent,
        view: AccountView,
        *,
        by_risk: bool = False,
        is_part: bool = False,
    ) -> ApprovedIntent | Refusal:
        """Return the intent with its leave, or why it has none.

        An order that can only reduce its strategy's own position is measured by no limit; HALTED
        and FLATTEN refuse it as well, for then only risk and people order. A protective stop
        passes in every stage: no position stands naked because trading is halted.

        Parameters
        ----------
        intent : OrderIntent
        view : AccountView
            Of the moment of the decision; orders approved before and not yet in a book's
            `buying` or `selling` must be counted there.
        by_risk : bool
            Risk itself or a person closes: a reduce-only order then passes in every stage.
        is_part : bool
            It is part of an order that passed before, a piece of it or the order as it would be
            changed: it counts as no further order of the day, and may be smaller than the least.
        """
        asked = _Asked.of(intent, view)
        if asked is None:
            return Refusal(Reason.MISSING_BAR, f"{intent.instrument} has no price yet")
        refused = self._closed(asked, by_risk=by_risk) or (
            self._limited(asked, is_part=is_part) if asked.is_opening else None
        )
        if refused is not None:
            return refused
        if asked.is_opening:
            self._trades += not is_part
            intent = self._protected(intent)
        self._seq += 1
        return ApprovedIntent(intent, self._seq)

    def netted(
        self, approved: Sequence[ApprovedIntent], *, signed: Decimal, is_reduce_only: bool
    ) -> ApprovedIntent:
        """Give leave to one order that does no more than several approved ones do together.

        Parameters
        ----------
        approved : sequence of ApprovedIntent
            On one instrument, of one or several strategies.
        signed : Decimal
            The order's quantity, negative to sell.
        is_reduce_only : bool
            Whether it only reduces what the account holds.

        Raises
        ------
        AssertionError
            If it would do more: a bug, as it follows from them.
        """
        first = approved[0].intent
        assert all(one.intent.instrument == first.instrument for one in approved)
        net = sum((one.intent.qty * one.intent.side for one in approved), Decimal(0))
        assert 0 < signed <= net or net <= signed < 0, f"{signed} is more than {net}"
        names = {one.intent.strategy for one in approved}
        intent = replace(
            first,
            side=Side.BUY if signed > 0 else Side.SELL,
            qty=abs(signed),
            is_reduce_only=is_reduce_only,
            strategy=first.strategy if len(names) == 1 else NETTED,
        )
        self._seq += 1
        return ApprovedIntent(intent, self._seq)

    def state(self) -> dict[str, Any]:
        """Return what it counts, as JSON can hold it."""
        return {"seq": self._seq, "day": self._day, "trades": self._trades}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the counts of `state`."""
        self._seq, self._day = int(state["seq"]), int(state["day"])
        self._trades = int(state["trades"])

    def _protected(self, intent: OrderIntent) -> OrderIntent:
        """Give an entry the limit's stop unless its own is nearer."""
        nearer = min(self._stop_e6, intent.stop_e6 or self._stop_e6)
        return intent if nearer == intent.stop_e6 else replace(intent, stop_e6=nearer)

    def _closed(self, asked: "_Asked", *, by_risk: bool) -> Refusal | None:
        """Refuse what the account's standing does not allow."""
        view, standing = asked.view, asked.view.standing
        day = (view.ts_ms - 1) // DAY_MS
        if day > self._day:  # a clock that was set back begins no day
            self._day, self._trades = day, 0
        is_exit = asked.intent.is_reduce_only and (by_risk or asked.is_protective)
        if standing.stage >= Stage.HALTED and not is_exit:
            return Refusal(standing.reason, standing.words or explain(standing.reason))
        if not asked.is_opening:
            return self._not_its_own(asked)
        if view.equity <= 0:
            return Refusal(Reason.BANKRUPT, f"equity is {view.equity}")
        if standing.stage is Stage.REDUCING:
            return Refusal(standing.reason, standing.words or explain(standing.reason))
        return None

    def _not_its_own(self, asked: "_Asked") -> Refusal | None:
        """Refuse an exit that would reduce what another strategy holds."""
        held = -asked.own_qty * int(asked.intent.side)
        others = -asked.account_qty * int(asked.intent.side) - held
        if held <= 0 and asked.intent.is_reduce_only:
            words = f"{asked.intent.strategy or 'it'} holds nothing of {asked.intent.instrument}"
            return Refusal(Reason.REDUCE_ONLY_NO_POSITION, words)
        if others > 0 and asked.intent.qty > held:
            words = (
                f"{asked.intent.strategy or 'it'} holds {held:f} of {asked.intent.instrument} and "
                f"cannot close {asked.intent.qty:f}: the rest belongs to others"
            )
            return Refusal(Reason.RISK_REFUSED, words)
        return None

    def _limited(self, asked: "_Asked", *, is_part: bool) -> Refusal | None:
        """Refuse an opening order that a limit does not allow."""
        return (
            self._stale(asked)
            or self._sized(asked, is_part=is_part)
            or (None if is_part else self._counted())
            or self._risked(asked)
            or self._of_strategy(asked)
            or self._of_account(asked)
        )

    def _stale(self, asked: "_Asked") -> Refusal | None:
        age_ms = asked.view.ts_ms - asked.market.seen_ms
        if 0 < self.limits.max_price_age_ms < age_ms:
            said = f"the newest data of {asked.intent.instrument} is {age_ms} ms old"
            words = self._words("max_price_age_ms", said, self.limits.max_price_age_ms)
            return Refusal(Reason.BREAKER_STALE, words)
        return None

    def _sized(self, asked: "_Asked", *, is_part: bool) -> Refusal | None:
        limits, worth = self.limits, asked.opening_worth
        if worth < limits.min_order and not is_part:
            return self._refusal("min_order", "order", worth, limits.min_order, is_least=True)
        if 0 < limits.max_order < worth:
            return self._refusal("max_order", "order", worth, limits.max_order)
        cap = asked.share_of_equity(limits.max_position)
        if asked.worth(asked.largest_after) > cap > 0:
            return self._refusal("max_position", "position", asked.worth(asked.largest_after), cap)
        return None

    def _counted(self) -> Refusal | None:
        most = self.limits.max_trades_per_day
        if 0 < most <= self._trades:
            said = f"it would be opening order {self._trades + 1} of the UTC day"
            return Refusal(Reason.MAX_TRADES, self._words("max_trades_per_day", said, most))
        return None

    def _risked(self, asked: "_Asked") -> Refusal | None:
        stop_e6 = self._protected(asked.intent).stop_e6
        lost = asked.opening_worth * stop_e6 / _MILLION
        most = asked.share_of_equity(self.limits.risk_per_trade)
        if lost > most:
            return self._refusal("risk_per_trade", "loss down to its stop", lost, most)
        return None

    def _of_strategy(self, asked: "_Asked") -> Refusal | None:
        name, limits = asked.intent.strategy, self.limits
        money = asked.view.strategies.get(name)
        if money is not None and limits.strategy_stop > 0:
            floor = money.capital * (1 - limits.strategy_stop)
            if money.equity <= floor:
                said = f"{name or 'the strategy'} has {_plain(money.equity)} left"
                words = self._words("strategy_stop", said, floor, is_least=True)
                return Refusal(Reason.STRATEGY_STOPPED, words)
        cap = asked.share_of_equity(limits.max_strategy)
        worth = asked.gross(asked.view, strategy=name)
        if worth > cap > 0:
            what = f"value of all positions of {name or 'the strategy'}"
            return self._refusal("max_strategy", what, worth, cap)
        return None

    def _of_account(self, asked: "_Asked") -> Refusal | None:
        limits, view = self.limits, asked.view
        cap = asked.share_of_equity(limits.max_leverage)
        worth = asked.gross(view, strategy=None)
        if worth > cap > 0:
            return self._refusal("max_leverage", "value of all positions", worth, cap)
        left = view.free - asked.opening_worth / asked.market.leverage
        kept = asked.share_of_equity(limits.cash_reserve)
        if left < kept:
            return self._refusal("cash_reserve", "money left free", left, kept, is_least=True)
        return None

    def _refusal(
        self, name: str, what: str, value: Decimal, bound: Decimal, *, is_least: bool = False
    ) -> Refusal:
        said = f"the {what} would be {_plain(value)}"
        return Refusal(Reason.RISK_REFUSED, self._words(name, said, bound, is_least=is_least))

    def _words(self, name: str, said: str, bound: Decimal | int, *, is_least: bool = False) -> str:
        """Say what was wanted, what the limit allows, and the setting that makes it so."""
        side, value = "least" if is_least else "most", getattr(self.limits, name)
        by = f"{setting_of(name)} = {_plain(value)}"
        return f"{said}, the limit is at {side} {_plain(bound)} ({by})"


@dataclass(frozen=True, slots=True)
class _Asked:
    """An intent beside what it would make of the account.

    `own_after` is the size its strategy would have on the order's side, `account_after` the whole
    account's, if every open order of that side filled.
    """

    intent: OrderIntent
    view: AccountView
    market: MarketNow
    price: Decimal
    own_after: Decimal
    account_after: Decimal
    own_qty: Decimal
    account_qty: Decimal

    @classmethod
    def of(cls, intent: OrderIntent, view: AccountView) -> "_Asked | None":
        market = view.markets.get(intent.instrument)
        if market is None:
            return None
        price = _price(intent, market)
        if price <= 0:
            return None
        rows = [
            book
            for book in view.books
            if book.instrument == intent.instrument and book.leg is intent.leg
        ]
        own = [row for row in rows if row.strategy == intent.strategy]
        return cls(
            intent,
            view,
            market,
            price,
            own_after=_reach(own, intent.side) + intent.qty,
            account_after=_reach(rows, intent.side) + intent.qty,
            own_qty=sum((row.qty for row in own), Decimal(0)),
            account_qty=sum((row.qty for row in rows), Decimal(0)),
        )

    @property
    def is_opening(self) -> bool:
        return self.own_after > 0 and not self.intent.is_reduce_only

    @property
    def is_protective(self) -> bool:
        return self.intent.trigger_kind is TriggerKind.STOP

    @property
    def largest_after(self) -> Decimal:
        return max(self.own_after, self.account_after)

    @property
    def opening_worth(self) -> Decimal:
        """The value of what opens; of a flip only the part beyond the close."""
        return self.worth(min(self.intent.qty, self.own_after))

    def worth(self, qty: Decimal) -> Decimal:
        return self.market.worth(qty, self.price, decimals=self.view.cash_decimals)

    def share_of_equity(self, share: Decimal) -> Decimal:
        decimals = self.view.cash_decimals
        return floored(floored(self.view.equity, decimals) * share, decimals)

    def gross(self, view: AccountView, *, strategy: str | None) -> Decimal:
        """Return the value of all positions after it, of one strategy or of the account's net."""
        sizes: dict[tuple[str, Leg], list[Decimal]] = {}
        for book in view.books:
            if strategy is None or book.strategy == strategy:
                both = sizes.setdefault((book.instrument, book.leg), [Decimal(0), Decimal(0)])
                both[0] += book.reach(Side.BUY)
                both[1] += book.reach(Side.SELL)
        mine = sizes.setdefault((self.intent.instrument, self.intent.leg), [Decimal(0)] * 2)
        mine[0 if self.intent.side is Side.BUY else 1] += self.intent.qty
        return sum(self._worths(sizes.items()), Decimal(0))

    def _worths(self, sizes: Iterable[tuple[tuple[str, Leg], list[Decimal]]]) -> Iterable[Decimal]:
        markets: Mapping[Any, MarketNow] = self.view.markets
        for (name, _), both in sizes:
            size, market = max(*both, Decimal(0)), markets.get(name)
            if size and market is not None:
                price = self.price if name == self.intent.instrument else market.price
                yield market.worth(size, price, decimals=self.view.cash_decimals)


def _price(intent: OrderIntent, market: MarketNow) -> Decimal:
    """Return the price an order is valued at: of those it may fill at the one worth most.

    A limit that the market has passed already fills at the market.
    """
    limit, last = intent.limit_price, market.price
    own = [price for price in (limit, intent.trigger_price) if price is not None]
    if limit is not None and intent.trigger_price is None and last > 0:
        is_passed = limit > last if intent.side is Side.BUY else limit < last
        own += [last] if is_passed else []
    prices = own or [last]
    return min(prices) if market.instrument.kind is Kind.INVERSE else max(prices)


def _reach(books: Iterable[SubBook], side: Side) -> Decimal:
    return sum((book.reach(side) for book in books), Decimal(0))


def _plain(value: Decimal | int) -> str:
    return str(value) if isinstance(value, int) else f"{value.normalize():f}"
