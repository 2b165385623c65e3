"""Which server each environment means; nothing else sets them apart."""

from urllib.parse import urlsplit

from openalpha.core.errors import InputError
from openalpha.core.messages import Environment
from openalpha.net import host_of

__all__ = ["HOSTS", "base_url", "environment_of"]

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


def base_url(environment: Environment, named: str = "") -> str:
    """Return an environment's server: the one named, if it may be, or the usual one.

    Only a twin stands on this machine and only a twin is spoken to without encryption, so a
    mistyped address can neither send live keys in clear nor mistake play money for real.

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
    is_here = parts.hostname in _LOOPBACK
    if environment is Environment.TWIN and not is_here and parts.scheme != "https":
        raise InputError(f"{url} is not encrypted; a twin on another machine needs https")
    if environment is not Environment.TWIN and (is_here or parts.scheme != "https"):
        raise InputError(
            f"{url} cannot be the {environment.name.lower()} server: that one is reached by https "
            "on the internet; keys of a twin belong to the environment twin"
        )
    return url
