"""The thin client: Bybit's calls, typed and grouped by what they are about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from openalpha.core.clock import DAY_MS
from openalpha.core.errors import UnknownName, VenueUnavailable
from openalpha.core.orders import TriggerBy
from openalpha.venue.bybit.answers import NO_SUCH_SYMBOL, UNCHANGED, BybitRefused, FateUnknown
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.needed import lacking
from openalpha.venue.bybit.new_order import plain
from openalpha.venue.bybit.orders import Orders
from openalpha.venue.bybit.reading import maybe, side_of
from openalpha.venue.bybit.rows import (
    LogRow,
    PositionRow,
    Ticker,
    TradingRules,
    Wallet,
)

__all__ = ["AccountCalls", "BybitClient", "MarketCalls", "PositionCalls"]

_BY = {TriggerBy.LAST: "LastPrice", TriggerBy.MARK: "MarkPrice", TriggerBy.INDEX: "IndexPrice"}
_TRIES = 3
WEEK_MS = 7 * DAY_MS


class MarketCalls:
    """What everybody may ask."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def rules(self, category: str, *, symbol: str = "") -> list[TradingRules]:
        """Return the trading rules of a category's instruments, or of one.

        Raises
        ------
        UnknownName
            If there is no such instrument.
        """
        params = {"category": category, "symbol": symbol or None}
        if category != "spot":
            params["limit"] = "1000"
        call = Call("/v5/market/instruments-info", params, is_public=True)
        try:
            rows = self._channel.pages(call)
        except BybitRefused as refused:
            if not symbol or refused.code != NO_SUCH_SYMBOL:
                raise
            rows = []
        if symbol and not rows:
            raise UnknownName(f"Bybit has no {category} instrument {symbol}; see its list there")
        return [TradingRules.of(row, category) for row in rows]

    def tickers(self, category: str, *, symbol: str = "") -> list[Ticker]:
        """Return the prices now of a category's instruments, or of one."""
        params = {"category": category, "symbol": symbol or None}
        answer = self._channel.call(Call("/v5/market/tickers", params, is_public=True))
        return [Ticker.of(row) for row in answer.rows]


class AccountCalls:
    """The account's money and history."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def wallet(self) -> Wallet:
        """Return the unified account's money."""
        rows = self._channel.call(
            Call("/v5/account/wallet-balance", {"accountType": "UNIFIED"})
        ).rows
        return Wallet.of(rows[0] if rows else {})

    def set_dcp(self, product: str, *, window_s: int) -> None:
        """Have the venue cancel a product's orders once our sockets have been dead so long."""
        params = {"product": product, "timeWindow": window_s}
        _set(self._channel, "/v5/order/disconnected-cancel-all", params)

    def statement(
        self,
        *,
        coin: str = "",
        category: str = "",
        start_ms: int | None = None,
        end_ms: int | None = None,
        most: int | None = None,
    ) -> list[LogRow]:
        """Return the transaction log, newest first, of seven days at most.

        Without an end it is the seven days after the start; without either, the last day.

        Raises
        ------
        VenueUnavailable
            Also if a row does not say what it changed.
        """
        params = {
            "accountType": "UNIFIED",
            "currency": coin or None,
            "category": category or None,
            "startTime": start_ms,
            "endTime": _end_of(start_ms, end_ms),
            "limit": 50,
        }
        rows = self._channel.pages(Call("/v5/account/transaction-log", params), most_rows=most)
        return [LogRow.of(row) for row in _whole("statement", rows)]

    def key(self) -> Mapping[str, Any]:
        """Return what the venue says of the key itself."""
        return self._channel.call(Call("/v5/user/query-api", {})).result


class PositionCalls:
    """Positions and their settings. Setting what is set already is no error."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def held(self, category: str, *, symbol: str = "", settle: str = "") -> list[PositionRow]:
        """Return positions that hold something.

        Raises
        ------
        VenueUnavailable
            Also if a row says neither that it holds something nor that it does not.
        """
        params = {
            "category": category,
            "symbol": symbol or None,
            "settleCoin": settle or None,
            "limit": 200,
        }
        rows = self._channel.pages(Call("/v5/position/list", params))
        # One that has a side is held, even where its row does not say how much.
        _whole("positions", [row for row in rows if side_of(row) is None])
        held = [row for row in rows if side_of(row) is not None and maybe(row, "size") != 0]
        return [PositionRow.of(row, category) for row in held]

    def set_leverage(self, category: str, symbol: str, *, leverage: Decimal) -> bool:
        """Set the leverage of both sides; returns whether that changed anything."""
        text = plain(leverage)
        params = {"category": category, "symbol": symbol}
        params |= {"buyLeverage": text, "sellLeverage": text}
        return _set(self._channel, "/v5/position/set-leverage", params)

    def set_exits(
        self,
        position: PositionRow,
        *,
        stop_loss: Decimal | None = None,
        take_profit: Decimal | None = None,
        trailing_stop: Decimal | None = None,
        trigger_by: TriggerBy = TriggerBy.LAST,
    ) -> None:
        """Set, move or (by 0) remove the exits of a whole position; None leaves one as it is."""
        wanted = {
            "stopLoss": stop_loss,
            "takeProfit": take_profit,
            "trailingStop": trailing_stop,
        }
        params: dict[str, Any] = {
            "category": position.category,
            "symbol": position.symbol,
            "positionIdx": position.idx,
            "tpslMode": "Full",
        }
        params |= {name: plain(value) for name, value in wanted.items() if value is not None}
        if stop_loss is not None:
            params["slTriggerBy"] = _BY[trigger_by]
        if take_profit is not None:
            params["tpTriggerBy"] = _BY[trigger_by]
        _set(self._channel, "/v5/position/trading-stop", params)


class BybitClient:
    """All calls of one key, over one channel.

    Parameters
    ----------
    channel : Channel
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.market = MarketCalls(channel)
        self.account = AccountCalls(channel)
        self.positions = PositionCalls(channel)
        self.orders = Orders(channel)


def _end_of(start_ms: int | None, end_ms: int | None) -> int | None:
    """Return the end to ask for: without one the venue would tell a day of its log, not seven."""
    return start_ms + WEEK_MS - 1 if end_ms is None and start_ms is not None else end_ms


def _whole(kind: str, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return rows that say all that counts."""
    name = lacking(kind, rows)
    if name:
        raise VenueUnavailable(f"Bybit's answer about {kind} lacks a {name}; it is asked again")
    return rows


def _set(channel: Channel, path: str, params: Mapping[str, Any]) -> bool:
    """Send a setting until the venue has it; returns False where it had it before."""
    for tries in range(1, _TRIES + 1):
        try:
            channel.call(Call(path, params, is_write=True))
            return True
        except BybitRefused as refused:
            if refused.code not in UNCHANGED:
                raise
            return tries > 1
        except FateUnknown:
            if tries == _TRIES:
                raise
    raise AssertionError("the loop returns or raises")
