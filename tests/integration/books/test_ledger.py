"""The ledger on both databases: what is posted stands, once, whole, and cannot be changed."""

from decimal import Decimal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import Entry, EntryKind, Posting
from openalpha.books.ledger import Ledger, Posted
from openalpha.books.rates import Rate, RateTable
from openalpha.books.reading import read_entries
from openalpha.books.tables import ACCOUNTS, APPEND_ONLY, OPEN_ITEMS
from openalpha.books.verify import books_in, verify_book
from openalpha.books.writing import book_row
from openalpha.core.errors import ConfigError, InputError, LedgerError
from openalpha.core.messages import Environment
from openalpha.store.database import METADATA, REVISION, Database, open_database
from openalpha.store.migrations import FOLDER
from tests.fakes.books import ME, NOON_MS, filled, linear, moved

CASH = Account("bybit:main", Category.CASH, "USDT")


def entries(ledger: Ledger, book: Book = ME) -> list[Entry]:
    with ledger.database.reading() as connection:
        row = book_row(connection, book)
        return list(read_entries(connection, row[0])) if row else []


def balance(ledger: Ledger, account: Account = CASH) -> Decimal:
    with ledger.database.reading() as connection:
        for row in connection.execute(ACCOUNTS.select()):
            if (row.venue, row.category, row.coin) == account[:3]:
                found = row.balance
                assert isinstance(found, Decimal)
                return found
    return Decimal(0)


def test_the_migrations_make_the_tables_the_program_declares(database: Database) -> None:
    with database.reading() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    assert found == []
    assert ScriptDirectory(str(FOLDER)).get_current_head() == REVISION


def test_a_posted_entry_reads_back_as_it_was(ledger: Ledger) -> None:
    draft = moved("a", "-1.250")._replace(memo="é, \u2028 and 'quotes'", ref="row 7")
    assert ledger.post(ME, [draft]) == Posted(1, 0)
    (entry,) = entries(ledger)
    assert (entry.seq, entry.key, entry.kind, entry.ts_ms) == (1, "a", EntryKind.FEE, NOON_MS)
    assert (entry.memo, entry.ref) == (draft.memo, "row 7")
    assert entry.postings == draft.postings
    assert balance(ledger) == Decimal("-1.25")
    assert verify_book(ledger.database, ME).fault is None


@pytest.mark.parametrize(
    "amount",
    ["0", "0.000000000000000001", "123456789012345678901234567890.123456789012345678",
     "-0.1", "1E+21", "9007199254740993", "-0.0000000000000000000000000000000000000001"],
)  # fmt: skip
def test_no_digit_of_an_amount_is_lost(ledger: Ledger, amount: str) -> None:
    ledger.post(ME, [moved("a", amount), moved("b", "1"), moved("c", "-1")])
    assert entries(ledger)[0].postings[0].amount == Decimal(amount)
    assert balance(ledger) == Decimal(amount)
    assert verify_book(ledger.database, ME).fault is None


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1E+61", "1E-41"])
def test_an_amount_that_cannot_be_kept_is_refused_whole(ledger: Ledger, amount: str) -> None:
    with pytest.raises(InputError):
        ledger.post(ME, [moved("a", "1"), moved("b", amount)])
    assert entries(ledger) == []


def test_an_entry_out_of_balance_is_refused_whole(ledger: Ledger) -> None:
    bad = moved("b", "1")
    bad = bad._replace(postings=(bad.postings[0], Posting(bad.postings[1].account, Decimal(-2))))
    with pytest.raises(InputError, match="out of balance by -1 USDT"):
        ledger.post(ME, [moved("a", "1"), bad])
    assert entries(ledger) == []
    assert balance(ledger) == 0


def test_posting_again_changes_nothing(ledger: Ledger) -> None:
    drafts = [moved("a", "1"), filled(1, "2", "100"), moved("c", "3")]
    assert ledger.post(ME, drafts) == Posted(3, 0)
    before = entries(ledger)
    assert ledger.post(ME, [*drafts, moved("d", "4")]) == Posted(1, 3)
    assert entries(ledger)[:3] == before
    assert balance(ledger) == 8


def test_the_same_key_twice_in_one_call_is_posted_once(ledger: Ledger) -> None:
    assert ledger.post(ME, [moved("a", "1"), moved("a", "1")]) == Posted(1, 1)


def test_a_key_with_other_content_is_refused(ledger: Ledger) -> None:
    ledger.post(ME, [moved("a", "1")])
    with pytest.raises(LedgerError, match="entry 1 of paper/me has the key a but other content"):
        ledger.post(ME, [moved("b", "1"), moved("a", "2")])
    ledger.post(ME, [filled(1, "2", "100")])
    with pytest.raises(LedgerError, match="other content"):
        ledger.post(ME, [filled(1, "2", "101")])
    assert len(entries(ledger)) == 2


def test_books_are_kept_apart(ledger: Ledger) -> None:
    other = Book(Environment.LIVE, "me")
    trust = Book(Environment.PAPER, "trust")
    for book, amount in ((ME, "1"), (other, "2"), (trust, "3")):
        ledger.post(book, [moved("a", amount)])
    assert books_in(ledger.database) == [ME, trust, other]
    assert [entries(ledger, book)[0].postings[0].amount for book in (ME, other, trust)] == [1, 2, 3]
    assert len({entries(ledger, book)[0].hash for book in (ME, other, trust)}) == 3


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET seq = seq + 1"])
def test_the_database_itself_refuses_to_change_an_entry(
    ledger: Ledger, table: str, statement: str
) -> None:
    ledger.rates = RateTable([("USDT", "AUD", Rate(Decimal("1.5"), "mine", NOON_MS))])
    ledger.post(ME, [moved("a", "1"), filled(1, "2", "100")])
    before = entries(ledger)
    with (
        pytest.raises(LedgerError, match=f"{table} is never changed or deleted"),
        ledger.database.writing() as connection,
    ):
        connection.exec_driver_sql(statement.format(table))
    assert entries(ledger) == before


def test_the_database_refuses_other_ways_to_lose_entries(ledger: Ledger) -> None:
    ledger.post(ME, [moved("a", "1")])
    if ledger.database.is_postgresql:
        statement = "TRUNCATE ledger_entries CASCADE"
    else:
        statement = "REPLACE INTO ledger_entries SELECT * FROM ledger_entries"
    with pytest.raises(LedgerError), ledger.database.writing() as connection:
        connection.exec_driver_sql(statement)


def test_the_value_in_aud_is_kept_or_left_open(ledger: Ledger) -> None:
    known = Rate(Decimal("1.5203"), "RBA", NOON_MS - 1_000)
    ledger.rates = RateTable([("USDT", "AUD", known)])
    ledger.post(ME, [moved("a", "-2"), moved("b", "-2", coin="MNT"), moved("c", "0", coin="MNT")])
    first, second, third = entries(ledger)
    assert [(*quote,) for quote in first.quotes] == [("USDT", "AUD", *known, None)]
    assert second.quotes == third.quotes == ()
    with ledger.database.reading() as connection:
        rows = connection.execute(OPEN_ITEMS.select())
        assert {row.coin: row.entries for row in rows} == {"MNT": 1}
    assert verify_book(ledger.database, ME).fault is None


def test_aud_itself_needs_no_rate(ledger: Ledger) -> None:
    ledger.post(ME, [moved("a", "100", coin="AUD", kind=EntryKind.TRANSFER)])
    with ledger.database.reading() as connection:
        assert connection.execute(OPEN_ITEMS.select()).all() == []


def test_fills_build_a_position_and_its_cost(ledger: Ledger) -> None:
    of = linear()
    ledger.post(ME, [filled(1, "1", "100"), filled(2, "2", "101")])
    ledger.post(ME, [filled(3, "-1", "110")])
    position = Account("bybit:main", Category.POSITION, str(of.id), str(of.id))
    assert balance(ledger, position) == 2
    # 302 for 3; one releases 100.666666..., rounded up to the unit of price times quantity
    cost = Account("bybit:main", Category.COST, "USDT", str(of.id))
    assert balance(ledger, cost) == Decimal("201.33333333")
    ledger.post(ME, [filled(4, "-3", "90")])
    assert balance(ledger, position) == -1
    assert balance(ledger, cost) == -90
    assert verify_book(ledger.database, ME).fault is None


def test_many_are_posted_in_batches_and_go_on_where_they_stopped(ledger: Ledger) -> None:
    drafts = [moved(str(number), "0.1") for number in range(57)]
    ledger.post_many(ME, drafts[:20], batch=10)
    counts: list[int] = []
    assert ledger.post_many(ME, drafts, batch=10, advance=counts.append) == Posted(37, 20)
    assert counts == [10, 10, 10, 10, 10, 7]
    assert balance(ledger) == Decimal("5.7")


def test_a_newer_schema_is_refused(address: str, database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match="has schema 9999, newer than the"):
        open_database(address)


@pytest.mark.parametrize("address", ["mysql://a/b", "nonsense", "postgres//x", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="postgresql://"):
        open_database(address)
