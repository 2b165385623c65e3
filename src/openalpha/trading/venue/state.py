"""What one input leads to at a venue, and who has which part of an order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from openalpha.core.messages import ApprovedIntent, CashEffect, OrderIntent
from openalpha.core.orders import Side
from openalpha.store.run_log import FrameKind, canonical_json
from openalpha.trading.orders.events import VenueFill
from openalpha.trading.orders.side import AccountState, Request
from openalpha.trading.run.notes import Output
from openalpha.trading.venue.exits import ExitTerms

__all__ = [
    "WORKED",
    "Chosen",
    "Coming",
    "Heard",
    "Part",
    "Reconciled",
    "SlowOrders",
    "VenueOutcome",
    "Want",
    "Work",
]

_ZERO = Decimal(0)
WORKED = "work"
"""The leg of a piece of a strategy's worked entry."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Parcels named for a sale by its order, as far as one execution uses them.

    Parameters
    ----------
    exec_id : str
        The execution.
    ts_ms : int
        When it was, UTC ms.
    lots : tuple of (parcel, quantity)
    by : str
        Who chose them.
    """

    exec_id: str
    ts_ms: int
    lots: tuple[tuple[str, Decimal], ...]
    by: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What the venue told that the books must post, each once."""

    fills: tuple[VenueFill, ...] = ()
    effects: tuple[CashEffect, ...] = ()
    accounts: tuple[AccountState, ...] = ()
    chosen: tuple[Chosen, ...] = ()


@dataclass(frozen=True, slots=True)
class VenueOutcome:
    """What one input led to; `answer` is what a command is told."""

    seq: int
    outputs: tuple[Output, ...] = ()
    requests: tuple[Request, ...] = ()
    heard: Heard = Heard()
    notices: tuple[str, ...] = ()
    restarts: bool = False
    locks: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Whether books, desk and venue agree at the end: empty differences say so."""

    cash: tuple[str, ...]
    positions: tuple[str, ...]
    balances: Mapping[str, Decimal]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.cash and not self.positions


@dataclass(frozen=True, slots=True)
class Want:
    """What one sub-book may order, by the gate's leave.

    Parameters
    ----------
    book, which : int
        Number of the sub-book, and of the instrument in it.
    leg : str
        entry or close, order where callbacks made it.
    approved : ApprovedIntent
    order : int
        The number its strategy knows it by; 0 where it was not made by callbacks.
    """

    book: int
    which: int
    leg: str
    approved: ApprovedIntent
    order: int = 0

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return self.approved.intent.side

    @property
    def qty(self) -> Decimal:
        """How much."""
        return self.approved.intent.qty


@dataclass(slots=True)
class Part:
    """One sub-book's part of an order.

    Parameters
    ----------
    book : int
        Number of the sub-book in the run.
    which : int
        Number of the instrument in the sub-book.
    leg : str
        What it is to it: entry, close, order, or an exit of its position.
    qty : Decimal
        What it wanted of the order.
    got : Decimal
        What it was given of its executions so far.
    order : int
        As of its `Want`.
    exits : ExitTerms or None
        What is opened by it carries; None: it only closes.
    """

    book: int
    which: int
    leg: str
    qty: Decimal
    got: Decimal = _ZERO
    order: int = 0
    exits: ExitTerms | None = None


@dataclass(slots=True)
class Coming:
    """What is on its way, by sub-book and instrument: reducing, and (bought, sold) opening."""

    closing: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    opening: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def close(self, where: tuple[str, str], qty: Decimal) -> None:
        """Add what reduces a position."""
        self.closing[where] = self.closing.get(where, _ZERO) + qty

    def open(self, where: tuple[str, str], qty: Decimal, *, side: Side) -> None:
        """Add what opens one."""
        bought, sold = self.opening.get(where, (_ZERO, _ZERO))
        is_buy = side is Side.BUY
        self.opening[where] = (bought + qty, sold) if is_buy else (bought, sold + qty)


@dataclass(slots=True)
class Work:
    """What gathers while one input is taken in."""

    seq: int
    outputs: list[Output] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    fills: list[VenueFill] = field(default_factory=list)
    effects: list[CashEffect] = field(default_factory=list)
    accounts: list[AccountState] = field(default_factory=list)
    chosen: list[Chosen] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    locks: str = ""
    restarts: bool = False
    placed: list[str] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    named: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def note(self, kind: FrameKind, **content: Any) -> None:
        """Write a frame of the log: canonical JSON that names its input."""
        self.outputs.append((kind, canonical_json({"of": self.seq, **content})))

    def note_refusal(
        self, book: int, instrument: str, *, reason: str, words: str, **more: Any
    ) -> None:
        """Note that what a sub-book wanted was not let through, why, and by which numbers."""
        told = {"instrument": instrument, "refused": reason, "words": words}
        self.note(FrameKind.INTENT, book=book, **told, **more)

    def leg(self, leg: str, *, name: str, instrument: str) -> str:
        """Return a leg for an order's id that no other order of this input has."""
        count = self.named[name, instrument, leg] = self.named.get((name, instrument, leg), 0) + 1
        return leg if count == 1 else f"{leg}.{count}"

    def outcome(self) -> VenueOutcome:
        """Return all that was gathered."""
        heard = Heard(
            tuple(self.fills), tuple(self.effects), tuple(self.accounts), tuple(self.chosen)
        )
        return VenueOutcome(
            self.seq,
            tuple(self.outputs),
            tuple(self.requests),
            heard,
            tuple(self.notices),
            self.restarts,
            self.locks,
            self.answer,
        )


class SlowOrders(Protocol):
    """What places entries by and by."""

    def takes(self, want: Want) -> bool:
        """Say whether it places what a sub-book wants."""
        ...

    def work(self, work: Work, intent: OrderIntent, *, number: int) -> None:
        """Begin with what is left of a want after crossing."""
        ...

    def rests(self) -> Iterable[tuple[str, tuple[str, str], Side, Decimal]]:
        """Return what is not placed yet: name, (sub-book, instrument), side, quantity."""
        ...
