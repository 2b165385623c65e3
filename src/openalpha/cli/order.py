"""`openalpha order`: a person's orders on a run that is led, through its gate and its log."""

import getpass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

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
from openalpha.cli.ledger_open import amount_of, open_books
from openalpha.cli.live_options import EnvironmentOption, RunOption, the_run
from openalpha.cli.modes import refuse_run
from openalpha.core.errors import InputError

if TYPE_CHECKING:
    from openalpha.settings import LoadedSettings
    from openalpha.trading.run.folder import RunFolder

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Order, change and cancel by hand on a run.")

_Instrument = Annotated[str, typer.Argument(metavar="ID", help="As bybit_spot:BTCUSDT.")]
_Qty = Annotated[str, typer.Argument(metavar="QTY", help="In the base coin, or contracts.")]
_Limit = Annotated[str, typer.Option("--limit", metavar="PRICE", help="Rest at this price.")]
_Trigger = Annotated[
    str, typer.Option("--stop", metavar="PRICE", help="Wait until the price gets here.")
]
_PostOnly = Annotated[bool, typer.Option("--post-only", help="Never take: rest or go.")]
_Reduce = Annotated[bool, typer.Option("--reduce-only", help="Close, never open.")]
_Work = Annotated[
    str,
    typer.Option("--work", metavar="HOW", help="In pieces: iceberg, twap, vwap or chase."),
]
_Over = Annotated[str, typer.Option("--over", metavar="1h", help="With --work: for so long.")]
_Pieces = Annotated[int, typer.Option("--pieces", metavar="N", help="With --work: so many.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
_Order = Annotated[str, typer.Argument(metavar="ORDER", help="Its id, or the beginning of it.")]


@app.command()
def buy(  # noqa: PLR0913, PLR0917 - the options of a command
    instrument: _Instrument,
    qty: _Qty,
    limit: _Limit = "",
    stop: _Trigger = "",
    post_only: _PostOnly = False,
    reduce_only: _Reduce = False,
    work: _Work = "",
    over: _Over = "1h",
    pieces: _Pieces = 10,
    run: RunOption = "",
    environment: EnvironmentOption = "",
    reason: _Reason = "",
    confirm: ConfirmOption = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Buy by hand: at the market, or with a limit, a stop, or both."""
    wish: dict[str, Any] = {"instrument": instrument, "qty": qty, "limit": limit, "trigger": stop}
    wish |= {"post_only": post_only, "reduce_only": reduce_only, **_worked(work, over, pieces)}
    said = _Said(Screen(json_to, is_quiet=quiet), read_settings(config, settings), reason, confirm)
    _order(said, _run(said, run, environment), {"side": "buy", **wish})


@app.command()
def sell(  # noqa: PLR0913, PLR0917 - the options of a command
    instrument: _Instrument,
    qty: _Qty,
    limit: _Limit = "",
    stop: _Trigger = "",
    post_only: _PostOnly = False,
    reduce_only: _Reduce = False,
    work: _Work = "",
    over: _Over = "1h",
    pieces: _Pieces = 10,
    lots: Annotated[
        str,
        typer.Option(
            "--lots", metavar="ID[=QTY],…", help="Parcels the sale uses up for tax; spot only."
        ),
    ] = "",
    run: RunOption = "",
    environment: EnvironmentOption = "",
    reason: _Reason = "",
    confirm: ConfirmOption = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Sell by hand; on spot only what was bought by hand on this run."""
    wish: dict[str, Any] = {"instrument": instrument, "qty": qty, "limit": limit, "trigger": stop}
    wish |= {"post_only": post_only, "reduce_only": reduce_only, **_worked(work, over, pieces)}
    said = _Said(Screen(json_to, is_quiet=quiet), read_settings(config, settings), reason, confirm)
    folder = _run(said, run, environment)
    if lots:
        wish["lots"] = _parcels(said.loaded, folder, wish, lots)
    _order(said, folder, {"side": "sell", **wish})


@app.command()
def amend(  # noqa: PLR0913, PLR0917 - the options of a command
    order: _Order,
    qty: Annotated[str, typer.Option("--qty", metavar="QTY", help="Its new quantity.")] = "",
    limit: Annotated[str, typer.Option("--limit", metavar="PRICE", help="Its new limit.")] = "",
    stop: Annotated[str, typer.Option("--stop", metavar="PRICE", help="Its new trigger.")] = "",
    run: RunOption = "",
    environment: EnvironmentOption = "",
    reason: _Reason = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Change an order that is open."""
    said = _Said(Screen(json_to, is_quiet=quiet), read_settings(config, settings), reason)
    wish = {"link": order, "qty": qty, "limit": limit, "trigger": stop}
    _say(said, _run(said, run, environment), "AMEND", wish)


@app.command()
def cancel(  # noqa: PLR0913, PLR0917 - the options of a command
    order: Annotated[
        str, typer.Argument(metavar="[ORDER]", help="Its id, or the beginning of it.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All of the run that protect no position.")
    ] = False,
    run: RunOption = "",
    environment: EnvironmentOption = "",
    reason: _Reason = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Cancel an order, or all; the stops that protect positions stay."""
    if bool(order) == everything:
        raise InputError("name one order, or say --all")
    said = _Said(Screen(json_to, is_quiet=quiet), read_settings(config, settings), reason)
    wish = {"link": order, "all": everything}
    _say(said, _run(said, run, environment), "CANCEL", wish)


@app.command()
def close(  # noqa: PLR0913, PLR0917 - the options of a command
    instrument: Annotated[str, typer.Argument(metavar="[ID]", help="Else every one.")] = "",
    book: Annotated[
        str, typer.Option("--book", metavar="NAME", help="Of one sub-book: a strategy, or manual.")
    ] = "",
    run: RunOption = "",
    environment: EnvironmentOption = "",
    reason: _Reason = "",
    confirm: ConfirmOption = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Close positions of a run at the market; its strategies go on."""
    said = _Said(Screen(json_to, is_quiet=quiet), read_settings(config, settings), reason, confirm)
    folder = _run(said, run, environment)
    what = f"{instrument or 'every position'} of {book or 'every sub-book'} of run {folder.id}"
    require_typed("close", given=confirm, what=f"{what} is closed at the market")
    answer = _sent(said, folder, "CLOSE", {"instrument": instrument, "book": book})
    for name, which, qty in answer["closing"]:
        said.screen.show(f"{qty} {which} of {name} are being closed")
    if not answer["closing"]:
        said.screen.show("There is nothing to close.")
    said.screen.result(
        {"schema": "openalpha.order_close/1", "run": folder.id, "closing": answer["closing"]}
    )


class _Said:
    """What every one of these commands was told beside its order."""

    def __init__(
        self, screen: Screen, loaded: "LoadedSettings", reason: str, confirm: str = ""
    ) -> None:
        self.screen, self.loaded, self.reason, self.confirm = screen, loaded, reason, confirm


def _worked(how: str, over: str, pieces: int) -> dict[str, Any]:
    """Return what a command says of an order that is to be worked in pieces."""
    from openalpha.core.clock import parse_timeframe

    return {"work": how, "over_ms": parse_timeframe(over), "pieces": pieces} if how else {}


def _run(said: _Said, run: str, environment: str) -> "RunFolder":
    return the_run(said.loaded.home, environment=environment, run=run)


def _order(said: _Said, folder: "RunFolder", wish: dict[str, Any]) -> None:
    """Show what is about to be done at which price, let a person confirm it, and do it."""
    from openalpha.cli.live_options import current

    refuse_run(said.loaded.settings.trading.mode, folder.environment.name.lower())
    amount_of(str(wish["qty"]), "QTY")
    price = current(folder).get("prices", {}).get(wish["instrument"])
    if price is None:
        traded = ", ".join(str(item.id) for item in folder.plan().instruments)
        if wish["instrument"] in traded.split(", "):
            raise InputError(f"run {folder.id} has no price of {traded} yet; try after a bar")
        raise InputError(f"run {folder.id} trades no {wish['instrument']}; it has {traded}")
    side, at = str(wish["side"]), wish["limit"] or wish["trigger"] or price
    worth = Decimal(str(wish["qty"])) * amount_of(str(at), "the price")
    where = f"{folder.environment.name.lower()}, run {folder.id}"
    words = f"{side} {wish['qty']} {wish['instrument']} at {at} (last {price}), worth {worth:,.2f}"
    require_typed(side, given=said.confirm, what=f"{words}; {where}")
    _say(said, folder, "ORDER", wish)


def _say(said: _Said, folder: "RunFolder", verb: str, wish: dict[str, Any]) -> None:
    """Say a command about orders, and show which were taken."""
    answer = _sent(said, folder, verb, wish)
    links = answer["links"] if "links" in answer else [answer["link"]]
    for link in links:
        said.screen.show(f"{verb} {link} was taken by run {folder.id}")
    if not links:
        said.screen.show(f"Run {folder.id} has no order to cancel")
    said.screen.result(
        {"schema": "openalpha.order/1", "run": folder.id, "verb": verb, "links": links}
    )


def _sent(said: _Said, folder: "RunFolder", verb: str, wish: dict[str, Any]) -> dict[str, Any]:
    """Say a command to a run and return its answer; a refusal is said in its words."""
    from openalpha.trading.run.commands import Command, send_command

    content = {name: value for name, value in wish.items() if value not in ("", False, None)}
    command = Command(verb, said.reason, wish={**content, "by": getpass.getuser()})
    answer = send_command(folder.port, command)
    if "refused" in answer:
        raise InputError(f"the order was refused ({answer['refused']}): {answer['words']}")
    return answer


def _parcels(
    loaded: "LoadedSettings", folder: "RunFolder", wish: dict[str, Any], text: str
) -> list[list[str]]:
    """Return the parcels named, each by its whole key with its quantity; checked by the books."""
    from openalpha.books.accounts import Book
    from openalpha.books.naming import checked_lots
    from openalpha.core.instruments import Kind

    item = next((i for i in folder.plan().instruments if i.id == wish["instrument"]), None)
    if item is None or item.kind is not Kind.SPOT:
        raise InputError("--lots is for a sale on spot")
    asked = []
    for part in text.split(","):
        name, _, qty = part.strip().partition("=")
        asked.append((name, amount_of(qty, f"--lots {name}") if qty else None))
    with open_books(loaded) as ledger:
        book = Book(folder.environment, loaded.settings.books.entity)
        lots = checked_lots(
            ledger, book, coin=item.base, qty=amount_of(str(wish["qty"]), "QTY"), lots=asked
        )
    return [[name, f"{qty:f}"] for name, qty in lots]
