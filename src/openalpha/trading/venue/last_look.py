"""The last look before orders leave: what could open something stays here once a stop was ordered.

Between a decision and its sending lies a sync that may hang; an emergency stop acts meanwhile by a
thread or a process of its own. It locks first, so the lock is looked at here once more.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openalpha.trading.bybit.replies import Outcome, Reply
from openalpha.trading.orders.side import Request, RequestKind
from openalpha.trading.safety.emergency_lock import locked

__all__ = ["held_back"]


def held_back(
    requests: Sequence[Request], *, home: Path, environment: str
) -> tuple[list[Request], list[bytes]]:
    """Return what may be sent, and the replies to what may not: it was not sent, and why.

    Parameters
    ----------
    requests : sequence of Request
        About to be sent. Only orders that could open something are ever held back.

    Examples
    --------
    >>> held_back([], home=Path("nowhere"), environment="twin")
    ([], [])
    """
    opening = [one for one in requests if _could_open(one)]
    lock = locked(home, environment) if opening else None
    if lock is None:
        return list(requests), []
    words = f"it was not sent: {lock}"
    replies = [Reply.to(one, Outcome.NOT_SENT, words=words).payload() for one in opening]
    return [one for one in requests if not _could_open(one)], replies


def _could_open(request: Request) -> bool:
    if request.kind is not RequestKind.PLACE:
        return False
    is_spot = request.params["category"] == "spot"
    return any(_opens(order, is_spot=is_spot) for order in request.params["orders"])


def _opens(order: Mapping[str, Any], *, is_spot: bool) -> bool:
    if is_spot:
        return bool(order["side"] == "Buy")
    return not order.get("reduceOnly")
