"""A side's whole state as bytes and back, exactly."""

import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from openalpha.core.instruments import Kind
from openalpha.core.orders import OrderStatus, Side
from openalpha.store.run_log import canonical_json
from openalpha.trading.bybit.account import Account
from openalpha.trading.bybit.reconcile import Suspicions
from openalpha.trading.bybit.statement import Statement
from openalpha.trading.bybit.stops import Stops
from openalpha.trading.orders.held import Holding
from openalpha.trading.orders.record import LiveOrder, OrderRecord, Pending

__all__ = ["freeze", "thaw"]

_DECIMALS = (
    "qty",
    "filled_qty",
    "filled_value",
    "reported_qty",
    "most_qty",
    "limit_price",
    "trigger_price",
)
_PLAIN = (
    "polls",
    "is_grounded",
    "later",
    "fills_since_ms",
    "foreign",
    "fills_heard",
    "fill_answers",
    "cut",
)


def freeze(record: OrderRecord, account: Account, *, stops: Stops, now_ms: int) -> bytes:
    """Return the state as bytes: the same state, the same bytes."""
    content = {
        "now_ms": now_ms,
        "stops": stops.frozen(),
        "orders": [_order(order) for order in record.orders.values()],
        "exec_ids": record.exec_ids,
        "count": record.count,
        "fills": record.fills,
        "account": {name: getattr(account, name) for name in _PLAIN},
        "waiting": sorted(account.waiting),
        "holdings": {key: _holding(held) for key, held in account.holdings.items()},
        "marks": _texts(account.marks),
        "suspicions": account.suspicions.seen,
        "statement": {
            "opening": _texts(account.statement.opening),
            "since_ms": account.statement.since_ms,
            "told_ms": account.statement.told_ms,
            "balances": _texts(account.statement.balances),
            "ids": account.statement.ids,
            "count": account.statement.count,
        },
    }
    return canonical_json(content)


def thaw(state: bytes) -> tuple[OrderRecord, Account, Stops, int]:
    """Return what `freeze` was given."""
    content = json.loads(state)
    record = OrderRecord(
        exec_ids=content["exec_ids"], count=content["count"], fills=content["fills"]
    )
    for raw in sorted(content["orders"], key=lambda raw: int(raw["number"])):
        order = _live(raw)
        record.orders[order.link_id] = order
        record.bind(order, order.order_id)
        if not order.is_settled:
            record.watch(order)
    statement = content["statement"]
    account = Account(
        waiting=set(content["waiting"]),
        holdings={key: _held(raw) for key, raw in content["holdings"].items()},
        marks=_decimals(content["marks"]),
        suspicions=Suspicions(
            {key: (words, at, looks) for key, (words, at, looks) in content["suspicions"].items()}
        ),
        statement=Statement(
            opening=_decimals(statement["opening"]),
            since_ms=statement["since_ms"],
            told_ms=statement["told_ms"],
            balances=_decimals(statement["balances"]),
            ids=statement["ids"],
            count=statement["count"],
        ),
        **content["account"],
    )
    return record, account, Stops.thawed(content["stops"]), content["now_ms"]


def _order(order: LiveOrder) -> dict[str, Any]:
    content = {part.name: getattr(order, part.name) for part in fields(order)}
    content |= {name: _text(content[name]) for name in _DECIMALS}
    content["wish"] = _texts(order.wish)
    return content


def _live(raw: dict[str, Any]) -> LiveOrder:
    numbers = {name: None if raw[name] is None else Decimal(raw[name]) for name in _DECIMALS}
    content = raw | numbers
    content["side"], content["status"] = Side(raw["side"]), OrderStatus(raw["status"])
    content["pending"], content["wish"] = Pending(raw["pending"]), _decimals(raw["wish"])
    return LiveOrder(**content)


def _holding(held: Holding) -> dict[str, Any]:
    return {
        "kind": int(held.kind),
        "now": [str(held.qty), str(held.avg_price), str(held.realised)],
        "base": [str(value) for value in held.base],
        "recent": [[*row, str(qty), str(price)] for *row, qty, price in held.recent],
    }


def _held(raw: Mapping[str, Any]) -> Holding:
    qty, avg_price, realised = (Decimal(value) for value in raw["now"])
    before, price_before, realised_before = (Decimal(value) for value in raw["base"])
    recent = [
        (name, ts_ms, side, Decimal(qty), Decimal(price))
        for name, ts_ms, side, qty, price in raw["recent"]
    ]
    base = (before, price_before, realised_before)
    return Holding(Kind(raw["kind"]), qty, avg_price, realised, base, recent)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _texts(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _decimals(values: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}
