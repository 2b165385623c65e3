"""Every recorded export comes to a report: a draft with reasons, final by the manual's words."""

import json
import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from openalpha.cli.border import execute

MANUAL = Path(__file__).parents[3] / "docs" / "tax" / "report.md"
FILES = re.compile(r'^```csv title="(?P<name>[a-z.]+)"\n(?P<text>.*?)^```', re.M | re.S)
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
REASONS = {
    "broken balance", "foreign currency", "funding unknown", "missing acquisition",
    "missing entry", "missing rate", "missing subscription", "opening balance", "unknown row",
    "unmatched deposit", "unmatched withdrawal",
}  # fmt: skip


def typed(line: str, folder: Path) -> tuple[int, str]:
    """Run one line of the manual; only `exports/*.csv` is spelt out, as a shell would."""
    _, *arguments = shlex.split(line)
    spelt = [
        name
        for argument in arguments
        for name in (
            sorted(map(str, folder.glob("exports/*.csv")))
            if argument == "exports/*.csv"
            else [argument]
        )
    ]
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute(spelt)
    return code, out.getvalue() + err.getvalue()


def report(year: str) -> dict[str, Any]:
    code, text = typed(f"openalpha tax report --year {year} --draft --json - --quiet", Path())
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.fixture
def folder(real_data: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del home
    exports = sorted((real_data / "bybit_exports").glob("*.csv"))
    assert len(exports) == 11
    (tmp_path / "exports").mkdir()
    for path in exports:
        (tmp_path / "exports" / path.name).write_bytes(path.read_bytes())
    for found in FILES.finditer(MANUAL.read_text("utf-8")):
        (tmp_path / found["name"]).write_text(found["text"], "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_manual_leads_every_export_from_draft_to_final(folder: Path) -> None:
    blocks = "\n".join(BLOCK.findall(MANUAL.read_text("utf-8")))
    commands = [line[2:] for line in blocks.splitlines() if line.startswith("$ ")]
    shown = {}
    for command in commands:
        code, text = typed(command, folder)
        assert code == 0, f"$ {command}\n{text}"
        shown[command] = text
    first = next(text for command, text in shown.items() if "--year 2025-26" in command)
    assert "DRAFT" in first
    assert {reason.strip() for reason in re.findall(r"draft: [\d,]+ × (.+)", first)} == REASONS
    finals = [text for command, text in shown.items() if '--by "Ann Example"' in command]
    assert len(finals) == 2
    assert all("FINAL" in text and "is locked since" in text for text in finals)
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")
    made = report("2025-26")
    assert made["reasons"] == ["a draft was asked for"]
    assert [row["verdict"] for row in made["balances"]].count("settled") == 1
    assert all(row["source"] for row in made["disposals"])
    assert made["kept"]["chosen_by"] == "Ann Example"


def test_a_draft_names_each_open_item_by_file_and_line(folder: Path) -> None:
    typed("openalpha tax import exports/*.csv --quiet", folder)
    made = report("2025-26")
    assert made["status"] == "DRAFT"
    for item in made["open_items"]:
        assert re.search(r"\.csv, line \d+: ", item["text"]) or item["key"].startswith("opening/")
    rounded = [row for row in made["balances"] if row["verdict"] == "open"]
    assert [(row["account"], row["coin"]) for row in rounded] == [("unified", "USDT")]
