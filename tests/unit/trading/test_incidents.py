"""Incidents are kept, counted, settled by words, and never erased."""

from pathlib import Path

import pytest

from openalpha.core.errors import InputError, UnknownName
from openalpha.core.messages import Environment
from openalpha.trading.orders.side import Incident
from openalpha.trading.run.incidents import ADVICE, IncidentBook


@pytest.fixture
def book(tmp_path: Path) -> IncidentBook:
    return IncidentBook(tmp_path, Environment.TWIN)


def told(words: str = "order 5 is nobody's", ts_ms: int = 5) -> Incident:
    return Incident("foreign_order", words, ts_ms)


def test_told_again_it_is_counted(book: IncidentBook) -> None:
    first = book.add(told(), run_id="r")
    again = book.add(told(ts_ms=9), run_id="r")
    assert (again.id, again.count, again.ts_ms) == (first.id, 2, 5)
    assert book.add(told("another"), run_id="r").id != first.id
    assert book.add(told(), run_id="other run").id != first.id
    assert len(book.open_ones()) == 3


def test_settled_and_come_again_it_is_another(book: IncidentBook) -> None:
    first = book.add(told(), run_id="r")
    done = book.settle(first.id[:4], note=" looked ", now_ms=7)
    assert (done.is_open, done.note, done.settled_ms) == (False, "looked", 7)
    again = book.add(told(), run_id="r")
    assert again.is_open and again.id != first.id
    assert [one.id for one in book.open_ones()] == [again.id]
    assert [one.id for one in book.all()] == [first.id, again.id]


def test_settling_wants_words_and_happens_once(book: IncidentBook) -> None:
    kept = book.add(told(), run_id="r")
    with pytest.raises(InputError, match="say in a few words"):
        book.settle(kept.id, note="  ", now_ms=7)
    book.settle(kept.id, note="mine", now_ms=7)
    with pytest.raises(InputError, match="settled already: mine"):
        book.settle(kept.id, note="again", now_ms=8)
    with pytest.raises(UnknownName, match="no incident 'zz'"):
        book.settle("zz", note="x", now_ms=8)


def test_a_torn_line_costs_that_line_only(book: IncidentBook) -> None:
    kept = book.add(told(), run_id="r")
    with book.path.open("ab") as file:
        file.write(b'{"id":"half')
    assert [one.id for one in book.all()] == [kept.id]
    other = book.add(told("next"), run_id="r")
    assert [one.id for one in book.all()] == [kept.id, other.id]


def test_environments_are_apart(book: IncidentBook, tmp_path: Path) -> None:
    book.add(told(), run_id="r")
    assert IncidentBook(tmp_path, Environment.LIVE).all() == []
    assert all(ADVICE.values())
