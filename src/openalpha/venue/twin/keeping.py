"""When what a twin wrote down is on the disk: one sync serves all who wait for it.

Nothing leaves before what it follows from is kept. Who has something to send hands over an act;
acts are done in the order they came, each after a sync that covers all written before it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from openalpha.core.errors import StorageError
from openalpha.venue.twin.durable import whole_state
from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.journal import Journal

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)


class Keeper:
    """Syncs a journal for those who wait, and now and then keeps the whole state.

    Parameters
    ----------
    exchange : Exchange
    journal : Journal, optional
        Without one there is nothing to wait for: a twin forgets everything when it ends.
    """

    def __init__(self, exchange: Exchange, journal: Journal | None) -> None:
        self.exchange = exchange
        self.journal = journal
        self.failure: StorageError | None = None
        self.on_failure: Callable[[], None] | None = None
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._syncing: asyncio.Task[None] | None = None
        self._disk = asyncio.Lock()

    def then(self, act: Callable[[], None]) -> None:
        """Act once all that was written so far is on the disk; at once where it is.

        After a failure nothing is kept any more: who acts looks at `failure`.
        """
        journal = self.journal
        if journal is None or self.failure is not None:
            act()
            return
        if not self._waiting and journal.synced == journal.written:
            act()
            return
        self._waiting.append((journal.written, act))
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync(journal))

    async def kept(self) -> bool:
        """Wait until all that was written so far is on the disk; False if it cannot be."""
        waits = asyncio.Event()
        self.then(waits.set)
        await waits.wait()
        return self.failure is None

    async def _sync(self, journal: Journal) -> None:
        """Put on the disk what waits, in another thread, until nobody waits any more."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                async with self._disk:
                    lines, number = journal.take()
                    await loop.run_in_executor(None, journal.sync, lines)
                journal.synced = number
                while self._waiting and self._waiting[0][0] <= number:
                    self._waiting.popleft()[1]()
        except StorageError as failure:
            # What was promised cannot be kept: nothing more is answered, and the server ends.
            self.failure = failure
            _log.error("journal failed error=%s", failure)
            if self.on_failure is not None:
                self.on_failure()
            while self._waiting:
                self._waiting.popleft()[1]()
        finally:
            self._syncing = None

    async def save(self) -> None:
        """Keep the whole state, so that a start need not do all records again."""
        journal = self.journal
        if journal is None or not await self.kept() or journal.synced != journal.written:
            return
        async with self._disk:
            number = journal.written
            if journal.synced != number:
                return
            frozen = journal.freeze(whole_state(self.exchange))
            await asyncio.to_thread(journal.save, frozen, number=number)

    async def close(self) -> None:
        """Keep the whole state a last time and let the folder go."""
        if self.journal is not None:
            await self.save()
            self.journal.close()
