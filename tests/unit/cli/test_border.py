"""Every way a command can end: its exit code, and one sentence instead of a traceback."""

import sys
from pathlib import Path

import pytest

from openalpha.cli import border, lazy
from openalpha.cli.registry import Entry

COMMAND = """
import typer
from openalpha.core import errors
app = typer.Typer()

@app.command()
def fall(how: str, level: int = 0) -> None:
    raise eval(how)
"""


@pytest.fixture
def fall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Add a command `fall` that raises what it is told."""
    (tmp_path / "falling_command.py").write_text(COMMAND, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(lazy, "COMMANDS", (Entry("fall", "falling_command", "Fall.", "Trade"),))
    sys.modules.pop("falling_command", None)


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("errors.InputError('edit it')", 1, "error: edit it"),
        ("errors.ConfigError('edit it', where='a.toml')", 1, "error: a.toml: edit it"),
        ("errors.UnknownName('no X')", 1, "error: no X"),
        ("errors.DataError('row 3')", 1, "error: row 3"),
        ("errors.LookAheadError('bar 7')", 1, "error: bar 7"),
        ("errors.OrderError('too small')", 1, "error: too small"),
        ("errors.VenueUnavailable('no answer')", 5, "error: no answer"),
        ("errors.VenueRefused('no')", 5, "error: no"),
        ("errors.StorageError('disk full')", 5, "error: disk full"),
        ("OSError(28, 'No space left on device', 'x.parquet')", 5, "error: x.parquet: No space"),
        ("MemoryError()", 5, "error: this machine has not enough memory"),
        ("KeyboardInterrupt()", 130, "error: stopped"),
        ("typer.Abort()", 130, "error: stopped"),
        ("typer.Exit(4)", 4, ""),
        ("typer.BadParameter('not that')", 2, "error: Invalid value: not that."),
        ("BrokenPipeError()", 141, ""),
    ],
)
@pytest.mark.usefixtures("fall")
def test_each_error_has_its_code_and_one_sentence(
    how: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert border.execute(["fall", how]) == code
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(said)
    assert errors.count("\n") == (1 if said else 0)


@pytest.mark.parametrize(
    "how", ["AssertionError('bug')", "errors.LedgerError('off by 1')", "ValueError('bug')"]
)
@pytest.mark.parametrize("has_home", [True, False])
@pytest.mark.usefixtures("fall")
def test_our_fault_goes_to_a_report_file(
    how: str,
    has_home: bool,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from openalpha.settings import prepare_home

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if has_home:
        prepare_home(home)
    assert border.execute(["fall", how]) == 3
    errors = capsys.readouterr().err
    assert "our fault" in errors
    assert "Traceback" not in errors
    folder = home / "errors" if has_home else tmp_path / "openalpha-errors"
    (report,) = folder.iterdir()
    assert str(report) in errors
    assert "Traceback" in report.read_text("utf-8")
    assert home.exists() == has_home


def test_a_report_leaves_out_the_values_of_set(tmp_path: Path, home: Path) -> None:
    from openalpha.cli.report_file import write_report
    from openalpha.core.clock import ManualClock
    from openalpha.settings import prepare_home

    prepare_home(home)
    said = ["x", "--set", "live.key=hunter2", "--set=a.b=hunter2"]
    path = write_report(ValueError("x"), said, clock=ManualClock(1_767_225_600_000))
    text = path.read_text("utf-8")
    assert path.name.startswith("2026-01-01T000000Z")
    assert "hunter2" not in text
    assert "--set live.key=…" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verson"], "Did you mean 'version'? `openalpha --help` shows what it takes."),
        (["version", "--no-such"], "No such option: --no-such"),
        (["version", "extra"], "`openalpha version --help` shows what it takes."),
    ],
)
def test_wrong_usage_is_one_sentence(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert border.execute(arguments) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
