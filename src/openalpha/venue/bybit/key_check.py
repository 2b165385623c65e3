"""Asks the server itself what a key is: whose, for which environment, and what it may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openalpha.core.clock import Clock, parse_ms
from openalpha.core.errors import InputError, VenueUnavailable
from openalpha.core.messages import Environment
from openalpha.net import RateBroker, Transport
from openalpha.store.exchange_key import ExchangeKey
from openalpha.venue.bybit.answers import BybitRefused
from openalpha.venue.bybit.channel import Channel
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.hosts import HOSTS

__all__ = ["KeyFacts", "check_key"]

_UNKNOWN = 10003
_OF_THE_KEY = frozenset({_UNKNOWN, 10004, 10010, 33004})
"""Refusals for what the key is: unknown, wrong secret, other addresses, expired."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the venue says of a key.

    Parameters
    ----------
    uid : str
    can_trade : bool
        Whether it may place orders.
    addresses : tuple of str
        The addresses it is bound to; empty: it works from anywhere.
    expires_ms : int or None
        When it ends; None: never.
    permissions : tuple of str
        As `ContractTrade: Order`.
    """

    uid: str
    can_trade: bool
    addresses: tuple[str, ...]
    expires_ms: int | None
    permissions: tuple[str, ...]


def check_key(
    environment: Environment,
    key: ExchangeKey,
    *,
    transport: Transport,
    clock: Clock,
    broker: RateBroker | None = None,
    others: Mapping[Environment, str] | None = None,
) -> KeyFacts:
    """Ask the environment's server about a key.

    Parameters
    ----------
    others : mapping of environment to URL, optional
        Where a key unknown there is looked for, to say where it belongs; the venue's own by
        default (for a twin: nowhere).

    Raises
    ------
    InputError
        If the key belongs elsewhere, is wrong, has expired, is bound to other addresses, or may
        withdraw.
    VenueUnavailable
        If the server could not be asked.
    """

    def client(url: str) -> BybitClient:
        there = ExchangeKey(key.api_key, key.secret, url)
        return BybitClient(Channel(transport, there, clock=clock, broker=broker))

    name = environment.name.lower()
    try:
        answer = client(key.url).account.key()
    except BybitRefused as refused:
        if refused.code == _UNKNOWN:
            if others is None:
                is_twin = environment is Environment.TWIN
                others = {} if is_twin else _elsewhere(environment)
            for other, url in others.items():
                if _is_known(client(url)):
                    raise InputError(
                        f"this is a key of {other.name.lower()}, not of {name}: use `openalpha "
                        f"keys add {other.name.lower()}`, or make a key at {key.url}"
                    ) from None
        if refused.code in _OF_THE_KEY:
            raise InputError(
                f"the key for {name} does not work at {key.url}: {refused.message}; give another "
                f"by `openalpha keys add {name}`, or by `keys rotate` where one is kept"
            ) from None
        raise
    return _facts(answer, name)


def _elsewhere(environment: Environment) -> dict[Environment, str]:
    return {
        other: url for other, url in HOSTS.items() if other not in (environment, Environment.TWIN)
    }


def _is_known(client: BybitClient) -> bool:
    try:
        client.account.key()
    except BybitRefused as refused:
        # A server that knows the key but not this signature or address knows the key.
        return refused.code not in (_UNKNOWN, 10017)
    except VenueUnavailable:
        return False
    return True


def _facts(answer: Mapping[str, Any], environment: str) -> KeyFacts:
    granted = answer.get("permissions")
    permissions = tuple(
        f"{group}: {name}"
        for group, names in (granted.items() if isinstance(granted, Mapping) else ())
        for name in (names if isinstance(names, list) else ())
    )
    if any(name.partition(": ")[2].lower() == "withdraw" for name in permissions):
        raise InputError(
            f"the key for {environment} may withdraw money, which a trading program must never be "
            "able to: make a key without that permission, and give it by `openalpha keys add "
            f"{environment}`, or by `keys rotate` where one is kept"
        )
    addresses = answer.get("ips")
    listed = tuple(str(one) for one in addresses) if isinstance(addresses, list) else ()
    is_read_only = str(answer.get("readOnly", "0")) == "1"
    trades = any(name in permissions for name in ("ContractTrade: Order", "Spot: SpotTrade"))
    return KeyFacts(
        uid=str(answer.get("userID") or ""),
        can_trade=trades and not is_read_only,
        addresses=tuple(one for one in listed if one != "*"),
        expires_ms=_end(answer),
        permissions=permissions,
    )


def _end(answer: Mapping[str, Any]) -> int | None:
    """Return when a key ends; the venue writes a date long past for one that never does."""
    try:
        ends_ms = parse_ms(str(answer.get("expiredAt") or "").replace("Z", "+00:00"))
    except InputError:
        return None
    return ends_ms if ends_ms > 0 else None
