"""Entities, estimates, plans and explanations as a user types them, on an imported history."""

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openalpha.cli.border import execute

HEADER = (
    "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id\n"
)
ROWS = """\
2025-07-01T09:00:00+10:00,buy,BTC,0.5,AUD,80000,AUD,80,,1
2025-12-03T09:00:00+11:00,buy,BTC,0.5,AUD,70000,AUD,70,,2
2026-02-01T09:00:00+11:00,buy,ETH,10,AUD,50000,AUD,50,,3
2026-08-02T17:45:00+10:00,sell,AUD,50000,BTC,0.25,AUD,4.10,,4
2026-09-02T10:00:00+10:00,staking,SOL,2,,,,,,5
2026-11-05T09:00:00+11:00,buy,ETH,1,AUD,4500,AUD,5,,6
"""
PRICES = ("--price", "BTC=170000", "--price", "ETH=4000")
AT = ("--at", "2026-11-21")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def openalpha(*arguments: str) -> Done:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = execute(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def fine(*arguments: str) -> str:
    done = openalpha(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown(*arguments: str) -> Any:
    return json.loads(fine(*arguments, "--json", "-"))


@pytest.fixture
def imported(home: Path, tmp_path: Path) -> Path:
    del home
    file = tmp_path / "h.csv"
    file.write_text(HEADER + ROWS, "utf-8")
    (tmp_path / "r.csv").write_text(
        "coin,quote,time,rate,source\nSOL,AUD,2026-09-01T00:00:00Z,200.5,an exchange\n", "utf-8"
    )
    fine("rates", "import", str(tmp_path / "r.csv"))
    fine("tax", "import", str(file), "--quiet")
    return tmp_path


def test_the_year_so_far_with_the_clock_of_every_parcel(imported: Path) -> None:
    text = fine("tax", "estimate", *AT, *PRICES)
    assert "top rate with levy, 47 %, as other income is not stated" in text
    assert "13 more days, on 2026-12-04" in text
    assert "no AUD rate for SOL" in text
    found = shown("tax", "estimate", *AT, *PRICES)
    assert (found["net_capital_gain"], found["income"]) == ("4977.95", "401.00")
    assert [row["days_left"] for row in found["parcels"] if row["asset"] == "BTC"] == [0, 13]
    file = imported / "me.toml"
    file.write_text('[other_income]\n"2026-27" = "90000"\n', "utf-8")
    fine("tax", "entity", "add", "me", str(file))
    told = shown("tax", "estimate", *AT, *PRICES)
    assert float(told["tax"]["added"]) == pytest.approx((4977.95 + 401) * 0.32, abs=0.01)
    assert told["tax"]["marginal"] == "0.32"


def test_a_plan_compares_days_and_warns(imported: Path) -> None:
    del imported
    found = shown("tax", "plan", "BTC", "0.5", *AT, *PRICES, "--after", "2027-02-01")
    assert [row["day"] for row in found["sales"]] == ["2026-11-21", "2026-12-04", "2027-02-01"]
    now, later, _ = (float(row["tax"]) for row in found["sales"])
    # 0.25 of the first parcel is long, 0.25 of the second short until 4 December.
    first, second = 0.25 * 170000 - 40040, 0.25 * 170000 - 35035
    assert now == pytest.approx((first / 2 + second) * 0.47, abs=0.01)
    assert later == pytest.approx((first + second) / 2 * 0.47, abs=0.01)
    (eth,) = found["harvest"]
    assert (eth["asset"], float(eth["loss"])) == ("ETH", 10555)
    assert len(eth["recent"]) == 1
    assert "Part IVA" in found["part_iva"]
    assert "not tax advice" in found["note"]


def test_a_figure_explains_itself_down_to_the_line_and_the_rate(imported: Path) -> None:
    del imported
    label = shown("tax", "explain", "18A", "--year", "2026-27")["lines"]
    assert any("h.csv, line 5" in line for line in label)
    key = next(line.split(" of ")[0].strip() for line in label if line.startswith("  ")
               and " of " in line and "discountable" in line)  # fmt: skip
    disposal = fine("tax", "explain", key[:8])
    assert "h.csv, line 5" in disposal
    assert "h.csv, line 2" in disposal
    assert "reached on 2026-08-02" in disposal
    income = fine("tax", "explain", "24", "--year", "2026-27")
    assert "401.00" in income
    assert "rate: 1 SOL = 200.5 AUD" in income
    assert "h.csv, line 6" in income


def test_coins_given_to_a_trust_are_sold_and_its_year_is_told(imported: Path) -> None:
    file = imported / "fam.toml"
    file.write_text(
        'kind = "trust"\n[[beneficiaries]]\nname = "Kim"\n'
        '[[resolutions]]\nyear = "2026-27"\nkind = "income"\nday = 2027-06-20\n'
        'shares = { Kim = "1" }\n',
        "utf-8",
    )
    fine("tax", "entity", "add", "fam", str(file))
    give = ("--coin", "btc", "--reason", "settled")
    at = ("--qty", "0.25", "--at", "2026-10-01T10:00+10:00", "--aud", "45000")
    fine("tax", "entity", "transfer", "me", "fam", *give, *at)
    back = ("--qty", "0.1", "--at", "2026-11-01T10:00+11:00", "--aud", "20000")
    fine("tax", "entity", "transfer", "fam", "me", *give, *back)
    year = shown("tax", "entity", "year", "fam", "--year", "2026-27")
    (kim,) = year["beneficiaries"]
    assert float(kim["capital_gains_grossed_up"]) == 2000
    assert float(year["trustee"]["tax"]) == 0
    mine = shown("tax", "entity", "year", "me", "--year", "2026-27")
    assert float(mine["gains_before_losses"]) == pytest.approx(9955.90 + 45000 - 40040)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tax", "estimate", "--entity", "nobody"), "hold nothing of nobody"),
        (("tax", "estimate", "--at", "June"), "expected a day"),
        (("tax", "estimate", "--price", "BTC"), "above 0"),
        (("tax", "plan", "BTC", *AT), "nobody says what BTC is worth"),
        (("tax", "plan", "XRP", *AT, *PRICES), "no XRP is held"),
        (("tax", "plan", "BTC", "9", *AT, *PRICES), "are not held"),
        (("tax", "plan", "BTC", *AT, *PRICES, "--after", "2026-01-01"), "looks ahead"),
        (("tax", "explain", "99Z"), "no label '99Z'"),
        (("tax", "explain", "18A", "--year", "2019-20"), "nothing happened"),
        (("tax", "explain", "s1", "--example", "x"), "--examples FILE"),
        (("tax", "entity", "show", "nobody"), "no file of nobody"),
        (("tax", "entity", "year", "me", "--year", "2019-20"), "its years: 2026-27"),
        (("tax", "entity", "add", "x", "missing.toml"), "no file missing.toml"),
        (("tax", "entity", "add", "x", "--kind", "club"), "individual, trust"),
    ],
)
def test_bad_input_is_one_sentence(imported: Path, arguments: tuple[str, ...], words: str) -> None:
    del imported
    done = openalpha(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
