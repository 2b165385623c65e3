"""The command as a process: start-up imports nothing heavy, pipes close quietly, colours obey."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from openalpha.cli.registry import COMMANDS

# Not pydantic: typer itself reads options with it.
HEAVY = ("numba", "numpy", "polars", "pandas", "ccxt", "talib", "plotly", "httpx")
PROBE = """
import sys
from openalpha.cli.border import execute
code = execute(sys.argv[1:])
print("loaded", *[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def run(
    *arguments: str, environ: dict[str, str] | None = None, probe: bool = False
) -> subprocess.CompletedProcess[str]:
    start = ["-c", PROBE.format(heavy=HEAVY)] if probe else ["-m", "openalpha"]
    return subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(environ or {})},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["version"], ["config", "--help"], ["config", "show", "--quiet"]]
)
@pytest.mark.usefixtures("home")
def test_start_up_loads_nothing_heavy(arguments: list[str]) -> None:
    done = run(*arguments, probe=True)
    assert done.returncode == 0
    assert done.stderr == "loaded\n"


@pytest.mark.usefixtures("home")
def test_help_imports_no_command() -> None:
    names = [entry.module for entry in COMMANDS]
    probe = PROBE.format(heavy=names)
    done = subprocess.run(
        [sys.executable, "-c", probe, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == "loaded\n"
    assert "doctor" in done.stdout


def test_version_works_with_no_home_at_all(tmp_path: Path) -> None:
    done = run("version", environ={"HOME": str(tmp_path / "none"), "OPENALPHA_HOME": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("openalpha ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("home")
def test_a_reader_that_leaves_is_no_error() -> None:
    command = [sys.executable, "-m", "openalpha", "config", "show"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


STOP = """
import os, signal
from openalpha.cli import lazy
from openalpha.cli.registry import Entry
import sys, types, typer, importlib.machinery
module = types.ModuleType("stopping")
module.__spec__ = importlib.machinery.ModuleSpec("stopping", None)
module.app = typer.Typer()
@module.app.command()
def stop() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
sys.modules["stopping"] = module
lazy.COMMANDS = (Entry("stop", "stopping", "Stop.", "Trade"),)
from openalpha.cli.border import run
run(["stop"])
"""


@pytest.mark.skipif(not hasattr(signal, "pause"), reason="signals of POSIX only")
def test_ctrl_c_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOP], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "error: stopped; what was finished is kept, nothing is half written\n"


@pytest.mark.usefixtures("home")
def test_no_colour_codes_off_a_terminal() -> None:
    done = run("doctor", environ={"NO_COLOR": "1", "TERM": "xterm-256color"})
    assert "\033[" not in done.stdout
    done = run("nonsense", environ={"NO_COLOR": "1"})
    assert "\033[" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_offers_the_commands(shell: str) -> None:
    environ = {
        "_OPENALPHA_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "openalpha ver",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "openalpha ver",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    assert "version" in run(environ=environ).stdout


PROGRESS = """
import time
from openalpha.cli.conventions import Screen
with Screen().progress("importing", 30, unit="bars") as advance:
    for _ in range(30):
        time.sleep(0.01)
        advance(1)
    time.sleep(0.2)
"""


def test_progress_shows_rate_and_time_left_on_a_terminal() -> None:
    pty = pytest.importorskip("pty", reason="terminals of POSIX only")
    terminal, end = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRESS], stderr=end, env=environ, timeout=60, check=True
    )
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert done.returncode == 0
    assert "importing" in shown
    assert " bars/s" in shown
    assert "0:00:" in shown


def test_completion_is_offered_by_the_whole_program_only() -> None:
    assert "--install-completion" in run("--help").stdout
    assert "--install-completion" not in run("version", "--help").stdout
