"""Encrypts a bundle by a passphrase: scrypt makes the key, AES-256-GCM seals it piece by piece.

    MAGIC, a line of JSON (salt, cost), then pieces: 4 bytes of length, then the sealed piece

Each piece is bound to the header, its number and whether it is the last, so none can be cut off,
swapped or added unseen.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["is_sealed", "seal", "unseal"]

MAGIC = b"OPENALPHA SEALED ARCHIVE 1\n"
_PIECE = 4 * 1024 * 1024
_COST = {"n": 2**15, "r": 8, "p": 1}
_TAG = 16
_LEAST = 8


def is_sealed(content: bytes) -> bool:
    """Say whether a file is an encrypted archive."""
    return content.startswith(MAGIC)


def seal(content: bytes, *, passphrase: str) -> bytes:
    """Encrypt a bundle.

    Raises
    ------
    InputError
        If the passphrase is shorter than 8 characters.

    Examples
    --------
    >>> unseal(seal(b"a year", passphrase="correct horse"), passphrase="correct horse")
    b'a year'
    """
    if len(passphrase) < _LEAST:
        raise InputError(f"the passphrase has {len(passphrase)} characters, expected {_LEAST}+")
    salt = secrets.token_bytes(16)
    head = {"salt": base64.b64encode(salt).decode(), **_COST}
    header = MAGIC + json.dumps(head, sort_keys=True).encode() + b"\n"
    key = _key(passphrase, salt, _COST)
    out = [header]
    pieces = [content[at : at + _PIECE] for at in range(0, len(content), _PIECE)] or [b""]
    for number, piece in enumerate(pieces):
        bound = _bound(header, number, is_last=number == len(pieces) - 1)
        sealed = _cipher(key).encrypt(_nonce(number), piece, bound)
        out += [len(sealed).to_bytes(4, "big"), sealed]
    return b"".join(out)


def unseal(content: bytes, *, passphrase: str) -> bytes:
    """Decrypt a bundle.

    Raises
    ------
    InputError
        If the passphrase is wrong, or the file was cut or changed.
    """
    from cryptography.exceptions import InvalidTag

    end = content.find(b"\n", len(MAGIC)) + 1
    header = content[:end]
    try:
        head = json.loads(header[len(MAGIC) :])
        cost = {name: int(head[name]) for name in _COST}
        key = _key(passphrase, base64.b64decode(head["salt"]), cost)
        pieces = list(_pieces(content, end))
        if not pieces:
            raise ValueError("no piece")
        found = []
        for number, piece in enumerate(pieces):
            bound = _bound(header, number, is_last=number == len(pieces) - 1)
            found.append(_cipher(key).decrypt(_nonce(number), piece, bound))
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise InputError(
            "the archive does not open: the passphrase is another, or the file was cut or changed"
        ) from None
    return b"".join(found)


def _pieces(content: bytes, at: int) -> Iterator[bytes]:
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        piece = content[at + 4 : at + 4 + size]
        if len(piece) != size or size < _TAG:
            raise ValueError("a piece is cut")
        yield piece
        at += 4 + size


def _key(passphrase: str, salt: bytes, cost: dict[str, int]) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    if cost["n"] > 2**20 or cost["r"] > 32 or cost["p"] > 16:
        raise ValueError("a cost nobody would choose")  # a changed header must not eat the memory
    return Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode())


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")  # the key is of this file alone: the salt is fresh


def _bound(header: bytes, number: int, *, is_last: bool) -> bytes:
    return header + number.to_bytes(8, "big") + bytes([is_last])
