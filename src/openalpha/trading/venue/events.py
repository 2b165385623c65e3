"""What the venue says of a run's orders and money, and what follows for its sub-books."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from openalpha.core.messages import CashEffect, EffectKind, Fill
from openalpha.core.orders import OrderStatus, is_terminal
from openalpha.core.reasons import Reason
from openalpha.store.run_log import FrameKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.orders.events import VenueFill
from openalpha.trading.orders.side import AccountState, Incident, OrderUpdate
from openalpha.trading.venue.books import VenueBook, stands
from openalpha.trading.venue.orders import VenueOrders
from openalpha.trading.venue.risk import VenueRisk
from openalpha.trading.venue.state import Work
from openalpha.trading.venue.stops import Protection
from openalpha.trading.venue.sums import Sums

__all__ = ["VenueEvents"]

_ZERO = Decimal(0)


class VenueEvents:
    """Takes in what the venue says, each event once.

    Parameters
    ----------
    books : list of VenueBook
    orders : VenueOrders
    stops : Protection
    side : BybitSide
    risk : VenueRisk
    incidents : list of Incident
    manual : callable
        Returns the number of the sub-book of people's orders, opened where it is not yet.

    Attributes
    ----------
    account : AccountState or None
        As the venue stated it last.
    sums : Sums
        Whether the sub-books add up to it.
    """

    def __init__(
        self,
        books: list[VenueBook],
        orders: VenueOrders,
        stops: Protection,
        *,
        side: BybitSide,
        risk: VenueRisk,
        incidents: list[Incident],
        manual: Callable[[], int],
    ) -> None:
        self._books, self._orders, self._stops, self._risk = books, orders, stops, risk
        self._side, self._incidents, self._manual = side, incidents, manual
        self.account: AccountState | None = None
        self.sums = Sums(books)

    def hear(self, work: Work, events: Sequence[object]) -> None:
        """Take in events; what positions moved by them is in `work.moved`."""
        for event in events:
            if isinstance(event, VenueFill):
                self._filled(work, event)
            elif isinstance(event, CashEffect):
                self._paid(work, event)
            elif isinstance(event, AccountState):
                self._stated(work, event)
            elif isinstance(event, Incident):
                self._trouble(work, event)
            elif isinstance(event, OrderUpdate):
                self._updated(work, event)

    def _stated(self, work: Work, state: AccountState) -> None:
        """Take in the account as the venue states it; where nothing is under way, books add up."""
        self.account = state
        work.accounts.append(state)
        self.sums.begin(state)
        is_quiet = all(stands(order) for order in self._side.record.unsettled())
        for words in self.sums.confirmed(state) if is_quiet else ():
            self._trouble(work, Incident("books_differ", words, state.ts_ms))

    def _trouble(self, work: Work, incident: Incident) -> None:
        self._incidents.append(incident)
        work.note(FrameKind.NOTE, incident=incident.code, words=incident.words)
        work.notices.append(f"incident {incident.code}: {incident.words}")

    def _filled(self, work: Work, event: VenueFill) -> None:
        work.fills.append(event)
        fill = event.fill
        work.note(
            FrameKind.NOTE,
            exec=event.exec_id,
            link=event.link_id,
            instrument=fill.instrument,
            side=int(fill.side),
            qty=f"{fill.qty:f}",
            price=f"{fill.price:f}",
            fee=f"{fill.fee:f}",
            ts=fill.ts_ms,
        )
        shares = [
            (part.book, part.order, part.exits, one)
            for part, one in self._orders.share(event.link_id, fill)
        ]
        chosen = self._orders.chosen(event)
        work.chosen += [chosen] if chosen is not None else []
        work.moved.add(str(fill.instrument))
        nobodys = (
            [] if shares else [(number, 0, None, one) for number, one in self._of_nobody(fill)]
        )
        for number, order, exits, one in shares or nobodys:
            book = self._books[number]
            self._risk.gauges.filled(book.part.name, one)
            if book.number_of(one.instrument) >= 0:
                book.take(one, order=order, exits=exits)

    def _of_nobody(self, fill: Fill) -> list[tuple[int, Fill]]:
        """Give an execution of no order of ours to those whose position it closes, then to people.

        A liquidation or a position closed by hand falls on its holders, in proportion.
        """
        trading = [n for n, book in enumerate(self._books) if book.number_of(fill.instrument) >= 0]
        if not trading:
            return []
        if len(trading) == 1:
            return [(trading[0], fill)]
        found, left = [], fill.qty
        for number in trading:
            book = self._books[number]
            against = -book.held[book.number_of(fill.instrument)].qty * fill.side
            qty = min(max(against, _ZERO), left)
            if qty:
                found.append((number, replace(fill, qty=qty, fee=fill.fee * qty / fill.qty)))
                left -= qty
        if left:
            rest = fill.fee - sum((one.fee for _, one in found), _ZERO)
            found.append((self._manual(), replace(fill, qty=left, fee=rest)))
        return found

    def _paid(self, work: Work, effect: CashEffect) -> None:
        work.effects.append(effect)
        self.sums.paid(effect)
        work.note(
            FrameKind.NOTE,
            effect=effect.kind.name.lower(),
            coin=effect.coin,
            amount=f"{effect.amount:f}",
            n=effect.seq,
            ts=effect.ts_ms,
        )
        if effect.kind is EffectKind.FUNDING:
            self._share_funding(effect)

    def _share_funding(self, effect: CashEffect) -> None:
        """Give funding to those who hold: each pays or receives by its own position."""
        rows = [
            (book, book.held[which].qty)
            for book in self._books
            if (which := book.number_of(effect.instrument or "")) >= 0
        ]
        net = sum((qty for _, qty in rows), _ZERO)
        if len(rows) == 1 or not net:
            for book, _ in rows[:1]:
                book.cash += effect.amount
            return
        for book, qty in rows:
            book.cash += effect.amount * qty / net

    def _updated(self, work: Work, event: OrderUpdate) -> None:
        status = event.status.name.lower()
        work.note(FrameKind.NOTE, link=event.link_id, status=status, words=event.words)
        if not is_terminal(event.status):
            if event.status is OrderStatus.UNTRIGGERED:
                self._stops.confirmed(event.link_id)
            return
        if event.status is OrderStatus.REJECTED:
            self._risk.gauges.rejected()
        order = self._side.record.find(link_id=event.link_id)
        # Of what has filled the status may be heard of before the executions.
        is_nothing = event.filled_qty == 0 and (order is None or order.reported_qty == 0)
        for part in self._orders.parts.get(event.link_id, ()):
            work.moved.add(str(self._books[part.book].instruments[part.which].id))
            if part.leg == "entry" and is_nothing:
                self._books[part.book].undecide(part.which)
        is_reached = event.reason is Reason.TRIGGER_WRONG_SIDE
        self._stops.ended(work, event.link_id, is_refused=is_nothing, is_reached=is_reached)
