"""Bybit: every change of a unified or funding account, and deposits and withdrawals."""

from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import join_legs
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import joined

__all__ = ["FUNDING", "TRANSFERS", "UNIFIED"]

_UNIFIED = Record("bybit", "unified", "bybit unified changes", -1, Kind.UNKNOWN)
_FUNDING = Record("bybit", "funding", "bybit funding changes", -1, Kind.UNKNOWN)
_CHAIN = Record("bybit", "funding", "bybit deposits and withdrawals", -1, Kind.UNKNOWN)
_LOG = "bybit transaction log"

_INCOME = {
    "AIRDROP": "airdrop", "BONUS": "reward", "BONUS_RECOLLECT": "reward", "INTEREST": "interest",
    "AUTO_INTEREST": "interest", "REBATE": "rebate", "FEE_REFUND": "rebate",
}  # fmt: skip
_FORCED = {"LIQUIDATION": "liquidation", "ADL": "adl", "DELIVERY": "settlement"}


def _unified(sheet: Sheet) -> list[Record]:
    base = _UNIFIED if not sheet.column("OrderId") else replace(_UNIFIED, family=_LOG)
    found = each_row(sheet, base, read=lambda row, here: _change(sheet, row, here))
    legs = [record for record in found if record.label == "spot leg"]
    rest = [record for record in found if record.label != "spot leg"]
    joint = join_legs(legs, lambda leg: (leg.ts_ms, leg.contract, leg.price, *_pairing(leg)))
    lone = [
        replace(leg, kind=Kind.UNKNOWN, text="one side of a trade; the other is not in the file")
        if leg.kind is Kind.LEG else leg
        for leg in joint
    ]  # fmt: skip
    pairs = [leg for leg in rest if leg.kind is Kind.LEG]
    rest = [record for record in rest if record.kind is not Kind.LEG]
    return sorted(
        rest + lone + join_legs(pairs, lambda leg: leg.ts_ms), key=lambda record: record.line
    )


def _pairing(leg: Record) -> tuple[object, ...]:
    """Tell apart equal fills of a second: by id where there is one, else by their worth."""
    if leg.ref:
        return (leg.ref,)
    ((coin, amount),) = leg.moves
    assert leg.price is not None
    is_base = leg.contract.startswith(coin)
    worth = amount * leg.price if is_base else -amount
    return (worth.quantize(Decimal("1e-8")),)


def _change(sheet: Sheet, row: Row, here: Record) -> Record:
    coin, kind = row.text("Currency").upper(), row.text("Type").upper()
    account = f"unified {row.text('Uid')}".strip()
    here = replace(here, account=account, ts_ms=sheet.time(row, "Time"), label=kind.lower())
    if not row.text("Change"):
        raise BadCell("the row states no change")
    change, fee = row.needed("Change"), -row.number("Fee Paid")
    funding, cash = row.number("Funding"), row.number("Cash Flow")
    here = replace(
        here,
        contract=joined(row.text("Contract")),
        net=(Move(coin, change),),
        balances=(Move(coin, row.number("Wallet Balance")),) if row.text("Wallet Balance") else (),
        ref=row.text("TradeId"),
    )
    if cash + funding - fee != change:
        said = f"cash flow {cash}, funding {funding} and fee {-fee} add to {cash + funding - fee}"
        return unknown(
            here, row, why=f"{said}, not to the change {change}", moves=[Move(coin, change)]
        )
    here = replace(here, fees=(Move(coin, fee),) if fee else ())
    if kind == "SETTLEMENT":
        moved = (Move(coin, funding + cash),)
        return replace(here, kind=Kind.CONTRACT, label="funding", moves=moved)
    if kind == "TRADE" and row.text("Action").upper() in ("OPEN", "CLOSE"):
        return _contract(row, here, cash)
    if kind == "TRADE":
        price = row.needed("Filled Price")
        leg = replace(here, kind=Kind.LEG, label="spot leg", price=price)
        return replace(leg, moves=(Move(coin, cash),))
    return _other(row, here, Move(coin, cash), kind)


def _contract(row: Row, here: Record, cash: Decimal) -> Record:
    side = -1 if row.text("Direction").upper() == "SELL" else 1
    return replace(
        here,
        kind=Kind.CONTRACT,
        label="pnl",
        moves=(Move(here.net[0].coin, cash),),
        qty=side * abs(row.needed("Quantity")),
        price=row.needed("Filled Price"),
    )


def _other(row: Row, here: Record, moved: Move, kind: str) -> Record:
    moves = (moved,)
    if kind in ("TRANSFER_IN", "TRANSFER_OUT"):
        return replace(here, kind=Kind.INTERNAL, moves=moves)
    if kind in _FORCED:
        return replace(here, kind=Kind.CONTRACT, label=_FORCED[kind], moves=moves)
    if kind in _INCOME and moved.amount >= 0:
        return replace(here, kind=Kind.INCOME, label=_INCOME[kind], moves=moves)
    if not kind or kind.startswith("CURRENCY_") or "CONVERT" in kind:
        # A conversion of small balances has no type: two rows of one second.
        leg = replace(here, kind=Kind.LEG, label="conversion", moves=moves)
        return replace(leg, text=f"a conversion whose other side is not plain: {row.raw}"[:600])
    return unknown(here, row, why=f"the type {kind} is not known", moves=moves)


_FUNDING_INCOME = ("reward", "bonus", "rebate", "cashback", "commission", "referral", "voucher")


def _funding(sheet: Sheet) -> list[Record]:
    found = each_row(sheet, _FUNDING, read=lambda row, here: _funded(sheet, row, here))
    legs = [record for record in found if record.kind is Kind.LEG]
    rest = [record for record in found if record.kind is not Kind.LEG]
    return sorted(rest + _conversions(legs), key=lambda record: record.line)


def _conversions(legs: list[Record]) -> list[Record]:
    """Join a conversion's two rows, which may lie two seconds apart."""
    groups: list[list[Record]] = []
    for leg in sorted(legs, key=lambda leg: leg.ts_ms):
        if groups and leg.ts_ms - groups[-1][0].ts_ms <= 2_000 and leg.label == groups[-1][0].label:
            groups[-1].append(leg)
        else:
            groups.append([leg])
    number = {id(leg): at for at, group in enumerate(groups) for leg in group}
    return join_legs(legs, lambda leg: number[id(leg)])


def _funded(sheet: Sheet, row: Row, here: Record) -> Record:
    coin, amount = row.text("Coin").upper(), row.needed("QTY")
    kind, said = row.text("Type").lower(), row.text("Description").lower()
    here = replace(
        here,
        account=f"funding {row.text('Uid')}".strip(),
        ts_ms=sheet.time(row, "Date"),
        moves=(Move(coin, amount),),
        net=(Move(coin, amount),),
        balances=(Move(coin, row.needed("Account Balance")),),
        label=said or kind,
    )
    if kind in ("deposit", "withdraw") or (kind == "fiat" and said in ("deposit", "withdrawal")):
        return replace(here, kind=Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL)
    if kind in ("transfer in", "transfer out"):
        return replace(here, kind=Kind.INTERNAL)
    if kind == "convert":
        return replace(here, kind=Kind.LEG, text=f"one side of a conversion: {row.raw}"[:600])
    if kind == "earn" and any(word in said for word in ("redemption", "subscription", "redeem")):
        return replace(here, kind=Kind.EARN)
    if kind == "earn" and any(word in said for word in ("interest", "yield", "reward")):
        return replace(here, kind=Kind.INCOME, label="interest")
    if kind == "airdrop":
        return replace(here, kind=Kind.INCOME, label="airdrop")
    if amount > 0 and any(word in f"{kind} {said}" for word in _FUNDING_INCOME):
        return replace(here, kind=Kind.INCOME, label="reward")
    return unknown(
        here, row, why=f"{row.text('Type')}: {row.text('Description')}", moves=here.moves
    )


def _transfers(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        coin, amount = row.text("Asset").upper(), row.needed("Amount")
        kind, status = row.text("Type").lower(), row.text("Status").lower()
        here = replace(here, ts_ms=sheet.time(row, "Date"), ref=row.text("Tx ID"), label=status)
        if status.startswith(("fail", "cancel", "reject")):
            return replace(here, kind=Kind.VOID, text=f"{kind} of {amount} {coin}: {status}")
        if not status.startswith(("complet", "success", "transferred success")):
            raise BadCell(f"the status {row.text('Status')!r} is neither done nor failed")
        if kind not in ("deposit", "withdraw", "withdrawal"):
            raise BadCell(f"the type {row.text('Type')!r} is neither a deposit nor a withdrawal")
        is_in = kind == "deposit"
        moved = Move(coin, amount if is_in else -amount)
        done = Kind.DEPOSIT if is_in else Kind.WITHDRAWAL
        return replace(here, kind=done, label=kind, moves=(moved,))

    return each_row(sheet, _CHAIN, read=one)


UNIFIED = Family(
    "bybit unified changes",
    has_columns("Currency", "Contract", "Type", "Cash Flow", "Change", "Wallet Balance", "Time*"),
    _unified,
)
FUNDING = Family(
    "bybit funding changes",
    has_columns("Date & Time*", "Coin", "QTY", "Type", "Account Balance", "Description"),
    _funding,
)
TRANSFERS = Family(
    "bybit deposits and withdrawals",
    has_columns("Date*", "Type", "Asset", "Chain", "Amount", "Tx ID", "Status"),
    _transfers,
)
