"""The thin client: Bybit's calls, typed and grouped by what they are about."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from openalpha.core.errors import UnknownName
from openalpha.core.orders import MarginMode, PositionMode, TriggerBy
from openalpha.venue.bybit.answers import UNCHANGED, BybitRefused, FateUnknown
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.new_order import plain
from openalpha.venue.bybit.orders import Orders
from openalpha.venue.bybit.rows import (
    ClosedPnl,
    Execution,
    FeeRate,
    LogRow,
    PositionRow,
    Ticker,
    TradingRules,
    Wallet,
)

__all__ = ["AccountCalls", "BybitClient", "MarketCalls", "PositionCalls"]

_BY = {TriggerBy.LAST: "LastPrice", TriggerBy.MARK: "MarkPrice", TriggerBy.INDEX: "IndexPrice"}
_MARGIN = {MarginMode.CROSS: "REGULAR_MARGIN", MarginMode.ISOLATED: "ISOLATED_MARGIN"}
_TRIES = 3


class MarketCalls:
    """What everybody may ask."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def time_ms(self) -> int:
        """Return the venue's time, UTC ms."""
        return self._channel.server_ms()

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
            if not symbol or refused.code != 10001:
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

    def info(self) -> Mapping[str, Any]:
        """Return the account's modes, as the venue says them."""
        return self._channel.call(Call("/v5/account/info", {})).result

    def margin_mode(self) -> MarginMode:
        """Return whether margin is shared or locked to positions."""
        is_isolated = self.info().get("marginMode") == _MARGIN[MarginMode.ISOLATED]
        return MarginMode.ISOLATED if is_isolated else MarginMode.CROSS

    def set_margin_mode(self, mode: MarginMode) -> None:
        """Switch the whole account between cross and isolated."""
        _set(self._channel, "/v5/account/set-margin-mode", {"setMarginMode": _MARGIN[mode]})

    def fee_rates(self, category: str, *, symbol: str = "") -> list[FeeRate]:
        """Return what the account pays."""
        params = {"category": category, "symbol": symbol or None}
        return [
            FeeRate.of(row) for row in self._channel.call(Call("/v5/account/fee-rate", params)).rows
        ]

    def statement(
        self,
        *,
        coin: str = "",
        category: str = "",
        start_ms: int | None = None,
        end_ms: int | None = None,
        most: int | None = None,
    ) -> list[LogRow]:
        """Return the transaction log, newest first; the venue answers seven days at a time."""
        params = {
            "accountType": "UNIFIED",
            "currency": coin or None,
            "category": category or None,
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": 50,
        }
        rows = self._channel.pages(Call("/v5/account/transaction-log", params), most_rows=most)
        return [LogRow.of(row) for row in rows]

    def executions(
        self,
        category: str,
        *,
        symbol: str = "",
        link_id: str = "",
        start_ms: int | None = None,
        end_ms: int | None = None,
        most: int | None = None,
    ) -> list[Execution]:
        """Return executions, newest first; funding is among them (`is_fill` tells)."""
        params = {
            "category": category,
            "symbol": symbol or None,
            "orderLinkId": link_id or None,
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": 100,
        }
        rows = self._channel.pages(Call("/v5/execution/list", params), most_rows=most)
        return [Execution.of(row, category) for row in rows]

    def key(self) -> Mapping[str, Any]:
        """Return what the venue says of the key itself."""
        return self._channel.call(Call("/v5/user/query-api", {})).result


class PositionCalls:
    """Positions and their settings. Setting what is set already is no error."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def held(self, category: str, *, symbol: str = "", settle: str = "") -> list[PositionRow]:
        """Return positions that hold something."""
        params = {
            "category": category,
            "symbol": symbol or None,
            "settleCoin": settle or None,
            "limit": 200,
        }
        rows = self._channel.pages(Call("/v5/position/list", params))
        positions = (PositionRow.of(row, category) for row in rows)
        return [position for position in positions if position.size > 0]

    def legs(self, category: str, symbol: str) -> list[PositionRow]:
        """Return an instrument's rows, empty ones too: one in one-way mode, two in hedge."""
        rows = self._channel.call(
            Call("/v5/position/list", {"category": category, "symbol": symbol})
        ).rows
        return [PositionRow.of(row, category) for row in rows]

    def mode(self, symbol: str) -> PositionMode:
        """Return whether a linear instrument is traded one-way or hedged."""
        is_hedged = any(row.idx for row in self.legs("linear", symbol))
        return PositionMode.HEDGE if is_hedged else PositionMode.ONE_WAY

    def set_leverage(self, category: str, symbol: str, *, leverage: Decimal) -> None:
        """Set the leverage of both sides."""
        text = plain(leverage)
        params = {"category": category, "symbol": symbol}
        params |= {"buyLeverage": text, "sellLeverage": text}
        _set(self._channel, "/v5/position/set-leverage", params)

    def set_mode(self, mode: PositionMode, *, symbol: str = "", coin: str = "") -> None:
        """Switch linear instruments (one, or all of a settle coin) to one-way or hedge."""
        params = {
            "category": "linear",
            "symbol": symbol or None,
            "coin": coin or None,
            "mode": 3 if mode is PositionMode.HEDGE else 0,
        }
        _set(self._channel, "/v5/position/switch-mode", params)

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

    def closed(
        self,
        category: str,
        *,
        symbol: str = "",
        start_ms: int | None = None,
        end_ms: int | None = None,
        most: int | None = None,
    ) -> list[ClosedPnl]:
        """Return what closing orders made, newest first."""
        params = {
            "category": category,
            "symbol": symbol or None,
            "startTime": start_ms,
            "endTime": end_ms,
            "limit": 100,
        }
        rows = self._channel.pages(Call("/v5/position/closed-pnl", params), most_rows=most)
        return [ClosedPnl.of(row) for row in rows]


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


def _set(channel: Channel, path: str, params: Mapping[str, Any]) -> None:
    """Send a setting until the venue has it: doing it twice is the same as once."""
    for tries in range(1, _TRIES + 1):
        try:
            channel.call(Call(path, params, is_write=True))
            return
        except BybitRefused as refused:
            if refused.code not in UNCHANGED:
                raise
            return
        except FateUnknown:
            if tries == _TRIES:
                raise
