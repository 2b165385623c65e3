"""The passphrase of what is sealed: from a file, the environment or the terminal, in this order.

Backups and archives ask for it in the same words.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from openalpha.core.errors import InputError

__all__ = ["PASSPHRASE", "PassphraseOption", "SealOption", "to_open", "to_seal"]

PASSPHRASE = "OPENALPHA_PASSPHRASE"
_LEAST = 8

PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="PATH", help="File whose first line seals it."),
]
SealOption = Annotated[
    bool,
    typer.Option(
        "--seal", help=f"Seal it with a passphrase: {PASSPHRASE}, else typed at the terminal."
    ),
]


def to_seal(path: Path | None, *, asks: bool) -> str:
    """Return the passphrase to seal with, empty where nothing is to be sealed.

    Parameters
    ----------
    path : Path or None
        A file that holds it; naming one asks for sealing.
    asks : bool
        Whether sealing was asked for.

    Raises
    ------
    InputError
        If there is none, or it has fewer than 8 characters.
    """
    if path is None and not asks:
        return ""
    words = _said(path, is_new=True)
    if len(words) < _LEAST:
        raise InputError(f"the passphrase is shorter than {_LEAST} characters")
    return words


def to_open(file: Path, path: Path | None) -> str:
    """Return the passphrase that opens a file, empty where it is not sealed.

    Raises
    ------
    InputError
        If there is no such file, or it is sealed and there is no passphrase.
    """
    from openalpha.store.sealing import is_sealed

    try:
        sealed = is_sealed(file)
    except FileNotFoundError:
        raise InputError(f"there is no file {file}") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror})") from None
    return _said(path, is_new=False) if sealed else ""


def _said(path: Path | None, *, is_new: bool) -> str:
    if path is not None:
        try:
            return path.read_text("utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError):
            raise InputError(f"{path} cannot be read as a passphrase") from None
    given = os.environ.get(PASSPHRASE, "")
    if given:
        return given
    if not sys.stdin.isatty():
        raise InputError(
            "a passphrase is typed at a terminal, read by --passphrase-file, or set in "
            f"{PASSPHRASE}"
        )
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True))
