"""A command group that imports a command's file only when that command runs."""

import importlib
import importlib.util
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from openalpha.cli.registry import COMMANDS

__all__ = ["LazyGroup"]

_COMPLETION = ("install_completion", "show_completion")


class LazyGroup(TyperGroup):
    """The root group. Help and completion of names see stubs; running loads the real thing."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._modules = {entry.name: entry.module for entry in COMMANDS}
        for entry in COMMANDS:
            # A command whose package is not part of this build is not offered.
            if importlib.util.find_spec(entry.module) is not None:
                self.commands[entry.name] = TyperCommand(
                    entry.name, help=entry.summary, rich_help_panel=entry.panel
                )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command named by the first argument and load its file."""
        name, stub, rest = super().resolve_command(ctx, args)
        if name is None or stub is None:
            return name, stub, rest
        return name, self.load(name), rest

    def load(self, name: str) -> Any:
        """Return the real command called `name`, importing its file."""
        module = importlib.import_module(self._modules[name])
        command = typer.main.get_command(module.app)
        command.name = name
        # Completion is the whole program's; Typer would offer it in every command's help again.
        command.params = [item for item in command.params if item.name not in _COMPLETION]
        return command
