"""Sealing a stream of bytes with a passphrase: AES-256-GCM in pieces, each bound to its place.

A piece that is missing, moved, cut off or changed does not open; the last one says that it is.
"""

import secrets
import struct
from pathlib import Path
from typing import IO, Any

from openalpha.core.errors import InputError

__all__ = ["MAGIC", "Opener", "Sealer", "is_sealed"]

MAGIC = b"OPENALPHA-SEAL-1\n"
_PIECE = 1 << 20
_SALT, _PREFIX = 16, 7
_TAG = 16
_SCRYPT = (1 << 15, 8, 1)


def is_sealed(path: Path) -> bool:
    """Say whether a file is sealed."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


class Sealer:
    """A file to write into that seals what it is given; `close` ends it.

    Parameters
    ----------
    file : binary file
    passphrase : str
    """

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        self._file = file
        salt, self._prefix = secrets.token_bytes(_SALT), secrets.token_bytes(_PREFIX)
        self._cipher = _cipher(passphrase, salt)
        self._waiting = bytearray()
        self._number = 0
        file.write(MAGIC + salt + self._prefix)

    def write(self, content: bytes) -> int:
        """Take more; whole pieces are sealed and written."""
        self._waiting += content
        # One piece always waits: only `close` knows which is the last.
        while len(self._waiting) > _PIECE:
            self._seal(bytes(self._waiting[:_PIECE]), is_last=False)
            del self._waiting[:_PIECE]
        return len(content)

    def close(self) -> None:
        """Seal what waits as the last piece."""
        self._seal(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, is_last=is_last)
        self._file.write(self._cipher.encrypt(nonce, piece, None))
        self._number += 1


class Opener:
    """A file to read from that opens what `Sealer` sealed.

    Parameters
    ----------
    file : binary file
        At its beginning.
    passphrase : str

    Raises
    ------
    InputError
        At any read, if the passphrase is another or the file was changed or cut.
    """

    def __init__(self, file: IO[bytes], passphrase: str) -> None:
        self._file = file
        head = file.read(len(MAGIC) + _SALT + _PREFIX)
        self._prefix = head[-_PREFIX:]
        self._cipher = _cipher(passphrase, head[len(MAGIC) : len(MAGIC) + _SALT])
        self._open = bytearray()
        self._number = 0
        self._next = file.read(_PIECE + _TAG)
        self._is_over = False

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, all that is left for -1, none at the end."""
        while not self._is_over and (size < 0 or len(self._open) < size):
            self._take()
        count = len(self._open) if size < 0 else min(size, len(self._open))
        content = bytes(self._open[:count])
        del self._open[:count]
        return content

    def _take(self) -> None:
        from cryptography.exceptions import InvalidTag

        piece, self._next = self._next, self._file.read(_PIECE + _TAG)
        is_last = not self._next
        nonce = _nonce(self._prefix, self._number, is_last=is_last)
        try:
            self._open += self._cipher.decrypt(nonce, piece, None)
        except InvalidTag:
            raise InputError(
                "the file does not open: the passphrase is another, or the file was changed or cut"
            ) from None
        self._number += 1
        self._is_over = is_last


def _cipher(passphrase: str, salt: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    if not passphrase:
        raise InputError("the passphrase is empty")
    n, r, p = _SCRYPT
    return AESGCM(Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.encode()))


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, is_last)
