"""Where a run stands, as a document: positions, open orders, balances, what it is doing."""

import os
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from openalpha.core.units import from_units
from openalpha.engine.rows import KernelAccount
from openalpha.trading.paper.desk import Desk, Mode
from openalpha.trading.paper.posting import venue_accounts
from openalpha.trading.run.plan import RunPlan
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64

__all__ = ["Led", "head_of", "share_row", "status_of"]

_TRIGGERS = ("", "stop", "take_profit", "trailing")


class Led(Protocol):
    """A desk, as far as every status tells of it."""

    plan: RunPlan
    mode: Mode
    why: str
    last_row_ms: int
    rows: int


def head_of(
    desk: Led, *, run_id: str, said_ms: int, last_ts_ms: int, is_led: bool
) -> dict[str, Any]:
    """Return what the status of every run begins with; its parameters are those of `status_of`."""
    return {
        "schema": "openalpha.run-status/1",
        "run": run_id,
        "environment": desk.plan.environment.name.lower(),
        "mode": desk.mode.value,
        "why": desk.why,
        "process": os.getpid() if is_led else None,
        "said_ms": said_ms,
        "last_ts_ms": last_ts_ms,
        "last_row_ms": desk.last_row_ms,
        "rows": desk.rows,
    }


def status_of(
    desk: Desk,
    *,
    run_id: str,
    said_ms: int,
    last_ts_ms: int,
    is_led: bool,
    ledger_checks: int,
) -> dict[str, Any]:
    """Return where a run stands, decimals as texts.

    Parameters
    ----------
    said_ms : int
        Now, UTC ms.
    last_ts_ms : int
        Stamp of the last input.
    is_led : bool
        Whether the process goes on leading it.
    ledger_checks : int
        How often the books were compared with the account.
    """
    plan = desk.plan
    venues = venue_accounts(run_id, [part.name for part in plan.strategies])
    shares = [
        Decimal(units).scaleb(-book.account.units.coin_decimals[0])
        for units, book in zip(desk.equity, desk.books, strict=True)
    ]
    return {
        **head_of(desk, run_id=run_id, said_ms=said_ms, last_ts_ms=last_ts_ms, is_led=is_led),
        "ledger_checks": ledger_checks,
        "books": [
            {
                "name": part.name,
                "account": venue,
                "capital": str(plan.capital_of(part)),
                "share": share_row(plan, number, equity=shares),
                **_account_row(book.account, desk.equity[number]),
            }
            for number, (part, venue, book) in enumerate(
                zip(plan.strategies, venues, desk.books, strict=True)
            )
        ],
    }


def share_row(
    plan: RunPlan, number: int, *, equity: Sequence[Decimal]
) -> dict[str, str | None] | None:
    """Return which part of the strategies' equity one is to have and has; None for a lone one.

    Parameters
    ----------
    number : int
        Which strategy of the plan.
    equity : sequence of Decimal
        Of all strategies, in the plan's order.
    """
    if len(plan.strategies) < 2:
        return None
    whole = sum((part.share for part in plan.strategies), Decimal(0))
    total = sum(equity, Decimal(0))
    now = f"{equity[number] / total:.6f}" if total > 0 else None
    return {
        "wanted": f"{plan.strategies[number].share / whole:.6f}",
        "now": now,
        "rebalance": plan.handling.allocation.rebalance,
    }


def _account_row(account: KernelAccount, equity_units: float) -> dict[str, Any]:
    units, balances = account.units, account.machine.balances()
    return {
        "currency": units.coins[0],
        "equity": f"{equity_units / 10.0 ** units.coin_decimals[0]:.8f}",
        "fills": account.fills,
        "balances": {
            coin: f"{from_units(balance, decimals):f}"
            for coin, balance, decimals in zip(
                units.coins, balances, units.coin_decimals, strict=True
            )
        },
        "positions": [
            row
            for number in range(len(units.instruments))
            if (row := _position(account, number)) is not None
        ],
        "orders": [
            _order(account, number, order)
            for number in range(len(units.instruments))
            for order in account.machine.live_orders(number)
        ],
    }


def _position(account: KernelAccount, number: int) -> dict[str, Any] | None:
    machine, instrument = account.machine, account.units.instruments[number]
    qty, cost, _ = machine.position(number)
    if qty == 0:
        return None
    setup = machine.instruments[number]
    if setup.kind == at.INVERSE:
        entry = abs(qty) * setup.k / abs(cost) if cost else float("nan")
    else:
        entry = cost * setup.den / (qty * setup.num)
    mark = account.marks()[number]
    return {
        "instrument": str(instrument.id),
        "qty": f"{from_units(qty, instrument.qty_decimals):f}",
        "entry_price": f"{entry / 10.0**instrument.price_decimals:.8g}",
        "mark_price": f"{from_units(mark, instrument.price_decimals):f}",
    }


def _order(account: KernelAccount, number: int, order: I64) -> dict[str, Any]:
    instrument = account.units.instruments[number]
    d, q = instrument.price_decimals, instrument.qty_decimals
    is_whole = bool(order[at.O_WHOLE])
    return {
        "id": int(order[at.O_ID]),
        "instrument": str(instrument.id),
        "side": int(order[at.O_SIDE]),
        "qty": "all" if is_whole else f"{from_units(int(order[at.O_QTY]), q):f}",
        "filled": f"{from_units(int(order[at.O_FILLED]), q):f}",
        "limit": f"{from_units(int(order[at.O_LIMIT]), d):f}" if order[at.O_LIMIT] else None,
        "trigger": f"{from_units(int(order[at.O_TRIGGER]), d):f}" if order[at.O_TRIGGER] else None,
        "trigger_kind": _TRIGGERS[int(order[at.O_TKIND])],
        "is_reduce_only": bool(order[at.O_REDUCE]),
        "created_ms": int(order[at.O_CREATED]),
    }
