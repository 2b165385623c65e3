"""Parcels named for a sale: used whatever the method, and asked about where they run short."""

from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.naming import lots_of_fill
from openalpha.books.tax import Method, Policy, assess
from openalpha.books.tax.events import Acquire, Dispose, Event, Swap

D = Decimal
SOLD = date(2025, 9, 1)


def bought() -> list[Event]:
    return [
        Acquire("old", date(2023, 8, 1), "BTC", D(1), D(10)),
        Acquire("dear", date(2025, 7, 5), "BTC", D(1), D(90)),
        Acquire("mid", date(2025, 7, 6), "BTC", D(1), D(50)),
    ]


@pytest.mark.parametrize("method", list(Method))
def test_what_is_named_goes_before_every_method(method: Method) -> None:
    sale = Dispose("s", SOLD, "BTC", D(1), D(100), lots=(("mid", D(1)),))
    done = assess([*bought(), sale], Policy(method=method))
    assert [(piece.lot, piece.gain) for piece in done.slices] == [("mid", D(50))]
    assert [parcel.id for parcel in done.parcels] == ["old", "dear"]
    assert done.open_items == ()


@pytest.mark.parametrize("method", [Method.FIFO, Method.MIN_TAX])
@pytest.mark.parametrize("is_swap", [False, True])
def test_a_named_parcel_that_ran_short_is_asked_about(method: Method, *, is_swap: bool) -> None:
    lots = (("mid", D("0.75")), ("dear", D("0.25")))
    before = Dispose("first", date(2025, 8, 1), "BTC", D("0.5"), D(60), lots=(("mid", D("0.5")),))
    sale: Event = Dispose("s", SOLD, "BTC", D(1), D(100), lots=lots)
    if is_swap:
        sale = Swap("s", SOLD, "BTC", D(1), "ETH", D(9), D(100), lots=lots)
    done = assess([*bought(), before, sale], Policy(method=method))
    (item,) = done.open_items
    assert (item.code, item.event, item.found, item.missing) == (
        "named_parcel_short", "s", D("0.5"), D("0.25"),
    )  # fmt: skip
    assert "parcel mid" in item.text
    used = [(piece.lot, piece.qty) for piece in done.slices if piece.disposal == "s"]
    assert used[0] == ("mid", D("0.5"))
    assert sum(qty for _, qty in used) == 1, "nothing is lost: the rest goes by the method"


def test_naming_more_than_is_sold_asks_nothing() -> None:
    sale = Dispose("s", SOLD, "BTC", D("0.5"), D(100), lots=(("mid", D(1)), ("old", D(1))))
    assert assess([*bought(), sale], Policy()).open_items == ()


@pytest.mark.parametrize(
    ("done", "qty", "expected"),
    [
        ("0", "5", (("a", D(2)), ("b", D(3)))),
        ("0", "0.5", (("a", D("0.5")),)),
        ("2", "1", (("b", D(1)),)),
        ("4.5", "5", (("b", D("0.5")),)),
        ("5", "1", ()),
    ],
)
def test_fills_share_the_parcels_of_their_order(
    done: str, qty: str, expected: tuple[tuple[str, Decimal], ...]
) -> None:
    lots = (("a", D(2)), ("b", D(3)))
    assert lots_of_fill(lots, done=D(done), qty=D(qty)) == expected
