"""What people get wrong with files, years and coins: one clear sentence, an open item, no loss."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openalpha.cli.border import execute

HEAD = (
    "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id\n"
)
BUY = "2024-07-02T09:00:00+10:00,buy,BTC,1,AUD,10000,,,,1\n"
SELL = "2025-09-01T09:00:00+10:00,sell,AUD,60000,BTC,1,,,,2\n"
LATER = "2025-10-01T09:00:00+10:00,buy,BTC,1,AUD,70000,,,,3\n"


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def at(home: Path, tmp_path: Path) -> Any:
    """Type commands; a name with text in place of a path writes that file first."""
    del home

    def typed(*words: str, **files: str) -> Done:
        for name, rows in files.items():
            (tmp_path / f"{name}.csv").write_text(HEAD + rows)
        out, err = StringIO(), StringIO()
        named = [str(tmp_path / f"{word}.csv") if word in files else word for word in words]
        with redirect_stdout(out), redirect_stderr(err):
            code = execute(["tax", *named])
        return Done(code, out.getvalue(), " ".join(err.getvalue().split()))

    return typed


def told(done: Done) -> dict[str, Any]:
    assert done.code == 0, done
    found: dict[str, Any] = json.loads(done.out)
    return found


def items(at: Any) -> dict[str, str]:
    return {row["code"]: row["text"] for row in told(at("open", "--json", "-"))["items"]}


def report(at: Any, *more: str) -> dict[str, Any]:
    return told(at("report", "--year", "2025-26", "--draft", *more, "--json", "-"))


def gains(at: Any) -> list[tuple[str, str]]:
    return [(row["asset"], row["gain"]) for row in report(at)["disposals"]]


def test_overlapping_files_count_each_fact_once(at: Any) -> None:
    assert at("import", "a", "-q", a=BUY + SELL).code == 0
    rows = told(at("import", "b", "--json", "-", b=SELL + LATER))["files"]
    assert [(row["new"], row["known"]) for row in rows] == [(1, 1)]
    assert gains(at) == [("BTC", "50000")]
    assert len(report(at)["holdings"]) == 1


def test_a_wrong_year_says_which_there_are(at: Any) -> None:
    assert at("import", "a", "-q", a=BUY + SELL).code == 0
    done = at("report", "--year", "2019-20")
    assert done.code == 1
    assert "nothing happened in 2019-20" in done.err and "2024-25, 2025-26" in done.err
    done = at("report", "--year", "2025-27")
    assert done.code == 1 and "two consecutive years, '2025-27' does not" in done.err


def test_a_missing_rate_is_asked_for_and_the_trade_is_kept(at: Any) -> None:
    swap = "2025-09-01T09:00:00+10:00,trade,ETH,10,BTC,1,,,,2\n"
    assert at("import", "a", "-q", a=BUY + swap).code == 0
    assert "no rate says what" in items(at)["missing_rate"]
    assert "a.csv, line 3" in items(at)["missing_rate"], "by file and line"
    made = report(at)
    assert made["status"] == "DRAFT"
    assert [row["asset"] for row in made["disposals"]] == ["BTC"], "counted, with no value yet"


def test_a_sale_of_more_than_was_held_is_asked_about(at: Any) -> None:
    assert at("import", "a", "-q", a=BUY + SELL.replace("BTC,1,", "BTC,3,")).code == 0
    made = report(at)
    (item,) = [row for row in made["open_items"] if row["code"] == "missing_acquisition"]
    assert "3 BTC left but only 1 were held: 2 lack an acquisition" in item["text"]
    assert sum(float(row["gain"]) for row in made["disposals"]) == 50_000
    assert made["holdings"] == [], "a parcel is never below zero"


def test_an_amount_below_zero_is_an_open_item_by_its_line(at: Any) -> None:
    assert at("import", "a", "-q", a=BUY + SELL.replace("60000", "-60000")).code == 0
    assert "a.csv, line 3" in items(at)["unknown_row"]
    assert "the received amount is below zero" in items(at)["unknown_row"]
    paid = BUY.replace("AUD,10000,,", "AUD,10000,AUD,-5").replace("2024-07-02", "2024-07-03")
    assert at("import", "b", "-q", b=paid).code == 0
    texts = [row["text"] for row in told(at("open", "--json", "-"))["items"]]
    assert any("b.csv, line 2: the fee amount is below zero" in text for text in texts)


def test_an_unknown_coin_is_kept_and_asked_about(at: Any) -> None:
    odd = "2025-09-01T09:00:00+10:00,airdrop,WHATSIT,500,,,,,,2\n"
    assert at("import", "a", "-q", a=BUY + odd).code == 0
    assert "what 500 WHATSIT was worth in AUD" in items(at)["missing_rate"]
    held = {row["asset"]: row["qty"] for row in report(at)["holdings"]}
    assert held == {"BTC": "1", "WHATSIT": "500"}


def test_mixed_time_zones_are_one_time(at: Any) -> None:
    same = SELL.replace("2025-09-01T09:00:00+10:00", "2025-08-31T23:00:00Z")
    west = LATER.replace("2025-10-01T09:00:00+10:00", "2025-06-30T22:30:00+08:00")
    plain = LATER.replace("2025-10-01T09:00:00+10:00", "2025-06-30 20:00:00")
    done = at("import", "a", "b", a=BUY + SELL + west, b=same)
    assert done.code == 0
    assert "1 known" in done.out, "the same moment said in another zone"
    (late,) = [row for row in report(at)["holdings"] if row["cost"] == "70000"]
    assert late["acquired"] == "2025-07-01", "half past midnight in Sydney"
    done = at("import", "c", c=BUY + plain)
    assert done.code == 0
    assert "times in it that name no zone were read in UTC" in done.err
    odd = at("import", "d", "--timezone", "Mars/Base", d=plain)
    assert odd.code == 1 and "Mars/Base" in odd.err


def test_a_locked_year_refuses_and_keeps_what_comes_late(at: Any) -> None:
    assert at("import", "a", "-q", a=BUY + SELL).code == 0
    final = told(at("report", "--year", "2025-26", "--by", "Ann", "--json", "-"))
    assert final["status"] == "FINAL"
    late = LATER.replace("2025-10-01", "2025-08-01").replace("buy,BTC,1,AUD", "buy,BTC,2,AUD")
    dear = "2025-08-02T09:00:00+10:00,sell,AUD,1,BTC,0.5,,,,9\n"
    done = at("import", "b", b=late + dear)
    assert done.code == 0, "what comes late is kept"
    assert "2025-26 is locked" in done.err
    made = told(at("report", "--year", "2025-26", "--json", "-"))
    assert made["status"] == "DRAFT"
    assert "what was imported or settled since" in " ".join(made["reasons"])
    refused = at("report", "--year", "2025-26", "--method", "lifo")
    assert refused.code == 1 and "cannot replace it" in refused.err


def test_personal_use_is_not_for_coins_on_a_venue(at: Any, tmp_path: Path) -> None:
    gone = "2025-09-01T09:00:00+10:00,withdrawal,,,BTC,0.1,,,,2\n"
    (tmp_path / "venue.toml").write_text(
        'venue = "somewhere"\n[columns]\n'
        + "".join(f'{name} = "{name}"\n' for name in HEAD.strip().split(","))
    )
    mapped = ("import", "a", "--mapping", str(tmp_path / "venue.toml"), "-q")
    assert at(*mapped, a=BUY + gone).code == 0
    why = ("--as", "personal", "--aud", "9000", "--reason", "a bicycle")
    done = at("settle", "unmatched_withdrawal", *why)
    assert done.code == 1 and "cannot be personal use" in done.err
    assert at("import", "b", "-q", b=BUY + gone.replace("0.1", "0.2")).code == 0
    (own,) = [r for r in told(at("open", "--json", "-"))["items"] if "b.csv" in r["text"]]
    assert at("settle", own["key"], *why).code == 0
    said = {row["name"]: row["value"] for row in report(at)["settings"]}
    assert said["Personal use claims"] == "1"
