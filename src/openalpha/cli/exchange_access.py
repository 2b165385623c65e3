"""What commands that speak to an exchange share: the home's vault, its budget, a client."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.net import Priority, RateBroker
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.store.keys import Vault
    from openalpha.venue.bybit.client import BybitClient

__all__ = ["ROLES", "broker_of", "connect", "home_of", "name_of", "vault_of"]

ROLES = ("trader", "guardian")
_TIMEOUT_S = 5.0


def home_of(config: Path | None, overrides: Sequence[str] | None) -> Path:
    """Return the home folder, made if it is not there yet."""
    from openalpha.settings import find_home, prepare_home

    return prepare_home(find_home(config, overrides or (), environ=os.environ))


def vault_of(home: Path, *, source: str | None = None) -> "Vault":
    """Return the home's vault."""
    from openalpha.store.keys import Vault

    return Vault(home, environ=os.environ, source=source)


def broker_of(home: Path) -> "RateBroker":
    """Return the rate broker that all programs of this home share."""
    from openalpha.core.clock import SystemClock
    from openalpha.net import RateBroker
    from openalpha.venue.bybit.limits import ADDRESS_LIMIT

    return RateBroker(home / "net", clock=SystemClock(), limit=ADDRESS_LIMIT)


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
