"""Runs every example of the command pages, as a reader would type it.

In a page of docs/cli, a `console` block is an example: lines that start with `$ ` are typed one
after the other in one folder with one fresh home a page; the other lines show what comes out
and are not compared. A command that is meant to fail carries its exit code: `$ … # exit 4`.

The commands run within this process (`test_cli_process` starts real ones): two hundred and fifty
interpreters would do little but import the same libraries. Only servers have one of their own.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from openalpha.cli.border import execute

PAGES = sorted((Path(__file__).parents[2] / "docs" / "cli").glob("*.md"))
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
LINE = re.compile(r"^\$ (?P<command>.*?)(?:\s+# exit (?P<code>\d+))?$", re.M)


def examples(page: Path) -> list[tuple[str, int]]:
    """The commands of a page with the exit code each should end with."""
    blocks = "\n".join(BLOCK.findall(page.read_text("utf-8")))
    return [(found["command"], int(found["code"] or 0)) for found in LINE.finditer(blocks)]


IN_GATE = [
    # The demo of the gate is tests/e2e/test_demo_command.py.
    pytest.param(page, id=page.stem, marks=[pytest.mark.nightly] * (page.stem == "demo"))
    for page in PAGES
]
SERVERS = {"twin"}


@pytest.mark.parametrize("page", IN_GATE)
def test_the_examples_of_a_page_work(
    page: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    del home
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for command, code in examples(page):
        program, *arguments = shlex.split(command)
        assert program == "openalpha", f"an example is one openalpha command: {command}"
        if page.stem in SERVERS:
            found = apart(arguments)
        else:
            with Path(os.devnull).open(encoding="utf-8") as nobody:
                monkeypatch.setattr("sys.stdin", nobody)
                found = execute(arguments)
        out, err = capfd.readouterr()
        assert found == code, f"$ {command}\n{out[-2000:]}{err[-2000:]}"
        assert "Traceback" not in out + err


def apart(arguments: list[str]) -> int:
    """Run a command as a process of its own, its output where ours goes."""
    command = [sys.executable, "-m", "openalpha", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=300, check=False).returncode
