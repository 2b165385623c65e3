"""What is held at a venue whose terms end the ownership of what is deposited: a claim on it.

A deposit sells the coins for the claim, a withdrawal ends the claim (C2) and brings coins anew, at
market value both. Between the two every coin there is a claim, an asset with parcels of its own.
"""

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

from openalpha.books.imports.records import Record
from openalpha.books.tax.events import Acquire, CoinFee, Dispose, Event, claim_on

__all__ = ["claimed", "crossed"]

_ASSETS = ("asset", "out_asset", "in_asset", "coin")


def claimed(event: Event, venue: str) -> Event:
    """Name a claim on the venue wherever an event speaks of a coin there."""
    made: Any = event
    names = [f.name for f in fields(event) if f.name in _ASSETS and getattr(event, f.name)]
    said: dict[str, Any] = {name: claim_on(venue, getattr(event, name)) for name in names}
    fee = getattr(event, "coin_fee", None)
    if fee is not None:
        said["coin_fee"] = replace(fee, asset=claim_on(venue, fee.asset))
    found: Event = replace(made, **said)
    return found


def crossed(
    ends: tuple[Record, Record],
    days: tuple[date, date],
    *,
    qty: tuple[Decimal, Decimal],
    value: Decimal | None,
    kind: str,
    fee: CoinFee | None,
) -> tuple[Dispose, Acquire]:
    """Return the sale and the purchase that a deposit or a withdrawal is.

    Parameters
    ----------
    ends, days : (Record, Record), (date, date)
        Where it left and where it arrived, and when.
    qty : (Decimal, Decimal)
        What left, and what arrived.
    value : Decimal or None
        Of what arrived, in AUD.
    kind : str
        "A1" of coins, "C2" of a claim: a claim ends with the fee, which lowers what it brought.
    fee : CoinFee or None
        The network's, on a deposit: a cost of the sale.
    """
    out, into = ends
    sold = qty[0] if kind == "C2" else qty[1]
    gone = Dispose(out.key, days[0], out.moves[0].coin, sold, value, kind=kind, coin_fee=fee)
    key = into.key if into.key != out.key else f"{out.key}.in"
    got = Acquire(key, days[1], out.moves[0].coin, qty[1], value)
    return (
        replace(gone, wallet=out.wallet, ts_ms=out.ts_ms),
        replace(got, wallet=into.wallet, ts_ms=into.ts_ms),
    )
