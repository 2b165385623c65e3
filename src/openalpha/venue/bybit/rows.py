"""What the venue shows, typed: orders, executions, positions, money, markets."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from openalpha.core.orders import OrderStatus, Role, Side
from openalpha.venue.bybit.needed import FILLS, lacking
from openalpha.venue.bybit.reading import amount, flag, maybe, side_of, status_of, text, whole

__all__ = [
    "CoinBalance",
    "Execution",
    "FeeRate",
    "LogRow",
    "OrderRow",
    "PositionRow",
    "Ticker",
    "TradingRules",
    "Wallet",
]

Row = Mapping[str, Any]

_RISES, _FALLS = 1, 2
_EXITS = frozenset(
    {"TakeProfit", "StopLoss", "TrailingStop", "PartialTakeProfit", "PartialStopLoss"}
)


@dataclass(frozen=True, slots=True)
class TradingRules:
    """What may be ordered of one instrument today."""

    category: str
    symbol: str
    status: str
    base: str
    quote: str
    settle: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    max_qty: Decimal | None
    max_market_qty: Decimal | None
    min_notional: Decimal
    max_leverage: Decimal
    funding_interval_min: int

    @classmethod
    def of(cls, row: Row, category: str) -> "TradingRules":
        """Read a row of instruments-info."""
        lot, price = _part(row, "lotSizeFilter"), _part(row, "priceFilter")
        is_spot = category == "spot"
        quote = text(row, "quoteCoin")
        return cls(
            category=category,
            symbol=text(row, "symbol"),
            status=text(row, "status"),
            base=text(row, "baseCoin"),
            quote=quote,
            settle=text(row, "settleCoin") or quote,
            tick_size=amount(price, "tickSize"),
            lot_size=amount(lot, "basePrecision" if is_spot else "qtyStep"),
            min_qty=amount(lot, "minOrderQty"),
            max_qty=maybe(lot, "maxLimitOrderQty" if is_spot else "maxOrderQty")
            or maybe(lot, "maxOrderQty"),
            max_market_qty=maybe(lot, "maxMarketOrderQty" if is_spot else "maxMktOrderQty"),
            min_notional=amount(lot, "minOrderAmt" if is_spot else "minNotionalValue"),
            max_leverage=maybe(_part(row, "leverageFilter"), "maxLeverage") or Decimal(1),
            funding_interval_min=whole(row, "fundingInterval"),
        )


@dataclass(frozen=True, slots=True)
class Ticker:
    """An instrument's prices now; None where the venue shows none."""

    symbol: str
    last: Decimal | None
    mark: Decimal | None
    index: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    funding_rate: Decimal | None
    next_funding_ms: int

    @classmethod
    def of(cls, row: Row) -> "Ticker":
        """Read a row of tickers."""
        return cls(
            symbol=text(row, "symbol"),
            last=maybe(row, "lastPrice"),
            mark=maybe(row, "markPrice"),
            index=maybe(row, "indexPrice"),
            bid=maybe(row, "bid1Price"),
            ask=maybe(row, "ask1Price"),
            funding_rate=maybe(row, "fundingRate"),
            next_funding_ms=whole(row, "nextFundingTime"),
        )


@dataclass(frozen=True, slots=True)
class CoinBalance:
    """One coin of an account, as the venue states it."""

    coin: str
    wallet: Decimal
    equity: Decimal
    unrealised_pnl: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account's money; sums in US dollars, None where the venue does not state them."""

    equity_usd: Decimal | None
    margin_balance_usd: Decimal | None
    available_usd: Decimal | None
    initial_margin_usd: Decimal | None
    maintenance_margin_usd: Decimal | None
    coins: tuple[CoinBalance, ...]

    @classmethod
    def of(cls, row: Row) -> "Wallet":
        """Read a row of wallet-balance."""
        coins = row.get("coin")
        return cls(
            equity_usd=maybe(row, "totalEquity"),
            margin_balance_usd=maybe(row, "totalMarginBalance"),
            available_usd=maybe(row, "totalAvailableBalance"),
            initial_margin_usd=maybe(row, "totalInitialMargin"),
            maintenance_margin_usd=maybe(row, "totalMaintenanceMargin"),
            coins=tuple(
                CoinBalance(
                    text(coin, "coin"),
                    amount(coin, "walletBalance"),
                    amount(coin, "equity"),
                    amount(coin, "unrealisedPnl"),
                    amount(coin, "locked"),
                )
                for coin in (coins if isinstance(coins, list) else [])
                if isinstance(coin, Mapping)
            ),
        )


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One position. `side` is None and `size` 0 where nothing is held."""

    category: str
    symbol: str
    idx: int
    side: Side | None
    size: Decimal
    avg_price: Decimal
    mark_price: Decimal
    leverage: Decimal
    liquidation_price: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    trailing_stop: Decimal | None
    unrealised_pnl: Decimal
    status: str
    updated_ms: int

    @classmethod
    def of(cls, row: Row, category: str) -> "PositionRow":
        """Read a row of position/list or of the position topic (which says entryPrice)."""
        return cls(
            category=category or text(row, "category"),
            symbol=text(row, "symbol"),
            idx=whole(row, "positionIdx"),
            side=side_of(row),
            size=amount(row, "size"),
            avg_price=amount(row, "avgPrice") or amount(row, "entryPrice"),
            mark_price=amount(row, "markPrice"),
            leverage=amount(row, "leverage"),
            liquidation_price=maybe(row, "liqPrice"),
            stop_loss=maybe(row, "stopLoss") or None,
            take_profit=maybe(row, "takeProfit") or None,
            trailing_stop=maybe(row, "trailingStop") or None,
            unrealised_pnl=amount(row, "unrealisedPnl"),
            status=text(row, "positionStatus"),
            updated_ms=whole(row, "updatedTime"),
        )


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as the venue knows it."""

    category: str
    symbol: str
    order_id: str
    link_id: str
    side: Side | None
    order_type: str
    status: OrderStatus
    venue_status: str
    price: Decimal | None
    qty: Decimal
    filled_qty: Decimal
    avg_price: Decimal | None
    time_in_force: str
    trigger_price: Decimal | None
    trigger_direction: int
    stop_kind: str
    is_reduce_only: bool
    closes_on_trigger: bool
    idx: int
    created_by: str
    cancelled_by: str
    reject_reason: str
    created_ms: int
    updated_ms: int

    @classmethod
    def of(cls, row: Row, category: str) -> "OrderRow":
        """Read a row of realtime, history or the order topic."""
        status = text(row, "orderStatus")
        qty, filled = amount(row, "qty"), maybe(row, "cumExecQty")
        if filled is None:
            filled = qty if status == "Filled" else Decimal(0)
        return cls(
            category=category or text(row, "category"),
            symbol=text(row, "symbol"),
            order_id=text(row, "orderId"),
            link_id=text(row, "orderLinkId"),
            side=side_of(row),
            order_type=text(row, "orderType"),
            status=status_of(status),
            venue_status=status,
            price=maybe(row, "price"),
            qty=qty,
            filled_qty=filled,
            avg_price=maybe(row, "avgPrice") or None,
            time_in_force=text(row, "timeInForce"),
            trigger_price=maybe(row, "triggerPrice") or None,
            trigger_direction=whole(row, "triggerDirection"),
            stop_kind=text(row, "stopOrderType"),
            is_reduce_only=flag(row, "reduceOnly"),
            closes_on_trigger=flag(row, "closeOnTrigger"),
            idx=whole(row, "positionIdx"),
            created_by=text(row, "createType"),
            cancelled_by=text(row, "cancelType"),
            reject_reason=text(row, "rejectReason"),
            created_ms=whole(row, "createdTime"),
            updated_ms=whole(row, "updatedTime"),
        )

    @property
    def is_protective(self) -> bool:
        """Whether it can only reduce: a stop or take-profit of a position, or reduce-only."""
        return self.is_reduce_only or self.closes_on_trigger or self.stop_kind in _EXITS

    @property
    def is_stop(self) -> bool:
        """Whether it ends a position as the price moves against it; a take-profit is none.

        A conditional order of a person's own is called Stop by the venue whichever way it waits.
        """
        profits = _RISES if self.side is Side.SELL else _FALLS
        is_kind = self.stop_kind in ("Stop", "StopLoss", "PartialStopLoss", "TrailingStop")
        return self.is_protective and is_kind and self.trigger_direction != profits


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution; `is_fill` says whether it changed a position (funding does not).

    `is_whole` says whether it tells all that counting it takes.
    """

    category: str
    symbol: str
    exec_id: str
    order_id: str
    link_id: str
    kind: str
    side: Side | None
    price: Decimal
    qty: Decimal
    value: Decimal
    closed_qty: Decimal
    fee: Decimal
    fee_coin: str
    role: Role
    ts_ms: int
    created_by: str = ""
    is_whole: bool = True

    @classmethod
    def of(cls, row: Row, category: str) -> "Execution":
        """Read a row of execution/list or of the execution topic."""
        return cls(
            category=category or text(row, "category"),
            symbol=text(row, "symbol"),
            exec_id=text(row, "execId"),
            order_id=text(row, "orderId"),
            link_id=text(row, "orderLinkId"),
            kind=text(row, "execType"),
            side=side_of(row),
            price=amount(row, "execPrice"),
            qty=amount(row, "execQty"),
            value=amount(row, "execValue"),
            closed_qty=amount(row, "closedSize"),
            fee=amount(row, "execFee"),
            fee_coin=text(row, "feeCurrency"),
            role=Role.MAKER if flag(row, "isMaker") else Role.TAKER,
            ts_ms=whole(row, "execTime"),
            created_by=text(row, "createType"),
            is_whole=not lacking("fills", [row]) and bool(category or text(row, "category")),
        )

    @property
    def is_fill(self) -> bool:
        """Whether it changed a position."""
        return self.kind in FILLS


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of the account's own statement: how a coin's balance changed."""

    id: str
    ts_ms: int
    coin: str
    kind: str
    category: str
    symbol: str
    change: Decimal
    cash_flow: Decimal
    funding: Decimal
    fee: Decimal
    balance: Decimal
    trade_id: str
    order_id: str
    link_id: str

    @classmethod
    def of(cls, row: Row) -> "LogRow":
        """Read a row of transaction-log."""
        return cls(
            id=text(row, "id"),
            ts_ms=whole(row, "transactionTime"),
            coin=text(row, "currency"),
            kind=text(row, "type"),
            category=text(row, "category"),
            symbol=text(row, "symbol"),
            change=amount(row, "change"),
            cash_flow=amount(row, "cashFlow"),
            funding=amount(row, "funding"),
            fee=amount(row, "fee"),
            balance=amount(row, "cashBalance"),
            trade_id=text(row, "tradeId"),
            order_id=text(row, "orderId"),
            link_id=text(row, "orderLinkId"),
        )


@dataclass(frozen=True, slots=True)
class FeeRate:
    """What an account pays on an instrument, fractions of the value; None: not stated."""

    symbol: str
    maker: Decimal | None
    taker: Decimal | None

    @classmethod
    def of(cls, row: Row) -> "FeeRate":
        """Read a row of fee-rate."""
        return cls(text(row, "symbol"), maybe(row, "makerFeeRate"), maybe(row, "takerFeeRate"))


def _part(row: Row, name: str) -> Row:
    part = row.get(name)
    return part if isinstance(part, Mapping) else {}
