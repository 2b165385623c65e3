"""Hands: what is asked of a venue at once, and what waits for what."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from openalpha.net.budget import Priority
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.trading.run.hands import Hands

WAIT_S = 20.0


def place(symbol: str, name: str, *, priority: Priority = Priority.ORDERS) -> Request:
    params = {"category": "linear", "orders": [{"symbol": symbol}]}
    return Request(RequestKind.PLACE, params, (name,), priority)


def cancel(symbol: str, name: str) -> Request:
    params = {"category": "linear", "orders": [{"symbol": symbol}]}
    return Request(RequestKind.CANCEL, params, (name,))


def ask(what: str) -> Request:
    return Request(RequestKind.ASK_ACCOUNT, {"what": what}, (), Priority.RECONCILE)


def ask_order(symbol: str, name: str) -> Request:
    params = {"category": "linear", "symbol": symbol, "orderLinkId": name}
    return Request(RequestKind.ASK_ORDERS, params, (name,))


class Venue:
    """Answers a request only when it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.errors: list[BaseException] = []
        self.free: set[str] = set()
        self.at_once: set[str] = set()
        self.sent: list[tuple[str, Callable[[bytes | None], object]]] = []
        self.change = threading.Condition()

    def begin(self, request: Request, done: Callable[[bytes | None], object]) -> bool:
        name = request.link_ids[0]
        if name not in self.at_once:
            return False
        self.sent.append((name, done))
        return True

    def prepare(self) -> None:
        """Nothing has to be ready."""

    def rehearse(self, request: Request) -> None:
        raise AssertionError("nothing is rehearsed here")

    def carry_out(self, request: Request) -> bytes:
        name = request.link_ids[0] if request.link_ids else str(request.params["what"])
        name = f"ask {name}" if request.kind is RequestKind.ASK_ORDERS else name
        with self.change:
            self.begun.append(name)
            self.change.notify_all()
            assert self.change.wait_for(lambda: {name, "all"} & self.free, WAIT_S), name
        return name.encode()

    def hear(self, reply: bytes) -> None:
        with self.change:
            self.done.append(reply.decode())
            self.change.notify_all()

    def let(self, *names: str) -> None:
        with self.change:
            self.free |= set(names)
            self.change.notify_all()

    def until_begun(self, *names: str) -> None:
        with self.change:
            assert self.change.wait_for(lambda: set(names) <= set(self.begun), WAIT_S), self.begun

    def until_done(self, *names: str) -> None:
        with self.change:
            assert self.change.wait_for(lambda: set(names) <= set(self.done), WAIT_S), self.done


@contextmanager
def hired() -> Iterator[tuple[Venue, Hands]]:
    venue = Venue()
    hands = Hands(venue, venue.hear, failed=venue.errors.append)
    try:
        yield venue, hands
    finally:
        venue.let("all")
        hands.close()


def test_questions_that_hang_delay_no_cancel() -> None:
    with hired() as (venue, hands):
        for number in range(12):
            hands.give(ask(f"wallet{number}"))
        venue.until_begun("wallet0", "wallet1", "wallet2")
        venue.let("c")
        hands.give(cancel("BTCUSDT", "c"))
        venue.until_done("c")
        assert venue.done == ["c"]
        assert not hands.is_idle


def test_a_cancel_never_overtakes_what_it_cancels() -> None:
    with hired() as (venue, hands):
        hands.give(place("BTCUSDT", "a"))
        venue.until_begun("a")
        hands.give(cancel("BTCUSDT", "a2"))
        hands.give(place("ETHUSDT", "e"))
        venue.until_begun("e")  # another instrument waits for nothing
        assert "a2" not in venue.begun
        venue.let("a")
        venue.until_begun("a2")
        assert venue.done == ["a"]


def test_what_protects_goes_before_what_opens() -> None:
    with hired() as (venue, hands):
        for number in range(4):  # all who send are busy
            hands.give(place(f"X{number}", f"x{number}"))
        venue.until_begun("x0", "x1", "x2", "x3")
        hands.give(place("Y", "opens"))
        hands.give(place("Z", "protects", priority=Priority.RISK))
        venue.let("x0")
        venue.until_begun("protects")
        assert "opens" not in venue.begun


def test_what_became_of_an_order_is_asked_once_it_was_sent() -> None:
    with hired() as (venue, hands):
        hands.give(place("BTCUSDT", "a"))
        hands.give(ask_order("BTCUSDT", "a"))
        hands.give(ask("wallet"))
        venue.until_begun("a", "wallet")
        assert "ask a" not in venue.begun
        venue.let("a")
        venue.until_begun("ask a")


def test_one_question_is_asked_once_at_a_time() -> None:
    with hired() as (venue, hands):
        hands.give(ask("wallet"))
        hands.give(ask("wallet"))
        hands.give(ask("statement"))
        venue.until_begun("wallet", "statement")
        assert venue.begun.count("wallet") == 1
        venue.let("all")
        with venue.change:
            assert venue.change.wait_for(lambda: venue.done.count("wallet") == 2, WAIT_S)


def test_closing_lets_orders_on_their_way_arrive_and_begins_nothing() -> None:
    with hired() as (venue, hands):
        hands.give(place("BTCUSDT", "a"))
        hands.give(place("BTCUSDT", "b"))
        venue.until_begun("a")
        threading.Timer(0.05, venue.let, ("all",)).start()
        hands.close()
        assert venue.done == ["a"]
        assert venue.begun == ["a"]


@pytest.mark.parametrize("fault", [ZeroDivisionError("a bug")])
def test_a_fault_of_the_program_is_handed_over(fault: Exception) -> None:
    class Broken:
        def carry_out(self, request: Request) -> bytes:
            raise fault

    errors: list[Any] = []
    heard = threading.Event()

    def failed(error: BaseException) -> None:
        errors.append(error)
        heard.set()

    hands = Hands(Broken(), lambda reply: None, failed=failed)
    hands.give(ask("wallet"))
    assert heard.wait(WAIT_S)
    assert errors == [fault]
    hands.close()


def test_what_can_go_out_at_once_does_and_holds_back_what_is_about_the_same() -> None:
    with hired() as (venue, hands):
        venue.at_once = {"a", "b", "c"}
        hands.give(place("BTCUSDT", "a"))
        hands.give(cancel("BTCUSDT", "b"))
        hands.give(place("ETHUSDT", "c"))
        assert [name for name, _ in venue.sent] == ["a", "c"]
        assert not hands.is_idle
        venue.sent[0][1](b"a")
        venue.until_begun("b")  # by a hand: its turn came while nobody gave it
        venue.let("b")
        venue.until_done("a", "b")
        venue.sent[1][1](b"c")
        assert hands.is_idle
        assert venue.begun == ["b"]


def test_what_the_line_did_not_take_a_hand_carries_out() -> None:
    with hired() as (venue, hands):
        venue.at_once = {"a"}
        hands.give(place("BTCUSDT", "a"))
        assert venue.begun == []
        venue.sent[0][1](None)
        venue.until_begun("a")
        venue.let("a")
        venue.until_done("a")
        assert hands.is_idle


def test_closing_waits_for_what_went_out_and_gives_nothing_to_a_hand_after() -> None:
    with hired() as (venue, hands):
        venue.at_once = {"a"}
        hands.give(place("BTCUSDT", "a"))
        threading.Timer(0.05, venue.sent[0][1], (None,)).start()
        hands.close()
        assert hands.is_idle
        assert venue.begun == []


class Lingering:
    """A condition that the giver's thread is slow to go on from, once it let go of it."""

    def __init__(self, inner: threading.Condition) -> None:
        self.inner, self.giver = inner, threading.get_ident()
        self.wait_for, self.notify_all = inner.wait_for, inner.notify_all

    def __enter__(self) -> None:
        self.inner.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.inner.__exit__(*error)
        if threading.get_ident() == self.giver:
            time.sleep(0.05)


def test_what_a_hand_took_before_the_giver_went_on_is_not_taken_again() -> None:
    with hired() as (venue, hands):
        hands._change = Lingering(hands._change)  # type: ignore[assignment]
        hands.give(ask("wallet"))
        hands.give(ask("statement"))
        venue.let("all")
        venue.until_done("wallet", "statement")
        assert sorted(venue.begun) == ["statement", "wallet"]
