"""One connected socket as the venue sees it: what it subscribed, what waits to be sent to it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openalpha.venue.twin.accounts import Account, Key
from openalpha.venue.twin.wire import dumps

__all__ = ["IDLE_MS", "Session"]

IDLE_MS = 600_000
MOST_WAITING = 20_000


@dataclass(slots=True, eq=False)
class Session:
    """One socket. `family` is public, private or trade; `category` only public ones have.

    `wake` is called when something waits in `queue`; whoever owns the connection drains it.
    """

    number: int
    family: str
    category: str = ""
    peer: str = ""
    opened_ms: int = 0
    seen_ms: int = 0
    idle_ms: int = IDLE_MS
    account: Account | None = None
    key: Key | None = None
    topics: dict[str, None] = field(default_factory=dict)
    queue: deque[bytes] = field(default_factory=deque)
    requests: deque[str] = field(default_factory=lambda: deque(maxlen=1_000))
    is_closed: bool = False
    is_mute: bool = False
    wake: Callable[[], None] | None = None

    @property
    def conn_id(self) -> str:
        """Return the name of the connection in replies."""
        return f"twin-{self.number:08d}"

    def send(self, text: bytes) -> None:
        """Put a message on its way. A client that does not read is cut; a half-open one is mute."""
        if self.is_closed or self.is_mute:
            return
        if len(self.queue) >= MOST_WAITING:
            self.close()
            return
        self.queue.append(text)
        if len(self.queue) == 1 and self.wake is not None:
            self.wake()

    def say(self, message: dict[str, Any]) -> None:
        """Send an object."""
        self.send(dumps(message))

    def close(self) -> None:
        """End the connection."""
        self.is_closed = True
        if self.wake is not None:
            self.wake()

    def take(self) -> list[bytes]:
        """Return what waits to be sent, and forget it."""
        waiting = list(self.queue)
        self.queue.clear()
        return waiting
