"""ccxt with its network taken away: it signs, builds and parses; `net` carries.

Only this module imports ccxt for downloads. Its errors become ours at this border.
"""

from typing import Any

from openalpha.core.clock import Clock
from openalpha.core.errors import InputError, VenueRefused, VenueUnavailable
from openalpha.net import Request, Transport

__all__ = ["VENUES", "call", "ported"]

VENUES = {
    "bybit_linear": "bybit",
    "bybit_inverse": "bybit",
    "bybit_spot": "bybit",
    "binance_usdm": "binanceusdm",
    "binance_coinm": "binancecoinm",
    "binance_spot": "binance",
    "okx_linear": "okx",
    "okx_spot": "okx",
    "kraken_spot": "kraken",
}
"""ccxt's name of the venue behind each market."""


def ported(market: str, transport: Transport, *, clock: Clock, base_url: str = "") -> Any:
    """Return a ccxt client whose every request goes through `transport`.

    Parameters
    ----------
    market : str
        One of `VENUES`.
    base_url : str
        Another server speaking the venue's protocol; empty: the venue itself.

    Raises
    ------
    InputError
        If no venue is behind that market.
    """
    import ccxt

    name = VENUES.get(market)
    if name is None:
        known = ", ".join(sorted(VENUES))
        raise InputError(f"market '{market}' cannot be downloaded; known are {known}")
    base = getattr(ccxt, name)

    def fetch(self: Any, url: str, *rest: Any) -> Any:
        asked = dict(zip(("method", "headers", "body"), rest, strict=False))
        request = Request(
            url,
            asked.get("method") or "GET",
            asked.get("headers") or {},
            (asked.get("body") or "").encode(),
        )
        return _fetch(self, transport, request)

    client = type("Ported", (base,), {"fetch": fetch, "milliseconds": lambda self: clock.now_ms()})(
        {"enableRateLimit": False, "options": {"defaultType": _default_type(market)}}
    )
    if base_url:
        client.urls["api"] = _moved(client.urls["api"], base_url.rstrip("/"))
    return client


def call(method: Any, *arguments: Any, **options: Any) -> Any:
    """Call a method of a client and give its errors our names.

    Raises
    ------
    VenueUnavailable
        If the venue did not answer, or not in its own protocol.
    VenueRefused
        If it said no.
    """
    import ccxt

    try:
        return method(*arguments, **options)
    except ccxt.NetworkError as error:
        raise VenueUnavailable(_sentence(error)) from None
    except ccxt.BaseError as error:
        raise VenueRefused(f"the venue refused the request: {_sentence(error)}") from None


def _fetch(client: Any, transport: Transport, request: Request) -> Any:
    headers = client.prepare_request_headers(dict(request.headers))
    response = transport.send(Request(request.url, request.method, headers, request.body))
    text = response.text
    parsed = client.parse_json(text)
    body = request.body.decode() or None
    arguments = (response.status, "", request.url, request.method)
    client.handle_errors(*arguments, dict(response.headers), text, parsed, headers, body)
    client.handle_http_status_code(*arguments, text)
    return text if parsed is None else parsed


def _default_type(market: str) -> str:
    return "spot" if market.endswith("spot") else "swap"


def _moved(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(part, base_url) for name, part in urls.items()}
    return base_url


def _sentence(error: Exception) -> str:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return first[:200]
