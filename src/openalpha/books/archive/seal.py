"""Encrypts a bundle in memory by a passphrase, as `store.sealing` does with files."""

import io

from openalpha.store.sealing import Opener, Sealer

__all__ = ["seal", "unseal"]


def seal(content: bytes, *, passphrase: str) -> bytes:
    """Encrypt a bundle.

    Examples
    --------
    >>> unseal(seal(b"a year", passphrase="correct horse"), passphrase="correct horse")
    b'a year'
    """
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
