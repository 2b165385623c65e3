"""Frames of a run's log: what they hold, how they are packed, and how a segment is walked."""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import IO

from openalpha.core.errors import StorageError
from openalpha.store.disk import Disk

__all__ = [
    "INPUTS",
    "LARGEST_PAYLOAD",
    "Frame",
    "FrameKind",
    "Scan",
    "canonical_json",
    "packed",
    "packed_opening",
]

LARGEST_PAYLOAD = 1 << 26
"""Bytes a frame may carry."""

_MAGIC = b"OARUNLG1"
_OPENING = struct.Struct("<8sIQI")
_HEAD = struct.Struct("<IQBq")
_CRC = struct.Struct("<I")


class FrameKind(IntEnum):
    """What a frame holds. The numbers are stored: never renumber."""

    STATE = 0
    FEED = 1
    TIMER = 2
    COMMAND = 3
    REPLY = 4
    HEALTH = 5
    SEED = 6
    DECISION = 16
    INTENT = 17
    NOTE = 18


INPUTS = frozenset(kind for kind in FrameKind if kind < FrameKind.DECISION)
"""Kinds that make up the tape: from these and the configuration everything else follows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry of the log."""

    seq: int
    kind: FrameKind
    ts_ms: int
    payload: bytes


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(content: object) -> bytes:
    """Return the one way a document is written: keys sorted, no blanks, numbers exact.

    Raises
    ------
    TypeError, ValueError
        For what JSON cannot hold exactly; write decimals as text.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": "x"})
    b'{"a":"x","b":1}'
    """
    return _ENCODER.encode(content).encode()


def packed_opening(number: int, first_seq: int, *, before_crc: int) -> tuple[bytes, int]:
    """Return the opening of a segment and the CRC its first frame goes on from."""
    opening = _OPENING.pack(_MAGIC, number, first_seq, before_crc)
    crc = zlib.crc32(opening)
    return opening + _CRC.pack(crc), crc


def packed(seq: int, kind: FrameKind, *, ts_ms: int, payload: bytes, crc: int) -> tuple[bytes, int]:
    """Return a frame as bytes and its CRC; `crc` is that of the frame before."""
    body = _HEAD.pack(len(payload), seq, kind, ts_ms) + payload
    crc = zlib.crc32(body, crc)
    return body + _CRC.pack(crc), crc


class Scan:
    """Walks one segment to its first bad frame; knows then where that is."""

    def __init__(self, disk: Disk, folder: Path, name: str) -> None:
        self.path = folder / name
        self._disk = disk
        self.number = int(name[:6])
        self.size = self.end = 0
        self.first_seq = self.next_seq = self.crc = self.before_crc = 0

    def frames(self) -> Iterator[Frame]:
        """Yield the frames to the first bad one.

        Raises
        ------
        StorageError
            If the file does not begin as a segment does.
        """
        with self._disk.reader(self.path) as file:
            self.size = file.seek(0, 2)
            file.seek(0)
            self._read_opening(file)
            self.next_seq = self.first_seq
            while (frame := self._frame(file)) is not None:
                yield frame

    def _read_opening(self, file: IO[bytes]) -> None:
        content = file.read(_OPENING.size + _CRC.size)
        self.end = len(content)
        if len(content) == _OPENING.size + _CRC.size:
            magic, number, self.first_seq, self.before_crc = _OPENING.unpack_from(content)
            (self.crc,) = _CRC.unpack_from(content, _OPENING.size)
            if (
                magic == _MAGIC
                and number == self.number
                and self.crc == zlib.crc32(content[: _OPENING.size])
            ):
                return
        # A segment appears whole, so no crash can have done this.
        raise StorageError(f"{self.path} does not begin as a log does; restore it")

    def _frame(self, file: IO[bytes]) -> Frame | None:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        size, seq, kind, ts_ms = _HEAD.unpack(head)
        if size > LARGEST_PAYLOAD or seq != self.next_seq:
            return None
        rest = file.read(size + _CRC.size)
        if len(rest) < size + _CRC.size:
            return None
        payload = rest[:size]
        crc = zlib.crc32(payload, zlib.crc32(head, self.crc))
        if _CRC.unpack_from(rest, size)[0] != crc:
            return None
        self.crc, self.next_seq = crc, seq + 1
        self.end += len(head) + len(rest)
        return Frame(seq, FrameKind(kind), ts_ms, payload)
