"""Account views for the gate, said in a few words."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.messages import OrderIntent
from openalpha.core.orders import Side
from openalpha.core.reasons import Reason
from openalpha.risk.gate import Gate, Refusal
from openalpha.risk.limits import Limits
from openalpha.risk.view import AccountView, MarketNow, Stage, Standing, SubBook
from tests.fakes.small_market import START_MS, linear

BTC = linear("BTCUSDT")
ETH = linear("ETHUSDT")
WIDE: dict[str, Any] = {
    "max_position": Decimal("0.3"),
    "min_order": Decimal(0),
    "max_order": Decimal(0),
    "max_trades_per_day": 0,
    "risk_per_trade": Decimal("0.02"),
    "max_strategy": Decimal(0),
    "strategy_stop": Decimal(0),
    "cash_reserve": Decimal(0),
    "max_leverage": Decimal(0),
    "max_price_age_ms": 0,
}
"""No limit but those in code."""


def gate(**limits: Any) -> Gate:
    return Gate(Limits(**{**WIDE, **limits}))


def view(*books: SubBook, **more: Any) -> AccountView:
    """10,000 of equity; BTC at 100 and ETH at 50, fresh, traded at a leverage of 10."""
    prices = {BTC: Decimal(100), ETH: Decimal(50)}
    seen_ms = more.pop("seen_ms", START_MS)
    terms: dict[str, Any] = {
        "ts_ms": START_MS,
        "equity": Decimal(10_000),
        "free": Decimal(10_000),
        "markets": {
            rules.id: MarketNow(rules, price, seen_ms, leverage=Decimal(10))
            for rules, price in prices.items()
        },
        "books": books,
    }
    return AccountView(**terms | more)


def held(strategy: str, qty: str, *, of: Any = BTC, buying: str = "0") -> SubBook:
    return SubBook(strategy, of.id, Decimal(qty), Decimal(buying))


def buy(qty: str, *, of: Any = BTC, strategy: str = "ma", **more: Any) -> OrderIntent:
    return OrderIntent(START_MS, of.id, Side.BUY, Decimal(qty), strategy=strategy, **more)


def sell(qty: str, *, of: Any = BTC, strategy: str = "ma", **more: Any) -> OrderIntent:
    return OrderIntent(START_MS, of.id, Side.SELL, Decimal(qty), strategy=strategy, **more)


def at(stage: Stage, reason: Reason = Reason.BREAKER_STALE) -> Standing:
    return Standing(stage, reason, "because")


def said(answers: Sequence[Any]) -> list[Reason]:
    """The reasons of refusals; NONE where it was approved."""
    return [one.reason if isinstance(one, Refusal) else Reason.NONE for one in answers]
