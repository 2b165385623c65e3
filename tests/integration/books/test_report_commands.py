"""`openalpha tax report` and the lock of a final year, as a user types them."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from openpyxl import load_workbook

from openalpha.cli.border import execute

BUYS = (
    "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id\n"
    "2024-07-02T09:00:00+10:00,buy,BTC,1,AUD,10000,,,,1\n"
    "2024-07-03T09:00:00+10:00,buy,BTC,1,AUD,30000,,,,2\n"
    "2025-01-05T09:00:00+11:00,sell,AUD,50000,BTC,0.5,,,,3\n"
    "2025-09-01T09:00:00+10:00,sell,AUD,60000,BTC,1,,,,4\n"
)
LATE = (
    "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id\n"
    "2025-08-01T09:00:00+10:00,sell,AUD,100,BTC,0.001,,,,9\n"
    "2025-08-02T09:00:00+10:00,withdrawal,,,BTC,0.001,,,,10\n"
)
REPORT = ("tax", "report", "--year", "2025-26")


class Done(NamedTuple):
    code: int
    out: str
    err: str


def typed(*arguments: str) -> Done:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def fine(*arguments: str) -> str:
    done = typed(*arguments)
    assert done.code == 0, done.out + done.err
    return done.out


def made(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fine(*REPORT, *arguments, "--json", "-"))
    return found


def refused(*arguments: str) -> str:
    done = typed(*arguments)
    assert done.code == 1, done.out + done.err
    assert done.err.startswith("error: ")
    return " ".join(done.err.split())


@pytest.fixture
def books(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del home
    monkeypatch.chdir(tmp_path)
    (tmp_path / "buys.csv").write_text(BUYS, "utf-8")
    (tmp_path / "late.csv").write_text(LATE, "utf-8")
    fine("tax", "import", "buys.csv", "--quiet")
    return tmp_path


def test_a_final_report_locks_its_year_and_says_the_same_again(books: Path) -> None:
    del books
    first = made("--by", "Ann", "--reason", "buys to hold")
    assert (first["status"], first["reasons"]) == ("FINAL", [])
    assert first["kept"]["chosen_by"] == "Ann"
    again = made()
    assert again["figures_sha256"] == first["figures_sha256"]
    assert again["kept"] == first["kept"]
    assert any("buys to hold" in row["value"] for row in again["settings"])


def test_a_draft_locks_nothing(books: Path) -> None:
    del books
    assert made("--draft")["reasons"] == ["a draft was asked for"]
    assert made("--method", "hifo", "--draft")["kept"] is None
    assert made("--method", "lifo")["kept"]["words"].count("lifo") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--method", "hifo"), "another treatment or method cannot replace it"),
        (("--treatment", "revenue"), "another treatment or method cannot replace it"),
        (("--by", "Bob"), "--by Bob cannot take that over"),
    ],
)
def test_a_locked_year_refuses_changes(books: Path, change: tuple[str, ...], words: str) -> None:
    del books
    made("--by", "Ann")
    told = refused(*REPORT, *change)
    assert "2025-26 is locked since" in told
    assert words in told
    assert made()["status"] == "FINAL"


def test_what_comes_late_is_kept_and_turns_the_report_into_a_draft(books: Path) -> None:
    del books
    final = made("--by", "Ann")
    done = typed("tax", "import", "late.csv")
    assert done.code == 0
    assert "2025-26 is locked since" in done.err
    late = made()
    assert late["status"] == "DRAFT"
    assert any(final["figures_sha256"][:16] in reason for reason in late["reasons"])
    assert any("reopen --year 2025-26, and amend" in reason for reason in late["reasons"])
    assert "1 × unmatched withdrawal" in late["reasons"]
    told = refused("tax", "settle", "unmatched_withdrawal", "--as", "own", "--reason", "mine")
    assert "this would change it" in told
    fine("tax", "reopen", "--year", "2025-26", "--reason", "a late file")
    fine("tax", "settle", "unmatched_withdrawal", "--as", "own", "--reason", "mine")
    assert made("--by", "Ann")["status"] == "FINAL"


def test_a_locked_file_is_not_read_anew(books: Path) -> None:
    del books
    made("--by", "Ann")
    again = ("tax", "import", "buys.csv", "--replace")
    assert "this would change it" in refused(*again)
    assert made()["status"] == "FINAL"


def test_an_earlier_year_cannot_move_the_parcels_of_a_locked_one(books: Path) -> None:
    del books
    final = made("--by", "Ann")
    assert [row["acquired"] for row in final["disposals"]] == ["2024-07-02", "2024-07-03"]
    earlier = ("tax", "report", "--year", "2024-25")
    told = refused(*earlier, "--method", "hifo")
    assert "2025-26 is locked" in told
    assert "would change its parcels" in told
    assert "FINAL" in fine(*earlier)
    assert made()["status"] == "FINAL"


def test_later_years_keep_what_was_locked(books: Path) -> None:
    del books
    fine("tax", "report", "--year", "2024-25", "--by", "Ann")
    found = made("--method", "hifo")
    parcels = [(row["acquired"], row["qty"]) for row in found["disposals"]]
    # Half of the first parcel went by fifo the year before; hifo takes the dearer one now.
    assert parcels == [("2024-07-03", "1")]
    said = {row["name"]: row["value"] for row in found["settings"]}
    assert said["Parcel method"] == "hifo; locked years keep 2024-25 fifo"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--year", "2025-27"), "spans two consecutive years"),
        (("--year", "2025"), "written 2025-26"),
        (("--year", "2019-20"), "nothing happened in 2019-20 to me; there are events in 2024-25"),
        (("--year", "2025-26", "--entity", "aunt"), "no entity 'aunt'; there are me"),
        (("--year", "2025-26", "--treatment", "hobby"), "--treatment was 'hobby', expected one of"),
        (("--year", "2025-26", "--method", "average"), "average cost) is refused"),
        (("--year", "2025-26", "--environment", "moon"), "moon"),
        (("--year", "2025-26", "--pdf", "."), "is a folder; name a file in it"),
        (("--year", "2025-26", "--csv", "buys.csv"), "is a file; --csv names a folder"),
    ],
)
def test_bad_input_is_a_clear_sentence(books: Path, arguments: tuple[str, ...], words: str) -> None:
    del books
    assert words in refused("tax", "report", *arguments, "--draft")


def test_nothing_imported_is_nothing_to_report(home: Path) -> None:
    del home
    assert "there is nothing to report" in refused(*REPORT)
    assert "is not locked" in refused("tax", "reopen", "--year", "2025-26", "--reason", "x")


def test_every_form_is_written_and_says_the_same(books: Path) -> None:
    forms = ("--html", "r.html", "--pdf", "sub/r.pdf", "--xlsx", "r.xlsx", "--csv", "tables")
    out = fine(*REPORT, *forms, "--json", "r.json", "--draft")
    assert "Workbook written to r.xlsx" in out
    report = json.loads((books / "r.json").read_text("utf-8"))
    gain = next(row for row in report["labels"] if row["label"] == "18H")
    assert gain["exact"] == "40000"
    assert "40,000.00" in (books / "r.html").read_text("utf-8")
    assert (books / "sub" / "r.pdf").read_bytes().startswith(b"%PDF")
    assert "40000" in (books / "tables" / "labels.csv").read_text("utf-8")
    book = load_workbook(books / "r.xlsx", data_only=True)
    assert book["Labels of the return"]["D6"].value == 40000


def test_the_entitys_file_decides_form_method_and_losses(books: Path) -> None:
    (books / "me.toml").write_text(
        'kind = "trust"\nfull_name = "The Example Trust"\ntime_zone = "Australia/Perth"\n'
        '[choices]\nmethod = "hifo"\n'
        '[[losses]]\nyear = "2023-24"\namount = "1000"\nevidence = "return of 2024"\n',
        "utf-8",
    )
    fine("tax", "entity", "add", "me", "me.toml")
    found = made()
    assert {row["label"] for row in found["labels"]} >= {"21A", "21V"}
    assert found["disposals"][0]["method"] == "hifo"
    assert found["kept"]["chosen_by"] == "The Example Trust"
    said = {row["name"]: row["value"] for row in found["settings"]}
    assert "return of 2024" in said["Losses brought in"]
    assert said["Time zone"].startswith("Australia/Perth")
