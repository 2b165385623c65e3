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
    import importlib

    screen = Screen(is_quiet=quiet)
    try:
        steps = importlib.import_module("openalpha.engine.warm").warm_steps()
    except ModuleNotFoundError as error:
        if error.name not in ("openalpha.engine", "openalpha.engine.warm"):
            raise
        screen.remark("There is nothing to compile in this build.")
        return
    if not steps:
        screen.remark("The kernel is compiled already.")
        return
    screen.remark(f"Compiling the kernel for this machine, {len(steps)} parts (once, some seconds)")
    with screen.progress("compiling", len(steps), unit="parts") as advance:
        for name, compile_part in steps:
            advance(0, what=f"compiling {name}")
            compile_part()
            advance(1)
