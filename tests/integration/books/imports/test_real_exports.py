"""Every recorded export imports, twice without a change, explained or open by file and line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from openalpha.books.imports.history import imported_history
from openalpha.books.imports.reading import read_export
from openalpha.books.rates import NO_RATES
from openalpha.cli.border import root_command
from openalpha.cli.rates import app as rates_app
from openalpha.cli.tax import app


def exports(real_data: Path) -> list[Path]:
    return sorted((real_data / "bybit_exports").glob("*.csv"))


def run(*arguments: str) -> dict[str, Any]:
    program = rates_app if arguments[0] == "rates" else app
    done = CliRunner().invoke(program, [*arguments[1:], "--json", "-"], catch_exceptions=False)
    assert done.exit_code in (0, 4), done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_row_of_every_file_is_a_record_or_half_of_one(real_data: Path) -> None:
    for path in exports(real_data):
        found = read_export(path)
        halves = sum(len(record.net) > 1 for record in found.records)
        assert len(found.records) + halves == found.rows, path.name


def test_balances_of_real_exports_follow_from_row_to_row(real_data: Path) -> None:
    records = [record for path in exports(real_data) for record in read_export(path).records]
    found = imported_history(records, rates=NO_RATES)
    wrong = [(check.account, check.coin) for check in found.checks if not check.is_right]
    # The one log whose author rounded its balances.
    assert wrong == [("unified", "USDT")]
    assert len(found.checks) == 14
    for check in found.checks:
        parts = (check.realised, check.funding, check.fees, check.trades, check.transfers)
        assert sum(parts) + check.other == check.closing - check.opening
    broken = [item for item in found.open_items if item.code == "broken_balance"]
    assert len(broken) == 6
    assert all("TransactionLog_UM_orderid_v1.csv, line" in item.text for item in broken)


def test_importing_twice_changes_nothing_and_every_item_can_be_settled(
    real_data: Path, home: Path
) -> None:
    assert root_command() is not None
    names = [str(path) for path in exports(real_data)]
    first = run("tax", "import", *names)
    again = run("tax", "import", *reversed(names))
    assert all(row["new"] for row in first["files"])
    assert not any(row["new"] for row in again["files"])
    assert again["open_items"] == first["open_items"]
    assert len(list((home / "books" / "sources").glob("*.csv"))) == len(names)
    run("rates", "import", str(real_data / "fx" / "raw" / "rba_f11.1-data.csv"))
    items = run("tax", "open")["items"]
    assert all(
        item["text"].count(", line ") or item["key"].startswith("opening/") for item in items
    )
    keys = [item["key"] for item in items]
    told = run("tax", "settle", *keys, "--as", "buy", "--aud", "10", "--reason", "a test")
    assert told["open_items"] == 0
    assert len(run("tax", "reconcile")["checks"]) == 14


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["import", "missing.csv"], "there is no file"),
        (["settle", "abc", "--as", "wish", "--reason", "x"], "expected one of own"),
        (["settle", "abc", "--as", "own", "--reason", " "], "--reason is empty"),
        (["settle", "abc", "--as", "own", "--reason", "x"], "no open item begins"),
        (["settle", "abc", "--as", "buy", "--aud", "NaN", "--reason", "x"], "--aud was 'NaN'"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, arguments: list[str], why: str) -> None:
    del home
    done = CliRunner().invoke(app, arguments)
    assert why in str(done.exception)
