"""Bybit's public sockets: what one category's markets do, as it is pushed, in typed messages.

A book is only as good as its sequence: a change that does not follow the one before makes the line
open anew, which begins with whole books.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openalpha.net.socket_line import LineTerms, SocketLine
from openalpha.venue.bybit.hosts import socket_url

if TYPE_CHECKING:
    from openalpha.net.socket_connection import SocketConnection

__all__ = ["BookChange", "Candle", "Message", "PublicLine", "Trade", "read_message"]

_LARGE = 4096
_ASKED_AT_ONCE = 10
"""Topics in one subscription: spot takes no more."""


@dataclass(frozen=True, slots=True)
class Candle:
    """A bar as pushed: `values` are open, high, low, close and volume in the venue's decimals."""

    symbol: str
    start_ms: int
    values: tuple[str, str, str, str, str]
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade; `side` is the taker's: Buy or Sell."""

    symbol: str
    ts_ms: int
    side: str
    price: str
    qty: str
    trade_id: str


@dataclass(frozen=True, slots=True)
class BookChange:
    """A whole book or what changed of it; a quantity of 0 takes a price away."""

    symbol: str
    ts_ms: int
    is_snapshot: bool
    update: int
    bids: tuple[tuple[str, str], ...]
    asks: tuple[tuple[str, str], ...]


Message = Candle | Trade | BookChange


class PublicLine:
    """The public socket of one category.

    Parameters
    ----------
    url : str
        The server, as of REST.
    category : str
        linear, inverse or spot.
    topics : sequence of str
        As `kline.1.BTCUSDT`.
    on_message : callable
        Told every message of these topics, in the thread that reads.
    on_change : callable
        Told True once it listens, False once it does not any more.
    may_sleep_s : callable, optional
        As of `SocketLine`.
    """

    def __init__(
        self,
        url: str,
        category: str,
        *,
        topics: Sequence[str],
        on_message: Callable[[Message], None],
        on_change: Callable[[bool], None],
        terms: LineTerms | None = None,
        may_sleep_s: Callable[[], float] | None = None,
    ) -> None:
        self._topics, self._on_message = tuple(topics), on_message
        self._updates: dict[str, int] = {}
        self.gaps, self._text = 0, ""
        self._line = SocketLine(
            socket_url(url, f"public/{category}"),
            greet=self._greet,
            on_text=self._hear,
            on_change=on_change,
            terms=terms,
            may_sleep_s=may_sleep_s,
        )

    def start(self) -> None:
        """Begin to listen."""
        self._line.start()

    def close(self) -> None:
        """Hang up; safe to repeat."""
        self._line.close()

    def _greet(self, socket: "SocketConnection") -> bool:
        self._updates.clear()
        for first in range(0, len(self._topics), _ASKED_AT_ONCE):
            args = list(self._topics[first : first + _ASKED_AT_ONCE])
            socket.send(json.dumps({"op": "subscribe", "args": args}))
        return True

    def read_again(self) -> None:
        """Read the last message once more, unless it is a whole book, and tell nobody."""
        if len(self._text) < _LARGE:
            read_message(self._text)

    def _hear(self, text: str) -> None:
        self._text = text
        for message in read_message(text):
            if isinstance(message, BookChange) and not self._follows(message):
                self.gaps += 1
                self._line.reopen()
                return
            self._on_message(message)

    def _follows(self, change: BookChange) -> bool:
        before = self._updates.get(change.symbol)
        # A book begins, or begins again after a restart of the service, with all of it.
        is_next = change.is_snapshot or (before is not None and change.update == before + 1)
        if is_next:
            self._updates[change.symbol] = change.update
        return is_next


def read_message(text: str) -> list[Message]:
    """Return what a text of the public socket says; nothing for what nobody asked for.

    Fields that are missing or new break nothing; a text that is no message is left out.

    Examples
    --------
    >>> read_message('{"op":"pong"}'), read_message("{")
    ([], [])
    """
    try:
        content = json.loads(text)
        kind, _, rest = str(content["topic"]).partition(".")
        reader = _READERS.get(kind)
        return [] if reader is None else reader(content, rest.rpartition(".")[2])
    except (ValueError, KeyError, TypeError):
        return []


def _candles(content: Mapping[str, Any], symbol: str) -> list[Message]:
    return [
        Candle(
            symbol,
            int(row["start"]),
            (row["open"], row["high"], row["low"], row["close"], row["volume"]),
            bool(row["confirm"]),
        )
        for row in content["data"]
    ]


def _trades(content: Mapping[str, Any], symbol: str) -> list[Message]:
    return [
        Trade(symbol, int(row["T"]), row["S"], row["p"], row["v"], str(row["i"]))
        for row in content["data"]
    ]


def _book(content: Mapping[str, Any], symbol: str) -> list[Message]:
    data = content["data"]
    bids, asks = (tuple((row[0], row[1]) for row in data.get(side, ())) for side in ("b", "a"))
    update = int(data["u"])
    is_snapshot = content["type"] == "snapshot" or update == 1
    ts_ms = int(content.get("cts") or content["ts"])
    return [BookChange(symbol, ts_ms, is_snapshot, update, bids, asks)]


_READERS: Mapping[str, Callable[[Mapping[str, Any], str], list[Message]]] = {
    "kline": _candles,
    "publicTrade": _trades,
    "orderbook": _book,
}
