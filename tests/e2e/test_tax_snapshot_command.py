"""`openalpha tax snapshot` as a user types it: two sources, kept for good, used by the law."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.boundary import keep_snapshot, kept_snapshot, law_of
from openalpha.books.declarations import Declarations
from openalpha.books.opening import open_ledger
from openalpha.books.settings import BooksSettings
from openalpha.books.tax import Policy, assess
from openalpha.books.tax.events import Acquire, Dispose
from openalpha.books.tax.snapshot import Quote, take_snapshot
from openalpha.cli.border import execute
from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError, LedgerError

BOUGHT = """\
time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id
2025-07-01T09:00:00+10:00,buy,BTC,0.1,AUD,16000,AUD,16,,1
2026-07-01T00:30:00+10:00,buy,BTC,0.1,AUD,17000,AUD,0,,2
"""
HEAD = "coin,quote,time,rate,source\n"


@pytest.fixture
def prices(home: Path, tmp_path: Path, capsys: Any) -> list[Path]:
    """Import a purchase on either side of 30 June 2026, and write prices of two venues."""
    del home
    (tmp_path / "mine.csv").write_text(BOUGHT)
    assert execute(["tax", "import", str(tmp_path / "mine.csv"), "--quiet"]) == 0
    found = []
    for name, rate in (("one", "150000"), ("two", "151000")):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"{HEAD}BTC,AUD,2026-06-30T23:59:00+10:00,{rate},{name}'s close\n")
        found.append(path)
    capsys.readouterr()
    return found


def typed(*files: Path, at: str = "2026-06-30", **more: str) -> list[str]:
    named = [word for path in files for word in ("--rates", str(path))]
    options = [word for name, value in more.items() for word in (f"--{name}", value)]
    return ["tax", "snapshot", "--at", at, *named, *options]


def test_parcels_of_the_day_are_valued_by_the_first_source(prices: list[Path], capsys: Any) -> None:
    assert execute([*typed(*prices), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = found["rows"]
    assert (row["qty"], row["unit"], row["value"]) == ("0.1", "150000", "15000.0")
    assert Decimal(row["deferred"]) == Decimal(15000) - Decimal(16016)
    assert [q["source"] for q in found["quotes"]] == [
        "one.csv: one's close", "two.csv: two's close",
    ]  # fmt: skip
    assert found["is_new"] is True
    assert execute(typed(*prices)) == 0
    assert "was kept already, the same" in capsys.readouterr().out


def test_another_one_needs_a_reason_and_both_are_kept(
    home: Path, prices: list[Path], capsys: Any
) -> None:
    assert execute([*typed(*prices), "--quiet"]) == 0
    assert execute(typed(*reversed(prices))) == 1
    assert "say with --reason why" in capsys.readouterr().err
    assert execute(typed(*reversed(prices), reason="one of them was down")) == 0
    books = open_ledger(home, BooksSettings(), clock=ManualClock(0))
    kept = Declarations(books.database, books.clock).history("me", "snapshot 2026-06-30")
    assert [json.loads(word.said)["reason"] for word in kept] == ["", "one of them was down"]
    books.database.close()


@pytest.mark.parametrize(
    ("at", "how_many", "said"),
    [
        ("2026-06-30", 1, "needs the price of two sources"),
        ("2026-06-30", 0, "there is none"),
        ("2127-06-30", 2, "is not over yet in Australia/Sydney"),
        ("yesterday", 2, "expected a day such as 2027-06-30"),
        ("2020-06-30", 2, "hold nothing of me up to 2020-06-30"),
    ],
)
def test_what_cannot_be_valued_is_refused_in_a_sentence(
    prices: list[Path], capsys: Any, at: str, how_many: int, said: str
) -> None:
    assert execute(typed(*prices[:how_many], at=at)) == 1
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_law_reads_the_one_of_the_boundary(home: Path) -> None:
    books = open_ledger(home, BooksSettings(), clock=ManualClock(0))
    day = date(2027, 6, 30)
    events = [Acquire("a", date(2026, 1, 1), "BTC", Decimal(1), Decimal(100_000))]
    quotes = [Quote(name, "BTC", Decimal(150_000), 1) for name in ("one", "two")]
    taken = take_snapshot(assess(events, Policy()).parcels, quotes)
    assert taken.day == day
    assert law_of(books.database, "me", clock=books.clock).boundary == {}
    assert keep_snapshot(books.database, "me", snapshot=taken, clock=books.clock)
    law = law_of(books.database, "me", clock=books.clock)
    sale = Dispose("s", date(2028, 3, 1), "BTC", Decimal(1), Decimal(150_000))
    found = assess([*events, sale], Policy(), law=law)
    assert [item.code for item in found.open_items] == ["missing_cpi"], "the value is known"
    assert [g.amount for g in found.gains if g.category.startswith("deferred")] == [Decimal(50_000)]
    assert kept_snapshot(books.database, "me", clock=books.clock) == taken
    other = take_snapshot([], [], day=day)
    with pytest.raises(InputError, match="both are kept"):
        keep_snapshot(books.database, "me", snapshot=other, clock=books.clock)
    word = Declarations(books.database, books.clock).last("me", "snapshot 2027-06-30")
    assert word is not None
    changed = word.said.replace("150000", "160000")
    Declarations(books.database, books.clock).declare("me", "snapshot 2027-06-30", said=changed)
    with pytest.raises(LedgerError, match="does not fit its hash"):
        law_of(books.database, "me", clock=books.clock)
    books.database.close()
