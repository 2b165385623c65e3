"""A network in memory that loses, delays and doubles by a seed, and a place to end the process."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from openalpha.core.clock import ManualClock
from openalpha.core.errors import NotSent, VenueUnavailable
from openalpha.net import Request, Response
from openalpha.venue.twin import Exchange
from openalpha.venue.twin.sockets import Hub, Session
from tests.fakes.bybit import answer_of
from tests.fakes.twin import Client

_TROUBLED = re.compile(rb'^\{"retCode": ?10(002|006|016|018|429),')
"""An answer that says no more than that the exchange does not answer now."""
TOPICS = ("order", "execution", "position", "wallet")


class Crash(BaseException):
    """The trader's process ends here."""


@dataclass
class Steps:
    """Counts the places where a process could end, and ends it at the one that is set."""

    at: int = -1
    count: int = 0
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.count += 1
        self.names.append(name)
        if self.count == self.at:
            raise Crash(f"{self.count}: {name}")


@dataclass
class Weather:
    """How bad the network is, each a probability of one request."""

    late: float = 0.0
    is_away: bool = False


@dataclass
class Network:
    """The way to an exchange; see `openalpha.net.Transport`."""

    exchange: Exchange
    clock: ManualClock
    draw: random.Random
    step: Callable[[str], None]
    weather: Weather = field(default_factory=Weather)
    late: list[tuple[int, Request]] = field(default_factory=list)
    asked: int = 0
    troubled_ms: int = 0
    """When a request was last given up, lost or turned away."""
    _answer: Callable[[Request], Response] = field(init=False)

    def __post_init__(self) -> None:
        self._answer = answer_of(self.exchange)

    def send(self, request: Request) -> Response:
        self.asked += 1
        is_answered = False
        try:
            response = self._sent(request)
            is_answered = response.status == 200 and not _TROUBLED.match(response.body)
            return response
        finally:
            if not is_answered:
                self.troubled_ms = self.clock.now_ms()

    def _sent(self, request: Request) -> Response:
        path = request.url.partition("/v5/")[2].partition("?")[0]
        self.step(f"sending {path}")
        self.clock.advance(self.draw.randint(1, 20))
        if self.weather.is_away:
            # Nobody there, or somebody who does not answer: all the same, it did not arrive.
            kind = self.draw.choice((NotSent, VenueUnavailable))
            raise kind("the exchange is away")
        if self.draw.random() < self.weather.late:
            # Given up on here; it reaches the exchange all the same, even when it is refused there.
            self.late.append((self.clock.now_ms() + self.draw.randint(50, 3_500), request))
            self.clock.advance(self.draw.randint(500, 1_500))
            raise VenueUnavailable("no answer in time")
        response = self._answer(request)
        self.step(f"processed {path}")
        return response

    def arrive(self) -> None:
        """Let what was late reach the exchange; nobody hears the answer."""
        now_ms = self.clock.now_ms()
        due = [request for at_ms, request in self.late if at_ms <= now_ms]
        self.late = [item for item in self.late if item[0] > now_ms]
        for request in due:
            try:
                self._answer(request)
            except VenueUnavailable:
                continue


@dataclass
class Socket:
    """A private socket of one account, opened anew whenever it was cut."""

    hub: Hub
    client: Client
    session: Session | None = None

    def connect(self) -> None:
        """Log in and subscribe; what comes back is read and thrown away."""
        import hashlib
        import hmac

        self.session = self.hub.open("/v5/private", query="")
        assert self.session is not None
        stamp = self.hub.exchange.now_ms() + 10_000
        signed = hmac.new(
            self.client.secret.encode(), f"GET/realtime{stamp}".encode(), hashlib.sha256
        ).hexdigest()
        for message in (
            {"op": "auth", "args": [self.client.key, stamp, signed]},
            {"op": "subscribe", "args": list(TOPICS)},
        ):
            self.hub.receive(self.session, json.dumps(message))
        self.session.take()

    @property
    def is_open(self) -> bool:
        """Whether it still stands."""
        return self.session is not None and not self.session.is_closed

    def hear(self) -> list[bytes]:
        """What the exchange pushed since."""
        self.hub.publish(self.hub.exchange.take_pushes())
        self.hub.pump()
        texts = [] if self.session is None else self.session.take()
        return [text for text in texts if b'"topic"' in text]
