"""Rows of the report from an assessed year: disposals, income, parcels held, losses, wash sales."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from openalpha.books.report.assessing import Found
from openalpha.books.report.facts import Facts, Named
from openalpha.books.report.labelled import earning_label
from openalpha.books.report.model import Disposal, Earning, Holding, LossLine, WashLine
from openalpha.books.tax.amounts import ZERO
from openalpha.books.tax.dates import first_eligible_day, zone_of
from openalpha.books.tax.entity import Treatment
from openalpha.books.tax.events import Dispose, Event, Money
from openalpha.books.tax.gains import Gain
from openalpha.books.tax.slices import Slice
from openalpha.books.tax.wash import wash_flags

__all__ = ["disposals", "earnings", "holdings", "losses", "wash_lines"]

Events = Mapping[str, Event]


def disposals(facts: Facts, found: Found, *, events: Events) -> tuple[Disposal, ...]:
    """Return a row for every parcel that every disposal used; two where the law cuts it in two."""
    zone = zone_of(facts.profile.time_zone)
    gains = [*found.result.gains]
    gains += [_on_revenue(piece) for kind, piece in found.slices if kind is not Treatment.CAPITAL]
    return tuple(_row(facts, found, gain, events, zone) for gain in gains)


def _on_revenue(piece: Slice) -> Gain:
    profit = piece.proceeds - piece.cost_base
    return Gain(piece.disposal, piece.day, "revenue", profit, False, "revenue", None, piece)


def _row(facts: Facts, found: Found, gain: Gain, events: Events, zone: ZoneInfo) -> Disposal:
    piece = gain.slice
    event = events.get(_event_of(gain.source))
    is_named = bool(getattr(event, "lots", ()))
    method = "specific" if is_named else found.order.method.value
    named = facts.named.get(_event_of(gain.source)) if is_named else None
    time = _local(event, zone)
    source = facts.where(gain.source)
    if piece is None:  # a gain that was stated, not worked out
        day = gain.day or date(facts.year, 6, 30)
        contract = getattr(event, "contract", "")
        return Disposal(
            gain.source, time, day, contract, ZERO, "", "", None, None, ZERO, ZERO, gain.amount,
            gain.category, gain.is_discountable, gain.rule, gain.concession, "", "", "", "", source,
        )  # fmt: skip
    is_deferred = gain.rule == "deferred_gain"
    reduced, owning = piece.reduced_cost_base, piece.third
    if gain.cost_base is not None and gain.rule != "gain":
        reduced, owning = gain.cost_base, ZERO
    return Disposal(
        gain.source,
        time,
        piece.day,
        piece.asset,
        piece.qty,
        piece.kind,
        piece.lot or "",
        piece.acquired,
        None if is_deferred else piece.proceeds,
        reduced,
        owning,
        gain.amount,
        gain.category,
        gain.is_discountable,
        gain.rule,
        gain.concession,
        method,
        *_choice(facts, piece, method, named, zone),
        source,
    )


def _choice(
    facts: Facts, piece: Slice, method: str, named: Named | None, zone: ZoneInfo
) -> tuple[str, str, str]:
    """Return who chose the parcel, when, and the hash of that choice."""
    if named is not None:
        return named.by, _moment(named.ts_ms, zone), named.sha256
    by = facts.signature.chosen_by
    return by, "standing", _digest(piece, method, by)


def _digest(piece: Slice, method: str, chosen_by: str) -> str:
    """Return the hash of one choice: which parcel, how much of it, how and by whom."""
    said = f"{piece.disposal}\n{piece.lot}\n{piece.qty:f}\n{piece.cost:f}\n{method}\n{chosen_by}"
    return hashlib.sha256(said.encode()).hexdigest()


def _event_of(name: str) -> str:
    """Return the event behind a slice: fees and payments in coin have names of their own."""
    for ending in (".fee", ".paid"):
        name = name.removesuffix(ending)
    return name


def _local(event: Event | None, zone: ZoneInfo) -> str:
    ts_ms = getattr(event, "ts_ms", None)
    if ts_ms is None or ts_ms < 0:
        return ""
    return _moment(ts_ms, zone)


def _moment(ts_ms: int, zone: ZoneInfo) -> str:
    moment = datetime.fromtimestamp(ts_ms / 1000, UTC).astimezone(zone)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def earnings(facts: Facts, found: Found, *, events: Events) -> tuple[Earning, ...]:
    """Return every amount on revenue account, in the order it came."""
    rows = []
    for row in found.result.revenue:
        if not row.amount:
            continue
        is_money = isinstance(events.get(row.event), Money)
        label = earning_label(facts.policy.entity, row.kind, amount=row.amount, is_money=is_money)
        source = facts.where(row.event)
        rows.append(Earning(row.event, row.day, row.kind, label, row.amount, source))
    return tuple(rows)


def holdings(facts: Facts, found: Found) -> tuple[Holding, ...]:
    """Return every parcel held at the end of the year, by asset, oldest first."""
    has_discount = facts.policy.entity.discount > 0
    return tuple(
        Holding(
            parcel.id,
            parcel.asset,
            parcel.wallet,
            parcel.acquired,
            parcel.left,
            parcel.cost_left,
            parcel.third_left,
            first_eligible_day(parcel.acquired)
            if has_discount
            and part.policy.treatment is Treatment.CAPITAL
            and parcel.acquired is not None
            else None,
            parcel.kind,
            facts.where(parcel.id),
        )
        for part in found.record.parts.values()
        for parcel in part.parcels
    )


def losses(facts: Facts, found: Found) -> tuple[LossLine, ...]:
    """Return net capital losses by the year they were made."""
    before = found.carried_before()
    after: dict[int, Decimal] = {}
    for year, amount in found.result.statement.carried:
        after[year] = after.get(year, ZERO) + amount
    return tuple(
        LossLine(
            year,
            before.get(year, ZERO),
            before.get(year, ZERO) - after.get(year, ZERO) if year in before else ZERO,
            after.get(year, ZERO),
        )
        for year in sorted({*before, *after})
    )


def wash_lines(facts: Facts, found: Found, *, events: Events) -> tuple[WashLine, ...]:
    """Return the year's losses with a purchase near them, be it in the next income year."""
    pieces = [piece for _, piece in found.slices]
    flags = wash_flags(pieces, facts.events, window_days=facts.policy.wash_window_days)
    return tuple(
        WashLine(
            flag.disposal,
            flag.asset,
            flag.day,
            flag.loss,
            ", ".join(flag.bought),
            flag.days_apart,
            _reason(events, flag.disposal),
        )
        for flag in flags
    )


def _reason(events: Events, name: str) -> str:
    event = events.get(name)
    return event.reason if isinstance(event, Dispose) else ""
