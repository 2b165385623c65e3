"""The transaction log: a row for every change of a balance, from the kernel's cash effects."""

from typing import Any

from openalpha.core.messages import EffectKind
from openalpha.core.reasons import Reason
from openalpha.venue.kernel import layout as at
from openalpha.venue.twin.changes import Changes
from openalpha.venue.twin.listings import CASH, Pool
from openalpha.venue.twin.numbers import fixed, plain
from openalpha.venue.twin.orders import Order
from openalpha.venue.twin.state import State
from openalpha.venue.twin.trade_rows import execution_row

__all__ = ["take_effects"]


def take_effects(
    state: State,
    pool: Pool,
    *,
    effects: list[list[int]],
    fills: list[list[int]],
    executions: list[dict[str, Any]],
    changes: Changes,
) -> None:
    """Write ledger rows: one for each fill and coin, one for each other effect."""
    sums: dict[tuple[int, int], dict[EffectKind, int]] = {}
    legs: dict[tuple[int, int], int] = {}
    for row in effects:
        kind, fill = EffectKind(row[at.E_KIND]), row[at.E_FILL]
        if fill >= 0:
            parts = sums.setdefault((fill, row[at.E_COIN]), {})
            parts[kind] = parts.get(kind, 0) + row[at.E_AMOUNT]
    for (fill, coin), parts in sums.items():
        _fill_row(state, pool, fills[fill], coin=coin, parts=parts, executed=executions[fill])
        changes.wallets[fills[fill][at.F_ACCT]] = None
    for row in effects:
        if row[at.E_FILL] >= 0:
            continue
        changes.wallets[row[at.E_ACCT]] = None
        if EffectKind(row[at.E_KIND]) is EffectKind.FUNDING:
            _funding_rows(state, pool, row, legs, changes=changes)
        else:
            _other_row(state, pool, row)


def _ledger_row(
    state: State, account: int, coin: str, *, ts_ms: int, change: int, kind: str
) -> dict[str, Any]:
    """Append a row of the transaction log and return it for its further fields."""
    record = state.records[account]
    record.cash[coin] = record.cash.get(coin, 0) + change
    row: dict[str, Any] = {
        "id": f"{state.accounts.rows[account].uid}_{state.next_seq()}_{coin}",
        "symbol": "",
        "side": "None",
        "funding": "",
        "orderLinkId": "",
        "orderId": "",
        "fee": "0",
        "change": plain(change, CASH),
        "cashFlow": plain(change, CASH),
        "transactionTime": str(ts_ms),
        "type": kind,
        "transSubType": "",
        "feeRate": "0",
        "bonusChange": "",
        "size": "0",
        "qty": "0",
        "cashBalance": plain(record.cash[coin], CASH),
        "currency": coin,
        "category": "",
        "tradePrice": "",
        "tradeId": "",
        "extraFees": "",
    }
    record.ledger.append(row)
    return row


def _fill_row(
    state: State,
    pool: Pool,
    fill: list[int],
    *,
    coin: int,
    parts: dict[EffectKind, int],
    executed: dict[str, Any],
) -> None:
    """Write the ledger row of one coin of a fill."""
    listing, account = pool.listings[fill[at.F_INST]], fill[at.F_ACCT]
    fee = parts.get(EffectKind.FEE, 0) + parts.get(EffectKind.LIQUIDATION_FEE, 0)
    reason = Reason(fill[at.F_REASON])
    is_liquidation = reason in (Reason.LIQUIDATION_PARTIAL, Reason.LIQUIDATION_TAKEOVER)
    if is_liquidation:
        state.funds[pool.settle] -= fee
    row = _ledger_row(
        state,
        account,
        pool.coins[coin],
        ts_ms=fill[at.F_TS],
        change=sum(parts.values()),
        kind="LIQUIDATION" if is_liquidation else _EXEC_TYPES_LEDGER.get(reason, "TRADE"),
    )
    row.update(
        symbol=listing.symbol,
        side=executed["side"],
        orderLinkId=executed["orderLinkId"],
        orderId=executed["orderId"],
        fee=plain(-fee, CASH),
        cashFlow=plain(sum(parts.values()) - fee, CASH),
        feeRate=executed["feeRate"],
        size=fixed(fill[at.F_AFTER], listing.qty_decimals) if not listing.is_spot else "0",
        qty=executed["execQty"],
        category=listing.category,
        tradePrice=executed["execPrice"],
        tradeId=executed["execId"],
    )


_EXEC_TYPES_LEDGER = {Reason.DELEVERAGED: "ADL", Reason.SETTLED: "DELIVERY"}


def _funding_rows(
    state: State, pool: Pool, row: list[int], legs: dict[tuple[int, int], int], *, changes: Changes
) -> None:
    """Write a funding settlement as an execution and as a ledger row; the signs differ."""
    account, listing = row[at.E_ACCT], pool.listings[row[at.E_INST]]
    machine = pool.machine
    leg = legs.get((account, row[at.E_INST]), 0)
    if not machine.position(account, listing.number, leg)[0]:
        leg = 1
    legs[account, row[at.E_INST]] = leg + 1
    qty = machine.position(account, listing.number, leg)[0]
    mark, q = machine.mark(listing.number), listing.qty_decimals
    holding = state.holding(account, listing.key, leg=leg)
    holding.realised += row[at.E_AMOUNT]
    holding.realised_now += row[at.E_AMOUNT]
    changes.positions[account, listing.key, leg] = None
    name, rate = state.next_id(), plain(listing.funding_rate_e12, 12)
    side = "Sell" if qty > 0 else "Buy"
    fake = Order(
        state.next_id(), "", account, listing.key, -1 if qty > 0 else 1, "UNKNOWN", "", abs(qty)
    )
    fake.filled, fake.fee_coin = abs(qty), pool.settle
    made = [0] * at.FILL_COLS
    made[at.F_TS], made[at.F_ACCT], made[at.F_QTY] = row[at.E_TS], account, abs(qty)
    made[at.F_PRICE], made[at.F_FEE], made[at.F_ROLE] = mark, row[at.E_AMOUNT], at.TAKER
    shown = execution_row(state, listing, order=fake, row=made, name=name, seq=state.next_seq())
    shown.update(execType="Funding", feeRate=rate, createType="", stopOrderType="UNKNOWN")
    state.records[account].executions.append(shown)
    changes.executions.append((account, shown))
    written = _ledger_row(
        state,
        account,
        pool.settle,
        ts_ms=row[at.E_TS],
        change=row[at.E_AMOUNT],
        kind="SETTLEMENT",
    )
    written.update(
        symbol=listing.symbol,
        side=side,
        funding=plain(row[at.E_AMOUNT], CASH),
        cashFlow="0",
        feeRate=rate,
        size=fixed(qty, q),
        qty=fixed(abs(qty), q),
        category=listing.category,
        tradePrice=fixed(mark, listing.price_decimals),
        tradeId=name,
        orderId=fake.order_id,
    )


def _other_row(state: State, pool: Pool, row: list[int]) -> None:
    """Write what is neither a fill nor funding: transfers, insurance."""
    kind, amount = EffectKind(row[at.E_KIND]), row[at.E_AMOUNT]
    name = "TRANSFER_IN" if amount >= 0 else "TRANSFER_OUT"
    if kind is EffectKind.INSURANCE:
        name = "BONUS"
        state.funds[pool.settle] -= amount
    _ledger_row(
        state,
        row[at.E_ACCT],
        pool.coins[row[at.E_COIN]],
        ts_ms=row[at.E_TS],
        change=amount,
        kind=name,
    )
