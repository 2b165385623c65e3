"""What a run's inputs tell of its health: the readings of every breaker, from the tape alone."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.instruments import Instrument, Kind
from openalpha.core.messages import Fill
from openalpha.engine.rows import Row
from openalpha.risk.gauges import RangeGauge
from openalpha.risk.reading import Reading
from openalpha.store.frames import FrameKind
from openalpha.trading.orders.held import Holding
from openalpha.trading.orders.record import instrument_of
from openalpha.trading.orders.side import RequestKind
from openalpha.venue.bybit.rows import PositionRow, Ticker

__all__ = ["VenueGauges"]

_ZERO = Decimal(0)
_DUST = Decimal("0.01")
"""A round trip is over once less than this share of its largest position is left."""
_ANSWERS = 3
"""The rate limit is judged by the best of so many answers: one batch uses a second's up."""


class VenueGauges:
    """Turns inputs and fills into readings. Pure.

    Parameters
    ----------
    instruments : sequence of Instrument
        Of the run's plan, in its order.
    """

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = {str(item.id): item for item in instruments}
        self._ranges = [RangeGauge() for _ in instruments]
        self._trips: dict[str, _Trip] = {}
        self._ended: list[Decimal] = []
        self._counts = dict.fromkeys(("requests", "errors", "orders", "rejects"), 0)
        self._spreads: dict[str, Decimal] = {}
        self._distances: dict[str, Decimal] = {}
        self._rates: deque[Decimal] = deque(maxlen=_ANSWERS)
        self._skew_ms: int | None = None
        self.marks: dict[str, Decimal] = {}
        self.lines: dict[str, bool] = {}
        self.open_incidents: int | None = None

    @property
    def rate_left(self) -> Decimal | None:
        """What is left of the venue's rate limit, a fraction; None: it never said."""
        return max(self._rates, default=None)

    def bars(self, row: Row) -> Decimal | None:
        """Take closed bars in; returns the largest range as a multiple of the usual."""
        found = [
            gauge.observe(Decimal(bar[1]), Decimal(bar[2]))
            for gauge, bar in zip(self._ranges, row.bars, strict=True)
            if bar is not None
        ]
        return max((one for one in found if one is not None), default=None)

    def hear(self, kind: FrameKind, content: Mapping[str, Any], *, ts_ms: int) -> bool:
        """Take an input in; returns whether it said something of the run's health."""
        if kind is FrameKind.REPLY:
            self._reply(content, ts_ms)
        elif kind is FrameKind.FEED and content.get("topic") == "position":
            self._positions(content.get("data") or (), "")
        elif kind is FrameKind.HEALTH and content.get("what") == "incidents":
            self.open_incidents = int(content["open"])
        elif kind is FrameKind.HEALTH and "is_up" in content:
            name = f"{content['what']} {content.get('category', '')}".strip()
            self.lines[name] = bool(content["is_up"])
        else:
            return kind is FrameKind.TIMER
        return True

    def filled(self, book: str, fill: Fill) -> None:
        """Take a sub-book's execution in."""
        item = self._instruments.get(str(fill.instrument))
        if item is None:
            return
        place = f"{book} {fill.instrument}"
        trip = self._trips.setdefault(place, _Trip(item.kind))
        fee = fill.fee if fill.fee_coin == item.settle else fill.fee * fill.price
        if trip.take(fill, fee):
            self._ended.append(trip.result)
            trip.begin_anew()

    def rejected(self) -> None:
        """Count an order that the venue did not take."""
        self._counts["rejects"] += 1

    def reading(self, ts_ms: int, **more: Any) -> Reading:
        """Return what was told since the last reading, and what stands."""
        counts, self._counts = self._counts, dict.fromkeys(self._counts, 0)
        ended, self._ended = tuple(self._ended), []
        skew_ms, self._skew_ms = self._skew_ms, None
        told: dict[str, Any] = {**counts, **more}
        return Reading(
            ts_ms=ts_ms,
            round_trips=ended,
            spread_bps=max(self._spreads.values(), default=None),
            clock_skew_ms=skew_ms,
            liquidation_distance=min(self._distances.values(), default=Decimal(1)),
            rate_left=self.rate_left if len(self._rates) == _ANSWERS else None,
            **told,
        )

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "ranges": [gauge.state() for gauge in self._ranges],
            "trips": {place: trip.state() for place, trip in self._trips.items()},
            "ended": [str(one) for one in self._ended],
            "counts": self._counts,
            "spreads": _texts(self._spreads),
            "distances": _texts(self._distances),
            "marks": _texts(self.marks),
            "rates": [str(one) for one in self._rates],
            "skew_ms": self._skew_ms,
            "lines": self.lines,
            "open_incidents": self.open_incidents,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        for gauge, kept in zip(self._ranges, state["ranges"], strict=True):
            gauge.restore(kept)
        self._trips = {place: _Trip.of(kept) for place, kept in state["trips"].items()}
        self._ended = [Decimal(one) for one in state["ended"]]
        self._counts = dict(state["counts"])
        self._spreads, self._distances, self.marks = (
            {name: Decimal(value) for name, value in state[part].items()}
            for part in ("spreads", "distances", "marks")
        )
        self._rates = deque((Decimal(one) for one in state["rates"]), maxlen=_ANSWERS)
        self._skew_ms, self.lines = state["skew_ms"], dict(state["lines"])
        self.open_incidents = state["open_incidents"]

    def _reply(self, content: Mapping[str, Any], ts_ms: int) -> None:
        counts, outcome = self._counts, content["outcome"]
        counts["requests"] += 1
        counts["errors"] += outcome in ("unknown", "not_sent")
        if content["kind"] == RequestKind.PLACE:
            counts["orders"] += len(content["link_ids"])
        if content.get("rate_left"):
            self._rates.append(Decimal(content["rate_left"]))
        venue_ms, sent_ms = int(content["ts_ms"]), int(content.get("sent_ms", 0))
        if venue_ms and sent_ms:
            # The venue answered after the request left and before its answer came: what its clock
            # says beyond either is what the clocks are apart, however slow the way was.
            self._skew_ms = sent_ms - venue_ms if venue_ms < sent_ms else min(0, ts_ms - venue_ms)
        if outcome != "answer":
            return
        params = content["params"]
        if content["kind"] == RequestKind.ASK_MARKET:
            self._market(params["category"], content["rows"])
        elif content["kind"] == RequestKind.ASK_ACCOUNT and params.get("what") == "positions":
            category = str(params["category"])
            gone = [key for key in self._distances if key.startswith(instrument_of(category, ""))]
            for key in gone:
                del self._distances[key]
            self._positions(content["rows"], category)

    def _market(self, category: str, rows: Iterable[Mapping[str, Any]]) -> None:
        for raw in rows:
            row = Ticker.of(raw)
            name = instrument_of(category, row.symbol)
            if row.bid and row.ask:
                self._spreads[name] = 20_000 * (row.ask - row.bid) / (row.ask + row.bid)
            mark = row.mark or row.last
            if mark:
                self.marks[name] = mark

    def _positions(self, rows: Iterable[Mapping[str, Any]], category: str) -> None:
        for raw in rows:
            row = PositionRow.of(raw, category)
            key = f"{instrument_of(row.category, row.symbol)}/{row.idx}"
            self._distances.pop(key, None)
            if row.size and row.liquidation_price and row.mark_price:
                away = abs(row.mark_price - row.liquidation_price)
                self._distances[key] = away / row.mark_price


class _Trip:
    """One round trip, from the first execution until nothing but dust is left of it."""

    def __init__(self, kind: Kind) -> None:
        self._held = Holding(kind)
        self._largest = self.result = _ZERO

    def take(self, fill: Fill, fee: Decimal) -> bool:
        """Take an execution in; returns whether the trip is over."""
        before = self._held.qty
        profit, is_reducing = self._held.apply(fill.side, qty=fill.qty, price=fill.price)
        self.result += profit - fee
        self._largest = max(self._largest, abs(self._held.qty))
        is_turned = before * self._held.qty < 0
        return is_reducing and (is_turned or abs(self._held.qty) <= self._largest * _DUST)

    def begin_anew(self) -> None:
        """Begin the next trip with what is left."""
        self._largest, self.result = abs(self._held.qty), _ZERO

    def state(self) -> list[str]:
        """Return all of it as texts."""
        held = self._held
        numbers = (held.qty, held.avg_price, self._largest, self.result)
        return [str(int(held.kind)), *map(str, numbers)]

    @classmethod
    def of(cls, state: Sequence[str]) -> "_Trip":
        """Read what `state` returned."""
        trip = cls(Kind(int(state[0])))
        qty, price, trip._largest, trip.result = (Decimal(text) for text in state[1:])
        trip._held = Holding(trip._held.kind, qty, price)
        return trip


def _texts(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}
