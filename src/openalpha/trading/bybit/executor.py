"""Carries requests out at Bybit and says what became of each, as a reply for the log.

It keeps nothing and decides nothing: a write of unknown fate is said to be so, never repeated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from openalpha.core.errors import OpenAlphaError, VenueUnavailable
from openalpha.trading.bybit.replies import Outcome, Reply
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.venue.bybit.answers import (
    NOT_FOUND,
    Answer,
    BybitRefused,
    FateUnknown,
    NotNow,
    StaleClock,
)
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.rows import PositionRow
from openalpha.venue.bybit.trade_line import TradeLine

__all__ = ["SETTLE_COINS", "Executor"]

SETTLE_COINS = {
    "linear": ("USDT", "USDC"),
    "inverse": ("BTC", "ETH", "XRP", "SOL", "DOT", "ADA", "LTC", "MNT"),
    "spot": ("",),
}
"""Coins to ask for where the venue wants one named."""

_TRIES = 5
_MOST_DAYS_MS = 7 * 24 * 3_600_000
_ORDERS = {
    RequestKind.PLACE: "create",
    RequestKind.CANCEL: "cancel",
    RequestKind.AMEND: "amend",
}
_WRITES = {*_ORDERS, RequestKind.SET_UP}
_CALLS = {"leverage": "set-leverage", "exits": "trading-stop", "mode": "switch-mode"}

Row = Mapping[str, Any]
_Found = tuple[list[Row], list[tuple[int, str]], int]


@dataclass(frozen=True, slots=True)
class _Pages:
    """A listing to be read whole."""

    path: str
    params: Row
    limit: int
    coins: tuple[str, ...] = ("",)


@dataclass(slots=True)
class _Turn:
    """One request being carried out, and what the venue's last answer left of its rate limit."""

    request: Request
    rate_left: str = ""

    def heard(self, answer: Answer) -> Answer:
        """Note an answer."""
        if answer.rate_left is not None:
            self.rate_left = str(answer.rate_left)
        return answer


class Executor:
    """Carries out the requests of one account.

    Parameters
    ----------
    channel : Channel
        Bounded in time; its window is the one of the side's terms.
    settle_coins : mapping of category to coins, optional
    line : TradeLine, optional
        Where orders are begun at once; led by the caller. Without it they are calls like others.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        settle_coins: Mapping[str, tuple[str, ...]] | None = None,
        line: TradeLine | None = None,
    ) -> None:
        self._channel, self._line = channel, line
        self._coins = SETTLE_COINS if settle_coins is None else settle_coins
        self._acts: dict[RequestKind, Callable[[_Turn], _Found]] = {
            **dict.fromkeys(_ORDERS, self._order),
            RequestKind.ASK_ORDERS: self._ask_orders,
            RequestKind.ASK_FILLS: self._ask_fills,
            RequestKind.ASK_ACCOUNT: self._ask_account,
            RequestKind.ASK_MARKET: self._ask_market,
            RequestKind.SET_UP: self._set_up,
        }

    def carry_out(self, request: Request) -> bytes:
        """Carry a request out; returns the payload of the REPLY input that tells of it.

        Never raises for what the venue or the network does.
        """
        turn = _Turn(request)
        return self._told(turn, self._channel.now_ms(), lambda: self._acts[request.kind](turn))

    def begin(self, request: Request, done: Callable[[bytes | None], object]) -> bool:
        """Send orders over the trade socket at once, if they can go out this moment.

        Parameters
        ----------
        done : callable
            Given, in any thread, the payload of the REPLY input; None: the venue did not carry it
            out and said so, let it be carried out the other way.

        Returns
        -------
        bool
            Whether it was sent; if not, `done` is never called.
        """
        line = self._line
        if line is None or request.kind not in _ORDERS or not line.is_ready:
            return False
        call, sent_ms = _order_call(request), self._channel.now_ms()
        stamp_ms = self._channel.leave(call)
        if stamp_ms is None:
            return False

        def hear(result: Answer | OpenAlphaError) -> None:
            if isinstance(result, NotNow):
                self._channel.busy(call, result)
            elif isinstance(result, StaleClock):
                self._channel.forget_offset()
            is_unknown = isinstance(result, FateUnknown)
            if isinstance(result, VenueUnavailable) and not is_unknown:
                done(None)
                return
            turn = _Turn(request)

            def found() -> _Found:
                if isinstance(result, OpenAlphaError):
                    raise result
                return _order_found(request, turn.heard(result))

            done(self._told(turn, sent_ms, found))

        line.send(call, stamp_ms=stamp_ms, window_ms=self._channel.window_ms, done=hear)
        self._channel.went(call)
        return True

    def prepare(self) -> None:
        """Let the trade socket, where there is one, be used just before it counts."""
        if self._line is not None:
            self._line.ping()

    def rehearse(self, request: Request) -> None:
        """Do what `begin` does, and send nothing."""
        if self._line is not None and request.kind in _ORDERS and self._line.is_ready:
            call = _order_call(request)
            stamp_ms = self._channel.leave(call) or 0
            self._line.rehearse(call, stamp_ms=stamp_ms, window_ms=self._channel.window_ms)

    def _told(self, turn: _Turn, sent_ms: int, act: Callable[[], _Found]) -> bytes:
        said = dict[str, Any]()
        try:
            rows, items, ts_ms = act()
        except BybitRefused as refused:
            outcome, said = Outcome.REFUSED, {"code": refused.code, "words": refused.message}
        except FateUnknown as unknown:
            is_write = turn.request.kind in _WRITES
            outcome = Outcome.UNKNOWN if is_write else Outcome.NOT_SENT
            said = {"words": unknown.message}
        except VenueUnavailable as away:
            outcome, said = Outcome.NOT_SENT, {"words": away.message}
            if isinstance(away, NotNow):
                turn.rate_left = "0"
        else:
            outcome = Outcome.ANSWER
            said = {"rows": tuple(rows), "items": tuple(items), "ts_ms": ts_ms}
        told = {"sent_ms": sent_ms, "rate_left": turn.rate_left, **said}
        return Reply.to(turn.request, outcome, **told).payload()

    # writes

    def _order(self, turn: _Turn) -> _Found:
        return _order_found(turn.request, turn.heard(self._channel.call(_order_call(turn.request))))

    def _set_up(self, turn: _Turn) -> _Found:
        params = {name: value for name, value in turn.request.params.items() if name != "what"}
        path = f"/v5/position/{_CALLS[turn.request.params['what']]}"
        call = Call(path, params, is_write=True, priority=turn.request.priority)
        answer = turn.heard(self._channel.call(call))
        return [answer.result], [], answer.ts_ms

    def _read(self, turn: _Turn, path: str, params: Row) -> Answer:
        return turn.heard(self._channel.call(Call(path, params, priority=turn.request.priority)))

    # questions

    def _ask_orders(self, turn: _Turn) -> _Found:
        if not turn.request.link_ids:
            coins = self._coins[turn.request.params["category"]]
            pages = _Pages("/v5/order/realtime", turn.request.params, limit=50, coins=coins)
            return self._pages(turn, pages)
        # A closed order may have left the one list and not yet be in the other: the open one again.
        first_ms = 0
        for path in ("realtime", "history", "realtime"):
            try:
                answer = self._read(turn, f"/v5/order/{path}", turn.request.params)
            except BybitRefused as refused:
                if refused.code not in NOT_FOUND:
                    raise
                continue
            first_ms = first_ms or answer.ts_ms
            wanted = turn.request.params["orderLinkId"]
            rows = [row for row in answer.rows if row.get("orderLinkId") == wanted]
            if rows:
                return rows, [], answer.ts_ms
        return [], [], first_ms

    def _ask_fills(self, turn: _Turn) -> _Found:
        params = dict(turn.request.params)
        if "startTime" in params:
            return self._since(turn, _Pages("/v5/execution/list", params, limit=100))
        return self._pages(turn, _Pages("/v5/execution/list", params, limit=100))

    def _ask_account(self, turn: _Turn) -> _Found:
        what, category = turn.request.params["what"], turn.request.params.get("category", "")
        if what == "ground":
            return self._ground(turn, category)
        if what == "positions":
            coins = self._coins[category]
            params = {"category": category}
            pages = _Pages("/v5/position/list", params, limit=200, coins=coins)
            return self._pages(turn, pages)
        params = {"accountType": "UNIFIED"}
        if what == "wallet":
            answer = self._read(turn, "/v5/account/wallet-balance", params)
            return answer.rows, [], answer.ts_ms
        path = "/v5/account/transaction-log"
        if "startTime" not in turn.request.params:
            answer = self._read(turn, path, {**params, "limit": 50})
            return answer.rows, [], answer.ts_ms
        params["startTime"] = turn.request.params["startTime"]
        return self._since(turn, _Pages(path, params, limit=50))

    def _ask_market(self, turn: _Turn) -> _Found:
        answer = self._channel.call(
            Call(
                "/v5/market/tickers",
                turn.request.params,
                is_public=True,
                priority=turn.request.priority,
            )
        )
        return answer.rows, [], answer.ts_ms

    def _ground(self, turn: _Turn, category: str) -> _Found:
        """Positions together with the last executions behind them: none came in between."""
        path, latest = "/v5/execution/list", {"category": category, "limit": 100}
        before = self._read(turn, path, latest)
        for _ in range(_TRIES):
            positions: list[Row] = []
            if category != "spot":
                coins, params = self._coins[category], {"category": category}
                pages = _Pages("/v5/position/list", params, limit=200, coins=coins)
                positions = self._pages(turn, pages)[0]
            after = self._read(turn, path, latest)
            if [row.get("execId") for row in after.rows] == [
                row.get("execId") for row in before.rows
            ]:
                held = [row for row in positions if PositionRow.of(row, category).size]
                return [{"positions": held, "executions": after.rows}], [], after.ts_ms
            before = after
        raise VenueUnavailable("the account trades too busily to be read at one moment")

    def _since(self, turn: _Turn, pages: _Pages) -> _Found:
        """All rows since a moment, newest first; the venue answers seven days at a time."""
        now_ms = self._channel.server_ms()
        rows: list[Row] = []
        ts_ms = 0
        for start_ms in range(int(pages.params["startTime"]), now_ms + 1, _MOST_DAYS_MS):
            # Without an end the statement would be told for a day only.
            end_ms = start_ms + _MOST_DAYS_MS - 1
            window = {**pages.params, "startTime": str(start_ms), "endTime": str(end_ms)}
            found, _, answered_ms = self._pages(turn, replace(pages, params=window))
            rows, ts_ms = found + rows, ts_ms or answered_ms
        return rows, [], ts_ms

    def _pages(self, turn: _Turn, pages: _Pages) -> _Found:
        rows: list[Row] = []
        ts_ms = 0
        for coin in pages.coins:
            cursor, seen = "", set[str]()
            while cursor not in seen:
                seen.add(cursor)
                more = {"settleCoin": coin or None, "limit": pages.limit, "cursor": cursor or None}
                answer = self._read(turn, pages.path, {**pages.params, **more})
                rows += answer.rows
                ts_ms = ts_ms or answer.ts_ms
                cursor = answer.cursor if answer.rows else ""
        return rows, [], ts_ms


def _order_call(request: Request) -> Call:
    """One order by itself, several as a batch."""
    path, params, cost = f"/v5/order/{_ORDERS[request.kind]}", request.params, 1
    if request.kind is not RequestKind.AMEND:
        category, orders = params["category"], params["orders"]
        if len(orders) == 1:
            params = {"category": category, **orders[0]}
        else:
            path, cost = f"{path}-batch", len(orders)
            params = {"category": category, "request": [_uncategorised(one) for one in orders]}
    return Call(path, params, is_write=True, cost=cost, priority=request.priority)


def _order_found(request: Request, answer: Answer) -> _Found:
    """Each item of a batch is taken or refused alone."""
    if request.kind is RequestKind.AMEND:
        return [answer.result], [], answer.ts_ms
    count = len(request.params["orders"])
    if count == 1:
        return [answer.result], [(0, "OK")], answer.ts_ms
    codes = [*answer.items, *[(-1, "no word of it")] * count]
    return answer.rows, codes[:count], answer.ts_ms


def _uncategorised(order: Row) -> Row:
    return {name: value for name, value in order.items() if name != "category"}
