"""The log of a run: its inputs, decisions and intents in one append-only, chained file a segment.

    <folder>/LOCK
    <folder>/000001.log           magic, segment number, first seq, CRC of the segment before, CRC
                                  then frames: length, seq, kind, ts_ms, payload, CRC-32
    <folder>/000001.torn-4711     what a crash left beyond byte 4711, kept aside

A frame's CRC covers the CRC before it, so a frame that is there proves all before it. What a crash
tears off is at the end of the last segment only; it is cut there, kept aside and said.
"""

import logging
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from openalpha.core.errors import StorageError
from openalpha.store.atomic import storage_errors
from openalpha.store.disk import AppendFile, Disk, RealDisk
from openalpha.store.frames import (
    INPUTS,
    LARGEST_PAYLOAD,
    Frame,
    FrameKind,
    Scan,
    canonical_json,
    packed,
    packed_opening,
)

__all__ = [
    "INPUTS",
    "MOST_QUEUED",
    "Cut",
    "Frame",
    "FrameKind",
    "RunLog",
    "canonical_json",
    "read",
    "segments",
    "strip",
    "tail",
]

MOST_QUEUED = 1 << 18
"""Bytes of frames that may wait for a sync."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cut:
    """A torn tail that was cut off: the segment, from which byte, and where it is kept now."""

    segment: str
    at: int
    size: int
    kept: Path


class RunLog:
    """One run's log, open for appending; one process at a time.

    Appending only queues; `sync` writes and syncs all that is queued, so one sync covers every
    frame before it. `sync` may run in another thread while frames are appended.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> log = RunLog.open(folder)
    >>> log.append(FrameKind.FEED, b"bar", ts_ms=5), log.synced_seq
    (1, 0)
    >>> log.sync(); log.synced_seq; log.close()
    1
    >>> [frame.payload for frame in read(folder)]
    [b'bar']
    """

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self.cut: Cut | None = None
        self._disk = disk
        self._queued: list[bytes] = []
        self._queued_bytes = 0
        self._queueing = threading.Lock()
        self._syncing = threading.Lock()
        self._failure = ""
        self._segment = 0
        self._last_seq = 0
        self._synced_seq = 0
        self._crc = 0
        self._end = 0
        self._file: AppendFile | None = None
        self._unlock = disk.lock(folder / "LOCK", what=str(folder))

    @classmethod
    def open(cls, folder: Path, *, disk: Disk | None = None) -> "RunLog":
        """Open a run's log, or begin one; a torn tail is cut (see `RunLog.cut`).

        Raises
        ------
        StorageError
            If another process has it, it is damaged before its tail, or the disk refuses.
        """
        disk = RealDisk() if disk is None else disk
        disk.make_folder(folder)
        log = cls(folder, disk)
        try:
            log._take_up()
        except BaseException:
            log.close()
            raise
        return log

    @property
    def last_seq(self) -> int:
        """Number of the last frame appended; 0: none."""
        return self._last_seq

    @property
    def synced_seq(self) -> int:
        """Number of the last frame known to be on the disk."""
        return self._synced_seq

    @property
    def segment_bytes(self) -> int:
        """Size of the segment being written, what is queued apart."""
        return self._end

    def append(self, kind: FrameKind, payload: bytes, *, ts_ms: int) -> int:
        """Queue a frame; returns its number. It is on the disk after the next `sync`.

        What is queued is synced by itself before it grows large.

        Raises
        ------
        StorageError
            If an earlier write failed: what follows would stand on nothing; if the disk refuses.
        """
        if self._failure:
            raise StorageError(self._failure)
        if len(payload) > LARGEST_PAYLOAD:
            raise StorageError(f"a frame of {len(payload)} bytes is too large for {self.folder}")
        with self._queueing:
            self._last_seq += 1
            frame, self._crc = packed(
                self._last_seq, kind, ts_ms=ts_ms, payload=payload, crc=self._crc
            )
            self._queued.append(frame)
            self._queued_bytes += len(frame)
            seq, is_much = self._last_seq, self._queued_bytes > MOST_QUEUED
        if is_much:
            self.sync()
        return seq

    def sync(self) -> None:
        """Return once every frame appended before the call is on the disk.

        Raises
        ------
        StorageError
            If the disk refuses. The frames since the last sync may be there or not, and nothing
            more is taken: end the run and open it again.
        """
        with self._syncing:
            if self._failure:
                raise StorageError(self._failure)
            with self._queueing:
                frames, self._queued, self._queued_bytes = b"".join(self._queued), [], 0
                seq = self._last_seq
            if not frames:
                return
            assert self._file is not None, "a closed log is not synced"
            try:
                with storage_errors(str(self.folder)):
                    self._file.write(frames)
                    self._file.sync()
            except StorageError as error:
                self._fail(error.message)
                raise
            self._end += len(frames)
            self._synced_seq = seq

    def roll(self, state: bytes, *, ts_ms: int) -> int:
        """Close the segment and open the next, whose first frame is the loop's state.

        Returns
        -------
        int
            Number of the state's frame. The new segment is on the disk, whole.
        """
        self.sync()
        with self._queueing:
            assert not self._queued, "nobody appends while the log rolls"
            self._begin(state, ts_ms=ts_ms)
            return self._last_seq

    def close(self) -> None:
        """Let the log go; what is queued and not synced is lost. Safe to repeat."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._unlock()
        self._unlock = _nothing
        self._failure = self._failure or f"{self.folder} is closed"

    def _take_up(self) -> None:
        names = segments(self.folder, disk=self._disk)
        if not names:
            self._begin(None, ts_ms=0)
            return
        scan = Scan(self._disk, self.folder, names[-1])
        for frame in scan.frames():
            self._last_seq = frame.seq
        self._segment = int(names[-1][:6])
        self._last_seq = self._synced_seq = max(self._last_seq, scan.first_seq - 1)
        self._crc, self._end = scan.crc, scan.end
        if scan.size > scan.end:
            self._keep_aside(names[-1], scan)
        with storage_errors(str(self.folder)):
            self._file = self._disk.appender(self.folder / names[-1], at=scan.end)
            self._file.sync()

    def _keep_aside(self, name: str, scan: "Scan") -> None:
        with self._disk.reader(self.folder / name) as file:
            file.seek(scan.end)
            torn = file.read()
        kept = self.folder / f"{name[:6]}.torn-{scan.end}"
        self._disk.write_whole(kept, torn)
        self.cut = Cut(name, scan.end, len(torn), kept)
        _log.warning("torn tail cut file=%s at=%d bytes=%d", name, scan.end, len(torn))

    def _begin(self, state: bytes | None, *, ts_ms: int) -> None:
        number, first_seq = self._segment + 1, self._last_seq + 1
        content, crc = packed_opening(number, first_seq, before_crc=self._crc)
        if state is not None:
            frame, crc = packed(first_seq, FrameKind.STATE, ts_ms=ts_ms, payload=state, crc=crc)
            content += frame
        path = self.folder / f"{number:06d}.log"
        try:
            self._disk.write_whole(path, content)
            with storage_errors(str(path)):
                file = self._disk.appender(path, at=len(content))
        except StorageError as error:
            self._fail(error.message)
            raise
        if self._file is not None:
            self._file.close()
        self._file, self._segment = file, number
        self._last_seq = self._synced_seq = first_seq if state is not None else first_seq - 1
        self._crc, self._end = crc, len(content)

    def _fail(self, message: str) -> None:
        """Take nothing more: after a failed sync nobody knows what the disk holds."""
        self._failure = f"{message}; the log takes nothing more until the run is started again"
        if self._file is None:
            return
        try:
            self._file.truncate(self._end)
        except OSError:
            _log.warning("log could not be cut back folder=%s", self.folder)


def segments(folder: Path, *, disk: Disk | None = None) -> list[str]:
    """Return the names of a log's segments, oldest first."""
    names = (RealDisk() if disk is None else disk).names(folder)
    return [name for name in names if len(name) == 10 and name[:6].isdigit() and name[6:] == ".log"]


def read(
    folder: Path, kinds: Collection[FrameKind] | None = None, *, disk: Disk | None = None
) -> Iterator[Frame]:
    """Yield the frames of a log in order, of some kinds or all; a torn end is left out.

    Raises
    ------
    StorageError
        If a segment is damaged where no crash can have torn it, or one is missing.
    """
    disk = RealDisk() if disk is None else disk
    names = segments(folder, disk=disk)
    before: Scan | None = None
    for number, name in enumerate(names, start=1):
        scan = Scan(disk, folder, name)
        yield from (frame for frame in scan.frames() if kinds is None or frame.kind in kinds)
        is_last = number == len(names)
        if scan.size > scan.end and not is_last:
            raise StorageError(f"{folder / name} is damaged at byte {scan.end}; restore it")
        if before is not None and (scan.before_crc, scan.first_seq) != (
            before.crc,
            before.next_seq,
        ):
            raise StorageError(f"{folder / name} does not follow the segment before; restore it")
        if before is None and scan.number != 1:
            raise StorageError(f"{folder} lacks its first {scan.number - 1} segments; restore them")
        before = scan


def tail(folder: Path, *, disk: Disk | None = None) -> Iterator[Frame]:
    """Yield the frames of the last segment: its state first, then all since."""
    disk = RealDisk() if disk is None else disk
    names = segments(folder, disk=disk)
    if names:
        yield from Scan(disk, folder, names[-1]).frames()


def strip(folder: Path, *, disk: Disk | None = None) -> Iterator[Frame]:
    """Yield the inputs alone: the tape, without decisions, intents and notes."""
    return read(folder, INPUTS, disk=disk)


def _nothing() -> None:
    """Stand for a lock that was given back."""
