"""`openalpha home`: look after the home folder."""

import typer

from openalpha.cli.conventions import ConfigOption, JsonOption, QuietOption, Screen, SetOption

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Look after the home folder.")


@app.callback()
def home() -> None:
    """Look after the home folder."""


@app.command()
def migrate(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Bring an older home folder to the layout of this version; safe to repeat."""
    import os

    from openalpha.settings import LAYOUT_VERSION, find_home, migrate_home

    # The file inside an older home may not be readable yet, so only its place is asked for.
    path = find_home(config, settings or (), environ=os.environ)
    done = migrate_home(path)
    screen = Screen(json_to, is_quiet=quiet)
    for sentence in done:
        screen.show(sentence)
    if not done:
        screen.show(f"{path} has layout {LAYOUT_VERSION} already; nothing to do.")
    screen.result(
        {
            "schema": "openalpha.home_migrate/1",
            "home": path,
            "layout": LAYOUT_VERSION,
            "done": done,
        }
    )
