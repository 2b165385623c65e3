"""`openalpha ledger verify`: proves the books, entry by entry."""

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
from openalpha.cli.ledger_open import EntityOption, EnvironmentOption, book_in, open_books
from openalpha.core.errors import InputError

__all__ = ["app"]

app = typer.Typer()


@app.command()
def verify(
    environment: EnvironmentOption = "",
    entity: EntityOption = "",
    head: Annotated[
        str,
        typer.Option(
            metavar="N:HASH", help="An end noted earlier (with one book): it must still be there."
        ),
    ] = "",
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Read every entry again: the chain, and every balance kept. Exits 4 at the first fault."""
    from openalpha.books.verify import books_in, verify_book
    from openalpha.cli.border import CHECK_FAILED

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    with open_books(loaded) as books:
        every = books_in(books.database)
        if environment or entity or head:
            every = [book_in(books, loaded, environment=environment, entity=entity)]
        noted = _noted(head) if head else None
        proofs = [verify_book(books.database, book, head=noted) for book in every]
        for proof in proofs:
            name = f"{proof.book}: {proof.entries:,} entries, {proof.accounts} accounts"
            if proof.fault is None:
                screen.show(f"{name}, all in order; end {proof.head[0]}:{proof.head[1]}")
            else:
                where = "" if proof.fault.entry is None else f"entry {proof.fault.entry}: "
                screen.show(f"{proof.book}: {where}{proof.fault.reason}")
        if not proofs:
            screen.show("The ledger is empty.")
        is_fine = all(proof.fault is None for proof in proofs)
        rows = [
            {
                "book": str(proof.book),
                "entries": proof.entries,
                "accounts": proof.accounts,
                "head": f"{proof.head[0]}:{proof.head[1]}",
                "bad_entry": proof.fault.entry if proof.fault else None,
                "fault": proof.fault.reason if proof.fault else None,
            }
            for proof in proofs
        ]
        screen.result({"schema": "openalpha.ledger_verify/1", "is_fine": is_fine, "books": rows})
    if not is_fine:
        raise typer.Exit(CHECK_FAILED)


def _noted(text: str) -> tuple[int, str]:
    number, colon, digest = text.partition(":")
    if not (colon and number.isdigit() and len(digest) == 64):
        raise InputError(f"--head was '{text}', expected N:HASH as `openalpha ledger verify` shows")
    return int(number), digest
