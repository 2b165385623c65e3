"""Bybit: trade histories of spot and derivatives, order histories, closed profit and loss."""

from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns
from openalpha.books.imports.legs import trade
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import joined, split_pair, terms_of

__all__ = ["CLOSED_PNL", "DERIVATIVES", "SPOT"]

_SPOT = Record("bybit", "spot", "bybit spot trades", -1, Kind.UNKNOWN)
_FILLS = Record("bybit", "derivatives", "bybit derivatives trades", -1, Kind.UNKNOWN)
_CLOSED = Record("bybit", "derivatives", "bybit closed pnl", -1, Kind.UNKNOWN)


def _spot(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        pair = split_pair(row.text("Spot Pairs"))
        if pair is None:
            raise BadCell(f"the pair {row.text('Spot Pairs')!r} cannot be split into two coins")
        side = _side(row, buy="BUY", sell="SELL")
        qty, value = row.needed("Filled Quantity"), row.needed("Filled Value")
        at = sheet.time(row, "Timestamp")
        here = replace(
            here,
            ts_ms=at,
            contract=joined(row.text("Spot Pairs")),
            ref=row.text("Transaction ID") or row.text("Order No."),
        )
        fee = _spot_fee(row, pair[0] if side > 0 else pair[1])
        return trade(
            Move(pair[0], side * qty),
            Move(pair[1], -side * value),
            fees=[fee],
            like=here,
            price=row.needed("Filled Price"),
        )

    return each_row(sheet, _SPOT, read=one)


def _spot_fee(row: Row, received: str) -> Move:
    """Return the fee: since 2025 in a coin of its own column, before in what was received."""
    coin = row.text("feeCoin")
    if coin:
        return Move(coin.upper(), row.number("ExecFeeV2"))
    return Move(received, row.number("Fees"))


def _fills(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        contract = row.text("Market", "Contracts")
        terms = terms_of(contract)
        if terms is None:
            raise BadCell(f"the contract {contract!r} is of no form that is known")
        kind = row.text("Filled Type").lower()
        fee_coin = row.text("feeCoin").upper()
        # A row without a coin states its fee in the older column only.
        fee = row.number("ExecFeeV2") if fee_coin else row.number("Trading Fee")
        here = replace(
            here,
            ts_ms=sheet.time(row, "Transaction Time", "Time"),
            contract=joined(contract),
            ref=row.text("Trasaction ID", "Transaction ID") or row.text("Order No."),
            label=kind,
        )
        if kind == "funding":
            moved = Move(fee_coin or terms.coin, -fee)
            return replace(here, kind=Kind.CONTRACT, moves=(moved,))
        if kind not in ("trade", "liquidation", "bust", "busttrade", "adl", "adltrade", "settle"):
            raise BadCell(f"the type {row.text('Filled Type')!r} is not known")
        side = _side(row, buy="LONG", sell="SHORT")
        return replace(
            here,
            kind=Kind.FILL,
            qty=side * row.needed("Filled Quantity"),
            price=row.needed("Filled Price"),
            fees=_paid(Move(fee_coin or terms.coin, fee)),
        )

    return each_row(sheet, _FILLS, read=one)


def _closed(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        contract = row.text("Contracts", "Market")
        terms = terms_of(contract)
        if terms is None:
            raise BadCell(f"the contract {contract!r} is of no form that is known")
        why = row.text("Exit Type").lower()
        is_forced = why.startswith(("liq", "bust", "adl"))
        return replace(
            here,
            kind=Kind.CONTRACT,
            ts_ms=sheet.time(row, "Trade Time"),
            contract=joined(contract),
            label="liquidation" if is_forced else "pnl",
            # Bybit's closed profit is net of trading fees and knows nothing of funding.
            moves=(Move(terms.coin, row.needed("Closed P&L")),),
            qty=row.needed("Qty"),
            price=row.needed("Exit Price"),
            ref=row.text("Order No."),
        )

    return each_row(sheet, _CLOSED, read=one)


def _paid(fee: Move) -> tuple[Move, ...]:
    return (fee,) if fee.amount else ()


def _side(row: Row, *, buy: str, sell: str) -> Decimal:
    said = row.text("Direction").upper()
    if said in (buy, "BUY"):
        return Decimal(1)
    if said in (sell, "SELL"):
        return Decimal(-1)
    raise BadCell(f"the direction {said!r} is neither {buy} nor {sell}")


SPOT = Family(
    "bybit spot trades",
    has_columns("Spot Pairs", "Direction", "Filled Value", "Filled Quantity", "Timestamp*"),
    _spot,
)
DERIVATIVES = Family(
    "bybit derivatives trades",
    has_columns("Filled Type", "Filled Quantity", "Filled Price", "Direction", "Trading Fee"),
    _fills,
)
CLOSED_PNL = Family(
    "bybit closed pnl",
    has_columns("Closing Direction", "Qty", "Exit Price", "Closed P&L", "Trade Time*"),
    _closed,
)
