"""Folders whose files are written once: a marker in them says so, and every writer asks for it."""

from pathlib import Path

from openalpha.core.errors import InputError, StorageError

__all__ = ["MARKER", "mark_kept", "refuse_kept"]

MARKER = "KEEP.txt"
_WORDS = """\
The files of this folder are records that tax law wants kept: seven years after the last
transaction, and five years after lodging the return of the year in which the last parcel or loss
of them is used, whichever is later. OpenAlpha never deletes or replaces one, whatever the command.
Back them up.
"""


def mark_kept(folder: Path) -> None:
    """Make a folder one whose files are never replaced; the marker says why.

    Raises
    ------
    StorageError
        If the disk refuses.
    """
    marker = folder / MARKER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            marker.write_text(_WORDS, "utf-8")
    except OSError as error:
        raise StorageError(f"{marker} cannot be written ({error.strerror})") from None


def refuse_kept(path: Path) -> None:
    """Refuse to replace a file of such a folder, however its path is written.

    Raises
    ------
    InputError
        If the file is there and is to be kept.
    """
    real = path.resolve()
    if real.is_file() and (real.parent / MARKER).is_file():
        raise InputError(
            f"{path} is a record that tax law wants kept, and is not replaced (see "
            f"{real.parent / MARKER}); name another file"
        )
