"""`openalpha kernel`: compile the simulated venue ahead of its first use."""

import typer

from openalpha.cli.conventions import QuietOption, Screen

__all__ = ["app", "compile_kernel"]

app = typer.Typer(no_args_is_help=True, help="Compile the simulated venue ahead of its first use.")


@app.callback()
def kernel() -> None:
    """Compile the simulated venue ahead of its first use."""


@app.command()
def warm(quiet: QuietOption = False) -> None:
    """Compile the kernel once for this machine; later calls find it in the cache."""
    screen = Screen(is_quiet=quiet)
    if not compile_kernel(screen):
        screen.remark("The kernel is compiled already.")


def compile_kernel(screen: Screen) -> bool:
    """Compile what the cache lacks, saying so, and return whether there was anything to do."""
    from openalpha.engine.warm import warm_steps

    steps = warm_steps()
    if not steps:
        return False
    screen.remark(f"Compiling the kernel for this machine, {len(steps)} parts (once, some seconds)")
    with screen.progress("compiling", len(steps), unit="parts") as advance:
        for name, compile_part in steps:
            advance(0, what=f"compiling {name}")
            compile_part()
            advance(1)
    return True
