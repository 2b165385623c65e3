"""BTC Markets and Swyftx."""

from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.cells import BadCell, Row, Sheet, moment
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import join_legs, trade
from openalpha.books.imports.records import Kind, Move, Record

__all__ = ["BTC_MARKETS", "BTC_MARKETS_TRADES", "SWYFTX"]

_LEDGER = Record("btc markets", "", "btc markets transactions", -1, Kind.UNKNOWN)
_TRADES = Record("btc markets", "", "btc markets trades", -1, Kind.UNKNOWN)
_SWYFTX = Record("swyftx", "", "swyftx transaction report", -1, Kind.UNKNOWN)


def _transactions(sheet: Sheet) -> list[Record]:
    found = each_row(sheet, _LEDGER, read=lambda row, here: _transaction(sheet, row, here))
    legs = [record for record in found if record.kind is Kind.LEG]
    rest = [record for record in found if record.kind is not Kind.LEG]
    return sorted(rest + join_legs(legs, lambda leg: leg.ref), key=lambda record: record.line)


def _transaction(sheet: Sheet, row: Row, here: Record) -> Record:
    action, coin = row.text("action").lower(), row.text("currency").upper()
    amount = row.needed("amount")
    moved = (Move(coin, amount),)
    here = replace(
        here,
        ts_ms=sheet.time(row, "creationTime"),
        label=action,
        ref=row.text("referenceId") or row.text("transactionId"),
        net=moved,
        balances=(Move(coin, row.number("balance")),) if row.text("balance") else (),
    )
    if action in ("buy order", "sell order", "trading fee"):
        is_fee = action == "trading fee"
        return replace(
            here,
            kind=Kind.LEG,
            moves=() if is_fee else moved,
            fees=(Move(coin, -amount),) if is_fee else (),
            text=f"one side of a trade whose others do not make two coins: {row.raw}"[:600],
        )
    if action in ("deposit", "withdraw", "withdrawal"):
        return replace(here, kind=Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL, moves=moved)
    if "reward" in action and amount > 0:
        return replace(here, kind=Kind.INCOME, label="reward", moves=moved)
    return unknown(here, row, why=f"the action {row.text('action')!r} is not known", moves=moved)


def _trades(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        said = row.text("side").lower()
        if said not in ("bid", "buy", "ask", "sell"):
            raise BadCell(f"the side {said!r} is neither Bid nor Ask")
        side = Decimal(1 if said in ("bid", "buy") else -1)
        base, quote = row.text("instrument").upper(), row.text("currency").upper()
        qty, price = row.needed("volume"), row.needed("price")
        fee = Move(row.text("feeCurrency").upper() or quote, row.number(sheet.column("fee(")))
        here = replace(here, ts_ms=sheet.time(row, "creationTime"), ref=row.text("id"))
        return trade(
            Move(base, side * qty),
            Move(quote, -side * qty * price),
            fees=[fee],
            like=replace(here, contract=base + quote),
            price=price,
        )

    return each_row(sheet, _TRADES, read=one)


def _swyftx(sheet: Sheet) -> list[Record]:
    return each_row(sheet, _SWYFTX, read=lambda row, here: _reported(sheet, row, here))


def _reported(sheet: Sheet, row: Row, here: Record) -> Record:
    event = row.text("Event").lower()
    if not event or event in ("event", "sub total", "open position"):
        return replace(here, kind=Kind.VOID, text=f"a line of the report's layout: {row.raw}"[:600])
    coin, amount = row.text("Asset").upper(), row.needed("Amount")
    stamp = f"{row.text('Date')} {row.text('Time')}".strip()
    here = replace(
        here,
        ts_ms=moment(stamp, zone=sheet.zone),
        label=event,
        ref=row.text("UUID") or row.text("Transaction ID"),
    )
    if event in ("buy", "sell"):
        return _swyftx_trade(row, here, Move(coin, amount if event == "buy" else -amount))
    if event in ("deposit", "withdraw", "withdrawal"):
        is_in = event == "deposit"
        moved = Move(coin, abs(amount) if is_in else -abs(amount))
        return replace(here, kind=Kind.DEPOSIT if is_in else Kind.WITHDRAWAL, moves=(moved,))
    if event in ("reward", "earn", "staking", "earn reward"):
        return replace(here, kind=Kind.INCOME, label="reward", moves=(Move(coin, amount),))
    return unknown(
        here, row, why=f"the event {row.text('Event')!r} is not known", moves=[Move(coin, amount)]
    )


def _swyftx_trade(row: Row, here: Record, base: Move) -> Record:
    """Add back the fee: Swyftx states what was received after it."""
    money, value = row.text("Currency").upper(), row.needed("Value")
    fee = Move(row.text("Fee Asset").upper(), row.number("Fee Amount"))
    if fee.amount and not fee.coin:
        raise BadCell("the fee names no asset")
    if base.amount > 0:
        more = fee.amount if fee.coin == base.coin else Decimal(0)
        return trade(
            Move(base.coin, base.amount + more), Move(money, -value), fees=[fee], like=here
        )
    more = fee.amount if fee.coin == money else Decimal(0)
    return trade(base, Move(money, value + more), fees=[fee], like=here)


BTC_MARKETS = Family(
    "btc markets transactions",
    has_columns("transactionId", "creationTime", "action", "currency", "amount", "balance"),
    _transactions,
)
BTC_MARKETS_TRADES = Family(
    "btc markets trades",
    has_columns("id", "creationTime", "price", "volume", "side", "instrument", "currency"),
    _trades,
)
SWYFTX = Family(
    "swyftx transaction report",
    has_columns("Date", "Time", "Event", "Asset", "Amount", "Currency", "Value"),
    _swyftx,
    # Its report says "your local time" and names no place.
    zone="Australia/Sydney",
)
