"""A year's archive as typed: sealed, proven, restored to the same figures, never replaced."""

import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.books.accounts import Book
from openalpha.books.imports.storing import Imports
from openalpha.books.opening import open_ledger
from openalpha.books.rates import Rate, RateTable
from openalpha.books.settings import BooksSettings
from openalpha.cli.border import execute
from openalpha.cli.passphrase import PASSPHRASE
from openalpha.core.clock import ManualClock, parse_ms
from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import CashEffect, EffectKind, Environment
from tests.fakes.books import filled

AT_MS = parse_ms("2024-09-01T10:00")
IMPORTED = """\
time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id
2024-07-01T09:00:00+10:00,buy,BTC,0.10000000,AUD,9000.00,AUD,16.00,,1
2024-08-01T09:00:00+10:00,staking,ETH,0.5,,,,,,2
2025-02-02T17:45:00+11:00,sell,AUD,9100.00,BTC,0.06,AUD,4.10,,3
"""
RATES = "coin,quote,time,rate,source\nETH,AUD,2024-07-31,4000,my broker\n"
SPOT = Instrument(
    instrument_id("bybit_spot", "BTCUSDT"), Kind.SPOT, "BTC", "USDT", "USDT", 2, 3,
    (StepRule(0, Decimal("0.01"), Decimal("0.001")),),
)  # fmt: skip


def post_live(home: Path) -> None:
    """Post a trade to the live book: a reward in USDT, and some of it turned into bitcoin."""
    from openalpha.books.effects import effect_draft

    rates = [("USDT", "AUD", Rate(Decimal("1.5"), "test", 0))]
    rates += [("BTC", "AUD", Rate(Decimal(90_000), "test", 0))]
    books = open_ledger(
        home, BooksSettings(), clock=ManualClock(AT_MS), rates=RateTable(rates, carry_ms=2**60)
    )
    effects = (
        (0, "1000", EffectKind.REWARD, "USDT", None),
        (1, "0.01", EffectKind.TRADE, "BTC", 1),
        (2, "-600", EffectKind.TRADE, "USDT", 1),
        (3, "-0.5", EffectKind.FEE, "USDT", 1),
    )
    drafts: list[Any] = [filled(1, "0.01", "60000", instrument=SPOT, at=AT_MS, fee="0.5")]
    for seq, amount, kind, coin, fill in effects:
        effect = CashEffect(seq, AT_MS, 0, coin, Decimal(amount), kind, SPOT.id, fill)
        drafts.append(effect_draft(effect, source="test", venue="bybit:main"))
    books.post(Book(Environment.LIVE, "me"), [drafts[1], drafts[0], *drafts[2:]])
    books.database.close()


def fine(*words: object) -> None:
    assert execute([str(word) for word in words]) == 0


@pytest.fixture
def told(home: Path, tmp_path: Path, capsys: Any) -> Callable[..., Any]:
    """Fill a home with a live book, an import and a rate; return what runs a command as JSON."""
    (tmp_path / "mine.csv").write_text(IMPORTED)
    (tmp_path / "rates.csv").write_text(RATES)
    fine("rates", "import", tmp_path / "rates.csv", "--quiet")
    fine("tax", "import", tmp_path / "mine.csv", "--quiet")
    post_live(home)
    capsys.readouterr()

    def run(*words: object) -> Any:
        fine(*words, "--json", "-")
        return json.loads(capsys.readouterr().out)

    return run


def test_a_restored_year_has_the_same_figures(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = told("tax", "report", "--year", "2024-25", "--by", "me")
    assert report["status"] == "FINAL", report["reasons"]
    made = told("tax", "archive", "create", "--year", "2024-25")
    assert made["status"] == "FINAL"
    assert {"ledger/live.jsonl", "report/report.pdf", "report/report.xlsx", "rates/used.tsv"} < set(
        made["files"]
    )
    assert sum(name.startswith("sources/") for name in made["files"]) == 1
    assert "five years after lodging" in made["keep_until"], "some bitcoin is left"
    assert told("tax", "archive", "verify", made["file"])["faults"] == []
    new = tmp_path / "another" / "home"
    fine("tax", "archive", "restore", made["file"], "--into", new, "--quiet")
    assert (new / "reports" / "2024-25" / "report.pdf").read_bytes().startswith(b"%PDF")
    monkeypatch.setenv("OPENALPHA_HOME", str(new))
    assert told("ledger", "verify")["is_fine"]
    again = told("tax", "report", "--year", "2024-25")
    assert again["figures_sha256"] == report["figures_sha256"]
    assert again["status"] == "FINAL", "the lock of the year came along"
    assert told("ledger", "open", "-e", "live")["counts"] == {}


def test_only_a_final_year_is_archived_unless_said(told: Any, capsys: Any) -> None:
    assert execute(["tax", "archive", "create", "--year", "2024-25"]) == 1
    assert "2024-25 of me is not final" in capsys.readouterr().err
    made = told("tax", "archive", "create", "--year", "2024-25", "--draft")
    assert made["status"] == "DRAFT"


def test_whatever_is_changed_in_an_archive_is_found(told: Any, tmp_path: Path, capsys: Any) -> None:
    made = Path(told("tax", "archive", "create", "--year", "2024-25", "--draft")["file"])
    entries = "ledger/live.jsonl"
    for name, said in ((entries, "is not what was sealed"), ("report/report.pdf", "is not what")):
        other = tmp_path / "changed.zip"
        other.write_bytes(rewritten(made, name, lambda data: data.replace(b"1", b"7", 1)))
        assert execute(["tax", "archive", "verify", str(other)]) == 4
        assert said in capsys.readouterr().out
        assert (
            execute(["tax", "archive", "restore", str(other), "--into", str(tmp_path / "n")]) == 1
        )
        assert not (tmp_path / "n").exists()
    forged = tmp_path / "forged.zip"
    forged.write_bytes(resealed(made, entries, lambda data: data.replace(b'"1000"', b'"1001"')))
    assert execute(["tax", "archive", "verify", str(forged)]) == 4, "hashes made anew do not help"
    assert "does not follow from entry 0" in capsys.readouterr().out
    new = tmp_path / "new"
    assert execute(["tax", "archive", "restore", str(forged), "--into", str(new)]) == 1
    assert not list(tmp_path.glob("*new*")), "nothing half made stays"
    short = tmp_path / "short.zip"
    short.write_bytes(
        resealed(made, entries, lambda data: b"\n".join(data.split(b"\n")[:-2]) + b"\n")
    )
    assert execute(["tax", "archive", "verify", str(short)]) == 4
    assert "not where it was sealed" in capsys.readouterr().out
    other.write_bytes(b"no archive")
    assert execute(["tax", "archive", "verify", str(other)]) == 1


def rewritten(path: Path, name: str, change: Callable[[bytes], bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for item in old.namelist():
            data = old.read(item)
            new.writestr(item, change(data) if item == name else data)
    return out.getvalue()


def resealed(path: Path, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change a file and make the manifest fit: only the chain of entries can tell."""
    import hashlib

    with zipfile.ZipFile(path) as old:
        data = change(old.read(name))
        manifest = json.loads(old.read("manifest.json"))
    manifest["files"][name] = [hashlib.sha256(data).hexdigest(), len(data)]
    once = io.BytesIO(rewritten(path, name, lambda _: data))
    fresh = path.with_name("once.zip")
    fresh.write_bytes(once.getvalue())
    return rewritten(fresh, "manifest.json", lambda _: json.dumps(manifest).encode())


def test_an_encrypted_archive_opens_by_its_passphrase_alone(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.delenv(PASSPHRASE, raising=False)
    create = ["tax", "archive", "create", "--year", "2024-25", "--draft", "--seal"]
    assert execute(create) == 1
    assert PASSPHRASE in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE, "short")
    assert execute(create) == 1
    monkeypatch.setenv(PASSPHRASE, "correct horse battery")
    made = told(*create[:-1], "--seal", "--to", str(tmp_path / "year.sealed"))
    content = Path(made["file"]).read_bytes()
    assert b"bybit" not in content and b"manifest" not in content
    assert told("tax", "archive", "verify", made["file"])["sha256"] == made["sha256"]
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse battery\n")
    monkeypatch.delenv(PASSPHRASE)
    by_file = ("--passphrase-file", str(phrase))
    assert told("tax", "archive", "verify", made["file"], *by_file)["sha256"] == made["sha256"]
    again = told(*create[:-1], *by_file, "--to", str(tmp_path / "again.sealed"))
    assert again["is_sealed"], "a file with a passphrase asks for sealing"
    monkeypatch.setenv(PASSPHRASE, "another passphrase")
    assert execute(["tax", "archive", "verify", made["file"]]) == 1
    assert "the passphrase is another" in capsys.readouterr().err
    monkeypatch.setenv(PASSPHRASE, "correct horse battery")
    for bad in (content[:-1], content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]):
        (tmp_path / "bad.sealed").write_bytes(bad)
        assert execute(["tax", "archive", "verify", str(tmp_path / "bad.sealed")]) == 1
    assert execute([*create[:-1], "--to", made["file"]]) == 1, "an archive is never replaced"
    assert Path(made["file"]).read_bytes() == content


def test_it_is_restored_into_an_empty_place_only(told: Any, home: Path, tmp_path: Path) -> None:
    made = told("tax", "archive", "create", "--year", "2024-25", "--draft")["file"]
    before = (home / "books" / "books.sqlite").read_bytes()
    assert execute(["tax", "archive", "restore", made, "--into", str(home)]) == 1
    assert (home / "books" / "books.sqlite").read_bytes() == before
    assert execute(["tax", "archive", "restore", str(tmp_path / "no"), "--into", "x"]) == 1


@pytest.mark.parametrize("kind", ["sources", "archive", "."])
def test_no_output_of_a_command_replaces_a_kept_file(
    told: Any, home: Path, tmp_path: Path, kind: str, capsys: Any
) -> None:
    told("tax", "archive", "create", "--year", "2024-25", "--draft")
    files = [path for path in (home / "books" / kind).iterdir() if path.is_file()]
    (kept,) = (path for path in files if path.suffix in (".csv", ".zip", ".sqlite"))
    before = kept.read_bytes()
    link = tmp_path / "link.json"
    link.symlink_to(kept)
    report = ["tax", "report", "--year", "2024-25", "--draft"]
    for words in (
        ["version", "--json", kept],
        ["tax", "template", kept, "--force"],
        ["tax", "archive", "create", "--year", "2024-25", "--draft", "--to", kept],
        [*report, "--html", kept],
        [*report, "--pdf", link],
        ["ledger", "export", kept, "--format", "csv", "-e", "live"],
    ):
        assert execute([str(word) for word in words]) in (1, 2), words
        if kind != ".":  # the database may write to itself
            assert kept.read_bytes() == before, words
    capsys.readouterr()
    assert told("ledger", "verify")["is_fine"]


def test_rows_two_files_share_survive_that_one_is_read_anew(
    home: Path, tmp_path: Path, capsys: Any
) -> None:
    head = (
        "Spot Pairs,Order Type,Direction,Filled Value,Filled Price,Filled Quantity,Fees,"
        "Transaction ID,Order No.,Timestamp\n"
    )
    rows = [
        f"SOLUSDT,LIMIT,BUY,{n}00,50,{n * 2},0.{n},t{n},o,1{n}:30 2026-01-11\n" for n in range(1, 6)
    ]
    for name, part in (("one", rows[:3]), ("two", rows[1:])):
        (tmp_path / f"{name}.csv").write_text(head + "".join(part))
        fine("tax", "import", tmp_path / f"{name}.csv", "--timezone", "UTC", "--quiet")
    one = tmp_path / "one.csv"
    fine("tax", "import", one, "--timezone", "UTC+8", "--replace", "--quiet")
    books = open_ledger(home, BooksSettings(), clock=ManualClock(0))
    stamps = sorted(record.ts_ms for record in Imports(books.database, books.clock).records("me"))
    books.database.close()
    hours = [(ts_ms - parse_ms("2026-01-11T00:30")) // 3_600_000 for ts_ms in stamps]
    assert hours == [3, 4, 5, 12, 13, 14, 15], "three of the file read anew, four of the other"
    capsys.readouterr()
