"""`openalpha arm`: live trading begins after a person looked and gave a second factor."""

import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.confirmation import ConfirmOption, require_typed
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.exchange_access import home_of, vault_of
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.settings import LoadedSettings
    from openalpha.trading.safety.arming import Armed, Terms
    from openalpha.trading.safety.arming_codes import Codes

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Arm live trading, with a second factor.")

PersonOption = Annotated[str, typer.Option("--person", metavar="NAME", help="Whose code it is.")]
CodeOption = Annotated[
    str, typer.Option("--code", metavar="DIGITS", help="The authenticator's code, for scripts.")
]
_SCHEMA = "openalpha.arm/1"


@app.command()
def setup(
    person: PersonOption = "me",
    code: CodeOption = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Enrol anew; asks for a code that counts now.")
    ] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Enrol an authenticator: shows its secret once, and counts when a code of it was given."""
    from openalpha.core.clock import SystemClock

    home, screen = home_of(config, settings), Screen(json_to, is_quiet=quiet)
    codes = _codes(home)
    if code and not replace:
        codes.finish(person, code, now_ms=SystemClock().now_ms())
        _enrolled(screen, person)
        return
    if replace and person in codes.persons():
        _checked(codes, person, code)
        codes.forget(person)
    made = codes.begin(person)
    screen.show(f"Secret of {person}: {made.secret}")
    screen.show(f"Or scan: {made.uri}")
    if sys.stdin.isatty():
        typed = str(typer.prompt("The code it shows now", err=True))
        codes.finish(person, typed, now_ms=SystemClock().now_ms())
        _enrolled(screen, person)
        return
    screen.remark(f"Then run: openalpha arm setup --person {person} --code DIGITS")
    screen.result({"schema": _SCHEMA, "person": person, "uri": made.uri, "is_enrolled": False})


@app.command()
def live(  # noqa: PLR0913, PLR0917 - the options of a command
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", "-s", help="What may trade; repeatable.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="[STRATEGY.]NAME=VALUE", help="Its parameters."),
    ] = None,
    hours: Annotated[
        int, typer.Option("--for", metavar="HOURS", help="How long it stays armed.", min=1)
    ] = 24,
    resume: Annotated[
        bool,
        typer.Option("--resume-after-restart", help="Go on by itself when it was restarted."),
    ] = False,
    person: PersonOption = "me",
    code: CodeOption = "",
    second_person: Annotated[
        str, typer.Option("--second-person", metavar="NAME", help="Who agrees beside you.")
    ] = "",
    second_code: Annotated[
        str, typer.Option("--second-code", metavar="DIGITS", help="Their code.")
    ] = "",
    confirm: ConfirmOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Arm live trading for some hours: shows limits, key and strategies, then asks."""
    from openalpha.core.clock import HOUR_MS, SystemClock
    from openalpha.trading.safety.arming import arm, refuse_live_here
    from openalpha.trading.safety.emergency_lock import refuse_if_locked

    refuse_live_here("live", environ=os.environ)
    loaded = read_settings(config, settings)
    screen, home = Screen(json_to, is_quiet=quiet), loaded.home
    refuse_if_locked(home, "live")
    longest = loaded.settings.arming.longest_hours
    if hours > longest:
        raise InputError(f"--for was {hours} hours, the longest is {longest}")
    codes = _codes(home)
    persons = _persons(codes, loaded.settings.arming.persons, person, second_person)
    terms = _terms(loaded, strategy or [], param or [], resume=resume)
    _show_terms(screen, loaded, terms, hours)
    require_typed("arm live", given=confirm, what=f"real money trades for {hours} hours")
    for name, digits in zip(persons, (code, second_code), strict=False):
        _checked(codes, name, digits)
    now_ms = SystemClock().now_ms()
    armed = arm(
        home,
        terms,
        codes=codes,
        persons=persons,
        armed_ms=now_ms,
        expires_ms=now_ms + hours * HOUR_MS,
    )
    screen.show(f"Live is armed: {armed}.")
    screen.result({"schema": _SCHEMA, "armed": armed})


@app.command()
def status(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show who is enrolled, what is armed and until when, and what is locked."""
    from openalpha.core.clock import SystemClock
    from openalpha.trading.safety.arming import read_armed
    from openalpha.trading.safety.emergency_lock import locked

    home, screen = home_of(config, settings), Screen(json_to, is_quiet=quiet)
    codes = _codes(home)
    persons = codes.persons()
    armed = read_armed(home, "live", codes=codes)
    is_armed = armed is not None and SystemClock().now_ms() < armed.expires_ms
    screen.show(f"Enrolled  {', '.join(persons) or 'nobody; run `openalpha arm setup`'}")
    screen.show(f"Live      {_said(armed, is_armed=is_armed)}")
    locks = {}
    for environment in ("paper", "twin", "demo", "testnet", "live"):
        found = locked(home, environment)
        if found is not None:
            locks[environment] = str(found)
            screen.show(f"Locked    {environment}: {found}")
    screen.result(
        {
            "schema": _SCHEMA,
            "persons": persons,
            "is_armed": is_armed,
            "armed": armed,
            "locks": locks,
        }
    )


@app.command()
def off(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """End the arming of live trading; a run that trades now stops opening at its next look."""
    from openalpha.trading.safety.arming import disarm

    home, screen = home_of(config, settings), Screen(json_to, is_quiet=quiet)
    stood = disarm(home, "live", who="command line")
    screen.show("Live is no longer armed." if stood else "Live was not armed.")
    screen.result({"schema": _SCHEMA, "was_armed": stood})


def _codes(home: Path) -> "Codes":
    from openalpha.trading.safety.arming_codes import Codes

    return Codes(home, environ=os.environ)


def _enrolled(screen: Screen, person: str) -> None:
    screen.show(f"{person} is enrolled.")
    screen.result({"schema": _SCHEMA, "person": person, "is_enrolled": True})


def _checked(codes: "Codes", person: str, digits: str) -> None:
    from openalpha.core.clock import SystemClock

    if not digits:
        if not sys.stdin.isatty():
            raise InputError(f"a code of {person} is typed at a terminal, or given by --code")
        digits = str(typer.prompt(f"Code of {person}", err=True))
    codes.check(person, digits, now_ms=SystemClock().now_ms())


def _persons(codes: "Codes", needed: int, first: str, second: str) -> list[str]:
    """Return who has to give a code."""
    known = codes.persons()
    if not known:
        raise InputError("nobody is enrolled; run `openalpha arm setup` first")
    wanted = [first, *([second] if second else [])]
    if len(set(wanted)) < needed:
        raise InputError(
            f"{needed} different persons must agree (arming.persons); name the other by "
            "--second-person"
        )
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise InputError(f"'{unknown[0]}' is not enrolled; enrolled are {', '.join(known)}")
    return wanted


def _terms(
    loaded: "LoadedSettings", names: list[str], params: list[str], *, resume: bool
) -> "Terms":
    from openalpha.cli.run import asked_of
    from openalpha.engine.run import VenueSettings
    from openalpha.engine.signals import EngineSettings
    from openalpha.risk.limits import limits_of
    from openalpha.strategy import load_strategy, source_hash
    from openalpha.strategy.params import build_params
    from openalpha.trading.run.settings import Handling
    from openalpha.trading.safety.arming import Terms

    if not names:
        raise InputError("name what may trade, by --strategy; nothing else will")
    signed = []
    for one in asked_of(names, params, ()):
        cls = load_strategy(one.ref, folder=loaded.home / "strategies")
        built = build_params(cls.Params, one.params, strategy=cls.name)
        signed.append((cls.name, source_hash(cls), built.model_dump(mode="json")))
    settings = loaded.settings
    costs = VenueSettings(settings.costs, settings.margin, settings.fills)
    return Terms.of(
        "live",
        vault_of(loaded.home).get("live"),
        limits=limits_of(settings.risk, settings.limits),
        breakers=settings.breakers,
        settings=EngineSettings(costs, settings.sizing, settings.risk),
        strategies=signed,
        handling=Handling(settings.allocation, settings.execution),
        resume_after_restart=resume,
    )


def _show_terms(screen: Screen, loaded: "LoadedSettings", terms: "Terms", hours: int) -> None:
    from openalpha.store.exchange_key import masked

    key = vault_of(loaded.home).get("live")
    screen.show(f"Key         {masked(key.api_key)} at {key.url} {key.note}".rstrip())
    screen.show("            `openalpha keys show live` asks the exchange what it may do")
    for name, source, params in terms.strategies:
        screen.show(f"Strategy    {name}: {_evidence(loaded.home, name, source)}")
        for param, value in json.loads(params).items():
            screen.show(f"            {param} = {value}")
    for name, value in terms.limits.items():
        screen.show(f"Limit       {name:20}{Decimal(value):f}")
    how = "goes on by itself" if terms.resume_after_restart else "comes up halted"
    screen.show(f"For         {hours} hours; a restart {how}")


def _evidence(home: Path, strategy: str, source: str) -> str:
    """Say what of this very code was tested here under the limits it will trade with."""
    from openalpha.core.messages import Environment
    from openalpha.store.runs import RunStore

    runs = []
    for run in RunStore(home).runs(Environment.BACKTEST):
        record = run.record
        is_live = record.get("settings", {}).get("risk", {}).get("profile") == "live"
        if is_live and (record.get("strategy"), record.get("source_hash")) == (strategy, source):
            runs.append(run.id)
    if not runs:
        return "NO backtest of this code under risk.profile=live is kept in this home"
    return f"{len(runs)} backtests of this code under risk.profile=live, the newest {runs[-1]}"


def _said(armed: "Armed | None", *, is_armed: bool) -> str:
    if armed is None:
        return "not armed"
    return f"armed: {armed}" if is_armed else f"armed once, over: {armed}"
