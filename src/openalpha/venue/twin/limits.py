"""Rate limits: a second for each account and endpoint; requests and sockets of each address."""

from collections import deque
from dataclasses import dataclass, field

from openalpha.venue.bybit.limits import is_apart, per_second
from openalpha.venue.twin.wire import Params

__all__ = ["Limits", "Verdict", "endpoint_limit"]

SECOND_MS = 1_000
SOCKET_LIMIT, SOCKET_WINDOW_MS = 500, 300_000
ADDRESS_LIMIT, ADDRESS_WINDOW_MS, ADDRESS_BAN_MS = 600, 5_000, 600_000

_BATCHES = ("create-batch", "amend-batch", "cancel-batch")


def endpoint_limit(path: str, params: Params) -> tuple[int, int]:
    """Return an endpoint's limit a second, and how many of it one request uses.

    A batch counts its orders.

    Examples
    --------
    >>> endpoint_limit("/v5/order/create", {"category": "spot"})
    (20, 1)
    """
    limit = per_second(path, str(params.get("category", "")))
    is_batch = path.rpartition("/")[2] in _BATCHES
    items = params.get("request")
    return limit, len(items) if is_batch and isinstance(items, list) and items else 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the figures its reply's headers show.

    `reset_ms` is when one that was refused may come again, and the present for all others.
    """

    is_allowed: bool
    limit: int
    remaining: int
    reset_ms: int

    def headers(self) -> dict[str, str]:
        """Return the headers of the reply."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.remaining),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


@dataclass(slots=True)
class Limits:
    """Counts what each account and address asked for. `is_lifted` lets everything through."""

    is_lifted: bool = False
    _windows: dict[tuple[str, str, bool], deque[int]] = field(default_factory=dict)
    _addresses: dict[str, deque[int]] = field(default_factory=dict)
    _sockets: dict[str, deque[int]] = field(default_factory=dict)
    _banned_until_ms: dict[str, int] = field(default_factory=dict)

    def admits(self, peer: str, now_ms: int) -> bool:
        """Count a request of an address; False while it is banned (HTTP 403)."""
        if self.is_lifted:
            return True
        if self._banned_until_ms.get(peer, 0) > now_ms:
            return False
        window = self._addresses.setdefault(peer, deque())
        _forget(window, now_ms - ADDRESS_WINDOW_MS)
        if len(window) >= ADDRESS_LIMIT:
            self._banned_until_ms[peer] = now_ms + ADDRESS_BAN_MS
            return False
        window.append(now_ms)
        return True

    def admits_socket(self, peer: str, now_ms: int) -> bool:
        """Count a connection of an address; False for the one too many in five minutes."""
        if self.is_lifted:
            return True
        window = self._sockets.setdefault(peer, deque())
        _forget(window, now_ms - SOCKET_WINDOW_MS)
        if len(window) >= SOCKET_LIMIT:
            return False
        window.append(now_ms)
        return True

    def check(self, uid: str, path: str, *, params: Params, now_ms: int) -> Verdict:
        """Count a request of an account on an endpoint.

        A batch larger than what is left uses up what is left; its surplus items are refused one by
        one by its handler, which asks `room_left` first.
        """
        limit, wanted = endpoint_limit(path, params)
        if self.is_lifted:
            return Verdict(True, limit, limit, now_ms)
        window = self._windows.setdefault(_name(uid, path, params), deque())
        _forget(window, now_ms - SECOND_MS)
        left = limit - len(window)
        if left <= 0:
            return Verdict(False, limit, 0, window[0] + SECOND_MS)
        window.extend([now_ms] * min(wanted, left))
        return Verdict(True, limit, max(left - wanted, 0), now_ms)

    def room_left(self, uid: str, path: str, *, params: Params, now_ms: int) -> int:
        """Return how many items of a batch may pass now."""
        limit, wanted = endpoint_limit(path, params)
        if self.is_lifted:
            return wanted
        window = self._windows.get(_name(uid, path, params), deque())
        _forget(window, now_ms - SECOND_MS)
        return max(limit - len(window), 0)

    def forgive(self) -> None:
        """Forget all counts and bans."""
        self._windows.clear()
        self._addresses.clear()
        self._sockets.clear()
        self._banned_until_ms.clear()


def _name(uid: str, path: str, params: Params) -> tuple[str, str, bool]:
    """Return whose and which window a request counts in: spot orders have one of their own."""
    return uid, path, is_apart(path, str(params.get("category", "")))


def _forget(window: deque[int], until_ms: int) -> None:
    while window and window[0] <= until_ms:
        window.popleft()
