"""Public topics: what each says at first, and what it says when its market has moved."""

from dataclasses import dataclass, field
from typing import Any

from openalpha.venue.twin.handlers.market import level_rows, ticker_row
from openalpha.venue.twin.intervals import INTERVALS, end_of
from openalpha.venue.twin.listings import Listing
from openalpha.venue.twin.numbers import fixed, plain
from openalpha.venue.twin.rows import side_name
from openalpha.venue.twin.state import State
from openalpha.venue.twin.tape import C_CLOSE, C_HIGH, C_LOW, C_OPEN, C_TS, C_TURNOVER, C_VOLUME

__all__ = ["Topic", "make_topic"]

BOOK_PERIODS_MS = {1: 10, 50: 20, 200: 100, 500: 100, 1000: 200}
TICKER_MS, KLINE_MS, TRADE_MS, LIQUIDATION_MS = 100, 1_000, 10, 500
REPEAT_MS = 3_000

Message = dict[str, Any]


@dataclass(slots=True)
class Topic:
    """A public topic with subscribers. Subclasses say what they say."""

    name: str
    listing: Listing
    period_ms: int
    due_ms: int = 0

    def snapshot(self, state: State) -> Message | None:
        """Return what a new subscriber is told first."""
        raise NotImplementedError

    def news(self, state: State) -> list[Message]:
        """Return what is new since last asked."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget what was sent, as after a restart of the service."""


@dataclass(slots=True)
class _Book(Topic):
    """orderbook.{depth}.SYMBOL: a snapshot, then deltas; depth 1 only snapshots."""

    depth: int = 50
    update: int = 0
    version: int = -1
    sent_ms: int = 0
    sides: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))

    def snapshot(self, state: State) -> Message | None:
        if not self.update:
            self._take(state)
        return self._whole(state)

    def _whole(self, state: State) -> Message:
        bids, asks = (level_rows(self.listing, side.items()) for side in self.sides)
        return self._message(state, "snapshot", bids=bids, asks=asks)

    def _take(self, state: State) -> tuple[list[list[str]], list[list[str]]]:
        """Look at the book anew; returns the changes of both sides."""
        bids, asks = self.listing.pool.machine.depth(self.listing.number)
        fresh = (dict(bids[: self.depth]), dict(asks[: self.depth]))
        changes = []
        for old, new in zip(self.sides, fresh, strict=True):
            gone = [(price, 0) for price in old if price not in new]
            changed = [level for level in new.items() if old.get(level[0]) != level[1]]
            changes.append(level_rows(self.listing, gone + changed))
        self.sides = fresh
        self.version = self.listing.version
        if changes[0] or changes[1] or not self.update:
            self.update += 1
            self.sent_ms = state.now_ms
        return changes[0], changes[1]

    def _message(
        self, state: State, kind: str, *, bids: list[list[str]], asks: list[list[str]]
    ) -> Message:
        return {
            "topic": self.name,
            "type": kind,
            "ts": state.now_ms,
            "data": {
                "s": self.listing.symbol,
                "b": bids,
                "a": asks,
                "u": self.update,
                "seq": state.seq,
            },
            "cts": state.now_ms,
        }

    def news(self, state: State) -> list[Message]:
        if self.version != self.listing.version:
            bids, asks = self._take(state)
            if bids or asks:
                if self.depth == 1:
                    return [self._whole(state)]
                return [self._message(state, "delta", bids=bids, asks=asks)]
        if self.depth == 1 and state.now_ms - self.sent_ms >= REPEAT_MS:
            self.sent_ms = state.now_ms
            return [self._whole(state)]
        return []

    def reset(self) -> None:
        self.update, self.version, self.sides = 0, -1, ({}, {})


@dataclass(slots=True)
class _Ticker(Topic):
    """tickers.SYMBOL: a snapshot, then what changed; spot sends snapshots only."""

    row: Message = field(default_factory=dict)
    before: int = 0
    direction: str = "ZeroPlusTick"

    def _fresh(self) -> Message:
        row = ticker_row(self.listing)
        if self.listing.is_spot:
            return {name: row[name] for name in _SPOT_FIELDS}
        last = self.listing.tape.last
        if last != self.before:
            self.direction = "PlusTick" if last > self.before else "MinusTick"
            self.before = last
        row.pop("basis")
        return {"tickDirection": self.direction, **row}

    def _message(self, state: State, kind: str, data: Message) -> Message:
        return {
            "topic": self.name,
            "type": kind,
            "data": data,
            "cs": state.seq,
            "ts": state.now_ms,
        }

    def snapshot(self, state: State) -> Message | None:
        self.row = self._fresh()
        return self._message(state, "snapshot", self.row)

    def news(self, state: State) -> list[Message]:
        fresh = self._fresh()
        changed = {name: value for name, value in fresh.items() if self.row.get(name) != value}
        self.row = fresh
        if not changed:
            return []
        if self.listing.is_spot:
            return [self._message(state, "snapshot", fresh)]
        return [self._message(state, "delta", {"symbol": self.listing.symbol, **changed})]


_SPOT_FIELDS = (
    "symbol",
    "lastPrice",
    "highPrice24h",
    "lowPrice24h",
    "prevPrice24h",
    "volume24h",
    "turnover24h",
    "price24hPcnt",
    "usdIndexPrice",
)


@dataclass(slots=True)
class _Trades(Topic):
    """publicTrade.SYMBOL: every print since the last push."""

    seen: int = -1

    def snapshot(self, state: State) -> Message | None:
        self.seen = max(self.seen, state.seq) if self.seen < 0 else self.seen
        return None

    def news(self, state: State) -> list[Message]:
        fresh = []
        for made in reversed(self.listing.tape.prints):
            if made.seq <= self.seen:
                break
            fresh.append(made)
        if not fresh:
            return []
        self.seen = fresh[0].seq
        d, q = self.listing.price_decimals, self.listing.qty_decimals
        rows = []
        for made in reversed(fresh):
            row: Message = {
                "T": made.ts_ms,
                "s": self.listing.symbol,
                "S": side_name(made.side),
                "v": plain(made.qty, q),
                "p": fixed(made.price, d),
                "i": made.trade_id,
                "BT": False,
                "RPI": False,
                "seq": made.seq,
            }
            if not self.listing.is_spot:
                row["L"] = "ZeroPlusTick"
            rows.append(row)
        return [{"topic": self.name, "type": "snapshot", "ts": state.now_ms, "data": rows}]


@dataclass(slots=True)
class _Candle(Topic):
    """kline.{interval}.SYMBOL: the open candle each second, and once more when it has closed."""

    interval: str = "1"
    start: int = 0
    told: tuple[int, ...] = ()

    def snapshot(self, state: State) -> Message | None:
        return None

    def news(self, state: State) -> list[Message]:
        self.listing.tape.reach(state.now_ms)
        rows = self.listing.tape.grouped(self.interval)[-2:].tolist()
        told = tuple(rows[-1])
        if told == self.told:
            return []
        self.told = told
        made = []
        if self.start and len(rows) == 2 and rows[0][C_TS] >= self.start != rows[1][C_TS]:
            made.append(self._message(state, rows[0], is_closed=True))
        self.start = rows[-1][C_TS]
        made.append(self._message(state, rows[-1], is_closed=False))
        return made

    def _message(self, state: State, row: list[int], *, is_closed: bool) -> Message:
        d, listing = self.listing.price_decimals, self.listing
        data = {
            "start": row[C_TS],
            "end": end_of(row[C_TS], self.interval),
            "interval": self.interval,
            "open": fixed(row[C_OPEN], d),
            "close": fixed(row[C_CLOSE], d),
            "high": fixed(row[C_HIGH], d),
            "low": fixed(row[C_LOW], d),
            "volume": plain(row[C_VOLUME], listing.qty_decimals),
            "turnover": plain(row[C_TURNOVER], listing.value_decimals),
            "confirm": is_closed,
            "timestamp": state.now_ms,
        }
        return {"topic": self.name, "data": [data], "ts": state.now_ms, "type": "snapshot"}


@dataclass(slots=True)
class _Liquidations(Topic):
    """allLiquidation.SYMBOL: liquidations of the market's accounts."""

    seen: int = -1

    def snapshot(self, state: State) -> Message | None:
        self.seen = len(state.liquidations) if self.seen < 0 else self.seen
        return None

    def news(self, state: State) -> list[Message]:
        fresh = list(state.liquidations)[max(self.seen, 0) :]
        self.seen = len(state.liquidations)
        rows = [
            {name: value for name, value in row.items() if name != "key"}
            for row in fresh
            if row["key"] == self.listing.key
        ]
        if not rows:
            return []
        return [{"topic": self.name, "type": "snapshot", "ts": state.now_ms, "data": rows}]


def make_topic(state: State, category: str, *, name: str) -> Topic | None:
    """Return a topic of a category's socket by its name; None where there is none of that name."""
    kind, _, rest = name.partition(".")
    parameter, _, symbol = rest.rpartition(".")
    listing = state.listings.get(f"{category}:{symbol}")
    if listing is None:
        return None
    if kind == "orderbook" and parameter.isdigit() and int(parameter) in BOOK_PERIODS_MS:
        return _Book(name, listing, BOOK_PERIODS_MS[int(parameter)], depth=int(parameter))
    if kind == "kline" and parameter in INTERVALS:
        return _Candle(name, listing, KLINE_MS, interval=parameter)
    if parameter:
        return None
    if kind == "tickers":
        return _Ticker(name, listing, 50 if listing.is_spot else TICKER_MS)
    if kind == "publicTrade":
        return _Trades(name, listing, TRADE_MS)
    if kind == "allLiquidation" and not listing.is_spot:
        return _Liquidations(name, listing, LIQUIDATION_MS)
    return None
