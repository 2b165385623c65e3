"""`openalpha config`: write, show and check the settings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
    write_text,
)
from openalpha.core.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Write, show and check the settings.")


@app.command()
def init(
    file: Annotated[
        Path | None, typer.Option("--file", help="Write here instead of the home's openalpha.toml.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a commented TOML with every key, its default, unit and meaning."""
    import os

    from openalpha.settings import find_home, prepare_home, render_template
    from openalpha.settings.home import CONFIG_NAME

    target = file or prepare_home(find_home(environ=os.environ)) / CONFIG_NAME
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already; --force replaces it, --file names another")
    write_text(target, render_template())
    Screen(is_quiet=quiet).show(f"Settings written to {target}")


@app.command()
def show(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show every setting in force and where its value came from."""
    from openalpha.settings import Source
    from openalpha.settings.schema import group_keys, plain

    loaded = read_settings(config, settings)
    rows = []
    for group, keys in group_keys().items():
        for key in keys.values():
            value = plain(getattr(getattr(loaded.settings, group), key.name))
            source = loaded.sources.get(key.dotted, Source.DEFAULT)
            rows.append({"key": key.dotted, "value": value, "source": source})
            rows[-1]["unit"] = key.metadata.get("unit", "")
    screen = Screen(json_to, is_quiet=quiet)
    screen.show(f"home {loaded.home}")
    screen.show(f"file {loaded.file or 'none'}")
    screen.show(_table(rows))
    screen.result(
        {
            "schema": "openalpha.config/1",
            "home": loaded.home,
            "file": loaded.file,
            "settings": rows,
        }
    )


def _table(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("key", "value", "unit", "from", box=None, pad_edge=False)
    for row in rows:
        value = "" if row["value"] is None else str(row["value"])
        table.add_row(row["key"], value, row["unit"], str(row["source"]))
    return table


@app.command()
def check(
    config: ConfigOption = None,
    settings: SetOption = None,
    json_to: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Check every source of settings; list all faults at once and exit 4 when there is one."""
    from openalpha.cli.border import CHECK_FAILED

    screen = Screen(json_to, is_quiet=quiet)
    fault = None
    try:
        loaded = read_settings(config, settings)
    except ConfigError as error:
        fault = str(error)
        screen.remark(fault)
    else:
        screen.show(f"The settings are fine ({loaded.file or 'no file, defaults only'}).")
    screen.result({"schema": "openalpha.config_check/1", "is_fine": fault is None, "fault": fault})
    if fault is not None:
        raise typer.Exit(CHECK_FAILED)
