"""When what a twin wrote down is on the disk: one sync serves all who wait for it.

Nothing leaves before what it follows from is kept. Who has something to send hands over an act;
once all that came together is done, one sync covers it, and the acts are done in their order. The
sync blocks the loop: nothing could leave before it anyway, and a thread for it costs each order
more in hand-overs than the disk takes.

The whole state is kept now and then by a copy of the process (fork), which has all the time it
needs: to write it here would hold up the answers of a second.
"""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable

from openalpha.core.errors import StorageError
from openalpha.venue.twin.durable import whole_state
from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.journal import Journal

__all__ = ["Keeper"]

SAVE_EVERY_S = 60.0
LOOK_EVERY_S = 0.1
MOST_TOGETHER = 64
COPY_NICE = 10

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
        self._waiting: list[Callable[[], None]] = []
        self._seen = 0
        self._saving: asyncio.Task[None] | None = None
        self._saved_s = 0.0

    def then(self, act: Callable[[], None]) -> None:
        """Act once all that was written so far is on the disk; at once where it is.

        After a failure nothing is kept any more: who acts looks at `failure`.
        """
        journal = self.journal
        if self._waiting:
            self._waiting.append(act)
        elif journal is None or self.failure is not None or journal.synced == journal.written:
            act()
        else:
            self._waiting.append(act)
            # After all that is ready to be read by now: one sync for it.
            asyncio.get_running_loop().call_soon(self._sync)

    def _sync(self) -> None:
        """Put on the disk what waits, then do what waited for it.

        While each look finds more, the next look comes first: the more share a sync, the better.
        """
        journal = self.journal
        assert journal is not None, "without a journal nothing waits"
        if self._seen < len(self._waiting) < MOST_TOGETHER:
            self._seen = len(self._waiting)
            asyncio.get_running_loop().call_soon(self._sync)
            return
        self._seen = 0
        try:
            if self.failure is None:
                journal.sync()
        except StorageError as failure:
            # What was promised cannot be kept: nothing more is answered, and the server ends.
            self._fail(failure)
        acts, self._waiting = self._waiting, []
        for act in acts:
            act()

    def _fail(self, failure: StorageError) -> None:
        self.failure = failure
        _log.error("journal failed error=%s", failure)
        if self.on_failure is not None:
            self.on_failure()

    def tend(self, now_s: float) -> None:
        """Keep the whole state where that is due, so that a start need not do all again."""
        self._saved_s = self._saved_s or now_s
        journal = self.journal
        if journal is None or now_s - self._saved_s < SAVE_EVERY_S:
            return
        is_new = journal.written > journal.saved and self.failure is None
        if is_new and (self._saving is None or self._saving.done()):
            self._saved_s = now_s
            self._saving = asyncio.create_task(self._save(journal))

    async def _save(self, journal: Journal) -> None:
        """Let a copy of this process write the state, while this one goes on."""
        try:
            journal.sync()
            number = journal.cut()
        except StorageError as failure:
            self._fail(failure)
            return
        copy = os.fork()
        if copy == 0:
            self._write_as_copy(journal, number)
        while True:
            ended, status = os.waitpid(copy, os.WNOHANG)
            if ended:
                break
            await asyncio.sleep(LOOK_EVERY_S)
        if status:
            _log.error("state not kept records=%d", number)
            return
        journal.drop(number)

    def _write_as_copy(self, journal: Journal, number: int) -> None:
        """Write the state and end, whatever happens: the copy owns nothing of the twin."""
        code = 1
        try:
            gc.disable()
            os.nice(COPY_NICE)
            signal.set_wakeup_fd(-1)
            # A connection is closed only when all who hold it have closed it.
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            journal.save(whole_state(self.exchange), number=number)
            code = 0
        finally:
            os._exit(code)

    async def close(self) -> None:
        """Keep the whole state a last time and let the folder go."""
        journal = self.journal
        if journal is None:
            return
        if self._saving is not None:
            await self._saving
        try:
            if self.failure is None:
                journal.sync()
                if journal.written > journal.saved:
                    number = journal.cut()
                    journal.save(whole_state(self.exchange), number=number)
                    journal.drop(number)
        finally:
            journal.close()
