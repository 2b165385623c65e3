"""`openalpha ledger`: what the books hold, proved and shown; writing stands in `ledger_write`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli import ledger_verify, ledger_write
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.cli.ledger_open import (
    AccountOption,
    EntityOption,
    EnvironmentOption,
    LimitOption,
    SinceOption,
    UntilOption,
    account_in,
    moments,
    open_book,
    open_books,
)
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.books.trades import Filters

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show, prove, export and correct the books.")


@app.callback()
def ledger() -> None:
    """Show, prove, export and correct the books."""


app.registered_commands += ledger_verify.app.registered_commands


@app.command()
def balances(
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show every coin held, all environments side by side, in USD and AUD where a rate is known."""
    from openalpha.books.accounts import environment_of
    from openalpha.books.balances import balances as balances_of
    from openalpha.cli.ledger_tables import balances_table, side_by_side

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        rows = balances_of(
            books.database,
            rates=books.rates,
            ts_ms=books.clock.now_ms(),
            environment=environment_of(environment) if environment else None,
            entity=entity or None,
        )
        rows = [row for row in rows if row.venue.startswith(account)]
        screen.show(balances_table(rows), "", side_by_side(rows))
        shown = [{**row._asdict(), "book": str(row.book)} for row in rows]
        screen.result({"schema": "openalpha.ledger_balances/1", "balances": shown})


@app.command()
def positions(
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show open positions with their cost, mark and unrealised profit."""
    from openalpha.books.holdings import positions as positions_of
    from openalpha.cli.ledger_tables import positions_table

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        venue = account_in(books, book, account) if account else None
        rows = positions_of(books.database, book, venue=venue)
        screen.show(positions_table(rows) if rows else f"{book} holds no position.")
        shown = [
            {**row._asdict(), "mark": row.mark._asdict() if row.mark else None} for row in rows
        ]
        screen.result(
            {"schema": "openalpha.ledger_positions/1", "book": str(book), "positions": shown}
        )


@app.command()
def pnl(
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show profit and loss by instrument: realised, unrealised, fees, funding."""
    from dataclasses import asdict

    from openalpha.books.holdings import profit_and_loss
    from openalpha.cli.ledger_tables import pnl_table

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        venue = account_in(books, book, account) if account else None
        rows = profit_and_loss(books.database, book, venue=venue)
        screen.show(pnl_table(rows))
        shown = [{**asdict(row), "net": row.net} for row in rows]
        screen.result({"schema": "openalpha.ledger_pnl/1", "book": str(book), "pnl": shown})


@app.command()
def equity(  # noqa: PLR0913, PLR0917 - the options of a command
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    currency: Annotated[
        str, typer.Option(metavar="COIN", help="Count in this coin; else the one it settles in.")
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the equity of an account at the end of each UTC day."""
    from openalpha.books.equity import equity_history
    from openalpha.cli.ledger_tables import equity_table

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        venue = account_in(books, book, account)
        rows = equity_history(
            books.database, book, venue=venue, rates=books.rates, currency=currency or None,
            **moments(since, until),
        )  # fmt: skip
        screen.show(equity_table(rows))
        days = [row._asdict() for row in rows]
        screen.result(
            {
                "schema": "openalpha.ledger_equity/1",
                "book": str(book),
                "account": venue,
                "days": days,
            }
        )


@app.command()
def statement(  # noqa: PLR0913, PLR0917 - the options of a command
    coin: Annotated[str, typer.Option(metavar="COIN", help="The coin whose balance is meant.")],
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    since: SinceOption = "",
    until: UntilOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show a coin's opening balance, every change, and closing balance."""
    from openalpha.books.statement import statement as statement_of
    from openalpha.cli.ledger_tables import statement_table

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        venue = account_in(books, book, account)
        span = moments(since, until)
        found = statement_of(
            books.database, book, venue=venue, coin=coin,
            since_ms=0 if span["since_ms"] is None else span["since_ms"],
            until_ms=2**62 if span["until_ms"] is None else span["until_ms"],
        )  # fmt: skip
        screen.show(f"{book}, account {venue}: {coin}", f"opening balance {found.opening}")
        screen.show(statement_table(found), f"closing balance {found.closing}")
        screen.result(
            {
                "schema": "openalpha.ledger_statement/1",
                "book": str(book),
                "account": venue,
                "coin": coin,
                "opening": found.opening,
                "lines": [line._asdict() for line in found.lines],
                "totals": {kind.name.lower(): amount for kind, amount in found.totals.items()},
                "closing": found.closing,
            }
        )


@app.command()
def trades(  # noqa: PLR0913, PLR0917 - the options of a command
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    instrument: Annotated[str, typer.Option(metavar="ID", help="Only this instrument.")] = "",
    side: Annotated[str, typer.Option(metavar="buy|sell", help="Only this side.")] = "",
    since: SinceOption = "",
    until: UntilOption = "",
    limit: LimitOption = 50,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the trade history, newest first."""
    from openalpha.books.export import trade_rows
    from openalpha.books.trades import trades as trades_of
    from openalpha.cli.ledger_tables import trades_table

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        venue = account_in(books, book, account) if account else None
        filters = _filters(since, until, limit, venue=venue, instrument=instrument, side=side)
        rows = trades_of(books.database, book, filters=filters)
        screen.show(trades_table(rows))
        screen.result(
            {"schema": "openalpha.ledger_trades/1", "book": str(book), "trades": trade_rows(rows)}
        )


@app.command()
def entries(  # noqa: PLR0913, PLR0917 - the options of a command
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    kind: Annotated[str, typer.Option(metavar="KIND", help="Only this kind: fee, fill …")] = "",
    source: Annotated[str, typer.Option(metavar="SOURCE", help="Only of this source.")] = "",
    since: SinceOption = "",
    until: UntilOption = "",
    limit: LimitOption = 20,
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show the journal: entries with their lines, newest first."""
    from openalpha.books.export import entry_rows
    from openalpha.books.trades import entries as entries_of
    from openalpha.cli.ledger_tables import entries_table

    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        filters = _filters(since, until, limit, source=source, kind=kind)
        rows = entries_of(books.database, book, filters=filters)
        screen.show(entries_table(rows))
        screen.result(
            {"schema": "openalpha.ledger_entries/1", "book": str(book), "lines": entry_rows(rows)}
        )


@app.command()
def export(  # noqa: PLR0913, PLR0917 - the options of a command
    file: Annotated[Path, typer.Argument(metavar="FILE", help="FILE.csv, .json or .parquet.")],
    what: Annotated[str, typer.Option(metavar="trades|entries", help="What to write.")] = "trades",
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    account: AccountOption = "",
    instrument: Annotated[str, typer.Option(metavar="ID", help="Only this instrument.")] = "",
    since: SinceOption = "",
    until: UntilOption = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the trade history or the journal to a file."""
    from openalpha.books.export import entry_rows, trade_rows, write_rows
    from openalpha.books.trades import entries as entries_of
    from openalpha.books.trades import trades as trades_of

    if what not in ("trades", "entries"):
        raise InputError(f"--what was '{what}', expected trades or entries")
    screen = Screen(json_to, is_quiet=quiet)
    with open_book(config, settings, environment=environment, entity=entity) as (books, book):
        venue = account_in(books, book, account) if account else None
        if what == "trades":
            chosen = _filters(since, until, None, venue=venue, instrument=instrument)
            rows = trade_rows(trades_of(books.database, book, filters=chosen))
        else:
            chosen = _filters(since, until, None, source=venue)
            rows = entry_rows(entries_of(books.database, book, filters=chosen))
        write_rows(file, rows)
        screen.show(f"{len(rows):,} rows written to {file}")
        screen.result({"schema": "openalpha.ledger_export/1", "file": file, "rows": len(rows)})


def _filters(
    since: str,
    until: str,
    limit: int | None,
    *,
    venue: str | None = None,
    instrument: str = "",
    side: str = "",
    kind: str = "",
    source: str | None = None,
) -> "Filters":
    from openalpha.books.entries import EntryKind
    from openalpha.books.trades import Filters

    sides = {"": None, "buy": 1, "sell": -1}
    if side not in sides:
        raise InputError(f"--side was '{side}', expected buy or sell")
    kinds: dict[str, Any] = {item.name.lower(): item for item in EntryKind}
    if kind and kind not in kinds:
        raise InputError(f"--kind was '{kind}', expected one of {', '.join(kinds)}")
    return Filters(
        **moments(since, until),
        venue=venue,
        instrument=instrument or None,
        side=sides[side],
        source=source or None,
        kind=kinds.get(kind),
        limit=limit,
    )


app.registered_commands += ledger_write.app.registered_commands
