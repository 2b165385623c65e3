"""An archive's content out of either database and into either: the same books, proven."""

from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.accounts import Book
from openalpha.books.archive import content_of, heads_of, restore
from openalpha.books.entries import EntryKind
from openalpha.books.imports.storing import Imports, Settlement
from openalpha.books.ledger import Ledger
from openalpha.books.manual import open_counts, reversal
from openalpha.books.published_rates import Stated, stated_rates, store
from openalpha.books.rates import Rate, RateTable
from openalpha.books.trades import entries, trades
from openalpha.books.verify import verify_book
from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError, LedgerError
from openalpha.core.messages import Environment
from openalpha.store.database import Database, open_database
from tests.fakes.books import filled, moved

LIVE = Book(Environment.LIVE, "me")
USED = {("ETH", 77): Rate(Decimal("4000.125"), "a market", 70)}


def fill_up(ledger: Ledger) -> None:
    """Post a valued entry, an open one, a fill, a correction; settle something, state a rate."""
    ledger.rates = RateTable([("BTC", "AUD", Rate(Decimal("1.25"), "x", 0))], carry_ms=2**60)
    ledger.post(
        LIVE, [moved("a", "1.5", coin="BTC"), moved("b", "-2"), filled(1, "0.2", "60000.5")]
    )
    first = next(e for e in entries(ledger.database, LIVE) if e.seq == 1)
    ledger.post(LIVE, [reversal(first, memo="wrong \t one")])
    other = Book(Environment.LIVE, "somebody else")
    ledger.post(other, [moved("c", "9")])
    ledger.post(Book(Environment.PAPER, "me"), [moved("d", "9")])
    imports = Imports(ledger.database, ledger.clock)
    imports.settle("me", "k", settlement=Settlement("own", Decimal("3.10"), "mine"))
    imports.settle("somebody else", "k", settlement=Settlement("own", None, "theirs"))
    rate = Stated("EUR", "AUD", 5, "RBA", Decimal("1.6543"), "RBA of today")
    store(ledger.database, [rate], clock=ledger.clock)


def files_of(ledger: Ledger, tmp_path: Path) -> dict[str, bytes]:
    return content_of(ledger.database, "me", used=USED, sources=tmp_path)


def test_books_come_back_the_same(database: Database, tmp_path: Path) -> None:
    """From SQLite into either database, and from there into SQLite again."""
    first = Ledger(open_database(tmp_path / "first.sqlite"), ManualClock(1_000))
    fill_up(first)
    files = files_of(first, tmp_path)
    second = Ledger(database, ManualClock(2_000))
    assert restore(second, "me", files=files) == [LIVE]
    proof = verify_book(database, LIVE)
    assert proof.fault is None
    assert heads_of(database, "me") == heads_of(first.database, "me") == {"live": proof.head}
    assert entries(database, LIVE) == entries(first.database, LIVE)
    assert trades(database, LIVE) == trades(first.database, LIVE)
    assert open_counts(database, LIVE) == open_counts(first.database, LIVE) == {"USDT": 1}
    assert set(Imports(database, second.clock).settlements("me")) == {"k"}
    assert Imports(database, second.clock).settlements("somebody else") == {}
    rates = stated_rates(database)
    eth, eur = (rates.rate(coin, "AUD", ts_ms=77) for coin in ("ETH", "EUR"))
    assert eth is not None
    assert (eth.rate, "a market of 1970" in eth.source) == (Decimal("4000.125"), True)
    assert eur is not None
    assert eur.rate == Decimal("1.6543")
    second.post(LIVE, [moved("goes on", "1")])
    assert verify_book(database, LIVE).fault is None
    third = Ledger(open_database(tmp_path / "third.sqlite"), ManualClock(3_000))
    again = files_of(second, tmp_path)
    restore(third, "me", files=again)
    assert entries(third.database, LIVE) == entries(database, LIVE)
    assert files_of(third, tmp_path)["ledger/live.jsonl"] == again["ledger/live.jsonl"]
    for ledger in (first, third):
        ledger.database.close()


def test_nothing_broken_is_sealed_and_nothing_is_restored_over_something(
    ledger: Ledger, tmp_path: Path
) -> None:
    fill_up(ledger)
    files = files_of(ledger, tmp_path)
    with pytest.raises(InputError, match="is not empty"):
        restore(ledger, "me", files=files)
    lines = files["ledger/live.jsonl"].split(b"\n")
    for changed in ([lines[0], *lines[2:]], [lines[0].replace(b'"1.5"', b'"2.5"'), *lines[1:]]):
        fresh = Ledger(open_database(Path(":memory:")), ManualClock(0))
        with pytest.raises(LedgerError, match="does not follow from entry"):
            restore(fresh, "me", files={**files, "ledger/live.jsonl": b"\n".join(changed)})
        assert not entries(fresh.database, LIVE)
        fresh.database.close()
    kinds = {entry.kind for entry in entries(ledger.database, LIVE)}
    assert EntryKind.CORRECTION in kinds
