"""What the twin acknowledged, kept: a journal of records, and now and then the whole state.

    <folder>/LOCK            held while a twin runs on the folder
    <folder>/genesis.json    settings and the first moment
    <folder>/state-N.bin     the whole state after records 1 to N, with its hash
    <folder>/journal.log     one record a line: number, CRC-32 and JSON

A record is on the disk before anything that follows from it leaves the twin. After a crash the
newest whole state is read and the records after it are done again; a torn last line, which nobody
was told about, is cut off.
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
        path = self.folder / "journal.log"
        with storage_errors(str(path)):
            content = path.read_bytes() if path.exists() else b""
        number, end, expected = after, 0, None
        for line in content.splitlines(keepends=True):
            record = _read_line(line)
            if record is None:
                break
            found, body = record
            if expected is not None and found != expected:
                raise StorageError(f"{path} lacks record {expected}; restore the folder")
            expected = found + 1
            end += len(line)
            if found > after:
                if found != number + 1:
                    raise StorageError(f"{path} begins with record {found} after {number}")
                number = found
                yield body
        rest = content[end:]
        if rest.count(b"\n") > 1:
            raise StorageError(f"{path} is damaged at byte {end}; restore the folder")
        self.written = self.synced = number
        self._append_to(path, end)

    def _append_to(self, path: Path, end: int) -> None:
        with storage_errors(str(path)):
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.ftruncate(self._handle, end)
            os.lseek(self._handle, end, os.SEEK_SET)

    def append(self, record: dict[str, Any]) -> int:
        """Queue a record; returns its number. It is on the disk after the next `sync`."""
        self.written += 1
        body = dumps(record)
        self._waiting.append(b"%d %08x %s\n" % (self.written, zlib.crc32(body) & 0xFFFFFFFF, body))
        return self.written

    def take(self) -> tuple[bytes, int]:
        """Return what waits to be written, with the number of its last record."""
        lines, self._waiting = b"".join(self._waiting), []
        return lines, self.written

    def sync(self, lines: bytes) -> None:
        """Write and sync what `take` returned; may run in another thread, one at a time.

        Raises
        ------
        StorageError
            If the disk refuses. What was being written may be torn: the twin must stop.
        """
        with storage_errors(str(self.folder / "journal.log")):
            view = memoryview(lines)
            while view:
                view = view[os.write(self._handle, view) :]
            os.fdatasync(self._handle)

    # the whole state

    def freeze(self, state: object) -> bytes:
        """Return the whole state as bytes; it is that after all records written so far."""
        body = pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL)
        return _MAGIC + hashlib.sha256(body).digest() + body

    def save(self, frozen: bytes, *, number: int) -> None:
        """Keep a whole state and drop the records it makes needless.

        Must not run beside `sync`; records may be appended meanwhile.

        Parameters
        ----------
        frozen : bytes
            From `freeze`.
        number : int
            Of the last record it contains; on the disk already.

        Raises
        ------
        StorageError
            If the disk refuses; the states and records before are then as they were.
        """
        write_bytes(self.folder / f"state-{number:012d}.bin", frozen)
        kept = sorted(self.folder.glob("state-*.bin"))
        with storage_errors(str(self.folder)):
            self._shorten(int(kept[0].stem.partition("-")[2]) if len(kept) > 1 else 0)
            for path in kept[:-KEPT_STATES]:
                path.unlink()
            sync_folder(self.folder)

    def _shorten(self, up_to: int) -> None:
        """Drop the records that even the older kept state does not need."""
        path = self.folder / "journal.log"
        lines = []
        for line in path.read_bytes().splitlines(keepends=True):
            record = _read_line(line)
            if record is not None and record[0] > up_to:
                lines.append(line)
        write_bytes(path, b"".join(lines))
        os.close(self._handle)
        self._append_to(path, sum(map(len, lines)))

    def load(self) -> tuple[int, Any] | None:
        """Return the newest whole state and the number of its last record; None without one."""
        for path in sorted(self.folder.glob("state-*.bin"), reverse=True):
            with storage_errors(str(path)):
                content = path.read_bytes()
            digest, body = content[len(_MAGIC) :][:32], content[len(_MAGIC) + 32 :]
            if content.startswith(_MAGIC) and hashlib.sha256(body).digest() == digest:
                # Our own file, whole by its hash, in a folder only its owner can write.
                return int(path.stem.partition("-")[2]), pickle.loads(body)
        return None

    def close(self) -> None:
        """Let the folder go."""
        for handle in (self._handle, self._lock):
            if handle >= 0:
                os.close(handle)
        self._handle = self._lock = -1


def _read_line(line: bytes) -> tuple[int, dict[str, Any]] | None:
    """Return a line's number and record; None if it is torn or damaged."""
    if not line.endswith(b"\n"):
        return None
    number, _, rest = line[:-1].partition(b" ")
    check, _, body = rest.partition(b" ")
    if not number.isdigit() or check != b"%08x" % (zlib.crc32(body) & 0xFFFFFFFF):
        return None
    return int(number), json.loads(body)
