"""Encrypts a bundle in memory by a passphrase, as `store.sealing` does with files."""

import io

from openalpha.core.errors import InputError
from openalpha.store.sealing import MAGIC, Opener, Sealer

__all__ = ["is_sealed", "seal", "unseal"]

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
    out = io.BytesIO()
    sealer = Sealer(out, passphrase)
    sealer.write(content)
    sealer.close()
    return out.getvalue()


def unseal(content: bytes, *, passphrase: str) -> bytes:
    """Decrypt a bundle.

    Raises
    ------
    InputError
        If the passphrase is wrong, or the file was cut or changed.
    """
    return Opener(io.BytesIO(content), passphrase).read()
