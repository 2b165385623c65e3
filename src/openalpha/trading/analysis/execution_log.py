"""What became of every order of a run at a venue, read from its log alone."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from openalpha.engine.rows import Row
from openalpha.store.run_log import Frame, FrameKind, read
from openalpha.trading.run.feed_rows import is_warm, row_of
from openalpha.trading.run.folder import RunFolder

__all__ = ["NO_TERMS", "FillSeen", "OrderSeen", "RunSeen", "Terms", "read_run", "terms_of"]

Terms = tuple[str, str]
"""Limit and trigger that an order names, as plain numbers; empty where it names none."""

NO_TERMS: Terms = ("", "")

_KINDS = frozenset(
    (FrameKind.FEED, FrameKind.REPLY, FrameKind.DECISION, FrameKind.INTENT, FrameKind.NOTE)
)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class FillSeen:
    """One execution: at the venue's time `ts_ms`, heard of here at `heard_ms`."""

    qty: Decimal
    price: Decimal
    fee: Decimal
    ts_ms: int
    heard_ms: int


@dataclass(slots=True)
class OrderSeen:
    """One order and its times, UTC ms; 0 where nobody noted one.

    Parameters
    ----------
    link_id : str
    book : int
        Number of the sub-book it is for; of a netted order the first.
    instrument : str
    side : int
        1 buy, -1 sell.
    qty : Decimal
    is_reduce_only : bool
    trigger : Decimal or None
        Of a stop.
    limit : Decimal or None
        Of an order that names its price.
    decided_ms : int
        Close of the row it was decided at; 0 for one that follows from no decision.
    row_ms : int
        Close of the row at which a backtest would decide it: where it answers a fill, of the row
        that the fill lies in. 0 for one that no strategy decided.
    taken_ms : int
        When the input it follows from was taken in.
    sent_ms, acked_ms : int
        When the request left and its answer was taken in, by our clock.
    accepted_ms : int
        When the venue answered, by its clock.
    how : str
        `once`, or how the order it is a piece of was worked.
    begun_ms : int
        When what it follows from was taken in: of a piece, the order it is of.
    """

    link_id: str
    book: int
    instrument: str
    side: int
    qty: Decimal
    is_reduce_only: bool
    trigger: Decimal | None
    limit: Decimal | None
    decided_ms: int
    taken_ms: int
    sent_ms: int = 0
    acked_ms: int = 0
    accepted_ms: int = 0
    row_ms: int = 0
    how: str = "once"
    begun_ms: int = 0
    fills: list[FillSeen] = field(default_factory=list)

    @property
    def terms(self) -> Terms:
        """The prices it names; none for a piece of a worked order, whose prices are the work's."""
        return terms_of(self.limit, self.trigger) if self.how == "once" else NO_TERMS

    @property
    def filled(self) -> Decimal:
        """Quantity executed."""
        return sum((fill.qty for fill in self.fills), _ZERO)

    @property
    def price(self) -> Decimal:
        """Average price of what was executed; zero for nothing."""
        value = sum((fill.qty * fill.price for fill in self.fills), _ZERO)
        return value / self.filled if self.fills else _ZERO


@dataclass(slots=True)
class RunSeen:
    """A run's orders, rows and decisions.

    Parameters
    ----------
    orders : list of OrderSeen
        In the order of their making.
    warm : bytes
        The payload of the bars before the run; empty without.
    rows : list of Row
        The tape's closed bars.
    targets : dict
        (number of the sub-book, close of the row) -> targets in millionths.
    foreign : list of (instrument, side, FillSeen)
        Executions of no order of the run.
    funding : Decimal
        Received (+) or paid (-).
    refused : set of (number of the sub-book, close of the row)
        Where the gate refused an order of callbacks.
    """

    orders: list[OrderSeen] = field(default_factory=list)
    warm: bytes = b""
    rows: list[Row] = field(default_factory=list)
    targets: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    foreign: list[tuple[str, int, FillSeen]] = field(default_factory=list)
    funding: Decimal = _ZERO
    refused: set[tuple[int, int]] = field(default_factory=set)


def terms_of(limit: object, trigger: object) -> Terms:
    """Return the prices an order names, however they are written.

    Examples
    --------
    >>> terms_of("50000.10", None)
    ('50000.1', '')
    """
    limit, trigger = (
        "" if price in (None, "") else f"{Decimal(str(price)).normalize():f}"
        for price in (limit, trigger)
    )
    return limit, trigger


def read_run(folder: RunFolder) -> RunSeen:
    """Read what a run at a venue did from its log.

    Parameters
    ----------
    folder : RunFolder
        Of any environment with a venue; a paper run has no orders there.

    Raises
    ------
    StorageError
        If the log is damaged.
    """
    reader = _Reader(folder.plan().timeframe_ms)
    for frame in read(folder.log, _KINDS):
        reader.take(frame)
    return reader.seen


class _Reader:
    def __init__(self, frame_ms: int) -> None:
        self.seen = RunSeen()
        self._frame_ms = frame_ms
        self._answered: dict[int, int] = {}
        self._by_link: dict[str, OrderSeen] = {}
        self._decided: dict[tuple[int, int], int] = {}
        self._parents: dict[str, tuple[str, int, int]] = {}

    def take(self, frame: Frame) -> None:
        if frame.kind is FrameKind.FEED and is_warm(frame.payload):
            self.seen.warm = frame.payload
            return
        content = json.loads(frame.payload)
        if frame.kind is FrameKind.FEED and "bars" in content:
            self.seen.rows.append(row_of(frame.payload))
        elif frame.kind is FrameKind.DECISION:
            self._decided[content["of"], content["book"]] = content["ts"]
            self.seen.targets[content["book"], content["ts"]] = content.get("targets", [])
        elif frame.kind is FrameKind.INTENT:
            self._intent(frame, content)
        elif frame.kind is FrameKind.REPLY and content.get("kind") == "place":
            for order in self._named(content["link_ids"]):
                order.sent_ms = order.sent_ms or int(content.get("sent_ms", 0))
                order.acked_ms = order.acked_ms or frame.ts_ms
                order.accepted_ms = order.accepted_ms or int(content["ts_ms"])
        elif frame.kind is FrameKind.NOTE and "exec" in content:
            self._fill(frame, content)
        elif frame.kind is FrameKind.NOTE and content.get("effect") == "funding":
            self.seen.funding += Decimal(content["amount"])

    def _intent(self, frame: Frame, content: dict[str, Any]) -> None:
        if "work" in content:
            decided_ms = self._decided.get((content["of"], content["book"]), 0)
            self._parents[content["parent"]] = (content["work"], decided_ms, frame.ts_ms)
        elif "order" in content and "link" in content:
            self._order(frame, content)
        elif "refused" in content:
            self.seen.refused.add((content["book"], self._row_of(content)))

    def _order(self, frame: Frame, content: dict[str, Any]) -> None:
        row, link = content["order"], content["link"]
        if link in self._by_link:
            return
        trigger, limit = row.get("trigger"), row.get("limit")
        decided_ms = self._decided.get((content["of"], content["book"]), 0)
        if "exit" in content:
            decided_ms = 0  # made at a close, and by no decision of it
        whole = ("once", decided_ms, frame.ts_ms)
        how, decided_ms, begun_ms = self._parents.get(content.get("parent", ""), whole)
        order = OrderSeen(
            link_id=link,
            book=content["book"],
            instrument=row["instrument"],
            side=row["side"],
            qty=Decimal(row["qty"]),
            is_reduce_only=bool(row.get("reduce_only")),
            row_ms=0
            if "exit" in content
            else self._row_of(content)
            if how == "once"
            else decided_ms,
            trigger=None if trigger is None else Decimal(trigger),
            limit=None if limit is None else Decimal(limit),
            decided_ms=decided_ms,
            taken_ms=frame.ts_ms,
            how=how,
            begun_ms=begun_ms,
        )
        self._by_link[link] = order
        self.seen.orders.append(order)

    def _row_of(self, content: Mapping[str, Any]) -> int:
        """Return the close of the row an intent was decided at, or of the row that it answers."""
        of = content["of"]
        return self._decided.get((of, content["book"]), 0) or self._answered.get(of, 0)

    def _fill(self, frame: Frame, content: dict[str, Any]) -> None:
        self._answered[content["of"]] = (content["ts"] // self._frame_ms + 1) * self._frame_ms
        fill = FillSeen(
            Decimal(content["qty"]),
            Decimal(content["price"]),
            Decimal(content["fee"]),
            content["ts"],
            frame.ts_ms,
        )
        order = self._by_link.get(content["link"])
        if order is None:
            self.seen.foreign.append((content["instrument"], content["side"], fill))
        else:
            order.fills.append(fill)

    def _named(self, links: list[str]) -> Iterator[OrderSeen]:
        return (self._by_link[link] for link in links if link in self._by_link)
