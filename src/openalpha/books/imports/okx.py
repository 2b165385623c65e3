"""OKX: the trading account's history, a row for each coin, and the funding account's."""

from dataclasses import replace

from openalpha.books.imports.cells import Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import join_legs
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import joined

__all__ = ["FUNDING", "TRADING"]

_TRADING = Record("okx", "trading", "okx trading history", -1, Kind.UNKNOWN)
_FUNDING = Record("okx", "funding", "okx funding history", -1, Kind.UNKNOWN)
_CONTRACTS = ("swap", "perpetual", "futures", "delivery", "expiry futures")
_INCOME = ("rebate", "reward", "distribution", "airdrop", "interest", "earnings", "bonus")


def _trading(sheet: Sheet) -> list[Record]:
    found = each_row(sheet, _TRADING, read=lambda row, here: _change(sheet, row, here))
    legs = [record for record in found if record.kind is Kind.LEG]
    rest = [record for record in found if record.kind is not Kind.LEG]
    joint = join_legs(legs, lambda leg: (leg.ref, leg.ts_ms, leg.price))
    return sorted(rest + joint, key=lambda record: record.line)


def _change(sheet: Sheet, row: Row, here: Record) -> Record:
    kind, action = row.text("Trade Type").lower(), row.text("Action").lower()
    coin, change = row.text("Balance Unit").upper(), row.needed("Balance Change")
    fee_coin = row.text("Fee Unit").upper()
    # The balance changed by the fee too where both are of one coin; a fee paid is negative.
    fee = -row.number("Fee") if fee_coin == coin else -row.number("Fee") * 0
    here = replace(
        here,
        ts_ms=sheet.time(row, "Time"),
        contract=joined(row.text("Symbol")),
        ref=row.text("Order id") or row.text("id"),
        label=action or kind,
        price=row.number("Filled Price") or None,
        moves=(Move(coin, change + fee),),
        fees=(Move(coin, fee),) if fee else (),
        net=(Move(coin, change),),
        balances=(Move(coin, row.number("Balance")),) if row.text("Balance") else (),
    )
    if kind == "transfer" or action.startswith("transfer"):
        return replace(here, kind=Kind.INTERNAL)
    if kind in ("spot", "convert"):
        text = f"one side of a trade whose others do not make two coins: {row.raw}"[:600]
        return replace(here, kind=Kind.LEG, text=text)
    if kind in _CONTRACTS or action.startswith("funding"):
        label = "funding" if "funding" in action else "pnl"
        return replace(here, kind=Kind.CONTRACT, label="liquidation" if "liq" in action else label)
    return unknown(here, row, why=f"the type {kind!r} {action!r} is not known", moves=here.net)


def _funding(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        said, coin = row.text("Type").lower(), row.text("Symbol").upper()
        amount = row.needed("Amount")
        here = replace(
            here,
            ts_ms=sheet.time(row, "Time"),
            ref=row.text("id"),
            label=said,
            moves=(Move(coin, amount),),
            net=(Move(coin, amount),),
            balances=(Move(coin, row.needed("After Balance")),),
        )
        if said in ("deposit", "received", "withdrawal", "sent"):
            return replace(here, kind=Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL)
        if "trading account" in said or said.startswith("transfer"):
            return replace(here, kind=Kind.INTERNAL)
        if "subscription" in said or "redemption" in said:
            return replace(here, kind=Kind.EARN)
        if amount > 0 and any(word in said for word in _INCOME):
            return replace(here, kind=Kind.INCOME, label="rebate" if "rebate" in said else "reward")
        return unknown(here, row, why=f"the type {row.text('Type')!r} is not known", moves=here.net)

    return each_row(sheet, _FUNDING, read=one)


TRADING = Family(
    "okx trading history",
    has_columns("Order id", "Time", "Trade Type", "Symbol", "Action", "Balance Change", "Fee Unit"),
    _trading,
)
FUNDING = Family(
    "okx funding history",
    has_columns("id", "Time", "Type", "Amount", "Before Balance", "After Balance", "Symbol"),
    _funding,
)
