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
    from openalpha.engine.warm import note_warm, warm_steps

    steps = warm_steps()
    if not steps:
        return False
    from openalpha.research.compiled import warm as compile_figures

    first, *rest = steps  # the longest
    steps = [first, ("metrics", compile_figures), *rest]
    screen.remark(f"Compiling the kernel for this machine, {len(steps)} parts (once, some seconds)")
    import gc
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # A compile makes much and drops little: looking for garbage meanwhile only takes time.
    with (
        screen.progress("compiling", len(steps), unit="parts") as advance,
        ProcessPoolExecutor(max_workers=2, initializer=gc.disable) as pool,
    ):
        names = {pool.submit(compile_part): name for name, compile_part in steps}
        for done in as_completed(names):
            done.result()
            advance(1, what=f"compiled {names[done]}")
    note_warm()
    return True
