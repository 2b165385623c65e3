"""What the twin acknowledged, kept: a journal of records, and now and then the whole state.

    <folder>/LOCK            held while a twin runs on the folder
    <folder>/genesis.json    settings and the first moment
    <folder>/state-N.bin     the whole state after records 1 to N, with its hash
    <folder>/journal-N.log   the records after N, one a line: number, CRC-32 and JSON

A record is on the disk before anything that follows from it leaves the twin. After a crash the
newest whole state is read and the records after it are done again; a torn last line, which nobody
was told about, is cut off. With each whole state a new file of records begins, and those that even
the older kept state does not need are dropped.
"""

import fcntl
import hashlib
import json
import os
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from openalpha.core.errors import StorageError
from openalpha.store.atomic import storage_errors, sync_folder, write_bytes
from openalpha.venue.twin.settings import ListingSpec, TwinSettings
from openalpha.venue.twin.wire import dumps

__all__ = ["Journal", "read_genesis"]

KEPT_STATES = 2
_MAGIC = b"openalpha.twin.state/1\n"


def read_genesis(folder: Path) -> tuple[TwinSettings, int] | None:
    """Return the settings and first moment of a twin's folder; None where there is no twin yet.

    Raises
    ------
    StorageError
        If the file is there but cannot be read.
    """
    path = folder / "genesis.json"
    if not path.exists():
        return None
    with storage_errors(str(path)):
        text = path.read_text("utf-8")
    try:
        document = json.loads(text)
        rows = document["settings"].pop("listings")
        listings = tuple(
            ListingSpec(
                row["category"],
                row["symbol"],
                Decimal(row["price"]),
                Decimal(row["volatility"]),
                Decimal(row["depth"]),
            )
            for row in rows
        )
        document["settings"]["insurance_fund"] = Decimal(document["settings"]["insurance_fund"])
        return TwinSettings(listings=listings, **document["settings"]), int(document["start_ms"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path} is not a twin's: {error}; give another --state") from None


@dataclass(slots=True)
class Journal:
    """The records of one twin. One writer at a time: the folder is locked.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """

    folder: Path
    written: int = 0
    synced: int = 0
    saved: int = 0
    _begun: int = 0
    _handle: int = -1
    _lock: int = -1
    _waiting: list[bytes] = field(default_factory=list)

    def open(self) -> None:
        """Take the folder.

        Raises
        ------
        StorageError
            If another twin runs on it, or it cannot be written.
        """
        with storage_errors(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "LOCK", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self._lock)
                self._lock = -1
                raise StorageError(
                    f"another twin runs on {self.folder}; stop it, or give another --state"
                ) from None

    def begin(self, settings: TwinSettings, *, start_ms: int) -> None:
        """Write down what the twin is made of."""
        document = {
            "schema": "openalpha.twin/1",
            "start_ms": start_ms,
            "settings": asdict(settings),
        }
        write_bytes(
            self.folder / "genesis.json",
            json.dumps(document, default=str, indent=1).encode(),
        )

    def read(self, after: int) -> Iterator[dict[str, Any]]:
        """Yield the records after a number, and make ready to append; cuts a torn last line.

        Raises
        ------
        StorageError
            If a line that is not the last is damaged, or records are missing.
        """
        number, end, path = after, 0, self._path(after)
        for path, content, is_last in self._files(after):
            end = 0
            for found, line, body in _lines(content):
                if found > number + 1:
                    raise StorageError(f"{path} lacks record {number + 1}; restore the folder")
                end += len(line)
                if found > number:
                    number = found
                    yield body
            rest = content[end:]
            if rest.count(b"\n") > 1 or (rest and not is_last):
                raise StorageError(f"{path} is damaged at byte {end}; restore the folder")
        self.written = self.synced = number
        self._append_to(path, end)

    @property
    def is_whole(self) -> bool:
        """Whether every record from the first on is still there."""
        return self._begins()[:1] in ([], [0])

    def _path(self, after: int) -> Path:
        return self.folder / f"journal-{after:012d}.log"

    def _begins(self) -> list[int]:
        """Return after which record each file of records begins, the oldest first."""
        return sorted(int(path.stem.partition("-")[2]) for path in self.folder.glob("journal-*"))

    def _files(self, after: int) -> Iterator[tuple[Path, bytes, bool]]:
        """Yield the files that hold records after a number, and whether each is the last."""
        old = self.folder / "journal.log"
        with storage_errors(str(self.folder)):
            if old.exists():
                # What a twin of before files were cut wrote: all there is.
                old.rename(self._path(0))
            begins = self._begins()
        for place, begun in enumerate(begins):
            is_last = place == len(begins) - 1
            if is_last or begins[place + 1] > after:
                path = self._path(begun)
                with storage_errors(str(path)):
                    content = path.read_bytes()
                yield path, content, is_last

    def _append_to(self, path: Path, end: int) -> None:
        self._begun = int(path.stem.partition("-")[2])
        with storage_errors(str(path)):
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.ftruncate(self._handle, end)
            os.lseek(self._handle, end, os.SEEK_SET)
            sync_folder(self.folder)

    def append(self, record: dict[str, Any]) -> int:
        """Queue a record; returns its number. It is on the disk after the next `sync`."""
        self.written += 1
        body = dumps(record)
        self._waiting.append(b"%d %08x %s\n" % (self.written, zlib.crc32(body), body))
        return self.written

    def sync(self) -> None:
        """Put on the disk what waits for it.

        Raises
        ------
        StorageError
            If the disk refuses. What was being written may be torn: the twin must stop.
        """
        if not self._waiting:
            return
        lines, self._waiting = b"".join(self._waiting), []
        with storage_errors(str(self._path(self._begun))):
            view = memoryview(lines)
            while view:
                view = view[os.write(self._handle, view) :]
            os.fdatasync(self._handle)
        self.synced = self.written

    # the whole state

    def cut(self) -> int:
        """Begin a new file of records; returns the number of the last one before it.

        All records must be synced: a whole state taken now is that after this number.

        Raises
        ------
        StorageError
            If the disk refuses: the twin must stop.
        """
        assert self.synced == self.written, "a file ends with a record that is kept"
        if self.written > self._begun:
            before = self._handle
            self._append_to(self._path(self.written), 0)
            os.close(before)
        return self.written

    def save(self, state: object, *, number: int) -> None:
        """Write down a whole state: that after the records up to a number, which are kept.

        Raises
        ------
        StorageError
            If the disk refuses; the states and records before are then as they were.
        """
        body = pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL)
        frozen = _MAGIC + hashlib.sha256(body).digest() + body
        write_bytes(self.folder / f"state-{number:012d}.bin", frozen)

    def drop(self, number: int) -> None:
        """Drop the states and records that the one saved after so many records makes needless.

        Raises
        ------
        StorageError
            If the disk refuses.
        """
        self.saved = number
        kept = sorted(self.folder.glob("state-*.bin"))[-KEPT_STATES:]
        # With one state alone all records stay: without it they are the way.
        needed = int(kept[0].stem.partition("-")[2]) if len(kept) == KEPT_STATES else 0
        begins = self._begins()
        with storage_errors(str(self.folder)):
            for begun, ends in pairwise(begins):
                if ends <= needed:
                    self._path(begun).unlink()
            for path in sorted(self.folder.glob("state-*.bin"))[:-KEPT_STATES]:
                path.unlink()
            sync_folder(self.folder)

    def load(self) -> tuple[int, Any] | None:
        """Return the newest whole state and the number of its last record; None without one."""
        for path in sorted(self.folder.glob("state-*.bin"), reverse=True):
            with storage_errors(str(path)):
                content = path.read_bytes()
            digest, body = content[len(_MAGIC) :][:32], content[len(_MAGIC) + 32 :]
            if content.startswith(_MAGIC) and hashlib.sha256(body).digest() == digest:
                self.saved = int(path.stem.partition("-")[2])
                # Our own file, whole by its hash, in a folder only its owner can write.
                return self.saved, pickle.loads(body)
        return None

    def close(self) -> None:
        """Let the folder go."""
        for handle in (self._handle, self._lock):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock = -1


def _lines(content: bytes) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """Yield number, line and record of each line up to the first that is torn or damaged."""
    for line in content.splitlines(keepends=True):
        number, _, rest = line[:-1].partition(b" ")
        check, _, body = rest.partition(b" ")
        is_whole = line.endswith(b"\n") and number.isdigit()
        if not is_whole or check != b"%08x" % zlib.crc32(body):
            return
        yield int(number), line, json.loads(body)
