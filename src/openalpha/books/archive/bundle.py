"""The bundle: a zip of plain files and a manifest with the hash of each."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from openalpha.core.errors import InputError

__all__ = ["SCHEMA", "Bundle", "Manifest", "open_bundle", "pack"]

SCHEMA = "openalpha.tax_archive/1"
MANIFEST = "manifest.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is and what it holds.

    Parameters
    ----------
    entity, year : str
        Whose books, and the income year as people write it.
    created_ms : int
    versions : mapping of str to str
        Of the code, of Python, of the tables.
    heads : mapping of book to (entries, hash)
        The last entry of each ledger book in it.
    status : str
        The report's: FINAL or DRAFT.
    figures_sha256 : str
        The report's figures.
    keep_until : str
        The day before which nothing of it may go, with the reason.
    files : mapping of name to (sha256, bytes)
    """

    entity: str
    year: str
    created_ms: int
    versions: Mapping[str, str]
    heads: Mapping[str, tuple[int, str]]
    status: str
    figures_sha256: str
    keep_until: str
    files: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read: its manifest, its files, and what does not fit."""

    manifest: Manifest
    files: Mapping[str, bytes]
    faults: tuple[str, ...]


def pack(manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the zip of a bundle; the manifest's own list of files is made here.

    Parameters
    ----------
    manifest : Manifest
        Its `files` are not looked at.
    """
    listed = {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()}
    said: dict[str, Any] = {"schema": SCHEMA, **asdict(manifest), "files": listed}
    whole = {MANIFEST: json.dumps(said, indent=1, sort_keys=True).encode(), **files}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(whole):
            packed.writestr(zipfile.ZipInfo(name, _EPOCH), whole[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def open_bundle(content: bytes) -> Bundle:
    """Read a bundle and compare every file with the manifest.

    Raises
    ------
    InputError
        If it is no bundle of ours.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            damaged = packed.testzip()
            names = packed.namelist()
            read = {name: packed.read(name) for name in names if name != damaged}
        said = json.loads(read.pop(MANIFEST))
        schema = said.pop("schema")
        if schema != SCHEMA:
            raise InputError(f"the archive has the form {schema}, this program reads {SCHEMA}")
        said["files"] = {name: (row[0], row[1]) for name, row in said["files"].items()}
        said["heads"] = {name: (row[0], row[1]) for name, row in said["heads"].items()}
        manifest = Manifest(**said)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, KeyError, ValueError, TypeError, OSError):
        raise InputError("this is no archive of OpenAlpha, or its manifest is damaged") from None
    faults = [f"{damaged} is damaged"] if damaged else []
    faults += [f"{name} is there {names.count(name)} times" for name in _doubled(names)]
    for name, (digest, size) in manifest.files.items():
        if name not in read:
            faults.append(f"{name} is missing")
        elif (hashlib.sha256(read[name]).hexdigest(), len(read[name])) != (digest, size):
            faults.append(f"{name} is not what was sealed")
    faults += [f"{name} is not in the manifest" for name in read if name not in manifest.files]
    return Bundle(manifest, read, tuple(faults))


def _doubled(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
