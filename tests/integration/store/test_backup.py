"""Backups: whole or not at all, they prove themselves, and keys stay shut in an open file."""

import io
import json
import os
import resource
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.errors import InputError, StorageError
from openalpha.store.backup import create_backup, restore_backup, verify_backup
from openalpha.store.exchange_key import ExchangeKey
from openalpha.store.keys import Vault
from openalpha.store.sealing import MAGIC, Opener, Sealer

PHRASE = "correct horse battery"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A home with one of everything."""
    home = tmp_path / "home"
    files = {
        "openalpha.toml": "[costs]\n",
        "LAYOUT": "1\n",
        "runs/twin/r1/record.json": "{}",
        "runs/twin/r1/log/000001.log": "x" * 3_000_000,
        "safety/twin/risk.json": "{}",
        "lake/much.parquet": "history",
        "cache/proofs/p": "cache",
        "net/count": "1",
        "runs/twin/.half-written": "no",
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    with closing(sqlite3.connect(home / "books.sqlite")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE entries (n INTEGER)")
        database.execute("INSERT INTO entries VALUES (7)")
        database.commit()
    Vault(home, environ={}, source="file").put("live", ExchangeKey("a" * 12, "s3cret", "https://x"))
    return home


def make(house: Path, phrase: str = "") -> Path:
    target = house.parent / "saved"
    create_backup(house, target, facts={"created": "now"}, passphrase=phrase)
    return target


KEPT = {
    "openalpha.toml",
    "LAYOUT",
    "books.sqlite",
    "keys.vault",
    "runs/twin/r1/record.json",
    "runs/twin/r1/log/000001.log",
    "safety/twin/risk.json",
}


@pytest.mark.parametrize("phrase", ["", PHRASE])
def test_what_was_saved_comes_back(house: Path, phrase: str) -> None:
    saved = make(house, phrase)
    found = verify_backup(saved, passphrase=phrase)
    assert set(found.members) == KEPT | ({"vault.key"} if phrase else set())
    back = house.parent / "back"
    restore_backup(saved, back, passphrase=phrase)
    for name in set(found.members) - {"books.sqlite"}:
        assert (back / name).read_bytes() == (house / name).read_bytes()
    with closing(sqlite3.connect(back / "books.sqlite")) as database:
        assert database.execute("SELECT n FROM entries").fetchall() == [(7,)]
    assert sorted(path.name for path in house.parent.iterdir()) == ["back", "home", "saved"]


def test_an_open_backup_opens_no_keys_and_a_sealed_one_does(house: Path) -> None:
    saved = make(house)
    assert verify_backup(saved).left_out[0].startswith("vault.key: ")
    master = (house / "vault.key").read_bytes().strip()
    assert master not in saved.read_bytes() and b"s3cret" not in saved.read_bytes()
    saved.unlink()
    back = house.parent / "back"
    restore_backup(make(house, PHRASE), back, passphrase=PHRASE)
    assert Vault(back, environ={}).get("live").secret == "s3cret"
    assert (back / "vault.key").stat().st_mode & 0o077 == 0


def test_a_sealed_file_shows_nothing(house: Path) -> None:
    content = make(house, PHRASE).read_bytes()
    assert content.startswith(MAGIC)
    assert b"openalpha.toml" not in content and b"xxxx" not in content


@pytest.mark.parametrize("phrase", ["", PHRASE])
@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.8, 0.97, 0.999])
def test_one_changed_byte_is_found(house: Path, phrase: str, share: float) -> None:
    saved = make(house, phrase)
    content = bytearray(saved.read_bytes())
    end = len(content) if phrase else len(content.rstrip(b"\0"))
    at = int(end * share)
    content[at] ^= 0x20
    saved.write_bytes(content)
    back = house.parent / "back"
    with pytest.raises(InputError):
        verify_backup(saved, passphrase=phrase)
    with pytest.raises(InputError):
        restore_backup(saved, back, passphrase=phrase)
    assert not back.exists()


@pytest.mark.parametrize("phrase", ["", PHRASE])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_file_that_was_cut_is_found(house: Path, phrase: str, share: float) -> None:
    saved = make(house, phrase)
    os.truncate(saved, int(saved.stat().st_size * share))
    with pytest.raises(InputError):
        verify_backup(saved, passphrase=phrase)


def test_a_cut_between_two_pieces_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    with path.open("wb") as file:
        sealer = Sealer(file, PHRASE)
        sealer.write(b"a" * 3_000_000)
        sealer.close()
    whole = path.read_bytes()
    assert Opener(io.BytesIO(whole), PHRASE).read() == b"a" * 3_000_000
    head, piece = len(MAGIC) + 16 + 7, (1 << 20) + 16
    for damaged in (
        whole[: head + piece],
        whole[: head + 2 * piece],
        whole[:head],
        whole[:head] + whole[head + piece : head + 2 * piece] + whole[head : head + piece],
    ):
        with pytest.raises(InputError, match="does not open"):
            Opener(io.BytesIO(damaged), PHRASE).read()


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20])
def test_any_length_is_sealed_and_opened(size: int) -> None:
    sink = io.BytesIO()
    sealer = Sealer(sink, PHRASE)
    content = bytes(range(256)) * (size // 256 + 1)
    sealer.write(content[:size])
    sealer.close()
    opener = Opener(io.BytesIO(sink.getvalue()), PHRASE)
    parts = iter(lambda: opener.read(70_000), b"")
    assert b"".join(parts) == content[:size]


def test_wrong_words(house: Path) -> None:
    saved = make(house, PHRASE)
    with pytest.raises(InputError, match="is sealed; give its passphrase"):
        verify_backup(saved)
    with pytest.raises(InputError, match="the passphrase is another"):
        verify_backup(saved, passphrase="something else")
    with pytest.raises(InputError, match="there is no file"):
        verify_backup(house / "nope")
    with pytest.raises(InputError, match="there already"):
        create_backup(house, saved, facts={})
    with pytest.raises(InputError, match="no home at"):
        create_backup(house / "nope", house.parent / "other", facts={})


def test_nothing_is_restored_over_something(house: Path) -> None:
    saved = make(house)
    with pytest.raises(InputError, match="is not empty"):
        restore_backup(saved, house)
    assert (house / "openalpha.toml").read_text() == "[costs]\n"


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    saved = tmp_path / "saved"
    with tarfile.open(saved, "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(InputError, match="which no backup does"):
        restore_backup(saved, tmp_path / "back")
    assert not (tmp_path / "evil").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    with tarfile.open(saved, "w") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(InputError):
        restore_backup(saved, tmp_path / "back")


def test_a_manifest_that_tells_less_is_refused(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    with tarfile.open(saved, "w") as tar:
        told = {"schema": "openalpha.backup/1", "facts": {}, "left_out": [], "members": {}}
        for name, content in (("extra", b"x"), ("MANIFEST.json", json.dumps(told).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(InputError, match="1 files differ"):
        verify_backup(saved)


def test_books_that_are_being_written_are_copied_as_of_one_moment(house: Path) -> None:
    """Two rows are always written together: a backup never holds one without the other."""
    path, is_over = house / "books.sqlite", threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=30)) as database:
            number = 0
            while not is_over.is_set():
                number += 1
                database.execute("BEGIN IMMEDIATE")
                database.execute("INSERT INTO entries VALUES (?)", (number,))
                database.execute("INSERT INTO entries VALUES (?)", (-number,))
                database.commit()

    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM entries")
        database.commit()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            saved, back = house.parent / f"saved{number}", house.parent / f"back{number}"
            create_backup(house, saved, facts={})
            restore_backup(saved, back)
            with closing(sqlite3.connect(back / "books.sqlite")) as database:
                (total,) = database.execute("SELECT sum(n) FROM entries").fetchone()
            assert total in (0, None)
    finally:
        is_over.set()
        writer.join()


def test_a_log_that_grows_is_kept_up_to_where_it_was(house: Path) -> None:
    log, is_over = house / "runs/twin/r1/log/000001.log", threading.Event()

    def write() -> None:
        with log.open("a") as file:
            while not is_over.is_set():
                file.write("y" * 10_000)
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        saved = make(house)
    finally:
        is_over.set()
        writer.join()
    verify_backup(saved)
    restore_backup(saved, house.parent / "back")
    kept = (house.parent / "back/runs/twin/r1/log/000001.log").read_bytes()
    assert log.read_bytes().startswith(kept) and len(kept) >= 3_000_000


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file may grow beyond a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("phrase", ["", PHRASE])
def test_a_full_disk_leaves_nothing_half_written(house: Path, phrase: str) -> None:
    target = house.parent / "saved"
    with small_disk(1_000_000), pytest.raises(StorageError, match="could not be written"):
        create_backup(house, target, facts={}, passphrase=phrase)
    assert [path.name for path in house.parent.iterdir()] == ["home"]
    saved = make(house, phrase)
    with small_disk(1_000_000), pytest.raises(StorageError, match="could not be written"):
        restore_backup(saved, house.parent / "back", passphrase=phrase)
    assert sorted(path.name for path in house.parent.iterdir()) == ["home", "saved"]


def test_a_damaged_database_is_not_taken(house: Path, tmp_path: Path) -> None:
    (house / "books.sqlite").write_bytes(b"this is no database, however long it may be" * 50)
    with pytest.raises(StorageError, match="cannot be copied"):
        create_backup(house, tmp_path / "saved2", facts={})


def test_an_empty_passphrase_does_not_seal() -> None:
    any_file: Any = io.BytesIO()
    with pytest.raises(InputError, match="is empty"):
        Sealer(any_file, "")
