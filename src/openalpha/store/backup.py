"""Backups: everything of a home that cannot be made again, in one file that proves itself.

The file is a tar archive (sealed, where a passphrase is given): databases as they stood at one
moment, then the home's files, then MANIFEST.json with the hash of each. Databases come first, so
that a run's log in the archive is never older than the books made from it. Market history and
caches stay out: they can be downloaded and computed again.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from openalpha.core.errors import InputError, StorageError
from openalpha.store.atomic import storage_errors, sync_folder
from openalpha.store.sealing import Opener, Sealer, is_sealed

__all__ = ["Backup", "Member", "create_backup", "restore_backup", "verify_backup"]

SCHEMA = "openalpha.backup/1"
_MANIFEST = "MANIFEST.json"
_LEFT_OUT = frozenset({"lake", "cache", "net", "errors", "demo", "backups"})
_VAULT_KEYS = frozenset({"vault.key", "arming/vault.key"})
_DATABASES = (".sqlite", ".db")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a backup: its size in bytes and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds.

    Parameters
    ----------
    members : mapping of str to Member
        By path in the home.
    facts : mapping
        What its maker said of it: when, version, database.
    left_out : list of str
        What a person would miss and why it is not in it.
    """

    members: Mapping[str, Member]
    facts: Mapping[str, Any]
    left_out: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return how many bytes the files have together."""
        return sum(member.size for member in self.members.values())


def create_backup(
    home: Path,
    target: Path,
    *,
    facts: Mapping[str, Any],
    passphrase: str = "",
    extra: Mapping[str, Path] | None = None,
) -> Backup:
    """Write a backup of a home; the file appears whole or not at all.

    Parameters
    ----------
    facts : mapping
        Kept in the manifest, as JSON can hold it.
    passphrase : str
        Seals the file. Without one the vaults' own keys are left out of it.
    extra : mapping of str to Path, optional
        Further files, such as the dump of a database server, by their name in the backup.

    Raises
    ------
    InputError
        If there is no home, or the target is there.
    StorageError
        If the disk refuses.
    """
    if not home.is_dir():
        raise InputError(f"there is no home at {home} to back up")
    if target.exists():
        raise InputError(f"{target} is there already; name another file")
    with storage_errors(str(target)):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                made = _write(home, file, facts, passphrase, dict(extra or {}))
                file.flush()
                os.fsync(file.fileno())
            Path(name).rename(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(target.parent)
    return made


def verify_backup(path: Path, *, passphrase: str = "") -> Backup:
    """Read a whole backup again and check every hash; databases are checked inside as well.

    Raises
    ------
    InputError
        If it is no backup, does not open, or anything in it is not as it was written.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _unpack(path, Path(folder), passphrase, only_databases=True)


def restore_backup(path: Path, home: Path, *, passphrase: str = "") -> Backup:
    """Make a home from a backup; it appears whole, every hash checked, or not at all.

    Raises
    ------
    InputError
        As `verify_backup`, or if something is at `home` already.
    StorageError
        If the disk refuses.
    """
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()
    if home.exists():
        raise InputError(f"{home} is not empty; restore into a folder that is not there yet")
    with storage_errors(str(home)):
        home.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}."))
        try:
            found = _unpack(path, stage, passphrase, only_databases=False)
            stage.chmod(0o700)
            stage.rename(home)
        except BaseException:
            import shutil

            shutil.rmtree(stage, ignore_errors=True)
            raise
        sync_folder(home.parent)
    return found


# writing


def _write(
    home: Path, file: IO[bytes], facts: Mapping[str, Any], passphrase: str, extra: dict[str, Path]
) -> Backup:
    members: dict[str, Member] = {}
    left_out: list[str] = []
    sink: Any = Sealer(file, passphrase) if passphrase else file
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for name, path in extra.items():
            members[name] = _add_file(tar, name, path)
        files = list(_files(home))
        for name, path in files:
            if path.suffix in _DATABASES:
                with _copied(path) as copy:
                    members[name] = _add_file(tar, name, copy)
        for name, path in files:
            if path.suffix in _DATABASES:
                continue
            if name in _VAULT_KEYS and not passphrase:
                left_out.append(f"{name}: a backup that is not sealed must not open the keys")
                continue
            try:
                members[name] = _add_file(tar, name, path)
            except FileNotFoundError:
                continue  # gone meanwhile, as files that are replaced or taken up are
        manifest = {
            "schema": SCHEMA,
            "facts": dict(facts),
            "left_out": left_out,
            "members": {name: [one.size, one.sha256] for name, one in members.items()},
        }
        content = json.dumps(manifest, indent=1, sort_keys=True).encode()
        tar.addfile(_info(_MANIFEST, len(content)), io.BytesIO(content))
    if passphrase:
        sink.close()
    return Backup(members, facts, left_out)


def _files(home: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files worth keeping, by their path in the home."""
    for folder, folders, names in os.walk(home):
        at = Path(folder)
        if at == home:
            folders[:] = [name for name in folders if name not in _LEFT_OUT]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = at / name
            # Hidden files are half-written ones and locks; -wal and -shm belong to a database.
            is_part = name.startswith(".") or name.endswith(("-wal", "-shm", ".tmp"))
            if path.is_file() and not path.is_symlink() and not is_part:
                yield path.relative_to(home).as_posix(), path


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Give a copy of an SQLite database as it stands now, whoever writes to it meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        try:
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
        except sqlite3.Error as error:
            raise StorageError(f"{path} cannot be copied ({error}); is it a database?") from None
        yield copy


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> Member:
    with path.open("rb") as file:
        # A log may grow while it is read: what it holds now is what is kept.
        size = os.fstat(file.fileno()).st_size
        reader = _Hashing(file, size)
        tar.addfile(_info(name, size), reader)
    return Member(size, reader.digest.hexdigest())


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


class _Hashing:
    """Reads a file up to a size and hashes what it read."""

    def __init__(self, file: Any, size: int) -> None:
        self.digest = hashlib.sha256()
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        content: bytes = self._file.read(wanted)
        self._left -= len(content)
        self.digest.update(content)
        return content


# reading


def _unpack(path: Path, folder: Path, passphrase: str, *, only_databases: bool) -> Backup:
    """Read a backup through, checking it; its files go under a folder, all or databases only."""
    seen: dict[str, Member] = {}
    manifest: dict[str, Any] | None = None
    try:
        with path.open("rb") as file, _opened(path, file, passphrase) as tar:
            for info in tar:
                source = tar.extractfile(info)
                if source is None or not _is_safe(info.name):
                    raise InputError(f"{path} holds '{info.name}', which no backup does")
                if info.name == _MANIFEST:
                    manifest = json.loads(source.read())
                    continue
                is_kept = not only_databases or info.name.endswith(_DATABASES)
                reader = _Hashing(source, info.size)
                _take(reader, folder / info.name if is_kept else None)
                seen[info.name] = Member(info.size, reader.digest.hexdigest())
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise InputError(f"{path} is no backup, or is damaged ({error})") from None
    found = _proven(path, manifest, seen)
    for name in found.members:
        if name.endswith(_DATABASES):
            _check_database(folder / name, name)
    return found


@contextmanager
def _opened(path: Path, file: IO[bytes], passphrase: str) -> Iterator[tarfile.TarFile]:
    source: Any = file
    if is_sealed(path):
        if not passphrase:
            raise InputError(f"{path} is sealed; give its passphrase")
        source = Opener(file, passphrase)
    with tarfile.open(fileobj=source, mode="r|") as tar:
        yield tar


def _take(reader: _Hashing, target: Path | None) -> None:
    if target is None:
        while reader.read(_PIECE):
            pass
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        while content := reader.read(_PIECE):
            file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name


def _proven(path: Path, manifest: Any, seen: Mapping[str, Member]) -> Backup:
    """Compare what was read with what the manifest says."""
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise InputError(f"{path} is cut off: it has no manifest of a backup at its end")
    told = {name: Member(int(row[0]), str(row[1])) for name, row in manifest["members"].items()}
    wrong = sorted(name for name in {*told, *seen} if told.get(name) != seen.get(name))
    if wrong:
        shown = ", ".join(wrong[:3])
        raise InputError(f"{path} is not as it was written: {len(wrong)} files differ ({shown})")
    return Backup(told, manifest["facts"], list(manifest["left_out"]))


def _check_database(path: Path, name: str) -> None:
    try:
        with closing(sqlite3.connect(path)) as database:
            said = [str(row[0]) for row in database.execute("PRAGMA integrity_check")]
    except sqlite3.Error as error:
        said = [str(error)]
    if said != ["ok"]:
        raise InputError(f"the database {name} of the backup is damaged: {said[0]}")
