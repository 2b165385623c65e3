"""`verify` names the first thing that is not as it was posted, whatever was done to the tables."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest

from openalpha.books.entries import EntryKind
from openalpha.books.ledger import Ledger
from openalpha.books.rates import Rate, RateTable
from openalpha.books.verify import BookProof, verify_book
from openalpha.core.errors import LedgerError
from tests.fakes.books import DAY_MS, ME, NOON_MS, filled, moved

RATES = RateTable([("USDT", "AUD", Rate(Decimal("1.5"), "mine", NOON_MS))])


@pytest.fixture
def posted(ledger: Ledger) -> Ledger:
    """A book of eight entries over two days, valued where a rate is known."""
    ledger.rates = RATES
    ledger.post(ME, [moved("in", "1000", kind=EntryKind.TRANSFER), filled(1, "2", "100")])
    ledger.post(ME, [moved(f"fee {n}", "-0.5", at=NOON_MS + n * DAY_MS // 2) for n in range(4)])
    ledger.post(ME, [filled(2, "-1", "101.5"), moved("mnt", "3", coin="MNT")])
    assert verify_book(ledger.database, ME).fault is None
    return ledger


def tamper(ledger: Ledger, *statements: str) -> BookProof:
    """Change the tables as somebody with the database's keys could, and verify."""
    with ledger.database.writing() as connection:
        if ledger.database.is_postgresql:
            connection.exec_driver_sql("SET session_replication_role = replica")
        else:
            triggers = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).all()
            for (name,) in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        for statement in statements:
            connection.exec_driver_sql(statement)
    return verify_book(ledger.database, ME)


CASES: dict[str, tuple[tuple[str, ...], int | None, str]] = {
    "an amount": (
        ("UPDATE ledger_postings SET amount = '7' WHERE seq = 3 AND line = 0",),
        3, "out of balance",
    ),
    "both sides of an amount": (
        ("UPDATE ledger_postings SET amount = '-7' WHERE seq = 3 AND line = 0",
         "UPDATE ledger_postings SET amount = '7' WHERE seq = 3 AND line = 1"),
        3, "does not fit its hash",
    ),
    "the stamp of an event": (
        ("UPDATE ledger_entries SET ts_ms = ts_ms + 1 WHERE seq = 4",), 4, "does not fit its hash",
    ),
    "a memo": (
        ("UPDATE ledger_entries SET memo = 'x' WHERE seq = 5",), 5, "does not fit its hash",
    ),
    "a rate": (
        ("UPDATE ledger_quotes SET rate = '1.6' WHERE seq = 1",), 1, "does not fit its hash",
    ),
    "a rate taken away": (
        ("DELETE FROM ledger_quotes WHERE seq = 6",), 6, "does not fit its hash",
    ),
    "the price of a fill": (
        ("UPDATE ledger_fills SET price = '99' WHERE seq = 2",), 2, "does not fit its hash",
    ),
    "a fill taken away": (("DELETE FROM ledger_fills WHERE seq = 7",), 7, "does not fit its hash"),
    "an entry taken out": (
        ("DELETE FROM ledger_postings WHERE seq = 4", "DELETE FROM ledger_quotes WHERE seq = 4",
         "DELETE FROM ledger_entries WHERE seq = 4"),
        4, "missing",
    ),
    "the last entry taken out": (
        ("DELETE FROM ledger_postings WHERE seq = 8", "DELETE FROM ledger_entries WHERE seq = 8"),
        8, "missing",
    ),
    "a hash": (
        ("UPDATE ledger_entries SET hash = 'beef' WHERE seq = 6",), 6, "does not fit its hash",
    ),
    "the hash of the end": (
        ("UPDATE ledger_books SET head_hash = 'beef'",), 8, "its hash is not the book's",
    ),
    "what an account is called": (
        ("UPDATE ledger_accounts SET venue = 'mine' WHERE category = 0 AND coin = 'USDT'",),
        1, "does not fit its hash",
    ),
    "a balance": (
        ("UPDATE ledger_accounts SET balance = '1000000' WHERE category = 0 AND coin = 'USDT'",),
        None, "the balance of bybit:main cash USDT is kept as 1000000, its entries give 998",
    ),
    "a day": (
        ("UPDATE ledger_days SET amount = '5' WHERE day = (SELECT max(day) FROM ledger_days)",),
        None, "is kept as 5",
    ),
    "a day taken away": (("DELETE FROM ledger_days",), None, "is not kept"),
    "an open item": (("UPDATE ledger_open_items SET entries = 0",), None, "open items in MNT"),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_a_change_is_named(posted: Ledger, what: str) -> None:
    statements, entry, reason = CASES[what]
    fault = tamper(posted, *statements).fault
    assert fault is not None, f"{what} was changed and nobody saw it"
    assert fault.entry == entry, fault
    assert reason in fault.reason


def test_a_book_made_anew_is_seen_by_whoever_noted_its_head(posted: Ledger, ledger: Ledger) -> None:
    noted = verify_book(posted.database, ME).head
    ledger.post(ME, [moved("later", "1")])
    assert verify_book(ledger.database, ME, head=noted).fault is None
    wrong = verify_book(ledger.database, ME, head=(noted[0], "0" * 64)).fault
    assert wrong is not None
    assert wrong.entry == noted[0]
    gone = verify_book(ledger.database, ME, head=(99, noted[1])).fault
    assert gone is not None
    assert "missing" in gone.reason


def _nothing(_: Ledger) -> None:
    """Do nothing wrong."""


@pytest.mark.parametrize(
    "attempt",
    [
        _nothing,
        lambda ledger: ledger.post(ME, [moved("in", "5", kind=EntryKind.TRANSFER)]),
        lambda ledger: ledger.post(ME, [moved("new", "1"), moved("in", "5")]),
    ],
)
def test_a_refused_posting_leaves_the_book_as_it_was(
    posted: Ledger, attempt: Callable[[Ledger], object]
) -> None:
    before = verify_book(posted.database, ME)
    with suppress(LedgerError):
        attempt(posted)
    assert verify_book(posted.database, ME) == before


def test_an_empty_database_verifies(ledger: Ledger) -> None:
    assert verify_book(ledger.database, ME).fault is None
