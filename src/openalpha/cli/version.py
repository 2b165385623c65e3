"""`openalpha version`: which OpenAlpha this is."""

import typer

from openalpha.cli.conventions import JsonOption, Screen

__all__ = ["app"]

app = typer.Typer()


@app.command()
def version(json_to: JsonOption = None) -> None:
    """Print the version."""
    import openalpha

    screen = Screen(json_to)
    screen.show(f"openalpha {openalpha.__version__}")
    screen.result({"schema": "openalpha.version/1", "version": openalpha.__version__})
