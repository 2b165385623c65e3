"""Stops and take-profits of positions, kept at the exchange and bound to the position there.

What is wanted for a position is compared with what the venue shows of it. Only a difference is
asked for, by one call that sets or moves: the old stop stands until the new one does, it reduces
only, its quantity is the position's whatever fills, and it ends with the position. So there is no
moment without a stop, no stop without a position, and nothing to do while nothing changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from openalpha.net.budget import Priority
from openalpha.trading.bybit.replies import Outcome, Reply
from openalpha.trading.orders.side import Incident, Request, RequestKind
from openalpha.venue.bybit.answers import UNCHANGED
from openalpha.venue.bybit.new_order import plain
from openalpha.venue.bybit.rows import PositionRow

__all__ = ["Exits", "Stops", "exits_of"]

_ZERO = Decimal(0)
_REPLY_MS, _AGAIN_MS, _REFUSALS = 15_000, 500, 3


@dataclass(frozen=True, slots=True)
class Exits:
    """The exits of one position; None: none is wanted."""

    stop: Decimal | None = None
    take_profit: Decimal | None = None


@dataclass(slots=True)
class _Position:
    """One position as the venue shows it, and what is wanted for it."""

    category: str
    symbol: str
    idx: int
    qty: Decimal = _ZERO
    shown: Exits = field(default_factory=Exits)
    wanted: Exits | None = None
    ask_at_ms: int = 0
    refused: Exits | None = None
    refusals: int = 0
    row_ms: int = 0


@dataclass(slots=True)
class Stops:
    """Wanted and shown exits of all positions, by `linear:BTCUSDT:0`."""

    positions: dict[str, _Position] = field(default_factory=dict)

    def want(self, category: str, symbol: str, *, exits: Exits, idx: int = 0) -> None:
        """Say what exits a position is to have, now and whenever it is opened again."""
        position = self._at(category, symbol, idx=idx)
        if position.wanted != exits:
            position.wanted, position.refusals = exits, 0

    def forget(self, category: str, symbol: str, *, idx: int = 0) -> None:
        """Want nothing of a position: what it has stays."""
        self._at(category, symbol, idx=idx).wanted = None

    def see(self, row: PositionRow) -> None:
        """Take in a position as the venue shows it; what is older than what is known is left."""
        position = self._at(row.category, row.symbol, idx=row.idx)
        if row.updated_ms < position.row_ms:
            return
        position.row_ms = row.updated_ms
        position.qty = row.size if row.side is not None else _ZERO
        position.shown = Exits(row.stop_loss, row.take_profit)
        if not position.qty:
            position.refused, position.refusals = None, 0

    def see_all(self, category: str, rows: list[PositionRow], *, ts_ms: int) -> None:
        """Take in all positions of a category that hold something: the others are flat."""
        for row in rows:
            self.see(row)
        there = {(row.symbol, row.idx) for row in rows if row.size}
        for position in self.positions.values():
            is_here = position.category == category and position.row_ms < ts_ms
            if is_here and (position.symbol, position.idx) not in there:
                position.qty, position.shown = _ZERO, Exits()
                position.refused, position.refusals = None, 0

    def due(self, now_ms: int) -> list[Request]:
        """Return what must be set or moved: nothing where all stands as it is wanted."""
        requests = []
        for position in self.positions.values():
            if position.wanted is None or not position.qty or not _is_free(position, now_ms):
                continue
            if position.wanted in (position.shown, position.refused):
                continue
            position.ask_at_ms = now_ms + _REPLY_MS
            requests.append(_set(position, position.wanted))
        return requests

    def hear(self, reply: Reply, *, now_ms: int) -> list[Incident]:
        """Take in what became of a call; a refusal is an incident: the position lacks its exits."""
        params = reply.params
        idx = int(params.get("positionIdx") or 0)
        position = self._at(str(params["category"]), str(params["symbol"]), idx=idx)
        position.ask_at_ms = now_ms + _AGAIN_MS
        asked = exits_of(params)
        if reply.outcome is Outcome.ANSWER or reply.code in UNCHANGED:
            position.shown, position.refusals = asked, 0
        elif reply.outcome is Outcome.REFUSED and position.qty:
            # The position may just have been closed: the venue's next row says so.
            position.refusals += 1
            if position.refusals < _REFUSALS:
                return []
            position.refused = asked
            if asked == Exits():
                return []  # what was to be taken away went with the position
            words = (
                f"the exits of {position.symbol} were refused and the position lacks them: "
                f"{reply.words}"
            )
            return [Incident("stop_refused", words, now_ms)]
        return []

    def frozen(self) -> list[list[Any]]:
        """Return the wishes as JSON can hold them; what is shown is asked for anew."""
        return [
            [
                one.category,
                one.symbol,
                one.idx,
                _text(one.wanted.stop),
                _text(one.wanted.take_profit),
            ]
            for one in self.positions.values()
            if one.wanted is not None
        ]

    @classmethod
    def thawed(cls, rows: list[list[Any]]) -> "Stops":
        """Return what `frozen` was given."""
        stops = cls()
        for category, symbol, idx, stop, take_profit in rows:
            exits = Exits(_number(stop), _number(take_profit))
            stops.want(category, symbol, exits=exits, idx=idx)
        return stops

    def _at(self, category: str, symbol: str, *, idx: int) -> _Position:
        key = f"{category}:{symbol}:{idx}"
        if key not in self.positions:
            self.positions[key] = _Position(category, symbol, idx)
        return self.positions[key]


def exits_of(params: Mapping[str, Any]) -> Exits:
    """Return the exits that a call's fields ask for; 0 takes one away."""
    return Exits(_number(params.get("stopLoss")), _number(params.get("takeProfit")))


def _is_free(position: _Position, now_ms: int) -> bool:
    """Whether no call about the position is under way; a time far ahead is of another clock."""
    return position.ask_at_ms <= now_ms or position.ask_at_ms > now_ms + 60_000


def _set(position: _Position, exits: Exits) -> Request:
    params: dict[str, Any] = {
        "what": "exits",
        "category": position.category,
        "symbol": position.symbol,
        "positionIdx": position.idx,
        "tpslMode": "Full",
        "stopLoss": "0" if exits.stop is None else plain(exits.stop),
        "takeProfit": "0" if exits.take_profit is None else plain(exits.take_profit),
    }
    return Request(RequestKind.SET_UP, params, (), Priority.RISK)


def _number(value: object) -> Decimal | None:
    return None if value is None or not Decimal(str(value)) else Decimal(str(value))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
