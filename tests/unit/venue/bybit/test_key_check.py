"""What a key is, by the server's own word."""

from urllib.parse import urlsplit

import pytest

from openalpha.core.errors import InputError, VenueUnavailable
from openalpha.core.messages import Environment
from openalpha.net import MemoryTransport, Request, Response
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.hosts import HOSTS, base_url, environment_of
from openalpha.venue.bybit.key_check import KeyFacts, check_key
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import account, answer_of
from tests.fakes.twin import START_MS, new_exchange


class World:
    """Bybit's servers, each a twin of its own, behind one network."""

    def __init__(self) -> None:
        self.servers = {urlsplit(HOSTS[e]).netloc: new_exchange() for e in HOSTS}

    def server(self, environment: Environment) -> Exchange:
        return self.servers[urlsplit(HOSTS[environment]).netloc]

    def answer(self, request: Request) -> Response:
        return answer_of(self.servers[urlsplit(request.url).netloc])(request)

    def check(self, environment: Environment, key: ExchangeKey) -> KeyFacts:
        named = ExchangeKey(key.api_key, key.secret, HOSTS[environment])
        clock = self.server(environment).clock
        return check_key(environment, named, transport=MemoryTransport(self.answer), clock=clock)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


LIVE, TESTNET, TWIN = Environment.LIVE, Environment.TESTNET, Environment.TWIN


def test_a_good_key_with_its_bonds_and_its_end(world: World) -> None:
    ends_ms = START_MS + 5_000_000
    key = account(world.server(LIVE), expires_ms=ends_ms, ips=["127.0.0.1"])
    facts = world.check(LIVE, key)
    assert (facts.can_trade, facts.addresses, facts.expires_ms) == (True, ("127.0.0.1",), ends_ms)
    free = world.check(TWIN, account(world.server(TWIN)))
    assert (free.addresses, free.expires_ms) == ((), None)


def test_a_key_that_only_reads_cannot_trade(world: World) -> None:
    assert not world.check(TWIN, account(world.server(TWIN), read_only=True)).can_trade


@pytest.mark.parametrize(("asked", "truth"), [(LIVE, TESTNET), (TESTNET, LIVE)])
def test_a_key_of_another_environment_is_refused(
    world: World, asked: Environment, truth: Environment
) -> None:
    key = account(world.server(truth), api_key=f"{truth.name}-only")
    with pytest.raises(InputError, match=f"a key of {truth.name.lower()}, not of"):
        world.check(asked, key)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"withdraw": True}, "may withdraw money"),
        ({"expires_ms": START_MS - 1}, "expired"),
        ({"api_secret": "another"}, "secret was pasted whole"),
        (None, "key is not known there"),
    ],
)
def test_a_key_that_will_not_do_is_a_sentence(
    world: World, made: dict[str, object] | None, words: str
) -> None:
    key = ExchangeKey("no-such-key", "x", "")
    if made is not None:
        key = account(world.server(LIVE), **made)
        secret = "wrong" if "api_secret" in made else key.secret
        key = ExchangeKey(key.api_key, secret, "")
    with pytest.raises(InputError, match=words) as caught:
        world.check(LIVE, key)
    assert key.api_key not in str(caught.value)


def test_a_server_that_is_away_is_no_verdict_on_the_key(world: World) -> None:
    key = account(world.server(TWIN))
    server = world.server(TWIN)
    server.faults.add({"kind": "drop_before", "match": "/v5/user"})
    with pytest.raises(VenueUnavailable):
        check_key(
            TWIN,
            key,
            transport=MemoryTransport(world.answer),
            clock=server.clock,
        )
    server.faults.clear()


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (LIVE, "http://api.bybit.com"),
        (LIVE, "https://127.0.0.1:8315"),
        (TESTNET, "http://localhost:1"),
        (TWIN, "http://api.bybit.com"),
        (TWIN, "nonsense"),
        (TWIN, "https://api.bybit.com"),
        (TESTNET, "https://api.bybit.com"),
        (TESTNET, "https://api-demo.bybit.com"),
        (TESTNET, "https://venue.example"),
        (LIVE, "https://api-testnet.bybit.com"),
    ],
)
def test_an_address_that_does_not_fit_is_refused(environment: Environment, url: str) -> None:
    with pytest.raises(InputError):
        base_url(environment, url)


@pytest.mark.parametrize("environment", [LIVE, TESTNET, Environment.DEMO])
def test_a_twin_stands_in_only_where_that_is_asked_for(environment: Environment) -> None:
    here = "http://127.0.0.1:8315"
    assert base_url(environment, here, may_stand_in=True) == here
    with pytest.raises(InputError, match="cannot be the"):
        base_url(environment, here)


def test_environments_by_name() -> None:
    assert base_url(environment_of("LIVE"), "https://api.bybit.nl/") == "https://api.bybit.nl"
    with pytest.raises(InputError, match="demo, live, testnet, twin"):
        environment_of("paper")
