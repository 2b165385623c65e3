"""What all commands share: the options every one of them takes, and how it speaks.

A reporting command takes `JsonOption`, `SetOption`, `ConfigOption` and `QuietOption` and speaks
through a `Screen`: results on stdout, progress and remarks on stderr, JSON where it was asked for.
"""

import itertools
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from openalpha.settings import LoadedSettings

__all__ = [
    "ConfigOption",
    "JsonOption",
    "QuietOption",
    "Screen",
    "SetOption",
    "command_words",
    "read_settings",
    "to_json",
    "write_text",
]

JsonOption = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="FILE|-", help="Write the result as JSON to FILE, or - for stdout."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Overrule a setting, e.g. costs.taker_bps=5.5; repeatable.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Read this TOML instead of the home's openalpha.toml."
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors and what --json - asks for.")
]


def read_settings(config: Path | None, overrides: Sequence[str] | None) -> "LoadedSettings":
    """Return the settings in force for this command: the front door where they are read, once."""
    from openalpha.settings import load_settings

    return load_settings(config, overrides or (), environ=os.environ)


def command_words() -> str:
    """Return the command of this process, without its options: `openalpha keys list`."""
    words = itertools.takewhile(lambda word: not word.startswith("-"), sys.argv[1:3])
    return " ".join(("openalpha", *words))


class Screen:
    """How one command speaks.

    Parameters
    ----------
    json_to : str or None
        Where `--json` sends the result: a file, `-` for stdout, or None.
    is_quiet : bool
        Whether only errors and asked-for JSON are printed.

    Examples
    --------
    >>> screen = Screen(None, is_quiet=False)
    >>> screen.show("2 instruments")
    2 instruments
    """

    def __init__(self, json_to: str | None = None, *, is_quiet: bool = False) -> None:
        self.json_to = json_to
        self.is_quiet = is_quiet

    def show(self, *renderables: Any) -> None:
        """Print results for a person (text, Rich objects) on stdout; nothing beside JSON there."""
        if not self.is_quiet and self.json_to != "-":
            _console().print(*renderables, highlight=False)

    def remark(self, text: str) -> None:
        """Print a remark about the work, on stderr."""
        if not self.is_quiet:
            _console(stderr=True).print(text, highlight=False, markup=False)

    def result(self, payload: Any) -> None:
        """Write the machine-readable result where `--json` asked for it; nothing otherwise.

        Raises
        ------
        StorageError
            If the file cannot be written; a file of that name is then as it was.
        """
        if self.json_to is None:
            return
        text = to_json(payload)
        if self.json_to == "-":
            sys.stdout.write(text)
            return
        write_text(Path(self.json_to), text)
        self.remark(f"JSON written to {self.json_to}")

    @contextmanager
    def progress(
        self, what: str, total: float | None = None, *, unit: str = ""
    ) -> Iterator[Callable[..., None]]:
        """Show a bar with rate and time left on stderr while the block runs.

        Parameters
        ----------
        what : str
            What is being done: "importing bars".
        total : float or None
            How many units make the whole; None when unknown.
        unit : str
            What is counted: "bars", "files".

        Yields
        ------
        callable
            `advance(by=1.0, what=None, total=None)`: call it as units are done.
        """
        if self.is_quiet or not sys.stderr.isatty():
            yield _no_progress
            return
        from rich.progress import Progress

        with Progress(*_columns(unit), console=_console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)

            def advance(
                by: float = 1.0, *, what: str | None = None, total: float | None = None
            ) -> None:
                bar.update(task, advance=by, description=what, total=total)

            yield advance


def _no_progress(by: float = 1.0, *, what: str | None = None, total: float | None = None) -> None:
    """Stand in for a progress bar where none is wanted."""


def _columns(unit: str) -> tuple[Any, ...]:
    from rich.progress import (
        BarColumn,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} {unit}/s")

    return (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        Rate(),
        TimeRemainingColumn(),
    )


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    # Rich reads NO_COLOR itself. Off a terminal, wide tables must not be folded at 80 columns.
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160, soft_wrap=False)


def to_json(payload: Any) -> str:
    r"""Return the payload as JSON text: decimals as texts, NaN as null, dataclasses as objects.

    Examples
    --------
    >>> to_json({"equity": Decimal("10.50"), "sharpe": float("nan")})
    '{\n  "equity": "10.50",\n  "sharpe": null\n}\n'
    """
    return json.dumps(_plain(payload), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, str | bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, str) else value.name
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    StorageError
        If the disk refuses; a file of that name is then as it was.
    InputError
        If a file of that name is a record that is kept.
    """
    from openalpha.store.atomic import write_bytes

    write_bytes(path, text.encode())
