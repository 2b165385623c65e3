"""Every command has a page in docs/cli with an example; tests/e2e runs the examples."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from openalpha.cli.border import root_command
from tests.tidy.tree import ROOT

PAGES = ROOT / "docs" / "cli"


def command_paths() -> list[str]:
    """Every command a user can type, without its arguments: `data import`."""
    root = root_command()

    def below(command: Any, prefix: str) -> Iterator[str]:
        children = getattr(command, "commands", None)
        if not children:
            yield prefix
            return
        for name in command.list_commands(None):
            child = command.load(name) if command is root else command.get_command(None, name)
            if not child.hidden:
                yield from below(child, f"{prefix} {name}".strip())

    return list(below(root, ""))


@pytest.mark.parametrize("command", command_paths())
def test_every_command_has_a_page_with_an_example(command: str) -> None:
    text = "\n".join(path.read_text("utf-8") for path in sorted(PAGES.glob("*.md")))
    assert re.search(rf"^#+ .*`openalpha {command}`", text, re.M), (
        f"docs/cli needs a heading `openalpha {command}`"
    )
    assert re.search(rf"^\$ openalpha {command}(?:\s|$)", text, re.M), (
        f"docs/cli needs an example: a console block with the line $ openalpha {command} …"
    )
