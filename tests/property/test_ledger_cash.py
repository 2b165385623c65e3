"""Whatever the kernel does to an account, the ledger holds the same to the last unit."""

from hypothesis import HealthCheck, given, settings

from openalpha.books.verify import verify_book
from tests.fakes.kernel_books import BOOK, books_agree, shared_ledger
from tests.reference import exchange
from tests.reference.cases import cases
from tests.reference.scenario import Case


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(cases())
def test_ledger_cash_equals_kernel_cash(case: Case) -> None:
    books_agree(case, exchange.run(case))


def test_the_book_of_all_those_runs_verifies() -> None:
    proof = verify_book(shared_ledger().database, BOOK)
    assert proof.fault is None
    assert proof.entries > 0
