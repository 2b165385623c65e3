"""Which server each environment means; nothing else sets them apart."""

from urllib.parse import urlsplit

from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.net import host_of

__all__ = ["HOSTS", "base_url", "environment_of", "socket_url"]

HOSTS = {
    Environment.LIVE: "https://api.bybit.com",
    Environment.TESTNET: "https://api-testnet.bybit.com",
    Environment.DEMO: "https://api-demo.bybit.com",
    Environment.TWIN: "http://127.0.0.1:8315",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def environment_of(name: str) -> Environment:
    """Return the environment a person names, of those that have exchange keys.

    Raises
    ------
    InputError
        If it is none of them.

    Examples
    --------
    >>> environment_of("testnet").name
    'TESTNET'
    """
    for environment in HOSTS:
        if environment.name.lower() == name.lower():
            return environment
    known = ", ".join(sorted(environment.name.lower() for environment in HOSTS))
    raise InputError(f"'{name}' has no exchange keys; the environments that do are {known}")


def base_url(environment: Environment, named: str = "", *, may_stand_in: bool = False) -> str:
    """Return an environment's server: the one named, if it may be, or the usual one.

    Only a twin stands on this machine and only a twin is spoken to without encryption, so a
    mistyped address can neither send live keys in clear nor mistake play money for real. A server
    whose name says that it is another environment's is refused.

    Parameters
    ----------
    may_stand_in : bool
        A server on this machine may stand in for any environment (`exchange.stand_in`).

    Raises
    ------
    InputError
        If the address does not fit the environment.

    Examples
    --------
    >>> base_url(Environment.LIVE)
    'https://api.bybit.com'
    """
    url = (named or HOSTS[environment]).rstrip("/")
    host_of(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK and (environment is Environment.TWIN or may_stand_in):
        return url
    name = environment.name.lower()
    if parts.scheme != "https" and environment is Environment.TWIN:
        raise InputError(f"{url} is not encrypted; a twin on another machine needs https")
    if host in _LOOPBACK or parts.scheme != "https":
        raise InputError(
            f"{url} cannot be the {name} server: that one is reached by https on the internet; "
            "keys of a twin belong to the environment twin, but for a rehearsal with "
            "--set exchange.stand_in=true"
        )
    whose = _whose(host)
    if whose not in (environment, None):
        raise InputError(
            f"{url} is a server of {whose.name.lower()}, not of {name}; use `--env "
            f"{whose.name.lower()}` and keys made there"
        )
    if whose is None and environment in _NAMED:
        raise InputError(f"{url} is no server of {name}; that one is {HOSTS[environment]}")
    return url


_NAMED = {Environment.TESTNET: "testnet", Environment.DEMO: "demo"}


def _whose(host: str) -> Environment | None:
    """Return the environment a host's name speaks of; None where it says nothing."""
    for environment, word in _NAMED.items():
        if word in host:
            return environment
    is_bybit = any(part in ("bybit", "bytick", "bybitglobal") for part in host.split("."))
    return Environment.LIVE if is_bybit else None


def socket_url(url: str, family: str) -> str:
    """Return a socket of a server: `private`, `trade`, or `public/linear` and the like.

    Examples
    --------
    >>> socket_url("https://api-testnet.bybit.com", "private")
    'wss://stream-testnet.bybit.com/v5/private'
    >>> socket_url("http://127.0.0.1:8315", "public/spot")
    'ws://127.0.0.1:8315/v5/public/spot'
    """
    parts = urlsplit(url)
    host = parts.netloc
    if host.startswith(("api.", "api-")):
        host = "stream" + host.removeprefix("api")
    if family.startswith("public"):
        # Demo trading has no public sockets of its own: its prices are those of live.
        host = host.replace("stream-demo.", "stream.")
    return f"{'wss' if parts.scheme == 'https' else 'ws'}://{host}/v5/{family}"
