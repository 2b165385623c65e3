"""`openalpha kernel`: compile the simulated venue ahead of its first use."""

import typer

from openalpha.cli.conventions import QuietOption, Screen

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Compile the simulated venue ahead of its first use.")


@app.callback()
def kernel() -> None:
    """Compile the simulated venue ahead of its first use."""


@app.command()
def warm(quiet: QuietOption = False) -> None:
    """Compile the kernel once for this machine; later calls find it in the cache."""
    import importlib.util

    screen = Screen(is_quiet=quiet)
    if importlib.util.find_spec("openalpha.venue") is None:
        screen.show("There is no kernel to compile yet.")
        return
