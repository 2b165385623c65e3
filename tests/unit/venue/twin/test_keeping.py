"""When a twin acts on what it wrote down: after the disk has it, never before."""

import asyncio
import os
from pathlib import Path

from openalpha.core.clock import ManualClock
from openalpha.venue.twin import Exchange, TwinSettings
from openalpha.venue.twin.durable import open_twin
from openalpha.venue.twin.journal import Journal
from openalpha.venue.twin.keeping import SAVE_EVERY_S, Keeper
from tests.fakes.twin import BTC, START_MS, Client, wait

SETTINGS = TwinSettings(listings=(BTC,), backfill_days=0, levels=50)


class Counted(Journal):
    """A journal that counts what reached the disk, and when."""

    syncs = 0

    def sync(self) -> None:
        super().sync()
        self.syncs += 1


def opened(folder: Path) -> tuple[Exchange, Journal]:
    exchange, journal = open_twin(folder, SETTINGS, clock=ManualClock(START_MS))
    exchange.limits.is_lifted = True
    journal.sync()
    return exchange, journal


def lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("journal-*"))


def test_one_sync_comes_before_all_that_waited_for_it(tmp_path: Path) -> None:
    exchange, _ = opened(tmp_path / "other")
    journal = Counted(tmp_path)
    journal.open()
    list(journal.read(0))
    keeper = Keeper(exchange, journal)
    seen: list[tuple[str, int]] = []

    async def work() -> None:
        keeper.then(lambda: seen.append(("nothing to wait for", lines(tmp_path))))
        journal.append({"n": 1})
        keeper.then(lambda: seen.append(("first", lines(tmp_path))))
        journal.append({"n": 2})
        keeper.then(lambda: seen.append(("second", lines(tmp_path))))
        assert seen == [("nothing to wait for", 0)]
        await asyncio.sleep(0.01)

    asyncio.run(work())
    assert seen == [("nothing to wait for", 0), ("first", 2), ("second", 2)]
    assert journal.syncs == 1
    journal.close()


def test_a_flood_that_never_pauses_is_answered(tmp_path: Path) -> None:
    exchange, journal = opened(tmp_path)
    keeper = Keeper(exchange, journal)
    answered: list[int] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()

        def more() -> None:
            number = journal.append({"more": True})
            keeper.then(lambda: answered.append(number))
            if number < 1_000:
                loop.call_soon(more)

        more()
        while not answered:
            await asyncio.sleep(0)

    asyncio.run(work())
    assert journal.written < 1_000
    journal.close()


def test_a_disk_that_fails_ends_the_promises(tmp_path: Path) -> None:
    exchange, journal = opened(tmp_path)
    keeper = Keeper(exchange, journal)
    told: list[str] = []
    keeper.on_failure = lambda: told.append("failed")
    os.close(journal._handle)

    async def work() -> None:
        journal.append({"n": 1})
        keeper.then(lambda: told.append(f"answered {keeper.failure is None}"))
        await asyncio.sleep(0.01)

    asyncio.run(work())
    assert told == ["failed", "answered False"]
    journal._handle = -1
    journal.close()


async def _until_saved(keeper: Keeper) -> None:
    keeper.tend(1.0)
    keeper.tend(1.0 + SAVE_EVERY_S)
    assert keeper._saving is not None
    await keeper._saving


def test_a_copy_keeps_the_state_while_the_twin_goes_on(tmp_path: Path) -> None:
    exchange, journal = opened(tmp_path)
    client = Client.of(exchange)
    client.order("Buy", "0.1")
    keeper = Keeper(exchange, journal)

    async def work() -> None:
        saving = asyncio.create_task(_until_saved(keeper))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # The copy is at work: what comes now is not in its state, but in the next file of records.
        client.order("Buy", "0.2", "59000")
        wait(exchange, 5_000)
        await saving

    asyncio.run(work())
    assert journal.saved > 0
    journal.sync()
    begins = sorted(path.name for path in tmp_path.glob("journal-*"))
    assert begins == [f"journal-{0:012d}.log", f"journal-{journal.saved:012d}.log"]
    orders = {name: repr(order) for name, order in exchange.state.records[1].orders.items()}
    journal.close()
    again, journal = open_twin(tmp_path, SETTINGS, clock=ManualClock(START_MS))
    assert {name: repr(one) for name, one in again.state.records[1].orders.items()} == orders
    assert len(orders) == 2
    journal.close()


def test_a_copy_that_cannot_write_costs_nothing(tmp_path: Path) -> None:
    exchange, journal = opened(tmp_path)
    Client.of(exchange).order("Buy", "0.1")
    (tmp_path / f"state-{journal.written:012d}.bin" / "in the way").mkdir(parents=True)
    keeper = Keeper(exchange, journal)
    asyncio.run(_until_saved(keeper))
    assert keeper.failure is None and journal.saved == 0
    journal.append({"ts": START_MS})
    journal.sync()
    assert lines(tmp_path) == journal.written
    journal.close()
