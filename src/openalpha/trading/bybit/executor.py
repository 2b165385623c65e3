"""Carries requests out at Bybit and says what became of each, as a reply for the log.

It keeps nothing and decides nothing: a write of unknown fate is said to be so, never repeated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from openalpha.core.errors import VenueUnavailable
from openalpha.trading.bybit.replies import Outcome, Reply
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.venue.bybit.answers import NOT_FOUND, Answer, BybitRefused, FateUnknown, NotNow
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.rows import PositionRow

__all__ = ["SETTLE_COINS", "Executor"]

SETTLE_COINS = {
    "linear": ("USDT", "USDC"),
    "inverse": ("BTC", "ETH", "XRP", "SOL", "DOT", "ADA", "LTC", "MNT"),
    "spot": ("",),
}
"""Coins to ask for where the venue wants one named."""

_TRIES = 5
_MOST_DAYS_MS = 7 * 24 * 3_600_000
_WRITES = {RequestKind.PLACE, RequestKind.CANCEL, RequestKind.AMEND, RequestKind.SET_UP}
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
    """

    def __init__(
        self, channel: Channel, *, settle_coins: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._channel = channel
        self._coins = SETTLE_COINS if settle_coins is None else settle_coins
        self._acts: dict[RequestKind, Callable[[_Turn], _Found]] = {
            RequestKind.PLACE: self._place,
            RequestKind.CANCEL: self._cancel,
            RequestKind.AMEND: self._amend,
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
        turn, said = _Turn(request), dict[str, Any]()
        sent_ms = self._channel.now_ms()
        try:
            rows, items, ts_ms = self._acts[request.kind](turn)
        except BybitRefused as refused:
            outcome, said = Outcome.REFUSED, {"code": refused.code, "words": refused.message}
        except FateUnknown as unknown:
            is_write = request.kind in _WRITES
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
        return Reply.to(request, outcome, **told).payload()

    # writes

    def _place(self, turn: _Turn) -> _Found:
        return self._each("create", turn)

    def _cancel(self, turn: _Turn) -> _Found:
        return self._each("cancel", turn)

    def _each(self, what: str, turn: _Turn) -> _Found:
        """One order by itself, several as a batch: each item of it is taken or refused alone."""
        category, orders = turn.request.params["category"], turn.request.params["orders"]
        if len(orders) == 1:
            params = {"category": category, **orders[0]}
            answer = self._write(turn, f"/v5/order/{what}", params)
            return [answer.result], [(0, "OK")], answer.ts_ms
        items = [
            {name: value for name, value in one.items() if name != "category"} for one in orders
        ]
        params = {"category": category, "request": items}
        answer = self._write(turn, f"/v5/order/{what}-batch", params, cost=len(items))
        codes = [*answer.items, *[(-1, "no word of it")] * len(items)]
        return answer.rows, codes[: len(items)], answer.ts_ms

    def _amend(self, turn: _Turn) -> _Found:
        answer = self._write(turn, "/v5/order/amend", turn.request.params)
        return [answer.result], [], answer.ts_ms

    def _set_up(self, turn: _Turn) -> _Found:
        params = {name: value for name, value in turn.request.params.items() if name != "what"}
        path = f"/v5/position/{_CALLS[turn.request.params['what']]}"
        answer = self._write(turn, path, params)
        return [answer.result], [], answer.ts_ms

    def _write(self, turn: _Turn, path: str, params: Row, *, cost: int = 1) -> Answer:
        call = Call(path, params, is_write=True, cost=cost, priority=turn.request.priority)
        return turn.heard(self._channel.call(call))

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
            end_ms = start_ms + _MOST_DAYS_MS - 1
            window = {**pages.params, "startTime": str(start_ms)}
            if end_ms < now_ms:
                window["endTime"] = str(end_ms)
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
