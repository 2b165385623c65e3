"""`openalpha keys`: exchange keys, kept encrypted and never shown."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.conventions import ConfigOption, JsonOption, QuietOption, Screen, SetOption
from openalpha.cli.exchange_access import ROLES, broker_of, home_of, name_of, vault_of
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.venue.bybit.key_check import KeyFacts

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Keep exchange keys, encrypted and never shown.")

EnvironmentArgument = Annotated[
    str, typer.Argument(metavar="ENV", help="twin, demo, testnet or live.")
]
RoleOption = Annotated[str, typer.Option("--role", help="Whose key: trader or guardian.")]
StdinOption = Annotated[
    bool, typer.Option("--stdin", help="Read key (first line) and secret (the rest) from stdin.")
]
UrlOption = Annotated[str, typer.Option("--url", help="Another server, e.g. of your region.")]


@app.command()
def add(  # noqa: PLR0913, PLR0917 - the options of a command
    environment: EnvironmentArgument,
    url: UrlOption = "",
    role: RoleOption = ROLES[0],
    note: Annotated[str, typer.Option(help="Your own words about it.")] = "",
    stdin: StdinOption = False,
    keep_in: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Where a new vault's own key lies: keyring, file, …"),
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Ask for a key and its secret, let the exchange check them, and keep them."""
    name, home = name_of(environment, role), home_of(config, settings)
    vault = vault_of(home, source=keep_in)
    if name in vault.names():
        raise InputError(f"there is a key for {name}; use `openalpha keys rotate {name}`")
    server = _server(environment, url, config, settings)
    key = _typed(server, note=note, is_piped=stdin)
    facts = _checked(home, environment, key)
    vault.put(name, key)
    _tell(Screen(json_to, is_quiet=quiet), f"Kept the key for {name}", name, key, facts)


@app.command("list")
def list_keys(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """List the keys there are; asks nobody."""
    from openalpha.store.exchange_key import masked

    vault = vault_of(home_of(config, settings))
    screen = Screen(json_to, is_quiet=quiet)
    rows = []
    for name in vault.names():
        key = vault.get(name)
        rows.append({"name": name, "key": masked(key.api_key), "url": key.url, "note": key.note})
        screen.show(f"{name:18}{masked(key.api_key):12}{key.url}  {key.note}")
    if not rows:
        screen.show("No keys are kept yet; `openalpha keys add twin` keeps one.")
    screen.result({"schema": "openalpha.keys/1", "vault_key_in": vault.source, "keys": rows})


@app.command()
def show(
    environment: EnvironmentArgument,
    role: RoleOption = ROLES[0],
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Ask the exchange what a kept key may do, where from and until when."""
    name, home = name_of(environment, role), home_of(config, settings)
    key = vault_of(home).get(name)
    facts = _checked(home, environment, key)
    _tell(Screen(json_to, is_quiet=quiet), f"The key for {name}", name, key, facts)


@app.command()
def rotate(
    environment: Annotated[
        str, typer.Argument(metavar="[ENV]", help="Whose key to replace; none: only re-encrypt.")
    ] = "",
    role: RoleOption = ROLES[0],
    stdin: StdinOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Replace a key by a new one of the exchange, and seal the vault with a fresh key."""
    home, screen = home_of(config, settings), Screen(json_to, is_quiet=quiet)
    vault = vault_of(home)
    if not environment:
        if not vault.names():
            raise InputError("no keys are kept yet; add one by `openalpha keys add ENV`")
        vault.rotate()
        screen.show("The vault is sealed with a fresh key.")
        screen.result({"schema": "openalpha.keys/1", "vault_key_in": vault.source})
        return
    name = name_of(environment, role)
    old = vault.get(name)
    server = _server(environment, old.url, config, settings)
    key = _typed(server, note=old.note, is_piped=stdin)
    facts = _checked(home, environment, key)
    vault.put(name, key, replaces=True)
    vault.rotate()
    _tell(screen, f"Replaced the key for {name}", name, key, facts)
    screen.remark("Delete the old key at the exchange now.")


@app.command()
def remove(
    environment: EnvironmentArgument,
    role: RoleOption = ROLES[0],
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Forget a key; at the exchange it lives on until it is deleted there."""
    name = name_of(environment, role)
    vault_of(home_of(config, settings)).remove(name)
    screen = Screen(json_to, is_quiet=quiet)
    screen.show(f"The key for {name} is gone from here; delete it at the exchange too.")
    screen.result({"schema": "openalpha.keys/1", "removed": name})


def _server(
    environment: str, url: str, config: Path | None, overrides: Sequence[str] | None
) -> str:
    from openalpha.cli.conventions import read_settings
    from openalpha.venue.bybit.hosts import base_url, environment_of

    may_stand_in = read_settings(config, overrides).settings.exchange.stand_in
    return base_url(environment_of(environment), url, may_stand_in=may_stand_in)


def _typed(server: str, *, note: str, is_piped: bool) -> "ExchangeKey":
    """Return a key as typed without echo, or as piped in."""
    from openalpha.store.exchange_key import ExchangeKey

    if is_piped:
        api_key, _, secret = sys.stdin.read().partition("\n")
    elif sys.stdin.isatty():
        api_key, secret = _unseen("API key: "), _unseen("Secret: ")
    else:
        raise InputError("a key is typed at a terminal, or piped in with --stdin")
    api_key, secret = api_key.strip(), secret.strip()
    if not api_key or not secret or not api_key.isascii() or not api_key.isprintable():
        raise InputError("that is no key and secret; paste both as the exchange shows them")
    return ExchangeKey(api_key, secret, server, note)


def _unseen(prompt: str) -> str:
    """Return what is typed at the terminal without echo: a line, or a private key to its last.

    What was pasted after that is thrown away: it would be the shell's, seen and remembered.
    """
    import termios

    place = sys.stdin.fileno()
    before = termios.tcgetattr(place)
    hidden = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(place, termios.TCSAFLUSH, hidden)
        sys.stderr.write(prompt)
        sys.stderr.flush()
        lines = [sys.stdin.readline()]
        if lines[0].lstrip().startswith("-----BEGIN"):
            while lines[-1] and not lines[-1].lstrip().startswith("-----END"):
                lines.append(sys.stdin.readline())
    finally:
        termios.tcsetattr(place, termios.TCSAFLUSH, before)
        sys.stderr.write("\n")
    return "".join(lines)


def _checked(home: Path, environment: str, key: "ExchangeKey") -> "KeyFacts":
    from openalpha.core.clock import SystemClock
    from openalpha.net import HttpTransport
    from openalpha.venue.bybit.hosts import environment_of
    from openalpha.venue.bybit.key_check import check_key

    with HttpTransport(timeout_s=5.0, total_s=10.0) as network:
        return check_key(
            environment_of(environment),
            key,
            transport=network,
            clock=SystemClock(),
            broker=broker_of(home),
        )


def _tell(screen: Screen, title: str, name: str, key: "ExchangeKey", facts: "KeyFacts") -> None:
    from openalpha.core.clock import format_ms
    from openalpha.store.exchange_key import masked

    ends = "never" if facts.expires_ms is None else format_ms(facts.expires_ms)
    bound = ", ".join(facts.addresses) or "no address: anyone who has it can use it"
    screen.show(f"{title}: {masked(key.api_key)} at {key.url}, account {facts.uid}")
    screen.show(f"  may trade   {'yes' if facts.can_trade else 'no, it only reads'}")
    screen.show("  withdrawal  not permitted, as it must be")
    screen.show(f"  bound to    {bound}")
    screen.show(f"  ends        {ends}")
    screen.result(
        {
            "schema": "openalpha.keys/1",
            "name": name,
            "key": masked(key.api_key),
            "url": key.url,
            "uid": facts.uid,
            "can_trade": facts.can_trade,
            "addresses": facts.addresses,
            "expires_ms": facts.expires_ms,
            "permissions": facts.permissions,
        }
    )
