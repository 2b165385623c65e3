"""What commands that speak to an exchange share: the home's vault, its budget, a client."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from openalpha.cli.conventions import command_words
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.net import Priority, RateBroker, Transport
    from openalpha.net.locked import Records
    from openalpha.settings import LoadedSettings
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.store.keys import Vault
    from openalpha.venue.bybit.client import BybitClient
    from openalpha.venue.bybit.key_check import KeyFacts

__all__ = [
    "ROLES",
    "broker_of",
    "connect",
    "home_of",
    "in_words",
    "name_of",
    "trader_facts",
    "trader_key",
    "vault_of",
]

ROLES = ("trader", "guardian")
_TIMEOUT_S = 5.0


def home_of(config: Path | None, overrides: Sequence[str] | None) -> Path:
    """Return the home folder, made if it is not there yet."""
    from openalpha.settings import find_home, prepare_home

    return prepare_home(find_home(config, overrides or (), environ=os.environ))


def vault_of(home: Path, *, source: str | None = None) -> "Vault":
    """Return the home's vault; each use of a key stands in the audit trail.

    From here on a crash of this process leaves no image of its memory: the key could be in it.
    """
    import resource

    from openalpha.store.audit import AuditTrail
    from openalpha.store.keys import Vault

    # One byte stops the kernel from writing a file and from feeding a collector; 0 only the first.
    hardest = resource.getrlimit(resource.RLIMIT_CORE)[1]
    soft = 0 if hardest == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hardest))

    def told(act: str, name: str) -> None:
        # A disk that refuses must not keep an emergency stop from its key.
        AuditTrail(home).note(f"key.{act}", key=name, command=command_words())

    return Vault(home, environ=os.environ, source=source, told=told)


def broker_of(home: Path, *, redis_url: str = "") -> "RateBroker":
    """Return the rate broker that all programs of this home, or of a Redis server, share.

    Emergency stop and guardian count in the home always: they must not wait for a server.

    Raises
    ------
    ConfigError
        If the address is none, or the client is not installed.
    """
    from openalpha.core.clock import SystemClock
    from openalpha.net import RateBroker
    from openalpha.venue.bybit.limits import ADDRESS_LIMIT

    records: Path | Records = home / "net"
    if redis_url:
        from openalpha.net.redis_records import RedisRecords

        records = RedisRecords(redis_url)
    return RateBroker(records, clock=SystemClock(), limit=ADDRESS_LIMIT)


def name_of(environment: str, role: str) -> str:
    """Return the name a key has in the vault: each environment and role has its own.

    Raises
    ------
    InputError
        If the environment has no keys or the role is unknown.
    """
    from openalpha.venue.bybit.hosts import environment_of

    if role not in ROLES:
        raise InputError(f"the role was '{role}', expected one of {', '.join(ROLES)}")
    known = environment_of(environment).name.lower()
    return known if role == ROLES[0] else f"{known}.{role}"


def trader_key(loaded: "LoadedSettings", environment: str) -> "ExchangeKey":
    """Return the key that runs of an environment trade with.

    Raises
    ------
    InputError
        If there is none, or its server is not one of the environment.
    """
    from openalpha.venue.bybit.hosts import base_url, environment_of

    key = vault_of(loaded.home).get(name_of(environment, ROLES[0]))
    may_stand_in = loaded.settings.exchange.stand_in
    base_url(environment_of(environment), key.url, may_stand_in=may_stand_in)
    return key


def trader_facts(loaded: "LoadedSettings", environment: str, *, network: "Transport") -> "KeyFacts":
    """Ask the exchange whose the trader's key is, and that a run may use it.

    Raises
    ------
    InputError
        If it is unknown, of another environment, expired, only reads, or may withdraw.
    VenueUnavailable
        If the exchange does not answer.
    """
    from openalpha.core.clock import SystemClock
    from openalpha.venue.bybit.hosts import environment_of
    from openalpha.venue.bybit.key_check import check_key

    facts = check_key(
        environment_of(environment),
        trader_key(loaded, environment),
        transport=network,
        clock=SystemClock(),
        others={} if loaded.settings.exchange.stand_in else None,
    )
    if not facts.can_trade:
        raise InputError(
            f"the key for {environment} only reads; make one at the exchange that may place "
            f"orders, and give it by `openalpha keys rotate {environment}`"
        )
    return facts


def in_words(facts: "KeyFacts") -> str:
    """Return whose a key is, where from it works and until when, in one line.

    Examples
    --------
    >>> from openalpha.venue.bybit.key_check import KeyFacts
    >>> in_words(KeyFacts("7", True, (), None, ()))
    'account 7; the key works from any address, never ends'
    """
    from openalpha.core.clock import format_ms

    bound = ", ".join(facts.addresses)
    where = f"from {bound} only" if bound else "from any address"
    ends = "never ends" if facts.expires_ms is None else f"ends {format_ms(facts.expires_ms)}"
    return f"account {facts.uid}; the key works {where}, {ends}"


@contextmanager
def connect(home: Path, key: "ExchangeKey", *, priority: "Priority") -> Iterator["BybitClient"]:
    """Open a client of a key, every call bounded, and close it at the end."""
    from openalpha.core.clock import SystemClock
    from openalpha.net import HttpTransport
    from openalpha.venue.bybit.channel import Channel
    from openalpha.venue.bybit.client import BybitClient

    with HttpTransport(timeout_s=_TIMEOUT_S, total_s=2 * _TIMEOUT_S) as network:
        yield BybitClient(
            Channel(network, key, clock=SystemClock(), broker=broker_of(home), priority=priority)
        )
