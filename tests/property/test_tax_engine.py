"""Properties of the tax engine: nothing is lost, order and splitting change nothing."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.books.tax import Assessment, Entity, Method, Policy, assess
from openalpha.books.tax.dates import held_twelve_months
from openalpha.books.tax.events import Acquire, Cost, Dispose, Event, Moved, Swap
from tests.reference.tax_lots import is_long, match

START = date(2022, 7, 1)
NEAR = Decimal("1e-9")
Trade = tuple[str, int, int, int, int]


@st.composite
def trades(draw: st.DrawFn, *, days: int = 1700, is_closed: bool = False) -> list[Trade]:
    """(kind, day, quantity in hundredths, price in cents, fee in cents), never short."""
    rows: list[Trade] = []
    held = 0
    steps = draw(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 90_000)), max_size=25))
    day = 0
    for qty, price in steps:
        day += draw(st.integers(0, max(1, days // 25)))
        fee = draw(st.integers(0, 500))
        is_sale = held > 0 and draw(st.booleans())
        amount = min(qty, held) if is_sale else qty
        held += -amount if is_sale else amount
        rows.append(("sell" if is_sale else "buy", day, amount, price, fee))
    if is_closed and held:
        rows.append(("sell", day + 1, held, draw(st.integers(1, 90_000)), 7))
    return rows


def events(rows: Iterable[Trade]) -> list[Event]:
    found: list[Event] = []
    for number, (kind, offset, hundredths, price, fee_cents) in enumerate(rows):
        day = START + timedelta(days=offset)
        qty, fee = Decimal(hundredths) / 100, Decimal(fee_cents) / 100
        aud = qty * Decimal(price) / 100
        ts_ms = offset * 86_400_000 + number
        if kind == "buy":
            found.append(Acquire(f"b{number}", day, "BTC", qty, aud, fee, ts_ms=ts_ms))
        else:
            found.append(Dispose(f"s{number}", day, "BTC", qty, aud, fee, ts_ms=ts_ms))
    return found


def total_gain(found: Assessment) -> Decimal:
    return sum((piece.gain for piece in found.slices), Decimal(0))


@given(trades(), st.sampled_from(list(Method)))
def test_quantity_and_cost_are_conserved(rows: list[Trade], method: Method) -> None:
    found = assess(events(rows), Policy(method=method))
    bought = sum((e.qty for e in events(rows) if isinstance(e, Acquire)), Decimal(0))
    paid = sum(
        (e.cost + e.fee for e in events(rows) if isinstance(e, Acquire) and e.cost is not None),
        Decimal(0),
    )
    sold = sum((piece.qty for piece in found.slices), Decimal(0))
    used = sum((piece.cost for piece in found.slices), Decimal(0))
    assert sold + sum((p.left for p in found.parcels), Decimal(0)) == bought
    assert used + sum((p.cost_left for p in found.parcels), Decimal(0)) == paid
    brought = sum((piece.proceeds for piece in found.slices), Decimal(0))
    sales = [e for e in events(rows) if isinstance(e, Dispose)]
    assert brought == sum((e.proceeds for e in sales if e.proceeds is not None), Decimal(0))
    assert not found.open_items


@given(trades(is_closed=True))
def test_full_liquidation_gains_the_same_by_every_method(rows: list[Trade]) -> None:
    sums = {method: total_gain(assess(events(rows), Policy(method=method))) for method in Method}
    first = sums[Method.FIFO]
    assert all(abs(amount - first) < NEAR for amount in sums.values()), sums


@given(trades(days=330), st.sampled_from([Entity.INDIVIDUAL, Entity.SMSF, Entity.COMPANY]))
def test_min_tax_is_never_worse_in_its_year(rows: list[Trade], entity: Entity) -> None:
    """One income year: what every method starts from is the same."""
    results = {m: assess(events(rows), Policy(entity=entity, method=m)) for m in Method}
    for method, found in results.items():
        for year, other in found.years.items():
            best = results[Method.MIN_TAX].years[year].statement
            assert best.net <= other.statement.net, method


@given(trades())
def test_min_tax_is_never_worse_given_the_years_before(rows: list[Trade]) -> None:
    """Year by year, from the parcels and losses that min_tax itself left."""
    whole = assess(events(rows), Policy(method=Method.MIN_TAX))
    for year in whole.years:
        locked = {y: c for y, c in whole.methods.items() if y < year}
        for method in (Method.FIFO, Method.LIFO, Method.HIFO):
            forced = {**locked, year: (method, Decimal(1))}
            choice = {y: type(whole.methods[year])(*c) for y, c in forced.items()}
            other = assess(events(rows), Policy(method=Method.MIN_TAX), locked=choice)
            assert whole.years[year].statement.net <= other.years[year].statement.net


@given(trades(), st.randoms(use_true_random=False))
def test_import_order_changes_nothing(rows: list[Trade], shuffler: random.Random) -> None:
    straight = events(rows)
    mixed = list(straight)
    shuffler.shuffle(mixed)
    one, other = assess(straight, Policy()), assess(mixed, Policy())
    assert [(s.disposal, s.lot, s.qty, s.gain) for s in one.slices] == [
        (s.disposal, s.lot, s.qty, s.gain) for s in other.slices
    ]


@given(
    trades(), st.sampled_from([Method.FIFO, Method.LIFO, Method.HIFO]), st.sampled_from([2, 4, 5])
)
def test_splitting_a_fill_changes_nothing(rows: list[Trade], method: Method, parts: int) -> None:
    whole = assess(events(rows), Policy(method=method))
    split: list[Event] = []
    for event in events(rows):
        split += pieces_of(event, parts)
    found = assess(split, Policy(method=method))
    assert net_by_year(found) == pytest.approx(net_by_year(whole), abs=1e-9)
    assert sum((p.left for p in found.parcels), Decimal(0)) == sum(
        (p.left for p in whole.parcels), Decimal(0)
    )


def pieces_of(event: Event, parts: int) -> list[Event]:
    assert isinstance(event, Acquire | Dispose)
    found: list[Event] = []
    for number in range(parts):
        share = {"qty": event.qty / parts, "fee": event.fee / parts}
        if isinstance(event, Acquire):
            assert event.cost is not None
            cost = event.cost / parts
            found.append(
                Acquire(f"{event.id}.{number}", event.day, event.asset, share["qty"], cost,
                        share["fee"], ts_ms=event.ts_ms)
            )  # fmt: skip
        else:
            assert event.proceeds is not None
            aud = event.proceeds / parts
            found.append(
                Dispose(f"{event.id}.{number}", event.day, event.asset, share["qty"], aud,
                        share["fee"], ts_ms=event.ts_ms)
            )  # fmt: skip
    return found


def net_by_year(found: Assessment) -> dict[int, float]:
    return {year: float(row.statement.net) for year, row in found.years.items() if row.slices}


@given(trades(), st.sampled_from(["fifo", "lifo", "hifo"]))
def test_methods_agree_with_the_plain_reference(rows: list[Trade], method: str) -> None:
    plain = []
    for event in events(rows):
        if isinstance(event, Acquire):
            assert event.cost is not None and event.day is not None
            aud = Fraction(event.cost + event.fee)
            plain.append(("buy", event.id, event.day, Fraction(event.qty), aud))
        elif isinstance(event, Dispose):
            assert event.proceeds is not None
            aud = Fraction(event.proceeds - event.fee)
            plain.append(("sell", event.id, event.day, Fraction(event.qty), aud))
    found = assess(events(rows), Policy(method=Method(method)))
    wanted = match(plain, method)
    assert [(s.disposal, s.lot, s.qty) for s in found.slices] == [
        (row.sale, row.lot, row.qty) for row in wanted
    ]
    for piece, row in zip(found.slices, wanted, strict=True):
        assert abs(Fraction(piece.gain) - row.gain) < Fraction(1, 10**9)
    flags = {(g.source, g.slice.lot): g.is_discountable for g in found.gains if g.slice}
    assert flags == {(row.sale, row.lot): row.is_long for row in wanted}


@given(st.dates(date(1999, 1, 1), date(2035, 12, 31)), st.integers(360, 370))
def test_twelve_months_is_a_test_of_the_calendar(bought: date, days: int) -> None:
    sold = bought + timedelta(days=days)
    assert held_twelve_months(bought, sold) is is_long(bought, sold)


@pytest.mark.parametrize("year", [1999, 2000, 2023, 2024, 2027, 2028, 2096, 2100])
def test_each_february_and_march(year: int) -> None:
    for offset in range(60):
        bought = date(year, 2, 1) + timedelta(days=offset)
        for days in range(363, 369):
            sold = bought + timedelta(days=days)
            assert held_twelve_months(bought, sold) is is_long(bought, sold), (bought, sold)


@given(st.data())
def test_nothing_is_lost_among_coins_and_wallets(data: st.DataObject) -> None:
    """Random events of every kind: units in, less units out, are what is left, by wallet or not."""
    count = data.draw(st.integers(1, 20))
    found: list[Event] = []
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for number in range(count):
        asset = data.draw(st.sampled_from(["BTC", "ETH"]))
        wallet = data.draw(st.sampled_from(["hot", "cold"]))
        day = START + timedelta(days=number * 20)
        qty = Decimal(data.draw(st.integers(1, 500))) / 100
        have = held[asset, wallet]
        kind = data.draw(st.sampled_from(["buy", "sell", "swap", "move", "cost"]))
        if kind == "buy" or have < qty:
            found.append(Acquire(f"e{number}", day, asset, qty, qty * 3, wallet=wallet))
            held[asset, wallet] += qty
        elif kind == "sell":
            found.append(Dispose(f"e{number}", day, asset, qty, qty * 4, wallet=wallet))
            held[asset, wallet] -= qty
        elif kind == "swap":
            other = "ETH" if asset == "BTC" else "BTC"
            found.append(Swap(f"e{number}", day, asset, qty, other, qty, qty * 2, wallet=wallet))
            held[asset, wallet] -= qty
            held[other, wallet] += qty
        elif kind == "move":
            lost = qty / 10
            target = "cold" if wallet == "hot" else "hot"
            found.append(
                Moved(f"e{number}", day, asset, qty, qty - lost, lost * 3, None, wallet, target)
            )
            held[asset, wallet] -= qty
            held[asset, target] += qty - lost
        else:
            found.append(Cost(f"e{number}", day, asset, 3, Decimal("1.11")))
    for per_wallet in (False, True):
        result = assess(found, Policy(per_wallet=per_wallet))
        assert not result.open_items
        left: dict[str, Decimal] = defaultdict(Decimal)
        for parcel in result.parcels:
            left[parcel.asset] += parcel.left
        wanted: dict[str, Decimal] = defaultdict(Decimal)
        for (asset, _), qty in held.items():
            wanted[asset] += qty
        assert {k: v for k, v in left.items() if v} == {k: v for k, v in wanted.items() if v}
        conserved(found, result)


def conserved(found: list[Event], result: Assessment) -> None:
    """Every dollar of cost is in a slice or a parcel."""
    spent = Decimal(0)
    for event in found:
        if isinstance(event, Acquire):
            spent += event.cost or Decimal(0)
        elif isinstance(event, Swap):
            spent += event.value or Decimal(0)
        elif isinstance(event, Moved):
            spent += event.fee_value or Decimal(0)
        elif isinstance(event, Cost):
            spent += event.amount
    used = sum((piece.cost + piece.third for piece in result.slices), Decimal(0))
    left = sum((p.cost_left + p.third_left for p in result.parcels), Decimal(0))
    assert used + left == spent
