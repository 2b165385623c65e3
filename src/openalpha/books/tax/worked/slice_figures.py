"""Figures of parcels and slices: disposals, matches, what remains, what is new."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import income_year
from openalpha.books.tax.gains import may_discount
from openalpha.books.tax.parcels import Parcel
from openalpha.books.tax.slices import Slice
from openalpha.books.tax.worked.comparing import Group, differences
from openalpha.books.tax.worked.outcome import Outcome
from openalpha.books.tax.worked.row import Unsupported, as_objects

__all__ = ["SLICE_FIGURES", "year_text"]


def year_text(year: int) -> str:
    """Write an income year as people do.

    Examples
    --------
    >>> year_text(2026)
    '2025-26'
    """
    return f"{year - 1}-{year % 100:02d}"


def _disposals(outcome: Outcome, expected: Any) -> Any:
    """Match every expected row with a slice of its event; each slice of the event must be met."""
    expected = as_objects(expected, what="disposals")
    by_event: dict[str, list[Slice]] = {}
    for piece in outcome.slices:
        by_event.setdefault(piece.disposal, []).append(piece)
    found: list[Any] = []
    used: set[int] = set()
    for row in expected:
        pieces = by_event.get(str(row.get("event")), [])
        free = [p for p in pieces if id(p) not in used]
        chosen = _fitting(outcome, free, row)
        if chosen is None:
            found.append(f"no slice of {row.get('event')} from lot {row.get('lot', 'any')}")
            continue
        used.add(id(chosen))
        found.append(Group(None, _slice_part(outcome, chosen)))
    mentioned = {str(row.get("event")) for row in expected}
    extra = [p for e in mentioned for p in by_event.get(e, []) if id(p) not in used]
    found += [f"slice of {p.disposal} from lot {p.lot}: {p.qty}" for p in extra]
    return found


def _fitting(outcome: Outcome, free: Sequence[Slice], row: Mapping[str, Any]) -> Slice | None:
    same = [p for p in free if "lot" not in row or p.lot == row["lot"]]
    for piece in same:
        part = _slice_part(outcome, piece)
        if not any(
            differences(key, part(key, value), expected=value) for key, value in row.items()
        ):
            return piece
    return same[0] if same else None


def _slice_part(outcome: Outcome, piece: Slice) -> Any:
    def part(name: str, _: Any) -> Any:
        gains = outcome.gains_of(piece)
        total = sum((gain.amount for gain in gains), ZERO)
        new = [gain for gain in gains if not gain.category.startswith("deferred")]
        old = [gain for gain in gains if gain.category.startswith("deferred")]
        values: dict[str, Any] = {
            "event": piece.disposal,
            "lot": piece.lot,
            "asset": piece.asset,
            "qty": piece.qty,
            "proceeds": piece.proceeds,
            "cost_base": piece.cost_base,
            "reduced_cost_base": piece.reduced_cost_base,
            "gain": total,
            "loss": max(ZERO, -total),
            "capital_loss": max(ZERO, -total),
            "discountable": any(g.is_discountable for g in gains)
            if old
            else may_discount(piece, outcome.policy) and not _is_new_law(outcome, piece),
            "acquired": None if piece.acquired is None else piece.acquired.isoformat(),
            "date": piece.day.isoformat(),
            "income_year": year_text(income_year(piece.day)),
            "kind": piece.kind,
            "indexed_cost_base": new[0].cost_base if new else None,
            "deferred_gain": sum((gain.amount for gain in old), ZERO),
            "post_gain": sum((gain.amount for gain in new), ZERO),
            "category": gains[-1].category if gains else None,
        }
        if name not in values:
            raise Unsupported(f"unknown field of a disposal {name!r}")
        return values[name]

    return part


def _is_new_law(outcome: Outcome, piece: Slice) -> bool:
    gains = outcome.gains_of(piece)
    return any(gain.rule not in ("gain", "personal_use") for gain in gains)


def _new_parcels(outcome: Outcome, expected: Any) -> Any:
    expected = as_objects(expected, what="new_parcels")
    assets = {str(row.get("asset")) for row in expected}
    free = [p for p in _all_parcels(outcome) if p.asset in assets]
    found: list[Any] = []
    for row in expected:
        fitting = [p for p in free if _parcel_fits(p, row)]
        same = fitting or [p for p in free if p.asset == row.get("asset") and p.kind != "buy"]
        if not same:
            found.append(f"no parcel of {row.get('asset')}")
            continue
        free.remove(same[0])
        found.append(Group(None, _parcel_part(same[0], same[0].qty, same[0].cost)))
    left = [p for p in free if p.kind not in ("buy", "holding")]
    return found + [f"parcel {p.id}: {p.qty} {p.asset}" for p in left]


def _parcel_fits(parcel: Parcel, row: Mapping[str, Any]) -> bool:
    part = _parcel_part(parcel, parcel.qty, parcel.cost)
    return not any(differences(key, part(key, value), expected=value) for key, value in row.items())


def _all_parcels(outcome: Outcome) -> list[Parcel]:
    seen: dict[int, Parcel] = {}
    for piece in outcome.slices:
        # A fee in the coin received passes through a parcel of its own that never was held.
        is_passing = piece.disposal == f"{piece.lot}.fee"
        if piece.parcel is not None and not is_passing:
            seen[id(piece.parcel)] = piece.parcel
    for parcel in outcome.assessment.parcels:
        seen[id(parcel)] = parcel
    return sorted(seen.values(), key=lambda parcel: parcel.order)


def _parcel_part(parcel: Parcel, qty: Decimal, cost: Decimal) -> Any:
    def part(name: str, _: Any) -> Any:
        values: dict[str, Any] = {
            "asset": parcel.asset,
            "lot": parcel.id,
            "id": parcel.id,
            "event": parcel.id,
            "qty": qty,
            "cost_base": cost,
            "unit_cost": cost / qty if qty else ZERO,
            "acquired": None if parcel.acquired is None else parcel.acquired.isoformat(),
            "kind": parcel.kind,
        }
        if name not in values:
            raise Unsupported(f"unknown field of a parcel {name!r}")
        return values[name]

    return part


def _remaining(outcome: Outcome, expected: Any) -> Any:
    if not isinstance(expected, list):
        raise Unsupported("remaining must be a list")
    held = outcome.assessment.parcels
    if all(isinstance(row, list) for row in expected):
        totals: dict[str, Decimal] = {}
        for parcel in held:
            totals[parcel.id] = totals.get(parcel.id, ZERO) + parcel.left
        return [[name, qty] for name, qty in totals.items()]
    found: list[Any] = []
    for row in as_objects(expected, what="remaining"):
        same = [
            p
            for p in held
            if row.get("lot", p.id) == p.id
            and row.get("asset", p.asset) == p.asset
            and row.get("acquired", _iso(p)) == _iso(p)
        ]
        qty = sum((p.left for p in same), ZERO)
        cost = sum((p.cost_left for p in same), ZERO)
        first = (
            same[0]
            if same
            else Parcel(row.get("lot", ""), row.get("asset", ""), None, 0, qty, cost)
        )
        found.append(Group(qty, _parcel_part(first, qty, cost)))
    return found


def _iso(parcel: Parcel) -> str | None:
    return None if parcel.acquired is None else parcel.acquired.isoformat()


def _matches(outcome: Outcome, _: Any) -> Any:
    return [[piece.disposal, piece.lot, piece.qty] for piece in outcome.slices]


def _discountable(outcome: Outcome, expected: Any) -> Any:
    by_key: dict[str, Any] = {}
    for piece in outcome.slices:
        by_key[f"{piece.disposal}/{piece.lot}"] = _slice_part(outcome, piece)("discountable", None)
    if isinstance(expected, Mapping):
        return by_key
    flags = [gain.is_discountable for gain in outcome.gains]
    return any(flags)


def _cost_where(outcome: Outcome, *, is_long: bool) -> Decimal:
    return sum(
        (p.cost_base for p in outcome.slices if may_discount(p, outcome.policy) is is_long), ZERO
    )


SLICE_FIGURES = {
    "disposals": _disposals,
    "new_parcels": _new_parcels,
    "remaining": _remaining,
    "matches": _matches,
    "discountable": _discountable,
    "cost_over_year": lambda outcome, _: _cost_where(outcome, is_long=True),
    "cost_within_year": lambda outcome, _: _cost_where(outcome, is_long=False),
}
