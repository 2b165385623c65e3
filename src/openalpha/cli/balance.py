"""`openalpha balance`: what every account holds, environments side by side, in USD and AUD."""

from typing import Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.live_options import AllOption, EnvironmentOption, WatchOption, show_again
from openalpha.cli.live_tables import show_rows

__all__ = ["app"]

app = typer.Typer()


@app.command()
def balance(
    environment: EnvironmentOption = "",
    everywhere: AllOption = False,
    watch: WatchOption = False,
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what the books hold, in USD and AUD where a rate is known; backtests only if named."""
    from openalpha.cli.ledger_open import open_books

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as ledger:

        def show() -> None:
            rows = _rows(ledger, environment, is_everywhere=everywhere)
            show_rows(screen, rows, what="balances")
            if any(row["usd"] is None or row["aud"] is None for row in rows):
                screen.show("USD or AUD is blank where the books know no rate of the coin.")
            screen.result({"schema": "openalpha.balance/1", "balances": rows})

        show_again(screen, show, is_watched=watch)


def _rows(ledger: Any, environment: str, *, is_everywhere: bool) -> list[dict[str, Any]]:
    from openalpha.books.accounts import environment_of
    from openalpha.books.balances import balances
    from openalpha.core.clock import SystemClock
    from openalpha.core.messages import Environment

    kind = environment_of(environment) if environment else None
    found = balances(
        ledger.database, rates=ledger.rates, ts_ms=SystemClock().now_ms(), environment=kind
    )
    return [
        {
            "environment": held.book.environment.name.lower(),
            "entity": held.book.entity,
            "account": held.venue,
            "coin": held.coin,
            "amount": f"{held.amount:f}",
            "usd": None if held.usd is None else f"{held.usd:.2f}",
            "aud": None if held.aud is None else f"{held.aud:.2f}",
        }
        for held in found
        if kind is not None or is_everywhere or held.book.environment is not Environment.BACKTEST
    ]
