"""`openalpha rates`: published rates of currencies in AUD."""

from pathlib import Path
from typing import Annotated

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.ledger_open import open_books

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Import and show published rates in AUD.")


@app.callback()
def rates() -> None:
    """Import and show published rates in AUD."""


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="CSV of the RBA (F11.1) or the ECB.")
    ],
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Import published rates; a file twice changes nothing."""
    from openalpha.books.published_rates import read_published, store

    screen = Screen(json_to, is_quiet=quiet)
    found = [(path, read_published(path)) for path in files]
    rows = []
    with open_books(read_settings(config, settings)) as books:
        for path, stated in found:
            new, known = store(books.database, stated, clock=books.clock)
            screen.show(f"{path.name}: {new:,} rates new, {known:,} known")
            rows.append({"file": path.name, "new": new, "known": known})
        screen.result({"schema": "openalpha.rates_import/1", "files": rows})


@app.command("show")
def show(
    coin: Annotated[str, typer.Argument(metavar="COIN", help="What is to be valued: USD, BTC.")],
    at: Annotated[str, typer.Argument(metavar="TIME", help="When: 2025-06-30T08:00 (UTC).")],
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what a coin was worth in AUD, and who says so; exits 4 where nobody does."""
    from openalpha.cli.border import CHECK_FAILED
    from openalpha.core.clock import parse_ms

    screen = Screen(json_to, is_quiet=quiet)
    ts_ms = parse_ms(at)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        source = books.rates_of(loaded.settings.books.entity)
        found = source.rate(coin.upper(), "AUD", ts_ms=ts_ms)
    if found is None:
        screen.show(f"Nobody says what {coin.upper()} was worth in AUD then.")
    else:
        screen.show(f"1 {coin.upper()} = {found.rate.normalize():f} AUD ({found.source})")
    told = None if found is None else found._asdict()
    screen.result({"schema": "openalpha.rates_show/1", "coin": coin.upper(), "rate": told})
    if found is None:
        raise typer.Exit(CHECK_FAILED)
