"""Any CSV: our own columns, or a person's, named in a mapping file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openalpha.books.imports.cells import BadCell, Row, Sheet, named_zone
from openalpha.books.imports.families import Family, each_row, has_columns, unknown
from openalpha.books.imports.legs import trade
from openalpha.books.imports.records import Kind, Move, Record
from openalpha.core.errors import InputError

__all__ = ["COLUMNS", "GENERIC", "TYPES", "mapped_family"]

COLUMNS = (
    "time", "type", "received_coin", "received_amount", "sent_coin", "sent_amount", "fee_coin",
    "fee_amount", "balance", "contract", "account", "id",
)  # fmt: skip
"""What a column may be; time and type must be there."""

TYPES = (
    "trade", "buy", "sell", "deposit", "withdrawal", "internal", "airdrop", "airdrop_initial",
    "chain_split", "staking", "interest",
    "reward", "rebate", "pnl", "funding", "fee", "liquidation", "settlement", "ignore",
)  # fmt: skip
"""What a row may be."""

_OURS = "generic"
_INCOME = ("airdrop", "airdrop_initial", "chain_split", "staking", "interest", "reward", "rebate")
_CONTRACT = ("pnl", "funding", "fee", "liquidation", "settlement")


@dataclass(frozen=True, slots=True)
class _Mapping:
    venue: str = _OURS
    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in COLUMNS})
    types: Mapping[str, str] = field(default_factory=dict)


def mapped_family(path: Path) -> Family:
    """Return the family a mapping file describes.

    Parameters
    ----------
    path : Path
        TOML with `venue`, optionally `timezone`, a table `[columns]` (ours = theirs) and a table
        `[types]` (theirs = ours).

    Raises
    ------
    InputError
        If the file cannot be read, or names a column or type that does not exist.
    """
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); name a mapping file") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    columns, types = _table(said, "columns", path), _table(said, "types", path)
    _known("columns", columns, COLUMNS, path)
    _known("types", types.values(), TYPES, path)
    if "time" not in columns or "type" not in columns:
        raise InputError(f"{path} must name the columns time and type under [columns]")
    zone = str(said.get("timezone", ""))
    if zone:
        named_zone(zone)
    lower = {theirs.lower(): ours for theirs, ours in types.items()}
    mapping = _Mapping(str(said.get("venue", path.stem)), columns, lower)
    needed = has_columns(*columns.values())
    name = f"mapped {mapping.venue}"
    return Family(name, needed, lambda sheet: _read(sheet, mapping, name), zone or "UTC")


def _table(said: Mapping[str, Any], name: str, path: Path) -> dict[str, str]:
    found = said.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise InputError(f"{path}: [{name}] must hold texts only")
    return found


def _known(what: str, found: Any, names: tuple[str, ...], path: Path) -> None:
    strange = sorted(set(found) - set(names))
    if strange:
        raise InputError(
            f"{path}: [{what}] names {', '.join(strange)}; it knows {', '.join(names)}"
        )


def _read(sheet: Sheet, mapping: _Mapping, family: str) -> list[Record]:
    base = Record(mapping.venue, "", family, -1, Kind.UNKNOWN)
    return each_row(sheet, base, read=lambda row, here: _one(sheet, row, here, mapping))


def _one(sheet: Sheet, row: Row, here: Record, mapping: _Mapping) -> Record:
    def text(name: str) -> str:
        return row.text(mapping.columns[name]) if name in mapping.columns else ""

    def move(side: str) -> Move:
        name = mapping.columns.get(f"{side}_amount", "")
        amount = row.number(name)
        # Many files give what was sent, or paid, with a minus; our own columns have no fee so.
        if amount < 0 and (side == "received" or (side == "fee" and mapping.venue == _OURS)):
            raise BadCell(f"the {side} amount is below zero; a rebate is a row of that type")
        return Move(text(f"{side}_coin").upper(), abs(amount))

    said = text("type").lower()
    kind = mapping.types.get(said, said)
    got, given, fee = move("received"), move("sent"), move("fee")
    here = replace(
        here,
        account=text("account"),
        ts_ms=sheet.time(row, mapping.columns["time"]),
        contract=text("contract"),
        ref=text("id"),
        label=kind,
        fees=(fee,) if fee.amount else (),
    )
    for one in (got, given, fee):
        if one.amount and not one.coin:
            raise BadCell("an amount names no coin")
    moved = got if got.amount else Move(given.coin, -given.amount)
    if text("balance"):
        stated = Move(moved.coin, row.number(mapping.columns["balance"]))
        here = replace(here, balances=(stated,), net=(moved,))
    return _as(row, here, kind, got=got, given=given)


def _as(row: Row, here: Record, kind: str, *, got: Move, given: Move) -> Record:
    out = Move(given.coin, -given.amount)
    moved = (got,) if got.amount else (out,)
    if kind == "ignore":
        return replace(here, kind=Kind.VOID, text=f"to be ignored: {row.raw}"[:600])
    if kind in ("trade", "buy", "sell"):
        if not (got.amount and given.amount):
            raise BadCell("a trade needs what was received and what was sent")
        base, quote = (out, got) if kind == "sell" else (got, out)
        return trade(base, quote, fees=here.fees, like=replace(here, net=(), balances=()))
    if kind in ("deposit", "withdrawal") and moved[0].amount:
        is_right = (kind == "deposit") == bool(got.amount)
        if not is_right:
            raise BadCell(f"a {kind} has its amount in the wrong column")
        return replace(here, kind=Kind(kind), moves=moved)
    if kind in _INCOME and got.amount:
        return replace(here, kind=Kind.INCOME, moves=moved)
    if kind in _CONTRACT:
        moves = moved if moved[0].amount else ()
        return replace(here, kind=Kind.CONTRACT, moves=moves)
    if kind == "internal":
        return replace(here, kind=Kind.INTERNAL, moves=moved)
    return unknown(
        here, row, why=f"the type {kind!r} is not known, or lacks its amount", moves=moved
    )


GENERIC = Family(
    "openalpha",
    has_columns("time", "type", "received_coin", "received_amount", "sent_coin", "sent_amount"),
    lambda sheet: _read(sheet, _Mapping(), "openalpha"),
)
