"""How often Bybit lets a key and an address ask, as documented; kept in one place."""

import hashlib

from openalpha.net import RateLimit, Use, WindowLimit

__all__ = ["ADDRESS_LIMIT", "BATCH_SIZES", "is_apart", "mark_of", "per_second", "use_of"]

# 600 requests in five seconds an address: 120 at once and 90 a second stay below it in any window.
ADDRESS_LIMIT = RateLimit(per_s=90, burst=120)
BATCH_SIZES = {"linear": 20, "inverse": 20, "spot": 10}

_ORDERS = ("create", "amend", "cancel", "cancel-all", "create-batch", "amend-batch", "cancel-batch")
_SPOT_AMEND = 10
_PER_S = {
    **{f"/v5/order/{name}": 10 for name in _ORDERS},
    "/v5/order/disconnected-cancel-all": 5,
    "/v5/order/realtime": 50,
    "/v5/order/history": 50,
    "/v5/execution/list": 50,
    "/v5/position/list": 50,
    "/v5/position/closed-pnl": 50,
    "/v5/account/wallet-balance": 50,
    "/v5/account/info": 50,
    "/v5/account/transaction-log": 25,
    "/v5/account/fee-rate": 5,
}
_OTHERS_PER_S = 10


def use_of(path: str, *, category: str, mark: str, cost: int = 1) -> Use:
    """Return what a signed request takes of its key's window.

    Parameters
    ----------
    path : str
        Endpoint.
    category : str
        linear, inverse, spot, or empty.
    mark : str
        Stands for the key; see `mark_of`.
    cost : int
        Orders of a batch.

    Examples
    --------
    >>> use_of("/v5/order/create", category="spot", mark="k").limit.count
    20
    """
    name = path.removeprefix("/v5/").replace("/", "-")
    group = "-spot" if is_apart(path, category) else ""
    return Use(f"{mark}-{name}{group}", WindowLimit(per_second(path, category)), cost)


def is_apart(path: str, category: str) -> bool:
    """Say whether a call counts apart from those of its endpoint for other categories.

    The venue counts a key's orders on derivatives together and those on spot apart.

    Examples
    --------
    >>> is_apart("/v5/order/create", "spot"), is_apart("/v5/order/history", "spot")
    (True, False)
    """
    return _is_order(path) and category == "spot"


def per_second(path: str, category: str) -> int:
    """Return how often a second a key may ask an endpoint, for a category of instruments.

    Examples
    --------
    >>> per_second("/v5/order/amend", "spot"), per_second("/v5/order/cancel", "spot")
    (10, 20)
    """
    count = _PER_S.get(path, _OTHERS_PER_S)
    if is_apart(path, category):
        return _SPOT_AMEND if path.endswith("/amend") else 2 * count
    return count


def _is_order(path: str) -> bool:
    return path in _PER_S and path.rpartition("/")[2] in _ORDERS


def mark_of(api_key: str) -> str:
    """Return a name for a key's windows that does not give the key away.

    Examples
    --------
    >>> mark_of("abc")
    'key-ba7816bf'
    """
    return f"key-{hashlib.sha256(api_key.encode()).hexdigest()[:8]}"
