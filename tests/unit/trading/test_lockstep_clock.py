"""A twin's clock moves by what was asked, once, whatever becomes of the answers."""

import pytest

from openalpha.core.clock import ManualClock
from openalpha.core.errors import NotSent, VenueUnavailable
from openalpha.net import Request, Response
from openalpha.trading.feeds import venue_market
from openalpha.trading.feeds.venue_market import LockstepClock
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import URL, answer_of
from tests.fakes.twin import START_MS, new_exchange

HOUR_MS = 3_600_000


class Way:
    """The way to a twin, on which each request meets what is due to it."""

    def __init__(self, exchange: Exchange, *troubles: str) -> None:
        self.exchange, self.troubles = exchange, list(troubles)
        self.answer = answer_of(exchange)

    def send(self, request: Request) -> Response:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "not there":
            raise NotSent("nobody listens")
        if trouble == "killed before":
            raise VenueUnavailable("no answer")
        if trouble == "killed in the middle":
            # It came half as far as it was asked to, and that is on its disk.
            clock = self.exchange.clock
            assert isinstance(clock, ManualClock)
            clock.advance(20_000)
            self.exchange.advance()
            raise VenueUnavailable("no answer")
        response = self.answer(request)
        if trouble == "killed after":
            raise VenueUnavailable("no answer")
        return response


@pytest.mark.parametrize(
    "troubles",
    [
        ("killed before", "not there", "not there"),
        ("killed in the middle", "not there"),
        ("killed after", "not there"),
        ("killed in the middle", "killed after", "", "killed after"),
    ],
    ids=" ".join,
)
def test_a_twin_killed_while_it_answers_is_moved_by_the_rest(
    troubles: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue_market, "_RESTART_WAIT_S", 0.0)
    exchange = new_exchange()
    way = Way(exchange)
    clock = LockstepClock(way, URL)
    way.troubles += troubles
    clock.wait(60_000)
    assert clock.now_ms() == exchange.now_ms() == START_MS + 60_000
    assert way.troubles == []
    way.troubles += ["", "killed after"]
    clock.wait(HOUR_MS + 30_000)
    assert clock.now_ms() == exchange.now_ms() == START_MS + HOUR_MS + 90_000


def test_a_twin_that_never_answers_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_market, "_RESTART_WAIT_S", 0.0)
    way = Way(new_exchange())
    clock = LockstepClock(way, URL)
    way.troubles += ["killed before"] * 9
    with pytest.raises(VenueUnavailable, match="no answer"):
        clock.wait(60_000)
    way.troubles[:] = ["not there"] * 99
    with pytest.raises(NotSent, match="not started again"):
        clock.wait(60_000)
