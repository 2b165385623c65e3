"""A portfolio that changes its account: the deemed events of the day, and the parcels after it.

Capital to trading stock is CGT event K4 at market value, or nothing at cost, whichever is elected
(s 70-30). Leaving trading stock is a sale and purchase at cost (s 70-110). Capital to a profit
scheme has no deemed event: what accrued before is a capital gain when the coin is really sold, the
rest profit. Back from a profit scheme nothing is deemed either, and an agent is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from openalpha.books.tax.amounts import ZERO, exact, share
from openalpha.books.tax.assessment import Assessment, CarryIn, assess
from openalpha.books.tax.dates import REFORM_START, held_twelve_months
from openalpha.books.tax.entity import Method, Policy, Refused, Treatment
from openalpha.books.tax.events import Acquire, Cost, Dispose, Event, StatedGain
from openalpha.books.tax.gains import Law
from openalpha.books.tax.parcels import Parcel
from openalpha.books.tax.search import Candidate
from openalpha.books.tax.slices import OpenItem

__all__ = ["Choice", "Segment", "assess_segments", "policy_on", "segments_of"]


@dataclass(frozen=True, slots=True)
class Choice:
    """On which account a portfolio is, from which day, why, and who says so.

    Where it changes, `value` says at what coins pass into trading stock ("cost" or "market"), and
    `values` states what a unit of each was worth that day, in AUD.
    """

    portfolio: str
    treatment: Treatment
    since: date
    reason: str
    signer: str
    value: str = "cost"
    values: Mapping[str, Decimal] | None = None


class Segment(NamedTuple):
    """A stretch of a portfolio on one account; `choice` began it, None at the very beginning."""

    name: str
    treatment: Treatment
    choice: Choice | None
    events: list[Event]


class _Given(NamedTuple):
    """What every assessment of a stretch is given beside its events."""

    policy: Policy
    law: Law | None
    carry_in: CarryIn
    locked: Mapping[int, Candidate] | None

    def assess(self, events: list[Event]) -> Assessment:
        return assess(events, self.policy, law=self.law, carry_in=self.carry_in, locked=self.locked)


class _Opening(NamedTuple):
    """What a segment begins with: events, and what waits for the sale of which parcel."""

    events: list[Event]
    waiting: dict[str, tuple[Decimal, date | None]]
    items: list[OpenItem]


def segments_of(
    name: str, events: Sequence[Event], *, policy: Policy, choices: Iterable[Choice]
) -> list[Segment]:
    """Cut a portfolio's events at the days its account changes.

    Events before the first choice are on the policy's account; a choice that changes nothing makes
    no cut. The day of a choice belongs to the new account.
    """
    found = [Segment(name, policy.treatment, None, list(events))]
    for choice in sorted(choices, key=lambda choice: choice.since):
        last = found[-1]
        before = [event for event in last.events if event.day is None or event.day < choice.since]
        if choice.treatment is last.treatment:
            continue
        if not before:
            found[-1] = last._replace(treatment=choice.treatment, choice=choice)
            continue
        after = [event for event in last.events if event.day and event.day >= choice.since]
        found[-1] = last._replace(events=before)
        title = f"{name} from {choice.since.isoformat()}".strip()
        found.append(Segment(title, choice.treatment, choice, after))
    return found


def assess_segments(
    segments: Sequence[Segment],
    policy: Policy,
    *,
    law: Law | None,
    carry_in: CarryIn,
    locked: Mapping[int, Candidate] | None = None,
) -> dict[str, Assessment]:
    """Assess each stretch on its account, with the deemed events between them.

    Returns
    -------
    dict of str to Assessment
        By the segments' names; coins held at the end stand in the last one only.

    Raises
    ------
    Refused
        If coins change account and what they were worth that day is not stated.
    """
    found: dict[str, Assessment] = {}
    opening = _Opening([], {}, [])
    for segment, following in pairwise([*segments, None]):
        assert segment is not None
        own = policy_on(policy, segment.treatment)
        events = [*opening.events, *segment.events]
        given = _Given(own, law, carry_in, locked)
        done = _assessed(events, given, opening)
        begun = opening
        if following is not None:
            assert following.choice is not None
            with exact():
                closing = _closing(done.parcels, segment, following.choice)
                opening = _opened(done.parcels, segment, following.choice)
            done = _assessed([*events, *closing], given, begun)
            done = replace(done, parcels=())
        items = (*done.open_items, *begun.items)
        found[segment.name] = replace(done, open_items=items)
    return found


def policy_on(policy: Policy, treatment: Treatment) -> Policy:
    """Return the policy of a stretch; stock not identified is first in, first out (TR 96/4)."""
    if treatment is Treatment.REVENUE_TRADING_STOCK and policy.method is not Method.SPECIFIC:
        return replace(policy, treatment=treatment, method=Method.FIFO)
    return replace(policy, treatment=treatment)


def _assessed(events: list[Event], given: _Given, opening: _Opening) -> Assessment:
    done = given.assess(events)
    if not opening.waiting:
        return done
    with exact():
        rows, items = _released(done, opening.waiting, given.policy)
    again = given.assess([*events, *rows])
    return replace(again, open_items=(*again.open_items, *items))


def _released(
    done: Assessment, waiting: Mapping[str, tuple[Decimal, date | None]], policy: Policy
) -> tuple[list[StatedGain], list[OpenItem]]:
    """Return the capital gains that waited for these disposals (s 118-20 leaves them to CGT)."""
    rows: list[StatedGain] = []
    items: list[OpenItem] = []
    for number, piece in enumerate(done.slices):
        if piece.parcel is None or piece.parcel.id not in waiting:
            continue
        whole, acquired = waiting[piece.parcel.id]
        amount = share(whole, piece.qty, whole=piece.parcel.qty)
        is_long = held_twelve_months(acquired, piece.day) and policy.entity.discount > 0
        name = f"{piece.disposal}.before.{number}"
        rows.append(StatedGain(name, piece.day, amount, is_long))
        if policy.entity.is_reformed and piece.day >= REFORM_START:
            text = (
                f"{piece.asset} was bought as an investment, became part of a profit scheme and "
                "was sold after 30 June 2027: an agent's word on it goes under [[agent]]"
            )
            items.append(OpenItem("refer_change", piece.disposal, text))
    return rows, items


def _closing(parcels: Iterable[Parcel], segment: Segment, choice: Choice) -> list[Event]:
    """Return the deemed disposals that end a stretch."""
    old, new = segment.treatment, choice.treatment
    to_stock = new is Treatment.REVENUE_TRADING_STOCK
    if old is Treatment.CAPITAL and not (to_stock and choice.value == "market"):
        return []
    is_market = to_stock and choice.value == "market"
    kind = "K4" if old is Treatment.CAPITAL else "A1"
    totals: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for parcel in parcels:
        qty, cost = totals.get((parcel.asset, parcel.wallet), (ZERO, ZERO))
        cost += parcel.cost_left + parcel.third_left
        totals[parcel.asset, parcel.wallet] = (qty + parcel.left, cost)
    return [
        Dispose(
            f"change-{choice.since.isoformat()}-{asset}{'-' + wallet if wallet else ''}",
            choice.since,
            asset,
            qty,
            qty * _unit(choice, asset) if is_market else cost,
            kind=kind,
            reason=choice.reason,
            wallet=wallet,
        )
        for (asset, wallet), (qty, cost) in sorted(totals.items())
    ]


def _opened(parcels: Iterable[Parcel], segment: Segment, choice: Choice) -> _Opening:
    """Return what the next stretch begins with."""
    old, new = segment.treatment, choice.treatment
    opening = _Opening([], {}, [])
    for number, parcel in enumerate(parcels, 1):
        name = f"{parcel.id}@{choice.since.isoformat()}.{number}"
        plain = parcel.cost_left
        if new is Treatment.REVENUE_TRADING_STOCK or old is Treatment.REVENUE_TRADING_STOCK:
            plain += parcel.third_left
            if new is Treatment.REVENUE_TRADING_STOCK and choice.value == "market":
                plain = parcel.left * _unit(choice, parcel.asset)
            opening.events.append(_again(name, parcel, choice.since, plain))
        elif new is Treatment.REVENUE_PROFIT_SCHEME:
            worth = parcel.left * _unit(choice, parcel.asset)
            gain = worth - plain
            if gain > 0:
                gain = max(gain - parcel.third_left, ZERO)
            opening.waiting[name] = (gain, parcel.acquired)
            opening.events.append(_again(name, parcel, parcel.acquired, worth))
        else:
            opening.events.append(_again(name, parcel, parcel.acquired, plain))
            if parcel.third_left:
                third = Cost(f"{name}.3", choice.since, parcel.asset, 3, parcel.third_left, name)
                opening.events.append(third)
            text = (
                f"{parcel.asset} left a profit scheme and is an investment again; no rule says how "
                "the two gains part: a registered tax agent's word goes under [[agent]]"
            )
            opening.items.append(OpenItem("refer_change", name, text))
    return opening


def _again(name: str, parcel: Parcel, day: date | None, cost: Decimal) -> Acquire:
    kind = "change_of_account"
    return Acquire(name, day, parcel.asset, parcel.left, cost, kind=kind, wallet=parcel.wallet)


def _unit(choice: Choice, asset: str) -> Decimal:
    found = (choice.values or {}).get(asset)
    if found is None:
        raise Refused(
            f"{asset} changes its account on {choice.since.isoformat()}: state what one was worth "
            f"that day, in AUD, among the values of that choice"
        )
    return found
