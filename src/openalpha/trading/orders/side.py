"""How the desk speaks to a venue: orders and requests out, events in. Data only, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from openalpha.core.messages import ApprovedIntent, CashEffect, Fill
from openalpha.core.orders import OrderStatus
from openalpha.core.reasons import Reason
from openalpha.net.budget import Priority
from openalpha.store.run_log import FrameKind
from openalpha.trading.orders.events import VenueFill

__all__ = [
    "AccountState",
    "Change",
    "Held",
    "Incident",
    "Input",
    "OrderUpdate",
    "PlacedOrder",
    "Request",
    "RequestKind",
    "VenueEvent",
    "VenueSide",
]


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that happened to a run: what the log's input frames hold.

    Parameters
    ----------
    kind : FrameKind
        FEED, TIMER, COMMAND, REPLY, HEALTH or SEED.
    payload : bytes
        Canonical JSON.
    ts_ms : int
        When the driver took it in, UTC ms.
    """

    kind: FrameKind
    payload: bytes
    ts_ms: int


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An approved intent under the id it is sent with.

    `stop` is where the position it opens is to be closed from its first fill on, by the venue
    itself, until an order of its own protects it.
    """

    approved: ApprovedIntent
    link_id: str
    stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """New terms of an order that is open; None keeps what it has."""

    link_id: str
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None


class RequestKind(StrEnum):
    """What is asked of a venue."""

    PLACE = "place"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel_all"
    AMEND = "amend"
    ASK_ORDERS = "ask_orders"
    ASK_FILLS = "ask_fills"
    ASK_ACCOUNT = "ask_account"
    ASK_MARKET = "ask_market"
    SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class Request:
    """One call to a venue, to be carried out by the driver's executor.

    Whatever becomes of it (answer, refusal, fate unknown) comes back as a REPLY input.

    Parameters
    ----------
    kind : RequestKind
    params : mapping
        What the venue's client needs, as JSON can hold it.
    link_ids : tuple of str
        Orders it is about.
    priority : Priority
        Its class in the rate budget.
    """

    kind: RequestKind
    params: Mapping[str, Any]
    link_ids: tuple[str, ...] = ()
    priority: Priority = Priority.ORDERS


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """Where an order stands, by the venue's word."""

    link_id: str
    status: OrderStatus
    filled_qty: Decimal
    ts_ms: int
    reason: Reason = Reason.NONE
    venue_id: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What an account holds of an instrument: signed quantity, average price, mark."""

    qty: Decimal
    entry_price: Decimal
    mark_price: Decimal


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the venue states it."""

    ts_ms: int
    equity: Decimal
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    positions: Mapping[str, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incident:
    """Something a person should settle; trading is REDUCING until then."""

    code: str
    words: str
    ts_ms: int


VenueEvent = OrderUpdate | Fill | VenueFill | CashEffect | AccountState | Incident
"""What a venue tells the desk."""


class VenueSide(Protocol):
    """One account at one venue, as the desk sees it: pure, deterministic, without I/O."""

    def send(self, orders: Sequence[PlacedOrder]) -> Sequence[Request]:
        """Take orders over; returns what must be asked of the venue for them."""
        ...

    def cancel(self, link_ids: Sequence[str]) -> Sequence[Request]:
        """Cancel orders that are open; those that have ended are left alone."""
        ...

    def amend(self, changes: Sequence[Change]) -> Sequence[Request]:
        """Change orders that are open."""
        ...

    def hear(self, item: Input) -> Sequence[VenueEvent]:
        """Take in a feed message or a reply; returns what it means, each event once."""
        ...

    def state(self) -> bytes:
        """Return all that must be known to go on from here."""
        ...

    def restore(self, state: bytes) -> None:
        """Go on from a state."""
        ...
