"""HTTP as a port: one request out, one response back; real by httpx, in memory for tests.

Nothing else in the program opens a connection of its own for HTTP.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from openalpha.core.errors import InputError, NotSent, VenueUnavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTransport", "MemoryTransport", "Request", "Response", "Transport", "host_of"]

_LARGEST_BODY = 1 << 30


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Parameters
    ----------
    url : str
        Whole, with its query.
    method : str
    headers : mapping
    body : bytes
    may_move : bool
        Whether it goes on to where an answer sends it. What is signed must not: it would tell
        another server of the key, and be acted on twice.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    may_move: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : mapping
        Names in lower case.
    body : bytes
        Whole; an answer cut short is an error, never a response.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Return the body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")


class Transport(Protocol):
    """Sends one request and waits for its whole response."""

    def send(self, request: Request) -> Response:
        """Return the response, whatever its status.

        Raises
        ------
        NotSent
            If nobody takes connections there.
        VenueUnavailable
            If no whole response came in time.
        """
        ...


def host_of(url: str) -> str:
    """Return host and port of a URL.

    Raises
    ------
    InputError
        If it is not an http or https URL.

    Examples
    --------
    >>> host_of("https://api.bybit.com/v5/market/time")
    'api.bybit.com'
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise InputError(f"'{url}' is not a web address; write https://host") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"'{url}' is not a web address; write https://host")
    return parts.hostname + port


class HttpTransport:
    """The real network, by httpx: pooled connections, every wait bounded; safe among threads.

    Parameters
    ----------
    timeout_s : float
        Longest wait for a connection, and for each next piece of an answer.
    total_s : float or None
        Longest time from sending to the last piece of an answer, or a server that drips could hold
        us for ever; at most one `timeout_s` is added to it. None: as long as pieces come.
    """

    def __init__(self, *, timeout_s: float = 15.0, total_s: float | None = None) -> None:
        import httpx

        self._timeout_s = timeout_s
        self._total_s = total_s
        limits = httpx.Limits(max_connections=16, max_keepalive_connections=8)
        # A proxy of the environment is used, but never towards this very machine.
        direct = dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]"))
        self._client = httpx.Client(timeout=timeout_s, limits=limits, mounts=direct)

    def send(self, request: Request) -> Response:
        """Send over the network; see `Transport.send`."""
        import httpx

        host = host_of(request.url)
        ends = time.monotonic() + (math.inf if self._total_s is None else self._total_s)
        try:
            with self._client.stream(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body or None,
                follow_redirects=request.may_move,
            ) as answer:
                return _whole(answer, host, ends=ends)
        except httpx.TimeoutException:
            raise VenueUnavailable(f"{host} did not answer within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:
            # What was sent on to another address had been sent to the first.
            is_unsent = isinstance(error, httpx.ConnectError) and error.request.url == request.url
            words = str(error) or type(error).__name__
            kind = NotSent if is_unsent else VenueUnavailable
            raise kind(f"{host} cannot be reached ({words})") from None
        except httpx.InvalidURL as error:
            raise InputError(f"'{request.url}' is not a web address ({error})") from None

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> "HttpTransport":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _whole(answer: "httpx.Response", host: str, *, ends: float) -> Response:
    pieces, size = [], 0
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > _LARGEST_BODY:
            raise VenueUnavailable(f"{host} sent more than {_LARGEST_BODY} bytes in one answer")
        if time.monotonic() > ends:
            raise VenueUnavailable(f"{host} did not finish its answer in time")
        pieces.append(piece)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(answer.status_code, headers, b"".join(pieces))


class MemoryTransport:
    """A network that is a function: for tests and for venues simulated in this process.

    Parameters
    ----------
    answer : callable
        Gives the response to a request; may raise `VenueUnavailable`.

    Examples
    --------
    >>> network = MemoryTransport(lambda request: Response(200, {}, b"pong"))
    >>> network.send(Request("https://venue.test/ping")).text, len(network.requests)
    ('pong', 1)
    """

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        """Call the function; see `Transport.send`."""
        self.requests.append(request)
        return self._answer(request)
