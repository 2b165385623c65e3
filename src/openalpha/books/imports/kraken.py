"""Kraken: ledgers, where a trade is a row for each coin, and trades."""

from dataclasses import replace
from decimal import Decimal

from openalpha.books.imports.cells import BadCell, Row, Sheet
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import join_legs, trade
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.books.imports.symbols import coin_of, joined, split_pair

__all__ = ["LEDGERS", "TRADES"]

_LEDGER = Record("kraken", "spot", "kraken ledgers", -1, Kind.UNKNOWN)
_TRADES = Record("kraken", "spot", "kraken trades", -1, Kind.UNKNOWN)
_OWN = ("spottostaking", "stakingfromspot", "stakingtospot", "spotfromstaking", "allocation",
        "deallocation", "migration", "autoallocation")  # fmt: skip
_INCOME = {"staking": "staking", "dividend": "staking", "reward": "reward", "airdrop": "airdrop"}


def _ledgers(sheet: Sheet) -> list[Record]:
    found = each_row(sheet, _LEDGER, read=lambda row, here: _entry(sheet, row, here))
    legs = [record for record in found if record.kind is Kind.LEG]
    rest = [record for record in found if record.kind is not Kind.LEG]
    return sorted(rest + join_legs(legs, lambda leg: leg.ref), key=lambda record: record.line)


def _entry(sheet: Sheet, row: Row, here: Record) -> Record:
    kind, finer, asset = row.text("type").lower(), row.text("subtype").lower(), row.text("asset")
    coin, amount, fee = coin_of(asset), row.needed("amount"), row.number("fee")
    here = replace(here, ts_ms=sheet.time(row, "time"), ref=row.text("refid"), label=kind)
    if not row.text("txid"):
        return replace(here, kind=Kind.VOID, text=f"announced only: {row.raw}"[:600])
    stated = row.text("balance")
    here = replace(
        here,
        account=f"spot {asset}" if "." in asset else "spot",
        moves=(Move(coin, amount),),
        fees=(Move(coin, fee),) if fee else (),
        net=(Move(coin, amount - fee),),
        balances=(Move(coin, row.number("balance")),) if stated else (),
    )
    if finer in _OWN:
        return replace(here, kind=Kind.EARN, label=finer)
    if kind in ("trade", "spend", "receive"):
        text = f"one side of a trade whose others do not make two coins: {row.raw}"[:600]
        return replace(here, kind=Kind.LEG, text=text)
    if kind in ("deposit", "withdrawal"):
        return replace(here, kind=Kind.DEPOSIT if amount > 0 else Kind.WITHDRAWAL)
    if kind in _INCOME or (kind == "earn" and finer in _INCOME):
        return replace(here, kind=Kind.INCOME, label=_INCOME.get(kind, "staking"))
    if kind in ("margin", "rollover", "settled"):
        return replace(here, kind=Kind.CONTRACT, label="pnl" if kind == "margin" else "fee")
    return unknown(here, row, why=f"the type {kind} {finer} is not known", moves=here.net)


def _trades(sheet: Sheet) -> list[Record]:
    def one(row: Row, here: Record) -> Record:
        pair = _pair(row.text("pair"))
        said = row.text("type").lower()
        if said not in ("buy", "sell"):
            raise BadCell(f"the type {said!r} is neither buy nor sell")
        if row.number("margin"):
            raise BadCell("a trade on margin; its result stands in the ledgers")
        side = Decimal(1 if said == "buy" else -1)
        here = replace(here, ts_ms=sheet.time(row, "time"), ref=row.text("txid"))
        return trade(
            Move(pair[0], side * row.needed("vol")),
            Move(pair[1], -side * row.needed("cost")),
            fees=[Move(pair[1], row.number("fee"))],
            like=replace(here, contract=joined("".join(pair))),
            price=row.number("price"),
        )

    return each_row(sheet, _TRADES, read=one)


def _pair(name: str) -> tuple[str, str]:
    """Split a pair of Kraken's: XXBTZEUR, DOTUSD, ETH/AUD."""
    if len(name) == 8 and name[0] in "XZ" and name[4] in "XZ" and "/" not in name:
        return coin_of(name[:4]), coin_of(name[4:])
    found = split_pair(name.replace("XBT", "BTC"))
    if found is None:
        raise BadCell(f"the pair {name!r} cannot be split into two coins")
    return coin_of(found[0]), coin_of(found[1])


LEDGERS = Family(
    "kraken ledgers",
    has_columns("txid", "refid", "time", "type", "subtype", "asset", "amount", "fee", "balance"),
    _ledgers,
)
TRADES = Family(
    "kraken trades",
    has_columns("txid", "ordertxid", "pair", "time", "type", "price", "cost", "fee", "vol"),
    _trades,
)
