"""What threads hand to a loop: inputs in the order they came, and a word that there is news."""

import asyncio
import queue
from contextlib import suppress

from openalpha.store.frames import FrameKind

__all__ = ["Inbox"]

_Item = tuple[FrameKind, bytes]


class Inbox:
    """One loop's inbox; whoever puts may be any thread, who takes and waits is the loop.

    Examples
    --------
    >>> inbox = Inbox()
    >>> inbox.put(FrameKind.TIMER, b"{}")
    >>> inbox.take(), inbox.take()
    ([(<FrameKind.TIMER: 2>, b'{}')], [])
    """

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[_Item | BaseException] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._has_news = False

    def put(self, kind: FrameKind, payload: bytes) -> None:
        """Leave an input."""
        self._items.put((kind, payload))
        self.wake()

    def fail(self, error: BaseException) -> None:
        """Leave an error of a thread: it is raised where the loop takes."""
        self._items.put(error)
        self.wake()

    def wake(self) -> None:
        """Say that there is news, here or elsewhere."""
        loop = self._loop
        if loop is not None:
            # A loop that is over is told nothing.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._rouse)

    def take(self) -> list[_Item]:
        """Return what came since, oldest first.

        Raises
        ------
        BaseException
            What a thread failed with.
        """
        found: list[_Item] = []
        while not self._items.empty():
            item = self._items.get_nowait()
            if isinstance(item, BaseException):
                raise item
            found.append(item)
        return found

    async def wait(self, at_most_s: float) -> None:
        """Return once there is news since the last wait, or after a while."""
        self._loop = loop = asyncio.get_running_loop()
        if self._items.empty() and not self._has_news:
            self._waiter = loop.create_future()
            timer = loop.call_later(at_most_s, self._rouse)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._has_news = False

    def _rouse(self) -> None:
        self._has_news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
