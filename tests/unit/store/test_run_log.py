"""The log of a run on a disk that loses power, fills up and lies."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openalpha.core.errors import StorageError
from openalpha.store.run_log import (
    INPUTS,
    MOST_QUEUED,
    Frame,
    FrameKind,
    RunLog,
    read,
    strip,
    tail,
)
from tests.fakes.disk import SimulatedDisk

FOLDER = Path("/runs/twin/r/log")
K = FrameKind


def opened(disk: SimulatedDisk) -> RunLog:
    return RunLog.open(FOLDER, disk=disk)


def frames(disk: SimulatedDisk) -> list[Frame]:
    return list(read(FOLDER, disk=disk))


def filled(disk: SimulatedDisk, count: int = 5) -> RunLog:
    log = opened(disk)
    for number in range(count):
        log.append(K.FEED, b"feed %d" % number, ts_ms=number)
    log.sync()
    return log


def test_what_was_synced_is_read_back_in_order() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    assert log.append(K.FEED, b"a", ts_ms=-1) == 1
    assert log.append(K.INTENT, b"", ts_ms=2**62) == 2
    log.sync()
    assert frames(disk) == [Frame(1, K.FEED, -1, b"a"), Frame(2, K.INTENT, 2**62, b"")]
    assert (log.last_seq, log.synced_seq) == (2, 2)


def test_nothing_is_on_the_disk_before_the_sync() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    log.append(K.FEED, b"a", ts_ms=0)
    assert frames(disk) == [] and log.synced_seq == 0


@given(
    synced=st.integers(0, 6),
    more=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    keeps=st.booleans(),
)
def test_a_crash_takes_only_what_was_not_synced(
    synced: int, more: int, seed: int, keeps: bool
) -> None:
    disk = SimulatedDisk()
    log = filled(disk, synced)
    stopped: list[str] = []

    def stop(what: str) -> None:
        if what == "sync":
            stopped.append(what)
            raise KeyboardInterrupt

    for number in range(more):
        log.append(K.INTENT, b"more %d" % number * 20, ts_ms=9)
    disk.step = stop
    with pytest.raises(KeyboardInterrupt):
        log.sync()
    disk.step = lambda what: None
    disk.crash(seed, keeps_writes=keeps)
    again = opened(disk)
    found = frames(disk)
    assert stopped and [frame.seq for frame in found] == list(range(1, len(found) + 1))
    assert synced <= len(found) <= synced + more
    assert [frame.payload for frame in found[:synced]] == [b"feed %d" % n for n in range(synced)]
    assert again.append(K.NOTE, b"goes on", ts_ms=10) == len(found) + 1
    again.sync()
    assert frames(disk)[-1].payload == b"goes on"


def test_a_torn_tail_is_cut_kept_aside_and_said() -> None:
    disk = SimulatedDisk()
    filled(disk).close()
    path = FOLDER / "000001.log"
    whole = disk.files[path]
    disk.files[path] = whole[:-3]
    disk.locks.clear()
    log = opened(disk)
    assert log.cut is not None and log.last_seq == 4
    assert disk.files[log.cut.kept] == whole[log.cut.at : -3]
    assert log.cut.size == len(whole) - 3 - log.cut.at
    log.close()
    assert opened(disk).cut is None, "it is cut once"


@pytest.mark.parametrize("at", range(29, 29 + 4 * 31, 7))
def test_any_flipped_bit_ends_the_log_before_it(at: int) -> None:
    disk = SimulatedDisk()
    filled(disk)
    path = FOLDER / "000001.log"
    content = bytearray(disk.files[path])
    content[at] ^= 4
    disk.files[path] = bytes(content)
    found = frames(disk)
    assert len(found) < 5
    assert [frame.payload for frame in found] == [b"feed %d" % n for n in range(len(found))]


def test_a_frame_of_another_place_does_not_fit_the_chain() -> None:
    disk = SimulatedDisk()
    filled(disk)
    path = FOLDER / "000001.log"
    other = SimulatedDisk()
    log = opened(other)
    for _ in range(5):
        log.append(K.FEED, b"feed X", ts_ms=0)
    log.sync()
    size = 4 + 8 + 1 + 8 + 6 + 4
    assert len(disk.files[path]) == len(other.files[path]) == 28 + 5 * size
    # The fifth frame is whole by itself, with the right number, and follows another fourth.
    disk.files[path] = disk.files[path][:-size] + other.files[path][-size:]
    assert len(frames(disk)) == 4


def test_a_full_disk_refuses_clearly_and_half_written_frames_do_not_count() -> None:
    disk = SimulatedDisk()
    log = filled(disk)
    disk.capacity = disk.used() + 40
    log.append(K.INTENT, b"fits", ts_ms=1)
    log.append(K.INTENT, b"does not fit" * 10, ts_ms=1)
    with pytest.raises(StorageError, match="the disk is full"):
        log.sync()
    assert log.synced_seq == 5
    with pytest.raises(StorageError, match="takes nothing more"):
        log.append(K.FEED, b"x", ts_ms=1)
    with pytest.raises(StorageError, match="takes nothing more"):
        log.sync()
    disk.capacity = 1 << 40
    log.close()
    assert len(frames(disk)) == 5
    assert opened(disk).append(K.FEED, b"x", ts_ms=1) == 6


def test_a_sync_that_failed_is_never_tried_again() -> None:
    disk = SimulatedDisk()
    log = filled(disk)
    disk.is_broken = True
    log.append(K.INTENT, b"lost", ts_ms=1)
    with pytest.raises(StorageError):
        log.sync()
    disk.is_broken = False
    with pytest.raises(StorageError, match="takes nothing more"):
        log.sync()


def test_a_segment_opens_with_the_state_and_replays_alone() -> None:
    disk = SimulatedDisk()
    log = filled(disk, 2)
    assert log.roll(b"whole state", ts_ms=7) == 3
    log.append(K.REPLY, b"after", ts_ms=8)
    log.sync()
    assert [frame.kind for frame in tail(FOLDER, disk=disk)] == [K.STATE, K.REPLY]
    assert [frame.seq for frame in frames(disk)] == [1, 2, 3, 4]
    log.close()
    assert opened(disk).last_seq == 4


def test_a_crash_while_rolling_leaves_the_old_segment_or_both() -> None:
    for stop_at in ("write", "synced"):
        disk = SimulatedDisk()
        log = filled(disk, 2)
        disk.step = lambda what, at=stop_at: _stop(what == at)  # type: ignore[misc]
        with pytest.raises(KeyboardInterrupt):
            log.roll(b"state", ts_ms=7)
        disk.step = lambda what: None
        disk.crash(1)
        again = opened(disk)
        assert again.last_seq == (2 if stop_at == "write" else 3)
        assert again.append(K.FEED, b"x", ts_ms=8) == again.last_seq


def _stop(is_here: bool) -> None:
    if is_here:
        raise KeyboardInterrupt


def test_a_damaged_or_missing_segment_before_the_last_is_refused() -> None:
    disk = SimulatedDisk()
    log = filled(disk, 2)
    log.roll(b"state", ts_ms=7)
    first, second = FOLDER / "000001.log", FOLDER / "000002.log"
    whole = disk.files[first]
    disk.files[first] = whole[:-1]
    with pytest.raises(StorageError, match="damaged at byte"):
        frames(disk)
    disk.files[first] = whole[: len(whole) - 31]
    with pytest.raises(StorageError, match="does not follow"):
        frames(disk)
    disk.files.pop(first)
    with pytest.raises(StorageError, match="lacks its first 1"):
        frames(disk)
    disk.files[first], disk.files[second] = whole, b"rubbish" + disk.files[second]
    with pytest.raises(StorageError, match="does not begin as a log"):
        frames(disk)


def test_stripped_it_is_the_tape() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    for kind in FrameKind:
        log.append(kind, kind.name.encode(), ts_ms=0)
    log.sync()
    kept = {frame.kind for frame in strip(FOLDER, disk=disk)}
    assert kept == INPUTS == set(FrameKind) - {K.DECISION, K.INTENT, K.NOTE}


def test_one_process_writes_at_a_time() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    with pytest.raises(StorageError, match="in use by another process"):
        opened(disk)
    log.close()
    opened(disk)


def test_what_waits_for_a_sync_does_not_grow_large() -> None:
    log = opened(SimulatedDisk())
    size = MOST_QUEUED // 10
    for _ in range(10):
        log.append(K.FEED, b"x" * size, ts_ms=1)
    assert log.synced_seq == 10
    log.append(K.FEED, b"x", ts_ms=1)
    assert log.synced_seq == 10
