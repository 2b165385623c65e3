"""Locked income years on SQLite and PostgreSQL: kept, reopened with a reason, never twice."""

from dataclasses import replace
from decimal import Decimal

import pytest

from openalpha.books.locks import LockedYear, YearLocks
from openalpha.books.tax.entity import Method, Refused, Treatment
from openalpha.books.tax.search import Candidate
from openalpha.core.clock import ManualClock
from openalpha.store.database import Database

LOCK = LockedYear(
    2026, Treatment.CAPITAL, Method.HIFO, Decimal("1"), Method.MIN_TAX, "Ann", "why", "ab", "cd"
)


def test_a_locked_year_reads_back_and_refuses_a_second_lock(database: Database) -> None:
    locks = YearLocks(database, ManualClock(5_000))
    assert locks.of("me") == {}
    kept = locks.lock("me", LOCK)
    assert kept == replace(LOCK, locked_ms=5_000)
    assert locks.of("me") == {2026: kept}
    assert locks.of("trust") == {}
    assert kept.order == Candidate(Method.HIFO, Decimal(1))
    with pytest.raises(Refused, match="2025-26 is locked since 1970-01-01"):
        locks.lock("me", LOCK)


def test_a_year_is_reopened_with_a_reason_and_can_be_locked_again(database: Database) -> None:
    locks = YearLocks(database, ManualClock(1))
    locks.lock("me", replace(LOCK, year=2025))
    locks.lock("me", LOCK)
    with pytest.raises(Refused, match="needs a reason"):
        locks.reopen("me", 2026, reason=" ")
    with pytest.raises(Refused, match="2023-24 of me is not locked"):
        locks.reopen("me", 2024, reason="x")
    locks.reopen("me", 2026, reason="a late file")
    assert list(locks.of("me")) == [2025]
    locks.lock("me", LOCK)
    assert sorted(locks.of("me")) == [2025, 2026]
