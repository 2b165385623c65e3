"""Binance: the transaction history of all accounts, and the spot trade history."""

import re
from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import join_legs, trade
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import joined, split_pair

__all__ = ["HISTORY", "TRADES"]

_HISTORY = Record("binance", "", "binance transaction history", -1, Kind.UNKNOWN)
_TRADES = Record("binance", "spot", "binance spot trades", -1, Kind.UNKNOWN)

_TRADED = {
    "buy", "sell", "transaction buy", "transaction spend", "transaction revenue",
    "transaction sold", "transaction related", "binance convert", "large otc trading",
    "small assets exchange bnb", "small assets exchange bnb (spot)", "buy crypto", "sell crypto",
    "buy crypto with card", "buy crypto with fiat", "auto-invest transaction",
}  # fmt: skip
_FEES = {"fee", "transaction fee"}
_CONTRACT = {
    "realized profit and loss": "pnl",
    "realize profit and loss": "pnl",
    "funding fee": "funding",
    "insurance fund compensation": "clawback",
    "liquidation fee": "fee",
}
_INCOME = {
    "airdrop": "airdrop", "distribution": "reward", "interest": "interest", "staking": "staking",
    "reward": "reward", "rebate": "rebate", "cashback": "reward", "referral": "rebate",
    "commission": "rebate", "launchpool": "reward",
}  # fmt: skip


def _history(sheet: Sheet) -> list[Record]:
    found = each_row(sheet, _HISTORY, read=lambda row, here: _operation(sheet, row, here))
    legs = [record for record in found if record.kind is Kind.LEG]
    rest = [record for record in found if record.kind is not Kind.LEG]
    joint = join_legs(legs, lambda leg: (leg.ts_ms, leg.account, leg.label))
    return sorted(rest + joint, key=lambda record: record.line)


def _operation(sheet: Sheet, row: Row, here: Record) -> Record:
    said = row.text("Operation").lower()
    coin, change = row.text("Coin").upper(), row.needed("Change")
    here = replace(
        here,
        account=row.text("Account").lower(),
        ts_ms=sheet.time(row, "UTC_Time"),
        label=said,
        moves=(Move(coin, change),),
        net=(Move(coin, change),),
        ref=row.text("Remark"),
    )
    is_future = "future" in here.account
    if said in _TRADED or (said in _FEES and not is_future):
        is_fee = said in _FEES
        return replace(
            here,
            kind=Kind.LEG,
            label="convert" if "convert" in said or "small assets" in said else "trade",
            moves=() if is_fee else here.moves,
            fees=(Move(coin, -change),) if is_fee else (),
            text=f"one side of a trade whose others do not make two coins: {row.raw}"[:600],
        )
    if said in _FEES or said in _CONTRACT:
        return replace(here, kind=Kind.CONTRACT, label=_CONTRACT.get(said, "fee"))
    if "subscription" in said or "redemption" in said or said.endswith("staking purchase"):
        return replace(here, kind=Kind.EARN)
    if "transfer" in said:
        return replace(here, kind=Kind.INTERNAL)
    if said in ("deposit", "fiat deposit", "withdraw", "fiat withdraw", "withdrawal"):
        return replace(here, kind=Kind.DEPOSIT if change > 0 else Kind.WITHDRAWAL)
    for word, label in _INCOME.items():
        if word in said and change > 0:
            return replace(here, kind=Kind.INCOME, label=label)
    return unknown(
        here, row, why=f"the operation {row.text('Operation')!r} is not known", moves=here.moves
    )


def _trades(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        pair = split_pair(row.text("Pair"))
        if pair is None:
            raise BadCell(f"the pair {row.text('Pair')!r} cannot be split into two coins")
        said = row.text("Side").upper()
        if said not in ("BUY", "SELL"):
            raise BadCell(f"the side {said!r} is neither BUY nor SELL")
        side = Decimal(1 if said == "BUY" else -1)
        here = replace(here, ts_ms=sheet.time(row, "Date"), contract=joined(row.text("Pair")))
        base = _with_unit(row.text("Executed"), pair[0])
        quote = _with_unit(row.text("Amount"), pair[1])
        fee = _with_unit(row.text("Fee"), row.text("Fee Coin") or pair[0 if side > 0 else 1])
        return trade(
            Move(base.coin, side * base.amount),
            Move(quote.coin, -side * quote.amount),
            fees=[fee],
            like=here,
            price=row.number("Price"),
        )

    return each_row(sheet, _TRADES, read=one)


def _with_unit(text: str, coin: str) -> Move:
    """Split `0.18SOL` into an amount and a coin; the coin may be left out."""
    found = re.fullmatch(r"([-\d.,]*\d)\s*(1?[A-Z][A-Z0-9]*)?", text.strip())
    if found is None:
        raise BadCell(f"'{text}' is not an amount with a coin")
    return Move((found[2] or coin).upper(), Decimal(found[1].replace(",", "")))


HISTORY = Family(
    "binance transaction history",
    has_columns("UTC_Time", "Account", "Operation", "Coin", "Change"),
    _history,
)
TRADES = Family(
    "binance spot trades",
    has_columns("Date(UTC)", "Pair", "Side", "Price", "Executed", "Amount", "Fee"),
    _trades,
)
