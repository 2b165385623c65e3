"""FIFO, LIFO and HIFO in the plainest way: a list of lots, exact fractions, no engine code."""

from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple


class Lot:
    def __init__(self, name: str, day: date, qty: Fraction, cost: Fraction) -> None:
        self.name, self.day, self.left, self.unit = name, day, qty, cost / qty


class Used(NamedTuple):
    sale: str
    lot: str
    qty: Fraction
    gain: Fraction
    is_long: bool


def is_long(bought: date, sold: date) -> bool:
    """A clear year starts the day after the purchase; compare plain (year, month, day) triples."""
    start = bought + timedelta(days=1)
    return (sold.year, sold.month, sold.day) >= (start.year + 1, start.month, start.day)


def match(trades: list[tuple[str, str, date, Fraction, Fraction]], method: str) -> list[Used]:
    """Match (kind, name, day, qty, AUD) rows: AUD is cost with fee, or proceeds less fee."""
    lots: list[Lot] = []
    found: list[Used] = []
    for kind, name, day, qty, aud in trades:
        if kind == "buy":
            lots.append(Lot(name, day, qty, aud))
            continue
        unit, wanted = aud / qty, qty
        order = list(lots) if method != "lifo" else lots[::-1]
        if method == "hifo":
            order.sort(key=_minus_unit)
        for lot in order:
            part = min(wanted, lot.left)
            if part:
                lot.left -= part
                wanted -= part
                gain = part * (unit - lot.unit)
                found.append(Used(name, lot.name, part, gain, is_long(lot.day, day)))
    return found


def _minus_unit(lot: Lot) -> Fraction:
    return -lot.unit
