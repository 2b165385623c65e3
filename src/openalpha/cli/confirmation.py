"""Confirmations that a person types, word for word: for what cannot be taken back."""

import sys
from typing import Annotated

import typer

from openalpha.core.errors import InputError

__all__ = ["ConfirmOption", "require_typed"]

ConfirmOption = Annotated[
    str, typer.Option("--confirm", metavar="TEXT", help="The confirmation, for scripts.")
]


def require_typed(phrase: str, *, given: str, what: str) -> None:
    """Return once a person has confirmed by typing a phrase.

    Parameters
    ----------
    phrase : str
        What has to be typed, exactly.
    given : str
        What `--confirm` said; empty: ask at the terminal.
    what : str
        What will happen, for the question.

    Raises
    ------
    InputError
        If something else was typed, or nobody sits at a terminal.
    """
    if not given:
        if not sys.stdin.isatty():
            raise InputError(f'{what}: confirm it at a terminal, or by --confirm "{phrase}"')
        given = str(typer.prompt(f'{what}. Type "{phrase}" to go on', err=True))
    if given.strip() != phrase:
        raise InputError(f"'{given.strip()}' is not the confirmation '{phrase}'; nothing was done")
