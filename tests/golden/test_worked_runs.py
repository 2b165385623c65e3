"""The worked runs of the manual show what their commands print.

In a page, a part between `<!-- run -->` and `<!-- end -->` holds one block; its lines that start
with `$ ` are typed in order, in one home with the synthetic market of `data synth --preset hourly`,
and the block shows what comes out on stdout at 80 columns. `make golden` writes it anew.
"""

import os
import re
import shlex
from pathlib import Path

import pytest

from openalpha.cli.border import execute

DOCS = Path(__file__).parents[2] / "docs"
IS_WRITING = os.environ.get("OPENALPHA_WRITE_GOLDEN") == "1"
PART = re.compile(r"<!-- run -->\n\n```text\n(.*?)```\n\n<!-- end -->", re.S)
PAGES = sorted(path for path in DOCS.rglob("*.md") if PART.search(path.read_text("utf-8")))


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake holds the market of the worked runs."""
    home = tmp_path_factory.mktemp("worked")
    here = os.environ.get("OPENALPHA_HOME")
    os.environ["OPENALPHA_HOME"] = str(home)
    try:
        assert execute(["data", "synth", "--preset", "hourly", "--quiet"]) == 0
    finally:
        os.environ.pop("OPENALPHA_HOME")
        if here is not None:
            os.environ["OPENALPHA_HOME"] = here
    return home


def test_all_strategies_have_a_worked_run() -> None:
    lacking = {path.name for path in (DOCS / "strategies").glob("*.md")} - {"index.md"}
    assert not lacking - {path.name for path in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_worked_run_shows_what_comes_out(page, market, tmp_path, monkeypatch, capsys) -> None:
    # An own home a page, so that no page counts another's trials; the lake is shared.
    (tmp_path / "lake").symlink_to(market / "lake")
    (tmp_path / "LAYOUT").write_text((market / "LAYOUT").read_text())
    monkeypatch.setenv("OPENALPHA_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    parts = []
    for shown in PART.findall(text):
        lines = []
        for line in shown.splitlines():
            if not line.startswith("$ "):
                continue
            program, *arguments = shlex.split(line.removeprefix("$ "))
            assert program == "openalpha"
            assert execute(arguments) == 0, capsys.readouterr().err
            lines += [line, *_printed(capsys.readouterr().out)]
        parts.append("\n".join(lines) + "\n")
    left = iter(parts)
    expected = PART.sub(lambda _: f"<!-- run -->\n\n```text\n{next(left)}```\n\n<!-- end -->", text)
    if IS_WRITING:
        page.write_text(expected, "utf-8")
    assert text == expected or IS_WRITING, f"{page.name} is out of date; run `make golden`"


def _printed(out: str) -> list[str]:
    lines = [line.rstrip() for line in out.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines
