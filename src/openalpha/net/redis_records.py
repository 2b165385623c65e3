"""Records shared through a Redis server, where processes of several machines keep one budget."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from openalpha.core.errors import ConfigError, StorageError

__all__ = ["RedisRecords"]

_NAP_S = 0.002
_HELD_MS = 2_000
"""After so long a lock is free again: its holder died."""
_KEPT_MS = 3_600_000
_FREE = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then "
    "if ARGV[2] ~= '' then redis.call('set', KEYS[2], ARGV[2], 'px', ARGV[3]) end "
    "return redis.call('del', KEYS[1]) end return 0"
)
"""Writes and lets go in one step, unless the lock was lost meanwhile."""


class RedisRecords:
    """Small records of a Redis server, each changed by one process at a time.

    Parameters
    ----------
    url : str
        As `redis://host:6379/0`.

    Raises
    ------
    ConfigError
        If the address is none, or the client is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis
        except ImportError:
            raise ConfigError(
                "exchange.redis_url needs the Redis client: pip install openalpha[redis]"
            ) from None
        try:
            self._client = redis.Redis.from_url(
                url, socket_timeout=1.0, socket_connect_timeout=1.0, decode_responses=True
            )
        except ValueError as error:
            raise ConfigError(f"exchange.redis_url is no address of Redis: {error}") from None
        self._error = redis.RedisError

    @contextmanager
    def change(
        self,
        name: str,
        *,
        wait_at_most_s: float = 5.0,
        pause: Callable[[float], object] = time.sleep,
    ) -> Iterator[list[object]]:
        """Read a record, let the block change it in place, and write it back.

        Raises
        ------
        StorageError
            If the server cannot be reached, or the record is not free in time.
        """
        lock, token = f"openalpha:{name}:lock", uuid.uuid4().hex
        kept, text = f"openalpha:{name}", ""
        with self._told():
            self._hold(lock, token, wait_at_most_s, pause)
        try:
            with self._told():
                items = _read(self._client.get(kept))
            yield items
            text = json.dumps(items, separators=(",", ":"))
        finally:
            with self._told():
                self._client.eval(_FREE, 2, lock, kept, token, text, _KEPT_MS)

    def _hold(
        self, lock: str, token: str, wait_at_most_s: float, pause: Callable[[float], object]
    ) -> None:
        ends = time.monotonic() + wait_at_most_s
        while not self._client.set(lock, token, nx=True, px=_HELD_MS):
            if time.monotonic() >= ends:
                raise StorageError(f"{lock} is held for more than {wait_at_most_s:g} s")
            pause(_NAP_S)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise StorageError(f"Redis cannot be reached ({error}); start it, or leave "
                               "exchange.redis_url empty") from None  # fmt: skip


def _read(content: object) -> list[object]:
    try:
        items = json.loads(str(content))
    except ValueError:
        return []
    return items if isinstance(items, list) else []
