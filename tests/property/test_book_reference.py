"""The compiled book agrees with the reference on random stories, and nothing is made or lost."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.exchange import BookMachine
from tests.reference import book, book_adapter
from tests.reference.book_case import BookCase
from tests.reference.book_tales import tale

SEEDS = st.integers(0, 2**40)


def shortest(case: BookCase) -> BookCase:
    """Return the shortest beginning of a story on which kernel and reference differ."""
    for n in range(1, len(case.steps)):
        part = replace(case, steps=case.steps[:n])
        if book_adapter.run(part) != book.run(part):
            return part
    return case


def played(case: BookCase) -> BookMachine:
    machine = book_adapter.machine_of(case)
    for ts, step in enumerate(case.steps, 1):
        book_adapter.apply(machine, ts, step)
    return machine


@settings(max_examples=600)
@given(seed=SEEDS)
def test_kernel_and_reference_agree(seed: int) -> None:
    case = tale(seed)
    if book_adapter.run(case) != book.run(case):
        short = shortest(case)
        assert book_adapter.run(short) == book.run(short), short


@settings(max_examples=200)
@given(seed=SEEDS)
def test_what_accounts_trade_with_each_other_sums_to_nothing(seed: int) -> None:
    """Nobody else is there: positions cancel, and only fees leave the accounts."""
    case = tale(seed, feed_share=0)
    machine = played(case)
    accounts = range(case.accounts)
    assert sum(machine.position(a, 0)[0] for a in accounts) == 0
    fees = int(machine.fills[:, at.F_FEE].sum())
    assert sum(machine.equity(a) for a in accounts) == case.accounts * case.balance + fees


@settings(max_examples=200)
@given(seed=SEEDS)
def test_each_account_is_the_sum_of_its_effects(seed: int) -> None:
    case = tale(seed)
    machine = played(case)
    for account in range(case.accounts):
        mine = machine.effects[machine.effects[:, at.E_ACCT] == account]
        total = case.balance + int(mine[:, at.E_AMOUNT].sum())
        assert machine.balances(account)[0] == total


@settings(max_examples=200)
@given(seed=SEEDS)
def test_a_settled_book_is_never_crossed_by_an_order(seed: int) -> None:
    machine = played(tale(seed))
    bids, asks = machine.depth(0)
    for row in machine.live_orders(0):
        if row[at.O_STATUS] in (at.OPEN, at.PARTLY):
            other = asks if row[at.O_SIDE] > 0 else bids
            limit, side = int(row[at.O_LIMIT]), int(row[at.O_SIDE])
            assert not other or side * limit < side * other[0][0]
