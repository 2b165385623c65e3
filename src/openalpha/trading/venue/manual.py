"""People's orders on a run: placed, changed and cancelled through the same gate and log."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument, InstrumentId
from openalpha.core.instruments import Kind as Market
from openalpha.core.messages import OrderIntent
from openalpha.core.orders import OrderType, Side, TimeInForce, TriggerKind
from openalpha.risk.gate import Refusal
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.algorithms import Kind
from openalpha.trading.orders.record import LiveOrder
from openalpha.trading.orders.side import Change
from openalpha.trading.venue.books import MANUAL, VenueBook
from openalpha.trading.venue.changes import change_note, judge_change
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.state import Work
from openalpha.trading.venue.stops import Protection
from openalpha.trading.venue.worked import WorkedOrders

__all__ = ["ManualDesk"]


class ManualDesk:
    """Carries out what a person orders: commands ORDER, AMEND and CANCEL.

    What cannot be done is answered in words and changes nothing.

    Parameters
    ----------
    books : list of VenueBook
    orders : VenueOrders
    stops : Protection
    worked : WorkedOrders
    side : BybitSide
    """

    def __init__(
        self,
        books: list[VenueBook],
        orders: VenueOrders,
        stops: Protection,
        *,
        worked: WorkedOrders,
        side: BybitSide,
    ) -> None:
        self._books, self._orders, self._stops, self._side = books, orders, stops, side
        self._worked = worked

    def order(self, work: Work, wish: Mapping[str, Any], *, number: int) -> None:
        """Place an order of the sub-book of people's orders."""
        try:
            intent = self._intent(self._books[number], wish)
        except InputError as error:
            _refuse(work, "not_understood", error.message)
            return
        if wish.get("work"):
            self._work(work, intent, number=number, wish=wish)
            return
        verdict = self._orders.judge(number, intent, by_risk=True)
        if isinstance(verdict, Refusal):
            reason, words = verdict.reason.name.lower(), verdict.words
            work.note_refusal(number, intent.instrument, reason=reason, words=words, by=intent.tag)
            _refuse(work, verdict.reason.name.lower(), verdict.words)
            return
        work.answer["link"] = self._orders.send(work, verdict, number=number, leg="order")

    def _work(
        self, work: Work, intent: OrderIntent, *, number: int, wish: Mapping[str, Any]
    ) -> None:
        """Begin to work an order in pieces."""
        try:
            if intent.lots or intent.trigger_price is not None:
                raise InputError("an order that is worked has no trigger, and names no parcels")
            kind = Kind(str(wish["work"]))
            work.answer["link"] = self._worked.begin(
                work, intent, number=number, kind=kind, wish=wish
            )
        except ValueError:
            kinds = ", ".join(kind.value for kind in Kind)
            _refuse(work, "not_understood", f"there is no '{wish['work']}'; there are {kinds}")
        except InputError as error:
            _refuse(work, "not_understood", error.message)

    def withdraw(self, work: Work) -> None:
        """Cancel whatever could still open something; what protects a position stays."""
        for name in list(self._worked.parents):
            self._worked.cancel(work, name, is_again=True)
        found = [order for order in self._cancellable() if not order.is_reduce_only]
        work.requests += self._side.cancel([order.link_id for order in found])

    def amend(self, work: Work, wish: Mapping[str, Any]) -> None:
        """Give an open order other terms, where the gate would let it through with them."""
        try:
            order = self._named(wish)
            parts = self._orders.parts.get(order.link_id, ())
            book = self._books[parts[0].book if parts else 0]
            which = book.number_of(f"bybit_{order.category}:{order.symbol}")
            change = _change(order, wish, book.instruments[which])
        except InputError as error:
            _refuse(work, "not_understood", error.message)
            return
        verdict = judge_change(
            self._orders, order, change=change, book=book, ts_ms=self._side.now_ms, by_risk=True
        )
        if isinstance(verdict, Refusal):
            _refuse(work, verdict.reason.name.lower(), verdict.words)
            return
        work.note(FrameKind.INTENT, link=order.link_id, amend=change_note(change), by=_by(wish))
        work.requests += self._side.amend([change])
        work.answer["link"] = order.link_id

    def cancel(self, work: Work, wish: Mapping[str, Any]) -> None:
        """Cancel one open order, or all of a run that protect no position."""
        names = list(self._worked.parents) if wish.get("all") else [str(wish.get("link", ""))]
        parents = [name for name in names if name in self._worked.parents]
        for name in parents:
            self._worked.cancel(work, name)
        if parents and not wish.get("all"):
            work.note(FrameKind.INTENT, cancel=parents, by=_by(wish))
            work.answer["links"] = parents
            return
        try:
            found = self._cancellable() if wish.get("all") else [self._named(wish)]
        except InputError as error:
            _refuse(work, "not_understood", error.message)
            return
        links = [*parents, *(order.link_id for order in found)]
        work.note(FrameKind.INTENT, cancel=links, by=_by(wish))
        work.requests += self._side.cancel([order.link_id for order in found])
        work.answer["links"] = links

    def close(self, work: Work, wish: Mapping[str, Any]) -> None:
        """Close what sub-books hold at the market: of all, or of one instrument or sub-book.

        A strategy holds nothing then until its target changes.
        """
        closing = []
        for number, book in enumerate(self._books):
            if wish.get("book") not in (None, "", book.part.name):
                continue
            legs = [
                (leg, intent)
                for leg, intent in book.closing(self._side.now_ms)
                if wish.get("instrument") in (None, "", intent.instrument)
            ]
            self._orders.decide(work, legs, number=number, by_risk=True)
            closing += [
                [book.part.name, str(intent.instrument), f"{intent.qty.normalize():f}"]
                for _, intent in legs
            ]
        work.note(FrameKind.INTENT, closing=closing, by=_by(wish))
        work.answer["closing"] = closing

    def _intent(self, book: VenueBook, wish: Mapping[str, Any]) -> OrderIntent:
        name = str(wish.get("instrument", ""))
        which = book.number_of(name)
        if which < 0:
            traded = ", ".join(str(item.id) for item in book.instruments)
            raise InputError(f"this run has no {name}; it has {traded}")
        item = book.instruments[which]
        side = Side.BUY if wish.get("side") == "buy" else Side.SELL
        qty, limit, trigger = _terms(wish, item)
        if qty is None:
            raise InputError("an order needs its quantity")
        if wish.get("post_only") and limit is None:
            raise InputError("post-only is for a limit order: give its price")
        if wish.get("lots") and (item.kind is not Market.SPOT or side is not Side.SELL):
            raise InputError("parcels are named for a sale on spot")
        return OrderIntent(
            ts_ms=self._side.now_ms,
            instrument=InstrumentId(str(item.id)),
            side=side,
            qty=qty,
            order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=limit,
            trigger_price=trigger,
            trigger_kind=_trigger_kind(book, which, side=side, trigger=trigger),
            time_in_force=TimeInForce.POST_ONLY if wish.get("post_only") else TimeInForce.GTC,
            is_reduce_only=bool(wish.get("reduce_only")) or _only_sells(item, side),
            strategy=MANUAL,
            tag=_by(wish),
            lots=_lots(wish.get("lots") or ()),
        )

    def _cancellable(self) -> list[LiveOrder]:
        return [
            order
            for order in self._side.record.open_orders()
            if not self._stops.is_exit(order.link_id)
        ]

    def _named(self, wish: Mapping[str, Any]) -> LiveOrder:
        link = str(wish.get("link", ""))
        found = [
            order
            for order in self._side.record.open_orders()
            if link and order.link_id.startswith(link)
        ]
        if len(found) != 1:
            raise InputError(
                f"{len(found) or 'no'} open orders begin with '{link}'; `openalpha orders` shows "
                "them"
            )
        if self._stops.is_exit(found[0].link_id):
            raise InputError("this is the exit of a position: close the position instead")
        return found[0]


def _refuse(work: Work, reason: str, words: str) -> None:
    work.answer |= {"refused": reason, "words": words}


def _only_sells(item: Instrument, side: Side) -> bool:
    """Whether an order can only sell coins that were bought."""
    return item.kind is Market.SPOT and side is Side.SELL


def _trigger_kind(
    book: VenueBook, which: int, *, side: Side, trigger: Decimal | None
) -> TriggerKind:
    if trigger is None:
        return TriggerKind.NONE
    mark = book.marks[which]
    if not mark:
        raise InputError(f"{book.instruments[which].symbol} has no price yet; try after a bar")
    is_stop = trigger > mark if side is Side.BUY else trigger < mark
    return TriggerKind.STOP if is_stop else TriggerKind.TAKE_PROFIT


def _change(order: LiveOrder, wish: Mapping[str, Any], item: Instrument) -> Change:
    qty, limit, trigger = _terms(wish, item)
    change = Change(order.link_id, qty=qty, limit_price=limit, trigger_price=trigger)
    if change == Change(order.link_id):
        raise InputError("nothing is to be changed: give a quantity, a limit or a trigger")
    if change.limit_price is not None and order.limit_price is None:
        raise InputError(f"{order.link_id} is a market order: it has no limit to change")
    return change


def _terms(wish: Mapping[str, Any], item: Instrument) -> tuple[Decimal | None, ...]:
    """Return quantity, limit and trigger of a command, as the exchange takes them."""
    rule = item.steps[-1]
    qty = _number(wish, "qty")
    if qty is not None and qty < item.min_qty:
        raise InputError(f"qty was {qty:f}, expected at least {item.min_qty:f}: {item.id}'s least")
    _check_step("qty", qty, rule.lot_size, of=f"lot of {item.id}")
    prices = _number(wish, "limit"), _number(wish, "trigger")
    for name, price in zip(("limit", "trigger"), prices, strict=True):
        _check_step(name, price, rule.tick_size, of=f"tick of {item.id}")
    return qty, *prices


def _number(wish: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number of a command, above 0; None where it says nothing."""
    text = wish.get(name)
    if text in (None, ""):
        return None
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        raise InputError(f"{name} was '{text}', expected a number") from None
    if not value.is_finite() or value <= 0:
        raise InputError(f"{name} was {text}, expected a number above 0")
    return value


def _check_step(name: str, value: Decimal | None, step: Decimal, *, of: str) -> None:
    if value is not None and value % step:
        raise InputError(f"{name} was {value:f}, expected a multiple of {step:f}, the {of}")


def _lots(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, Decimal], ...]:
    return tuple((str(name), Decimal(str(qty))) for name, qty in rows)


def _by(wish: Mapping[str, Any]) -> str:
    return str(wish.get("by") or "a person")
