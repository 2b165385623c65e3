"""`openalpha tax archive`: a sealed bundle of a year's books, proven, and restored elsewhere."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.ledger_open import EntityOption, open_books
from openalpha.cli.passphrase import PassphraseOption, SealOption, to_open, to_seal
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.books.archive import Bundle, Manifest
    from openalpha.books.ledger import Ledger
    from openalpha.books.report import TaxReport
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Seal a year's books, prove and restore them.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The archive.")]


@app.command()
def create(  # noqa: PLR0913, PLR0917 - the options of a command
    year: Annotated[str, typer.Option("--year", metavar="YEAR", help="Income year: 2025-26.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Else books/archive in the home.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    sealed: SealOption = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="Also of a year whose report is not final.")
    ] = False,
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Seal ledger, imported files, report, rates and code version of a year in one file."""
    from openalpha.books.archive import pack, seal
    from openalpha.books.declarations import Declarations
    from openalpha.books.tax.dates import parse_year

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    ends = parse_year(year)
    passphrase = to_seal(passphrase_file, asks=sealed)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        manifest, files = _made(books, loaded, whose, year=ends, is_draft=draft)
        content = pack(manifest, files)
        digest = hashlib.sha256(content).hexdigest()
        if passphrase:
            content = seal(content, passphrase=passphrase)
        path = to or _place(loaded, manifest, digest, is_sealed=bool(passphrase))
        _write_new(path, content)
        Declarations(books.database, books.clock).declare(
            whose, f"archive {manifest.year}", said=f"sha256 {digest}, {manifest.status}"
        )
    screen.show(f"{manifest.year} of {whose}, {manifest.status}: {len(files)} files in {path}")
    screen.show(f"sha256 {digest} of what is inside; keep it {manifest.keep_until}")
    screen.result(
        {
            "schema": "openalpha.tax_archive_create/1", "file": path, "sha256": digest,
            "is_sealed": bool(passphrase), "status": manifest.status, "heads": dict(manifest.heads),
            "keep_until": manifest.keep_until, "files": sorted(files),
        }
    )  # fmt: skip


@app.command()
def verify(
    file: FileArgument,
    passphrase_file: PassphraseOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Prove an archive: every file, every entry of its ledger by a restoration. Exits 4 if not."""
    import tempfile

    from openalpha.cli.border import CHECK_FAILED

    screen = Screen(json_to, is_quiet=quiet)
    bundle, digest = _opened(file, passphrase_file)
    faults = list(bundle.faults)
    if not faults:
        with tempfile.TemporaryDirectory(prefix="openalpha-archive-") as folder:
            faults = _restored(bundle, Path(folder) / "home")
    manifest = bundle.manifest
    screen.show(f"{manifest.year} of {manifest.entity}, {manifest.status}; sha256 {digest}")
    for fault in faults:
        screen.show(f"  {fault}")
    entries = sum(count for count, _ in manifest.heads.values())
    verdict = "does NOT hold" if faults else "holds"
    screen.show(f"The archive {verdict}: {len(manifest.files)} files, {entries:,} ledger entries")
    screen.result(
        {"schema": "openalpha.tax_archive_verify/1", "sha256": digest, "faults": faults,
         "entity": manifest.entity, "year": manifest.year, "status": manifest.status}
    )  # fmt: skip
    if faults:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def restore(
    file: FileArgument,
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="A new home folder.")],
    passphrase_file: PassphraseOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make a new home of an archive: its books, sources and reports, proven as they are made."""
    from openalpha.store.atomic import new_folder

    screen = Screen(is_quiet=quiet)
    bundle, _ = _opened(file, passphrase_file)
    if bundle.faults:
        raise InputError(f"the archive is damaged: {bundle.faults[0]}; nothing was restored")
    if into.exists():
        raise InputError(f"{into} is there already; name a new folder")
    with new_folder(into) as stage:  # beside it first: what does not hold leaves nothing
        faults = _restored(bundle, stage)
        if faults:
            raise InputError(f"the archive does not hold: {faults[0]}; nothing was restored")
    manifest = bundle.manifest
    screen.show(f"{manifest.year} of {manifest.entity} restored into {into}; reports in reports")
    name = f"--year {manifest.year} --entity {manifest.entity} --draft"
    screen.show(f"Next: OPENALPHA_HOME={into} openalpha tax report {name}")


def _made(
    books: "Ledger", loaded: "LoadedSettings", entity: str, *, year: int, is_draft: bool
) -> "tuple[Manifest, dict[str, bytes]]":
    import platform

    import openalpha
    from openalpha.books.archive import Manifest, content_of, heads_of
    from openalpha.books.locks import YearLocks, year_name
    from openalpha.books.whole import history_of
    from openalpha.cli.tax_report_make import Wish, make_report
    from openalpha.store.database import REVISION

    name = year_name(year)
    if not is_draft and year not in YearLocks(books.database, books.clock).of(entity):
        raise InputError(
            f"{name} of {entity} is not final: `openalpha tax report --year {name}` makes it so, "
            "or --draft archives it as it is"
        )
    heads = heads_of(books.database, entity)
    wish = Wish(year=year, entity=entity, environment="live", is_draft=is_draft)
    report = make_report(books, wish)
    used = history_of(books, entity).rates
    sources = loaded.home / "books" / "sources"
    files = content_of(books.database, entity, used=used, sources=sources)
    files |= _report_files(report)
    manifest = Manifest(
        entity=entity,
        year=name,
        created_ms=books.clock.now_ms(),
        versions={
            "openalpha": openalpha.__version__,
            "python": platform.python_version(),
            "tables": REVISION,
        },
        heads=heads,
        status=report.status,
        figures_sha256=report.figures_sha256,
        keep_until=_kept_until(books, entity, year),
        files={},
    )
    return manifest, files


def _report_files(report: "TaxReport") -> dict[str, bytes]:
    from openalpha.books.report.csv_files import report_csv
    from openalpha.books.report.html import report_html
    from openalpha.books.report.json_form import report_json
    from openalpha.books.report.pdf import report_pdf
    from openalpha.books.report.xlsx import report_xlsx
    from openalpha.cli.conventions import to_json

    files = {f"report/csv/{name}": text.encode() for name, text in report_csv(report).items()}
    return files | {
        "report/report.html": report_html(report).encode(),
        "report/report.pdf": report_pdf(report),
        "report/report.xlsx": report_xlsx(report),
        "report/report.json": to_json(report_json(report)).encode(),
    }


def _kept_until(books: "Ledger", entity: str, year: int) -> str:
    from openalpha.books.retention import keep_until
    from openalpha.books.tax.dates import income_year
    from openalpha.books.whole import assessed_with

    _, found = assessed_with(books, entity)
    parcels = [parcel for part in found.parts.values() for parcel in part.parcels]
    held = [p for p in parcels if p.acquired is None or income_year(p.acquired) <= year]
    last = max(found.years, default=year)
    carried = found.years[last].statement.carried if found.years else ()
    if held or any(made <= year for made, _ in carried):
        return keep_until(year, last_used=None).words
    sold = [
        income_year(piece.day)
        for piece in found.slices
        if piece.acquired is None or income_year(piece.acquired) <= year
    ]
    # A later year with gains may have used a loss of this one: kept as long as if it had.
    offset = [
        later
        for later, row in found.years.items()
        if later > year and any(gain.amount > 0 for gain in row.gains)
    ]
    return keep_until(year, last_used=max([year, *sold, *offset])).words


def _place(loaded: "LoadedSettings", manifest: "Manifest", digest: str, *, is_sealed: bool) -> Path:
    from openalpha.store.kept import mark_kept

    folder = loaded.home / "books" / "archive"
    mark_kept(folder)
    ending = "sealed" if is_sealed else "zip"
    return folder / f"{manifest.entity}-{manifest.year}-{digest[:12]}.{ending}"


def _write_new(path: Path, content: bytes) -> None:
    from openalpha.store.atomic import write_bytes

    if path.exists():
        raise InputError(f"{path} is there already; an archive is never replaced: name another")
    write_bytes(path, content)


def _opened(file: Path, passphrase_file: Path | None) -> "tuple[Bundle, str]":
    """Read an archive; return it with the hash of what is inside."""
    from openalpha.books.archive import open_bundle, unseal

    passphrase = to_open(file, passphrase_file)
    content = file.read_bytes()
    if passphrase:
        content = unseal(content, passphrase=passphrase)
    return open_bundle(content), hashlib.sha256(content).hexdigest()


def _restored(bundle: "Bundle", home: Path) -> list[str]:
    """Make a home of a bundle, prove its books, and say what does not hold."""
    from openalpha.books.archive import restore as restore_books
    from openalpha.books.opening import open_ledger
    from openalpha.books.settings import BooksSettings
    from openalpha.books.verify import verify_book
    from openalpha.core.clock import SystemClock
    from openalpha.core.errors import LedgerError
    from openalpha.settings import prepare_home
    from openalpha.store.atomic import write_bytes

    manifest, files = bundle.manifest, bundle.files
    prepare_home(home)
    books = open_ledger(home, BooksSettings(entity=manifest.entity), clock=SystemClock())
    faults = []
    try:
        for book in restore_books(books, manifest.entity, files=files):
            proof = verify_book(books.database, book)
            head = manifest.heads.get(book.environment.name.lower())
            if proof.fault is not None:
                faults.append(f"{book}: {proof.fault.reason}")
            elif head is None or tuple(proof.head) != tuple(head):
                faults.append(f"{book} ends at entry {proof.head[0]}, not where it was sealed")
    except LedgerError as error:
        faults.append(error.message)
    finally:
        books.database.close()
    for name, content in files.items():
        if name.startswith("sources/"):
            write_bytes(home / "books" / name, content)
        elif name.startswith("report/"):
            write_bytes(home / "reports" / manifest.year / name.removeprefix("report/"), content)
    return faults
