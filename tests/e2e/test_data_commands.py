"""`openalpha data …` as a user types it: what it says, what it leaves, how it ends."""

import json
from pathlib import Path

import pytest

from openalpha.cli.border import execute

START = 1_704_067_200_000
LINES = [
    f"{START + 3_600_000 * i},{100 + i},{101 + i},{99 + i},{100.5 + i},{5 + i}" for i in range(48)
]


def bars(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("ts,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def filled(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    del capsys  # so that it hears what the import says
    bars(tmp_path / "in" / "ohlcv" / "x_linear" / "ABUSDT_1h.csv", LINES)
    (tmp_path / "in" / "README.md").write_text("about")
    assert execute(["data", "import", str(tmp_path / "in")]) == 0
    return home


def said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.out + captured.err


def test_import_tells_what_it_took_and_what_it_left(filled, capsys):
    text = said(capsys)
    assert "x_linear:ABUSDT bars 1h" in text
    assert "1 files taken, 1 left; 48 rows, 48 of them new" in text
    assert "/in/README.md: not a table (.md)" in text


def test_list_export_and_import_again_change_nothing(filled, tmp_path, capsys):
    said(capsys)
    assert execute(["data", "list", "--json", "-"]) == 0
    before = json.loads(capsys.readouterr().out)["series"]
    assert (before[0]["instrument"], before[0]["rows"]) == ("x_linear:ABUSDT", 48)
    for kind in ("csv", "parquet", "feather"):
        out = tmp_path / kind
        assert execute(["data", "export", str(out), "--format", kind]) == 0
        assert execute(["data", "import", str(out)]) == 0
        assert execute(["data", "export", str(out), "--format", kind]) == 1
        assert "--force replaces it" in said(capsys)
    assert execute(["data", "list", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["series"][0]["rows"] == 48


def test_resample_makes_whole_bars(filled, capsys):
    assert execute(["data", "resample", "--to", "4h", "--to", "1d"]) == 0
    text = said(capsys)
    assert "bars 4h: 12 bars from 1h, 12 new" in text
    assert "bars 1d: 2 bars from 1h, 2 new" in text
    assert execute(["data", "resample", "--to", "7h", "--timeframe", "4h"]) == 1
    assert "7h bars cannot be made from 4h ones" in said(capsys)


def test_check_is_fine_or_exits_4(filled, tmp_path, capsys):
    assert execute(["data", "check", "--json", str(tmp_path / "check.json")]) == 0
    found = json.loads((tmp_path / "check.json").read_text())
    assert found["is_fine"]
    assert found["series"][0]["bars"] == 48
    shifted = [f"{START + 14_400_000 * i},1,2,1,1.5,5" for i in range(12)]
    bars(tmp_path / "other" / "ohlcv" / "x_linear" / "ABUSDT_4h.csv", shifted)
    assert execute(["data", "import", str(tmp_path / "other")]) == 0
    assert execute(["data", "check"]) == 4
    assert "runs refuse these" in said(capsys)


BAD = {
    "missing file": (["nothing.csv"], "does not exist"),
    "nothing usable": (["notes.csv"], "not market data"),
    "no name": (["plain.csv"], "add --market and --symbol"),
    "bad symbol": (["plain.csv", "--market", "x", "--symbol", "../etc"], "cannot name a market"),
    "bad time frame": (
        ["plain.csv", "--market", "x", "--symbol", "Y", "--timeframe", "1q"], "not a time frame"),
    "nan": (["nan.csv", "--market", "x", "--symbol", "Y"], "row 3, column close: was NaN"),
    "negative": (["negative.csv", "--market", "x", "--symbol", "Y"], "row 2, column low: was -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_nothing_is_kept(case, home, tmp_path, monkeypatch, capsys):
    arguments, words = BAD[case]
    monkeypatch.chdir(tmp_path)
    bars(tmp_path / "plain.csv", LINES)
    bars(tmp_path / "nan.csv", [LINES[0], f"{START + 3_600_000},1,2,1,nan,1"])
    bars(tmp_path / "negative.csv", [f"{START},1,2,-1,1,1", LINES[1]])
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    assert execute(["data", "import", *arguments]) == 1
    text = said(capsys)
    assert text.startswith("error: ")
    assert words in text
    assert execute(["data", "list", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == []


@pytest.mark.parametrize("command", ["check", "repair", "resample"])
def test_an_instrument_nobody_has_is_named(command, filled, capsys):
    said(capsys)
    more = ["--to", "4h"] if command == "resample" else []
    assert execute(["data", command, "--instrument", "x_linear:NOPE", *more]) == 1
    assert "the lake has nothing of x_linear:NOPE; `openalpha data list`" in said(capsys)


def test_a_file_that_is_empty_or_no_text_is_one_plain_sentence(home, tmp_path, capsys):
    for content, words in ((b"", "the file is empty"), (bytes(range(256)), "invalid utf-8")):
        path = tmp_path / "bars.csv"
        path.write_bytes(content)
        assert execute(["data", "import", str(path)]) == 1
        assert f"bars.csv cannot be imported: {words}" in said(capsys)
