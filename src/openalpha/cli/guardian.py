"""`openalpha guardian`: the small process that flattens when the trader dies or breaks a limit."""

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openalpha.cli.alert_port import alerts_of
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.exchange_access import connect, name_of, vault_of
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.net.alerts import Alerts
    from openalpha.store.exchange_key import ExchangeKey
    from openalpha.trading.safety.guardian_settings import GuardianSettings
    from openalpha.venue.bybit.client import BybitClient

__all__ = ["app"]

app = typer.Typer()


@app.command()
def guardian(
    environment: Annotated[
        str, typer.Option("--env", metavar="ENV", help="twin, demo, testnet or live.")
    ],
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="End after so long.", min=0)
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Watch a trader and its account with a key of its own; cancel or close when it must."""
    from openalpha.net import Priority
    from openalpha.settings import prepare_home
    from openalpha.trading.safety.guardian import only_guardian

    name = name_of(environment, "trader")
    loaded = read_settings(config, settings)
    home = prepare_home(loaded.home)
    screen = Screen(json_to, is_quiet=quiet)
    key = _own_key(home, name)
    with only_guardian(home, name), connect(home, key, priority=Priority.RISK) as client:
        _check_account(home, name, client)
        screen.show(f"The guardian watches {name} with its own key; Ctrl-C ends it.")
        alerts = alerts_of(loaded.settings.alerts, home, environment=name)
        try:
            tell = _Teller(screen, alerts, name)
            _watch(home, name, client, _terms(loaded.settings.guardian), seconds, tell)
        finally:
            alerts.close()
        said = tell.said
    screen.result({"schema": "openalpha.guardian/1", "environment": name, "said": said})


def _terms(settings: "GuardianSettings") -> "GuardianSettings":
    if 0 < settings.silent_flatten_ms < settings.silent_cancel_ms:
        return replace(settings, silent_cancel_ms=settings.silent_flatten_ms)
    return settings


def _watch(
    home: Path,
    environment: str,
    client: "BybitClient",
    settings: "GuardianSettings",
    seconds: float | None,
    tell: "_Teller",
) -> None:
    from openalpha.core.clock import SystemClock
    from openalpha.trading.safety.guardian import Guardian

    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    ends = None if seconds is None else time.monotonic() + seconds
    guard = Guardian(home, environment, client, settings=settings, clock=SystemClock(), tell=tell)
    is_over: Callable[[], bool] = lambda: ends is not None and time.monotonic() >= ends  # noqa: E731
    guard.run(until=is_over, asked=asked)


class _Teller:
    """Says what the guardian says: on the screen, and to whoever is to be alerted."""

    def __init__(self, screen: Screen, alerts: "Alerts", environment: str) -> None:
        self.said: list[str] = []
        self._screen, self._alerts, self._environment = screen, alerts, environment

    def __call__(self, words: str) -> None:
        from openalpha.core.clock import SystemClock
        from openalpha.net.alerts import Alert, Severity

        self.said.append(words)
        self._screen.remark(words)
        now_ms = SystemClock().now_ms()
        self._alerts.tell(Alert(words, Severity.CRITICAL, now_ms, self._environment))


def _own_key(home: Path, environment: str) -> "ExchangeKey":
    """Return the guardian's key, which must be another than the trader's."""
    vault = vault_of(home)
    own = name_of(environment, "guardian")
    names = vault.names()
    if own not in names:
        raise InputError(
            f"the guardian needs a key of its own; add one by `openalpha keys add {environment} "
            "--role guardian`"
        )
    key = vault.get(own)
    if environment in names and vault.get(environment).api_key == key.api_key:
        raise InputError(
            "the guardian's key is the trader's; make another at the exchange and replace it by "
            f"`openalpha keys rotate {environment} --role guardian`"
        )
    return key


def _check_account(home: Path, environment: str, client: "BybitClient") -> None:
    """See that both keys are of one account: a guardian of another would guard nothing."""
    from openalpha.net import Priority

    vault = vault_of(home)
    if environment not in vault.names():
        return
    mine = client.account.key().get("userID")
    with connect(home, vault.get(environment), priority=Priority.RISK) as trader:
        theirs = trader.account.key().get("userID")
    if mine != theirs:
        raise InputError(
            f"the guardian's key is of account {mine}, the trader's of {theirs}; use keys of one "
            "account"
        )
