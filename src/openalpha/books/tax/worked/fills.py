"""Readers of events that are fills or moves of coins, and of the law's own facts about them."""

from collections.abc import Callable
from decimal import Decimal

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import BOUNDARY, REFORM_START
from openalpha.books.tax.entity import Residency
from openalpha.books.tax.events import Acquire, Cost, Derivative, Dispose, Money, Moved, Swap
from openalpha.books.tax.gains import BoundaryValue
from openalpha.books.tax.worked.reading import (
    Reading,
    amount_of,
    asset_of,
    coin_fee_of,
    fee_of,
    quantity_of,
)
from openalpha.books.tax.worked.row import Row, Unsupported
from openalpha.core.errors import InputError

__all__ = ["FILL_READERS"]


def _acquire(row: Row, found: Reading, kind: str, cost: Decimal | None, income: Decimal) -> None:
    if row.text("asset_class") == "residential" or row.flag("residential"):
        found.residential.add(asset_of(row, found))
    found.events.append(
        Acquire(
            row.id,
            found.day_of(row),
            asset_of(row, found),
            quantity_of(row),
            cost,
            fee_of(row),
            kind=kind,
            income=income,
            coin_fee=coin_fee_of(row),
            wallet=row.text("wallet"),
            ts_ms=row.when()[1],
        )
    )


def _buy(row: Row, found: Reading) -> None:
    _acquire(row, found, "buy", amount_of(row), ZERO)
    if "usd" in row:
        found.facts.setdefault("contract", []).append(row)


def _holding(row: Row, found: Reading) -> None:
    cost = amount_of(row)
    found.events.append(
        Acquire(
            row.id,
            row.day("acquired", "date"),
            asset_of(row, found),
            quantity_of(row),
            cost,
            kind="holding",
        )
    )


def _bare(row: Row, found: Reading) -> None:
    """Read an acquisition of which only the day matters."""
    _acquire(row, found, "buy", amount_of(row) or ZERO, ZERO)


def _received(kind: str, *, is_income: bool) -> Callable[[Row, Reading], None]:
    def read(row: Row, found: Reading) -> None:
        value = row.number("market_value_aud", "aud")
        price = row.number("price")
        if value is None and price is not None:
            value = price * quantity_of(row)
        if is_income and "asset" not in row:
            day = row.day()
            found.events.append(Money(row.id, day, row.need("amount", "aud"), kind))
            return
        cost = value if is_income else row.number("paid_aud", "cost_base", "aud") or ZERO
        name = row.text("subtype", kind)
        _acquire(row, found, name, cost, (value or ZERO) if is_income else ZERO)

    return read


def _chain_split(row: Row, found: Reading) -> None:
    found.fact(row)
    asset = row.text("new_asset") or row.text("asset")
    found.events.append(
        Acquire(
            row.id,
            found.day_of(row),
            asset,
            row.need("qty"),
            row.number("cost_base") or ZERO,
            kind="chain_split",
            ts_ms=row.when()[1],
        )
    )


def _disposal(kind: str, *, value_if_none: Decimal | None) -> Callable[[Row, Reading], None]:
    def read(row: Row, found: Reading) -> None:
        proceeds = amount_of(row)
        found.events.append(
            Dispose(
                row.id,
                found.day_of(row),
                asset_of(row, found),
                quantity_of(row),
                value_if_none if proceeds is None else proceeds,
                fee_of(row),
                kind=kind,
                lots=row.pairs("lots"),
                coin_fee=coin_fee_of(row),
                agreed=row.day("agreed", "agreement"),
                is_personal_use=row.flag("personal_use"),
                reason=row.text("reason"),
                wallet=row.text("wallet"),
                ts_ms=row.when()[1],
            )
        )
        if "usd" in row:
            found.facts.setdefault("contract", []).append(row)

    return read


def _swap(row: Row, found: Reading) -> None:
    value = row.number("in_market_value_aud")
    if value is None:
        value = row.number("out_market_value_aud")
    found.events.append(
        Swap(
            row.id,
            found.day_of(row),
            row.text("out_asset"),
            row.need("out_qty"),
            row.text("in_asset"),
            row.need("in_qty"),
            value,
            fee_of(row),
            coin_fee_of(row),
            row.pairs("lots"),
            row.text("wallet"),
            row.when()[1],
        )
    )


def _transfer(row: Row, found: Reading) -> None:
    qty = row.need("qty")
    received = row.number("qty_received", "received")
    lost = ZERO if received is None else qty - received
    price = row.number("price")
    value = row.number("fee_market_value_aud", "fee_value_aud")
    if value is None and price is not None:
        value = price * lost
    found.events.append(
        Moved(
            row.id,
            found.day_of(row),
            asset_of(row, found),
            qty,
            qty if received is None else received,
            value,
            coin_fee_of(row),
            row.text("from", row.text("wallet_from")),
            row.text("to", row.text("wallet_to")),
            row.flag("to_derivatives"),
            row.number("market_value_aud", "aud"),
            row.when()[1],
        )
    )


def _cost(row: Row, found: Reading) -> None:
    element = int(row.need("element"))
    amount = row.need("aud", "amount", "cost")
    day = found.day_of(row)
    found.events.append(Cost(row.id, day, asset_of(row, found), element, amount, row.text("lot")))


def _derivative(kind: str, *, sign: int) -> Callable[[Row, Reading], None]:
    def read(row: Row, found: Reading) -> None:
        amount = row.need("aud", "amount") * sign
        qty = row.number("qty") or ZERO
        if qty:
            qty = abs(qty) if amount >= 0 else -abs(qty)
        found.events.append(
            Derivative(
                row.id,
                found.day_of(row),
                row.text("kind", kind),
                amount,
                row.text("contract_name", row.text("instrument")),
                row.text("coin", row.text("asset")),
                qty,
                row.text("wallet"),
                row.when()[1],
            )
        )

    return read


def _market_value(row: Row, found: Reading) -> None:
    day = row.day()
    if day is not None and day not in (BOUNDARY, REFORM_START):
        raise Unsupported(
            f"event {row.id}: a market value counts on 30 June 2027 only, not on {day}"
        )
    amount = row.number("aud", "market_value_aud", "amount")
    method = row.text("method", "market_value")
    qty = row.number("qty")
    if amount is None and not method.startswith("apportion"):
        raise InputError(f"event {row.id}: a boundary value needs its amount")
    unit = None if amount is None else amount / (qty if qty else Decimal(1))
    found.boundary[row.text("asset", "*")] = BoundaryValue(unit, method)


def _residency(row: Row, found: Reading) -> None:
    status = row.text("status", "foreign")
    found.residency.append(
        Residency(status, row.day("from", "start"), row.day("to", "until", "end"))
    )


def _index_factor(row: Row, found: Reading) -> None:
    found.factor = row.need("factor")


def _indexed_cost_base(row: Row, found: Reading) -> None:
    found.indexed_total = row.need("aud", "amount")


def _cpi(row: Row, found: Reading) -> None:
    found.cpi[row.text("quarter")] = row.need("index", "value")


FILL_READERS: dict[str, Callable[[Row, Reading], None]] = {
    "buy": _buy,
    "holding": _holding,
    "acquire": _bare,
    "gift_received": _bare,
    "income": _received("income", is_income=True),
    "airdrop": _received("airdrop", is_income=True),
    "airdrop_established": _received("airdrop", is_income=True),
    "staking": _received("staking", is_income=True),
    "reward": _received("reward", is_income=True),
    "interest": _received("interest", is_income=True),
    "rebate": _received("rebate", is_income=True),
    "airdrop_initial": _received("airdrop_initial", is_income=False),
    "chain_split": _chain_split,
    "sell": _disposal("A1", value_if_none=None),
    "spend": _disposal("A1", value_if_none=None),
    "gift": _disposal("A1", value_if_none=None),
    "entity_transfer": _disposal("A1", value_if_none=None),
    "dispose": _disposal("A1", value_if_none=ZERO),
    "loss_or_theft": _disposal("C1", value_if_none=ZERO),
    "cgt_event_c1": _disposal("C1", value_if_none=ZERO),
    "cgt_event_c2": _disposal("C2", value_if_none=ZERO),
    "swap": _swap,
    "wrap": _swap,
    "transfer": _transfer,
    "cost": _cost,
    "perp_pnl": _derivative("pnl", sign=1),
    "perp_fee": _derivative("fee", sign=-1),
    "funding": _derivative("funding", sign=1),
    "liquidation": _derivative("liquidation", sign=1),
    "market_value": _market_value,
    "boundary_value": _market_value,
    "residency": _residency,
    "index_factor": _index_factor,
    "indexed_cost_base": _indexed_cost_base,
    "cpi": _cpi,
}
