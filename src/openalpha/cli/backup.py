"""`openalpha backup`: everything that cannot be made again in one file, and back from it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.passphrase import PassphraseOption, SealOption, to_open, to_seal
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.settings import LoadedSettings
    from openalpha.store.backup import Backup

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Everything that cannot be made again, in one file.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")]
_SCHEMA = "openalpha.backup-report/1"


@app.command()
def create(
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Where; else the home's folder backups."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    seal: SealOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Back up books, run logs, risk's memory, keys and settings while everything goes on."""
    from openalpha.core.clock import SystemClock, format_ms
    from openalpha.store.audit import AuditTrail
    from openalpha.store.backup import create_backup
    from openalpha.store.database import REVISION

    loaded = read_settings(config, settings)
    screen, home = Screen(json_to, is_quiet=quiet), loaded.home
    passphrase = to_seal(passphrase_file, asks=seal)
    now_ms = SystemClock().now_ms()
    stamp = format_ms(now_ms).replace(":", "").replace("-", "")
    target = to or home / "backups" / f"openalpha-{stamp}{'.sealed' if passphrase else '.tar'}"
    with _server_tables(loaded) as extra:
        facts = {"created": format_ms(now_ms), "schema": REVISION, "has_server": bool(extra)}
        made = create_backup(home, target, facts=facts, passphrase=passphrase, extra=extra)
    AuditTrail(home).note("backup.create", file=str(target), files=len(made.members))
    screen.show(f"Wrote {target}: {len(made.members)} files, {made.size / 1e6:,.1f} MB.")
    for words in made.left_out:
        screen.remark(f"left out {words}")
    if to is None:
        screen.remark("It lies on the same disk as the home: copy it to another one.")
    screen.result(_report(target, made))


@app.command()
def verify(
    file: FileArgument,
    passphrase_file: PassphraseOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read a backup again and prove every file in it; exit code 1 if it is not as it was made."""
    from openalpha.store.backup import verify_backup

    screen = Screen(json_to, is_quiet=quiet)
    found = verify_backup(file, passphrase=to_open(file, passphrase_file))
    screen.show(f"{file}: {len(found.members)} files of {found.facts['created']}, all as written.")
    screen.result(_report(file, found))


@app.command()
def restore(
    file: FileArgument,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The new home; it must not be there yet.")
    ],
    database: Annotated[
        str,
        typer.Option("--database", metavar="URL", help="Empty PostgreSQL database for its books."),
    ] = "",
    passphrase_file: PassphraseOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make a home from a backup, prove its books, and lock every environment it traded in."""
    from openalpha.store.audit import AuditTrail
    from openalpha.store.backup import restore_backup, verify_backup

    screen = Screen(json_to, is_quiet=quiet)
    passphrase = to_open(file, passphrase_file)
    if verify_backup(file, passphrase=passphrase).facts["has_server"] != bool(database):
        raise InputError(
            "this backup holds the books of a PostgreSQL server; name an empty one by --database"
            if not database
            else "this backup holds no books of a server; leave --database out"
        )
    with _empty_server(database) as server:
        found = restore_backup(file, to, passphrase=passphrase)
        if server is not None:
            _load(server, to, schema=str(found.facts["schema"]))
    screen.show(f"Restored {len(found.members)} files of {found.facts['created']} into {to}.")
    for words in found.left_out:
        screen.remark(f"not in the backup: {words}")
    AuditTrail(to).note("backup.restore", file=str(file), created=found.facts["created"])
    books = _proven_books(to, database)
    for words in books:
        screen.show(words)
    locked = _locked(to)
    if locked:
        screen.show(f"Locked: {', '.join(locked)}. What happened since the backup is not in it:")
        screen.show("look at the exchange first, then `openalpha unlock --env ENV`.")
    screen.show(f"Use it by OPENALPHA_HOME={to}")
    screen.result({**_report(file, found), "home": to, "books": books, "locked": locked})


def _report(file: Path, made: "Backup") -> dict[str, Any]:
    return {
        "schema": _SCHEMA,
        "file": file,
        "facts": made.facts,
        "files": len(made.members),
        "size_bytes": made.size,
        "left_out": made.left_out,
    }


@contextmanager
def _server_tables(loaded: "LoadedSettings") -> Iterator[dict[str, Path]]:
    """Give the tables of the books' server, where they are on one, as files."""
    url = loaded.settings.books.database_url
    if not url:
        yield {}
        return
    from openalpha.store.backup_database import dump_tables
    from openalpha.store.database import open_database

    server = open_database(url)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield dump_tables(server, Path(folder))
    finally:
        server.close()


@contextmanager
def _empty_server(url: str) -> Iterator[Any]:
    if not url:
        yield None
        return
    from openalpha.store.backup_database import refuse_unless_empty
    from openalpha.store.database import open_database

    server = open_database(url)
    try:
        refuse_unless_empty(server)
        yield server
    finally:
        server.close()


def _load(server: Any, home: Path, *, schema: str) -> None:
    from openalpha.store.backup_database import FOLDER, load_tables

    load_tables(server, home / FOLDER, schema=schema)
    shutil.rmtree(home / FOLDER)


def _proven_books(home: Path, url: str) -> list[str]:
    """Read every entry of the restored books again; say what was found."""
    from openalpha.books.opening import books_file
    from openalpha.books.verify import books_in, verify_book
    from openalpha.store.database import open_database

    where = url or books_file(home)
    if not url and not books_file(home).is_file():
        return ["The backup held no books."]
    database = open_database(where, migrate=True)
    try:
        proofs = [verify_book(database, book) for book in books_in(database)]
    finally:
        database.close()
    wrong = [proof for proof in proofs if proof.fault is not None]
    if wrong:
        raise InputError(
            f"the files are restored, but the books of {wrong[0].book} do not prove: "
            f"{wrong[0].fault}; use an older backup"
        )
    return [f"{proof.book}: {proof.entries:,} entries, all in order" for proof in proofs]


def _locked(home: Path) -> list[str]:
    """Lock the environments of exchanges: the world went on since the backup was made."""
    from openalpha.core.clock import SystemClock
    from openalpha.trading.safety.emergency_lock import Lock, lock

    why = Lock("restored from a backup", "openalpha backup restore", SystemClock().now_ms())
    names = []
    for environment in ("twin", "demo", "testnet", "live"):
        has_runs = (home / "runs" / environment).is_dir()
        if has_runs or (home / "safety" / environment).is_dir():
            lock(home, environment, why=why)
            names.append(environment)
    return names
