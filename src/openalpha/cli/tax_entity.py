"""`openalpha tax entity`: whose books there are, their years, and coins that pass between them."""

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
from openalpha.cli.ledger_open import open_books
from openalpha.core.errors import InputError, StorageError, UnknownName

if TYPE_CHECKING:
    from openalpha.books.tax.entity_year import Assessed, EntityYear
    from openalpha.books.tax.profile import Profile

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Whose books there are, and what their years come to.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The entity's short name.")]
KindOption = Annotated[
    str, typer.Option("--kind", metavar="KIND", help="individual, trust, company or smsf.")
]


@app.command()
def template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    kind: KindOption = "individual",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write an entity's file to fill in, every word explained."""
    from openalpha.books.entities import template_of

    _check_kind(kind)
    if file.exists() and not force:
        raise InputError(f"{file} is there already; --force replaces it, another name keeps it")
    write_text(file, template_of(kind))
    Screen(is_quiet=quiet).show(f"Written to {file}; then openalpha tax entity add NAME {file}")


@app.command()
def add(
    name: NameArgument,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Its file; else every default.")
    ] = None,
    kind: KindOption = "",
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Whose days: Australia/Perth.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Let this file hold; the older stays on record.")
    ] = False,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Add an entity, or a newer file of it; nothing said before is lost."""
    from openalpha.books.declarations import Declarations
    from openalpha.books.entities import add_entity

    screen = Screen(json_to, is_quiet=quiet)
    if file is not None and (kind or timezone):
        raise InputError("kind and time zone stand in the file; leave out --kind and --timezone")
    text = _short(kind or "individual", timezone) if file is None else _read(file)
    with open_books(read_settings(None, settings)) as books:
        words = Declarations(books.database, books.clock)
        profile, is_new = add_entity(words, name, text=text, replace=replace)
        screen.show(f"{name}: {_line(profile)}" + ("" if is_new else "; nothing changed"))
        screen.result({"schema": "openalpha.tax_entity_add/1", "is_new": is_new, **_plain(profile)})


@app.command("list")
def list_(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the entities that have a file."""
    from openalpha.books.declarations import Declarations
    from openalpha.books.whole import profile_in

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        names = Declarations(books.database, books.clock).entities()
        profiles = [profile_in(books, name) for name in names]
    for profile in profiles:
        screen.show(f"{profile.name}: {_line(profile)}")
    if loaded.settings.books.entity not in names:
        screen.show(f"{loaded.settings.books.entity}: no file; an individual, every default")
    rows = [_plain(profile) for profile in profiles]
    screen.result({"schema": "openalpha.tax_entity_list/1", "entities": rows})


@app.command()
def show(
    name: NameArgument,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Write its file, to be edited.")
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show an entity's file as it holds, and when each version was declared."""
    from rich.text import Text

    from openalpha.books.declarations import PROFILE, Declarations
    from openalpha.books.whole import profile_in
    from openalpha.core.clock import format_ms

    screen = Screen(json_to, is_quiet=quiet)
    with open_books(read_settings(config, settings)) as books:
        said = Declarations(books.database, books.clock).history(name, PROFILE)
        if not said:
            raise UnknownName(f"no file of {name} is kept; `openalpha tax entity list` shows some")
        profile = profile_in(books, name)
    if file is not None:
        write_text(file, said[-1].said)
        screen.remark(f"Written to {file}")
    for number, word in enumerate(said, 1):
        holds = ", holds" if number == len(said) else ""
        screen.show(f"version {number}, declared {format_ms(word.recorded_ms)}{holds}")
    screen.show(Text(said[-1].said))
    versions = [{"declared_ms": word.recorded_ms, "said": word.said} for word in said]
    payload = {"schema": "openalpha.tax_entity/1", **_plain(profile), "versions": versions}
    screen.result(payload)


@app.command()
def year(
    name: NameArgument,
    year: Annotated[str, typer.Option("--year", metavar="YEAR", help="Income year, 2025-26.")],
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what an entity's year comes to: a trust's statements, a company's tax and losses."""
    from openalpha.books.tax.dates import parse_year
    from openalpha.books.tax.entity import Entity
    from openalpha.books.whole import assessed_with
    from openalpha.cli.tax_entity_year import show_company, show_plain, show_trust

    screen = Screen(json_to, is_quiet=quiet)
    ends = parse_year(year)
    with open_books(read_settings(config, settings)) as books:
        history, found = assessed_with(books, name)
    items = len(history.open_items) + len(found.open_items)
    _year_of(found, ends)
    show_one = {Entity.TRUST: show_trust, Entity.COMPANY: show_company}
    payload = show_one.get(found.profile.entity, show_plain)(screen, found, ends)
    if items:
        screen.remark(f"{items} open: these figures may change (`openalpha tax open`)")
    head = {"schema": "openalpha.tax_entity_year/1", "entity": name, "year": year}
    screen.result({**head, "open_items": items, **payload})


@app.command()
def transfer(  # noqa: PLR0913, PLR0917 - the options of a command
    giver: Annotated[str, typer.Argument(metavar="FROM", help="Whose coins they were.")],
    receiver: Annotated[str, typer.Argument(metavar="TO", help="Whose they became.")],
    coin: Annotated[str, typer.Option("--coin", metavar="COIN")],
    qty: Annotated[str, typer.Option("--qty", metavar="QTY")],
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="2025-09-01T10:00+10:00.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept, and printed in reports.")],
    aud: Annotated[
        str | None, typer.Option("--aud", help="Market value of all of it; else by the rates.")
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Record coins passed between entities: a sale of one, a purchase of the other."""
    from openalpha.books.entities import hand_over
    from openalpha.books.imports.records import Move
    from openalpha.books.imports.storing import Imports, Settlement
    from openalpha.books.locks import YearLocks
    from openalpha.books.whole import history_of, profile_in
    from openalpha.core.clock import parse_ms

    if giver == receiver:
        raise InputError("a transfer needs two entities; between own wallets nothing is sold")
    if not reason.strip():
        raise InputError("--reason is empty; say in a few words why")
    move = Move(coin.upper(), _number(qty, "--qty"))
    settlement = Settlement("sell", None if aud is None else _number(aud, "--aud"), reason.strip())
    screen = Screen(json_to, is_quiet=quiet)
    with open_books(read_settings(config, settings)) as books:
        locks = YearLocks(books.database, books.clock)
        for name in (giver, receiver):
            locks.refuse(name, [parse_ms(at)], zone=profile_in(books, name).time_zone)
        sides = tuple((name, history_of(books, name).open_items) for name in (giver, receiver))
        done = hand_over(
            Imports(books.database, books.clock),
            sides=(sides[0], sides[1]),
            move=move,
            ts_ms=parse_ms(at),
            settlement=settlement,
        )
    for side, verb in zip(done, ("sold", "bought"), strict=True):
        how = "an imported movement" if side.was_imported else "recorded anew"
        screen.show(f"{side.entity} {verb} {move.amount} {move.coin} ({how}, {side.key[:10]})")
    rows = [side._asdict() for side in done]
    screen.result({"schema": "openalpha.tax_entity_transfer/1", "sides": rows})


def _year_of(found: "Assessed", ends: int) -> "EntityYear":
    if ends not in found.years:
        known = ", ".join(f"{y - 1}-{y % 100:02d}" for y in found.years) or "none at all"
        raise UnknownName(
            f"{found.profile.name} has nothing in {ends - 1}-{ends % 100:02d}; its years: {known}"
        )
    return found.years[ends]


def _check_kind(kind: str) -> None:
    from openalpha.books.entities import TEMPLATES

    if kind not in TEMPLATES:
        raise InputError(f"--kind was '{kind}', expected one of {', '.join(TEMPLATES)}")


def _short(kind: str, zone: str) -> str:
    _check_kind(kind)
    lines = ['schema = "openalpha.tax.entity/1"', f'kind = "{kind}"']
    if zone:
        lines.append(f'time_zone = "{zone}"')
    return "\n".join(lines) + "\n"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError as error:
        raise InputError(f"there is no file {file}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text") from error
    except OSError as error:
        raise StorageError(f"{file} cannot be read: {error.strerror}") from error


def _number(text: str, option: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not (found.is_finite() and Decimal(0) < found < Decimal("1e15")):
        raise InputError(f"{option} was '{text}', expected an amount above 0")
    return found


def _line(profile: "Profile") -> str:
    policy = profile.policy
    parts = [str(policy.entity), profile.time_zone, str(policy.method), str(policy.treatment)]
    if profile.choices:
        parts.append(f"accounts chosen: {len(profile.choices)}")
    if profile.deed.beneficiaries:
        parts.append(f"beneficiaries: {len(profile.deed.beneficiaries)}")
    return ", ".join(parts)


def _plain(profile: "Profile") -> dict[str, Any]:
    return {
        "name": profile.name,
        "kind": profile.entity,
        "full_name": profile.full_name,
        "time_zone": profile.time_zone,
        "method": profile.policy.method,
        "treatment": profile.policy.treatment,
    }
