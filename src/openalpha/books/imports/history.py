"""The whole of what was imported, ready for a report: events, open items, reconciliation."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

from openalpha.books.imports.contracts import realise
from openalpha.books.imports.items import ImportItem, item_of
from openalpha.books.imports.merging import Merged, in_time_order, merge
from openalpha.books.imports.reconcile import Check, reconcile
from openalpha.books.imports.records import OWN_FAMILY, Kind, Record
from openalpha.books.imports.storing import Settlement
from openalpha.books.imports.symbols import FIAT
from openalpha.books.imports.tax_events import EventMaker
from openalpha.books.imports.transfers import Transfer, match_internal, match_transfers
from openalpha.books.rates import Rate, RateSource
from openalpha.books.tax.amounts import exact
from openalpha.books.tax.events import Event, in_order
from openalpha.books.tax.profile import Profile

__all__ = ["ImportedHistory", "imported_history"]

ANYBODY = Profile("")
"""An individual with every default."""


class ImportedHistory(NamedTuple):
    """What an entity's imported files come to.

    Parameters
    ----------
    events : list of Event
        For the tax engine, in order; an event's id is its record's key, which `sources` explains.
    open_items : list of ImportItem
        What blocks a final report.
    settled : list of ImportItem
        What a person said a word on.
    checks : list of Check
        Balances by venue, account and coin.
    transfers : list of Transfer
        Withdrawals matched with deposits.
    aside : int
        Records that another kind of file says too; they count once.
    sources : mapping of key to Record
    rates : mapping of (coin, ts_ms) to Rate
        What valued what.
    """

    events: list[Event]
    open_items: list[ImportItem]
    settled: list[ImportItem]
    checks: list[Check]
    transfers: list[Transfer]
    aside: int
    sources: Mapping[str, Record]
    rates: Mapping[tuple[str, int], Rate]


def imported_history(
    records: Iterable[Record],
    *,
    rates: RateSource,
    zone: tzinfo = UTC,
    settlements: Mapping[str, Settlement] | None = None,
    until_ms: int | None = None,
    stated: Mapping[str, Mapping[str, Rate]] | None = None,
    profile: Profile = ANYBODY,
) -> ImportedHistory:
    """Merge, match, value and check records. The order of imports changes nothing.

    A fact that our own ledger has and an imported file states too counts once, the ledger's: the
    same venue, coins or contract, amounts to 8 decimals, within a minute (transfers: half an hour).
    Imported trades of a venue we traded on meanwhile that fit no entry count as well, and an open
    item asks about them: they may be the same trades summed up.

    Parameters
    ----------
    records : iterable of Record
        Of one entity.
    rates : RateSource
        Values coins in AUD.
    zone : tzinfo
        The taxpayer's: whose days they are.
    settlements : mapping of key to Settlement
        What a person said open items were.
    until_ms : int or None
        Reconcile balances up to this moment, the end of an income year; None takes all.
    stated : mapping of record key to {coin: Rate}
        Records valued when they were posted; see `own_books.own_book`.
    profile : Profile
        Whose choices say what rebates and deposits at a venue are.
    """
    said = settlements or {}
    with exact():
        every, late = _chosen_in_time(records, zone)
        merged = merge(every)
        realised = realise(merged.records)
        traded = {r.venue for r in merged.records if r.kind in (Kind.FILL, Kind.CONTRACT)}
        maker = EventMaker(
            rates,
            zone=zone,
            settlements=said,
            stated=stated,
            rebates=profile.policy.rebates,
            ended=profile.ending(traded),
        )
        items = [*late, *realised.items]
        matched = match_transfers(r for r in realised.records if r.key not in said)
        moved = {id(record) for pair in matched.transfers for record in pair}
        for transfer in matched.transfers:
            maker.transfer(transfer)
        for record in realised.records:
            if record.key in said:
                maker.settled(record, said[record.key])
            elif id(record) not in moved:
                maker.record(record)
        moving = (Kind.DEPOSIT, Kind.WITHDRAWAL)
        judged = [r for r in realised.records if r.key in said and r.kind in moving]
        items += _unexplained(realised.records, matched.alone + judged)
        items += _earned(realised.records) + _without_funding(realised.records)
        items += _foreign(maker.foreign) + _beside_ledger(merged.records)
        checks, broken = reconcile(_with_states(merged), until_ms=until_ms)
        items += _openings(checks) + broken + maker.items
        events = in_order(sorted(maker.events, key=_ordering(every)))
    return ImportedHistory(
        events,
        [item for item in items if item.key not in said],
        [item for item in items if item.key in said],
        checks,
        matched.transfers,
        len(merged.aside),
        {record.key: record for record in every},
        maker.used,
    )


def _ordering(
    every: Iterable[Record],
) -> Callable[[Event], tuple[int, bool, int, str]]:
    """Sort by instant; of one instant, our ledger's facts as posted, then what files say.

    A file states no order within an instant: there coins come in before they go out.
    """
    posted = {record.key: record.line for record in every if record.family == OWN_FAMILY}

    def key(event: Event) -> tuple[int, bool, int, str]:
        ts_ms = event.ts_ms if event.ts_ms is not None else -1
        entry = posted.get(event.id.partition(".")[0])
        if entry is not None:
            return ts_ms, False, entry, ""  # what one fact makes keeps its order: sorting is stable
        qty = getattr(event, "qty", Decimal(0))
        is_out = type(event).__name__ != "Acquire" and qty >= 0
        return ts_ms, True, int(is_out), event.id

    return key


def _with_states(merged: Merged) -> list[Record]:
    """Return what states balances: a record set aside says its own account's all the same."""
    return in_time_order(record for record in (*merged.records, *merged.aside) if record.balances)


def _unexplained(records: Iterable[Record], alone: Iterable[Record]) -> list[ImportItem]:
    items = []
    for record in records:
        if record.kind in (Kind.UNKNOWN, Kind.LEG):
            items.append(
                item_of("unknown_row", record, text=record.text or "the row has no meaning")
            )
    for record in alone:
        coin, amount = record.moves[0]
        if coin in FIAT:
            continue  # money in the bank: no event, and no parcel
        side = "left to" if amount < 0 else "came from"
        text = (
            f"{abs(amount)} {coin} {side} a place no file tells of; import that place's history, "
            f"or settle it: openalpha tax settle {record.key[:10]} --as own|buy|sell|income|gift"
        )
        items.append(item_of(f"unmatched_{record.kind.value}", record, text=text))
    for record in match_internal(records):
        coin, amount = record.moves[0]
        text = (
            f"{amount} {coin} moved between accounts of {record.venue}, and the other account's "
            "history is not imported; import it, or settle it --as own"
        )
        items.append(item_of("missing_other_side", record, text=text))
    return items


def _earned(records: Iterable[Record]) -> list[ImportItem]:
    """Ask where principal came from that the venue gave back and never got."""
    lent: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    items = []
    for record in records:
        if record.kind is Kind.EARN and record.moves:
            coin, amount = record.moves[0]
            lent[record.venue, coin] -= amount
            missing = -lent[record.venue, coin]
            if missing > 0:
                lent[record.venue, coin] = Decimal(0)
                text = (
                    f"{missing} {coin} came back from an earn product that no file shows going in; "
                    "import the earlier history, or settle it --as own|buy"
                )
                item = item_of("missing_subscription", record, text=text)
                items.append(item._replace(amount=missing))
    return items


def _without_funding(records: Iterable[Record]) -> list[ImportItem]:
    """Ask about funding where closed profits, which leave it out, are all there is."""
    found: dict[str, Record] = {}
    for record in records:
        if record.family == "bybit closed pnl":
            found.setdefault(record.venue, record)
    text = (
        "closed profits leave funding out; import the transaction log of these months, or settle "
        "this with the reason why there was none"
    )
    return [
        item_of("funding_unknown", record, text=text)._replace(key=f"funding/{venue}", ts_ms=-1)
        for venue, record in found.items()
    ]


def _chosen_in_time(
    records: Iterable[Record], zone: tzinfo
) -> tuple[list[Record], list[ImportItem]]:
    """Take parcels that were named on the day of their sale; ask about those named later."""
    every, items = [], []
    for record in records:
        chosen = record.chosen
        if chosen is not None:
            sold, named = (
                datetime.fromtimestamp(ts_ms / 1000, UTC).astimezone(zone).date()
                for ts_ms in (record.ts_ms, chosen.recorded_ms)
            )
            if named > sold:
                text = (
                    f"parcels of this sale of {sold} were named on {named} only, by {chosen.by}: "
                    "the standing method is used; settle this --as own"
                )
                item = item_of("late_selection", record, text=text)
                items.append(item._replace(key=f"parcels/{record.key}"))
                record = replace(record, chosen=None)  # noqa: PLW2901 - as if never named
        every.append(record)
    return every, items


def _beside_ledger(records: Iterable[Record]) -> list[ImportItem]:
    """Ask about imported trades of a venue's account that our ledger followed at that time."""
    trades = [r for r in records if r.kind in (Kind.TRADE, Kind.FILL, Kind.CONTRACT)]
    spans: dict[str, tuple[int, int]] = {}
    for record in trades:
        if record.family == OWN_FAMILY:
            first, last = spans.get(record.venue, (record.ts_ms, record.ts_ms))
            spans[record.venue] = (min(first, record.ts_ms), max(last, record.ts_ms))
    beside: dict[str, list[Record]] = defaultdict(list)
    for record in trades:
        first, last = spans.get(record.venue, (1, 0))
        if record.family != OWN_FAMILY and first <= record.ts_ms <= last:
            beside[record.venue].append(record)
    items = []
    for venue, found in sorted(beside.items()):
        text = (
            f"{len(found)} imported trades of {venue}, the first in {found[0].where}, lie between "
            "trades of our own ledger and fit none of them: they count as well; if they are the "
            "same trades summed up, import a file of single fills, else settle this --as own"
        )
        items.append(ImportItem("beside_ledger", f"beside/{venue}", text, found[0].ts_ms))
    return items


def _openings(checks: Iterable[Check]) -> list[ImportItem]:
    """Ask where coins came from that an account held before its first row."""
    items = []
    for check in checks:
        if check.opening > 0 and check.coin not in FIAT:
            place = f"{check.venue} {check.account}".strip()
            text = (
                f"{place} held {check.opening} {check.coin} before the first "
                "row: import the earlier history, or a CSV of your own that says when it was "
                "bought and for what, then settle this --as own"
            )
            key = f"opening/{check.venue}/{check.account}/{check.coin}"
            item = ImportItem("opening_balance", key, text, -1, check.coin, check.opening)
            items.append(item)
    return items


def _foreign(found: Mapping[str, Record]) -> list[ImportItem]:
    text = (
        "{} was held and moved; gains and losses on the currency itself (Division 775) are not "
        "worked out from imports: settle this with your agent's word"
    )
    return [
        item_of("foreign_currency", record, text=text.format(coin))._replace(
            key=f"currency/{coin}", ts_ms=-1, coin=coin, amount=None
        )
        for coin, record in sorted(found.items())
    ]
