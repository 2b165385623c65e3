"""`openalpha tax import`, `open`, `settle` and `reconcile`: exchange histories and what is open."""

import hashlib
from decimal import Decimal, InvalidOperation
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
    write_text,
)
from openalpha.cli.ledger_open import EntityOption, open_books
from openalpha.core.errors import InputError, StorageError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.imports.history import ImportedHistory
    from openalpha.books.imports.items import ImportItem
    from openalpha.books.imports.reading import ReadFile
    from openalpha.books.imports.storing import Added, Imports
    from openalpha.books.ledger import Ledger
    from openalpha.settings import LoadedSettings

__all__ = ["app"]

_TEMPLATE = """\
time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id
2025-07-01T09:00:00+10:00,buy,BTC,0.10000000,AUD,16000.00,AUD,16.00,,1
2025-08-11T14:30:00+10:00,trade,ETH,2.00000000,BTC,0.05000000,BTC,0.00005000,,2
2025-09-30T08:00:00+10:00,staking,ETH,0.00310000,,,,,,3
2026-02-02T17:45:00+11:00,sell,AUD,4100.00,ETH,1.00000000,AUD,4.10,,4
2026-03-05T10:10:00+11:00,withdrawal,,,ETH,0.50000000,ETH,0.00100000,,5
"""

app = typer.Typer()


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Exports, as they came.")],
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML that names the columns of a CSV of any layout."),
    ] = None,
    timezone: Annotated[
        str,
        typer.Option(metavar="ZONE", help="For times without a zone: Australia/Sydney, UTC+8."),
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Read files anew that were imported in another way.")
    ] = False,
    entity: EntityOption = "",
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Import exchange histories; a file twice, or rows that two files share, change nothing."""
    from openalpha.books.imports.generic import mapped_family
    from openalpha.books.imports.reading import FAMILIES, read_export
    from openalpha.books.imports.storing import SourceFile
    from openalpha.books.locks import YearLocks
    from openalpha.books.whole import history_of, profile_in

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(None, settings)
    families = (mapped_family(mapping),) if mapping is not None else FAMILIES
    # Every file is read before the first is stored: one bad name imports nothing.
    found = [(path, read_export(path, zone=timezone, families=families)) for path in files]
    rows = []
    with open_books(loaded) as books:
        imports, whose = _imports(books), entity or loaded.settings.books.entity
        locks, zone = YearLocks(books.database, books.clock), profile_in(books, whose).time_zone
        for path, read in found:
            content = _bytes(path)
            digest = hashlib.sha256(content).hexdigest()
            if replace:
                locks.refuse(whose, [record.ts_ms for record in read.records], zone=zone)
            _keep(loaded, digest, content)
            source = SourceFile(path.name, digest, read.zone)
            added = imports.add(whose, source, found=read, replace=replace)
            strange = _say_read(screen, path.name, read, added)
            rows.append(
                {"file": path.name, "family": read.family, "rows": read.rows, "new": added.new,
                 "known": added.known, "not_understood": strange, "sha256": digest}
            )  # fmt: skip
            if added.new:
                for words in locks.reached(whose, [r.ts_ms for r in read.records], zone=zone):
                    screen.remark(f"{path.name}: {words}; rows of it make its report a draft")
        if replace:
            _say_again(screen, loaded, imports, whose, anew={row["sha256"] for row in rows})
        history = history_of(books, whose)
        _show_items(screen, history.open_items, limit=0)
        screen.result(
            {"schema": "openalpha.tax_import/1", "entity": whose, "files": rows,
             "open_items": len(history.open_items)}
        )  # fmt: skip


@app.command()
def template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a CSV in our own columns, with a row of each common kind, to fill in and import."""
    if file.exists() and not force:
        raise InputError(f"{file} is there already; --force replaces it, another name keeps it")
    write_text(file, _TEMPLATE)
    Screen(is_quiet=quiet).show(f"Written to {file}; replace its rows, then openalpha tax import")


@app.command("open")
def open_(
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Show so many.")] = 50,
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the open items of the imported histories: each keeps a report a DRAFT."""
    from openalpha.books.whole import history_of

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        history = history_of(books, whose)
        _show_items(screen, history.open_items, limit=limit)
        screen.result(
            {"schema": "openalpha.tax_open/1", "entity": whose,
             "items": [item._asdict() for item in history.open_items],
             "settled": [item._asdict() for item in history.settled]}
        )  # fmt: skip


@app.command()
def settle(
    keys: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY…", help="Keys of open items, their beginnings, or a kind: broken_balance."
        ),
    ],
    way: Annotated[
        str,
        typer.Option("--as", help="own, buy, sell, income, gift, split, lost, personal or ignore."),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept, and printed in reports.")],
    aud: Annotated[
        str | None, typer.Option("--aud", help="What it was worth; else by the rates.")
    ] = None,
    entity: EntityOption = "",
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Say what an open item was; a later word on the same item replaces this one."""
    from openalpha.books.imports.storing import WAYS, Settlement
    from openalpha.books.locks import YearLocks
    from openalpha.books.whole import history_of, profile_in

    if way not in WAYS:
        raise InputError(f"--as was '{way}', expected one of {', '.join(WAYS)}")
    if not reason.strip():
        raise InputError("--reason is empty; say in a few words why")
    settlement = Settlement(way, None if aud is None else _aud(aud), reason.strip())
    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(None, settings)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        imports = _imports(books)
        history = history_of(books, whose)
        items = _all_chosen(keys, history)
        if way == "personal":
            _refuse_on_venue(items, history)
        zone = profile_in(books, whose).time_zone
        locks = YearLocks(books.database, books.clock)
        locks.refuse(whose, [item.ts_ms for item in items], zone=zone)
        for item in items:
            imports.settle(whose, item.key, settlement=settlement)
            screen.show(f"settled as {way}: {item.text}")
        left = len(history_of(books, whose).open_items)
        screen.show(f"{left} open items are left")
        screen.result(
            {"schema": "openalpha.tax_settle/1", "settled": [item.key for item in items],
             "open_items": left}
        )  # fmt: skip


@app.command()
def reconcile(
    until: Annotated[
        str, typer.Option("--to", metavar="DATE", help="Rows before this moment only.")
    ] = "",
    entity: EntityOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Compare the balances files state with what moved, by venue, account and coin. Exits 4."""
    from openalpha.books.whole import history_of
    from openalpha.cli.border import CHECK_FAILED
    from openalpha.core.clock import parse_ms

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        whose = entity or loaded.settings.books.entity
        history = history_of(books, whose, until_ms=parse_ms(until) if until else None)
        _show_checks(screen, history)
        rows = [
            {**check._asdict(), "difference": check.difference, "is_right": check.is_right}
            for check in history.checks
        ]
        screen.result({"schema": "openalpha.tax_reconcile/1", "entity": whose, "checks": rows})
    if not all(check.is_right for check in history.checks):
        raise typer.Exit(CHECK_FAILED)


def _imports(books: "Ledger") -> "Imports":
    from openalpha.books.imports.storing import Imports

    return Imports(books.database, books.clock)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def _keep(loaded: "LoadedSettings", digest: str, content: bytes) -> None:
    """Keep the file itself beside the books: a figure leads back to it."""
    from openalpha.store.kept import mark_kept

    folder = loaded.home / "books" / "sources"
    kept = folder / f"{digest}.csv"
    if kept.exists():
        return
    mark_kept(folder)
    try:
        partial = kept.with_suffix(".tmp")
        partial.write_bytes(content)
        partial.replace(kept)
    except OSError as error:
        raise StorageError(f"{kept} cannot be written ({error.strerror}); free space") from None


def _say_read(screen: Screen, name: str, read: "ReadFile", added: "Added") -> int:
    """Say what a file brought; return how many of its rows were not understood."""
    from openalpha.books.imports.records import Kind

    strange = sum(record.kind in (Kind.UNKNOWN, Kind.LEG) for record in read.records)
    screen.show(
        f"{name}: {read.family}, {read.rows} rows; {added.new} records new, "
        f"{added.known} known" + (f", {strange} not understood" if strange else "")
    )
    if read.zone:
        screen.remark(f"{name}: times in it that name no zone were read in {read.zone}")
    return strange


def _say_again(
    screen: Screen, loaded: "LoadedSettings", imports: "Imports", entity: str, *, anew: set[Any]
) -> None:
    """Let other files say again what they share with a file that was read anew."""
    from openalpha.books.imports.reading import read_export
    from openalpha.books.imports.storing import SourceFile

    for row in imports.files(entity):
        if row["sha256"] in anew:
            continue
        kept = loaded.home / "books" / "sources" / f"{row['sha256']}.csv"
        try:
            read = read_export(kept, zone=row["zone"])
            source = SourceFile(row["name"], row["sha256"], read.zone)
            imports.add(entity, source, found=read, replace=False)
        except InputError:
            screen.remark(f"{row['name']} may share rows with it: import it again, too")


def _aud(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not (found.is_finite() and Decimal(0) <= found < Decimal("1e15")):
        raise InputError(f"--aud was '{text}', expected an amount of 0 or more")
    return found


def _all_chosen(keys: list[str], history: "ImportedHistory") -> "list[ImportItem]":
    """Return the items of keys; a kind's name stands for every open item of that kind."""
    found: list[ImportItem] = []
    for key in keys:
        of_kind = [item for item in history.open_items if item.code == key.replace(" ", "_")]
        found += of_kind or [_chosen(key, [*history.open_items, *history.settled])]
    return found


def _chosen(key: str, items: "list[ImportItem]") -> "ImportItem":
    found = {item.key: item for item in items if item.key.startswith(key)}
    if key in found:
        return found[key]
    plain = [name for name in found if "/" not in name]
    if len(plain) == 1:
        return found[plain[0]]
    if len(found) != 1:
        many = f"{len(found)} open items begin" if found else "no open item begins"
        raise UnknownName(f"{many} with '{key}'; `openalpha tax open` shows them")
    return next(iter(found.values()))


def _refuse_on_venue(items: "list[ImportItem]", history: "ImportedHistory") -> None:
    """Refuse personal use of what an exchange held: it is for coins of a wallet of one's own."""
    from openalpha.books.imports.generic import GENERIC

    for item in items:
        record = history.sources.get(item.key)
        if record is None or record.family != GENERIC.name or item.code != "unmatched_withdrawal":
            raise InputError(
                f"{item.key[:10]} cannot be personal use: that is for coins spent from a wallet of "
                "your own, told as a withdrawal in a CSV of our columns, never for coins on a venue"
            )


def _show_items(screen: Screen, items: "list[ImportItem]", *, limit: int) -> None:
    from collections import Counter

    from rich.text import Text

    for code, count in sorted(Counter(item.code for item in items).items()):
        screen.show(f"{count:,} × {code.replace('_', ' ')}")
    for item in items[:limit]:
        key = item.key if "/" in item.key else item.key[:10]
        screen.show(Text(f"  {key}  {item.text}"))
    if not items:
        screen.show("Nothing is open.")
    elif limit == 0:
        screen.show(f"{len(items):,} open items; `openalpha tax open` shows them")
    elif len(items) > limit:
        screen.show(f"  … and {len(items) - limit:,} more; --limit shows them")


def _show_checks(screen: Screen, history: "ImportedHistory") -> None:
    from rich.table import Table

    if not history.checks:
        screen.show("No imported file states a balance.")
        return
    table = Table("account", "coin", "opening", "moved", "closing", "stated", "breaks")
    for check in history.checks:
        values: list[Any] = [check.opening, check.closing - check.opening, check.closing]
        table.add_row(
            f"{check.venue} {check.account}".strip(),
            check.coin,
            *(f"{value.normalize():f}" for value in (*values, check.stated)),
            "" if check.is_right else str(check.breaks),
        )
    wrong = sum(not check.is_right for check in history.checks)
    screen.show(table, f"{len(history.checks) - wrong} right, {wrong} wrong")
