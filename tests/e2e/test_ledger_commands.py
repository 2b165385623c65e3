"""The books as a user types them: a run posted, shown, exported, tampered with."""

import json
import sqlite3
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from openalpha.cli.border import execute


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def openalpha(*arguments: str) -> Done:
    """Run a command as the front door does, without the time a process takes to start."""
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
def posted(home: Path) -> dict[str, Any]:
    """Post a backtest of a synthetic market; return its result."""
    del home
    fine("data", "synth", "--preset", "small", "--quiet")
    return dict(
        shown(
            "backtest", "ma_cross", "--instrument", "synthetic_linear:BTCUSDT",
            "--param", "fast=10", "--param", "slow=50", "--post-to-ledger",
        )
    )  # fmt: skip


def test_a_run_is_posted_shown_and_exported(
    posted: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    fills = pl.read_parquet(next(home.glob("runs/backtest/*/fills.parquet")))
    verified = shown("ledger", "verify")
    assert verified["is_fine"]
    assert verified["books"][0]["book"] == "backtest/me"
    (usdt,) = shown("ledger", "balances")["balances"]
    assert (usdt["usd"], usdt["aud"]) == (None, None), "no rate is made up"
    days = shown("ledger", "equity")["days"]
    assert float(days[-1]["equity"]) == pytest.approx(posted["metrics"]["final_equity"], abs=1e-6)
    rows = shown("ledger", "pnl")["pnl"]
    assert Decimal(days[-1]["equity"]) - 10_000 == sum(Decimal(row["net"]) for row in rows)
    trades = shown("ledger", "trades", "--limit", "3")["trades"]
    assert len(trades) == 3
    assert float(trades[0]["price"]) == fills["price"][-1]
    for name in ("trades.csv", "trades.json", "trades.parquet"):
        fine("ledger", "export", str(tmp_path / name))
    frames = [
        pl.read_csv(tmp_path / "trades.csv", infer_schema=False),
        pl.read_json(tmp_path / "trades.json"),
        pl.read_parquet(tmp_path / "trades.parquet"),
    ]
    for frame in frames:
        assert frame["qty"].cast(pl.Float64).reverse().to_list() == fills["qty"].to_list()
        assert frame["price"].to_list() == frames[0]["price"].to_list()


@pytest.mark.usefixtures("posted")
def test_a_changed_book_is_named_and_exits_4(home: Path) -> None:
    end = shown("ledger", "verify")["books"][0]["head"]
    assert openalpha("ledger", "verify", "--head", end).returncode == 0
    with sqlite3.connect(home / "books" / "books.sqlite") as connection:
        connection.execute("DROP TRIGGER ledger_entries_no_update")
        connection.execute("UPDATE ledger_entries SET memo = 'nothing happened' WHERE seq = 9")
    connection.close()
    done = openalpha("ledger", "verify")
    assert done.returncode == 4
    assert "entry 9: its content does not fit its hash" in done.stdout


def test_old_new_and_foreign_books_are_refused_in_a_sentence(home: Path, tmp_path: Path) -> None:
    fine("ledger", "verify")
    file = home / "books" / "books.sqlite"
    for revision, said in (("0000", "openalpha ledger migrate"), ("9999", "update OpenAlpha")):
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.close()
        done = openalpha("ledger", "balances")
        assert done.returncode == 1
        assert said in done.stderr
    file.write_text("this is no database, but long enough to be read as one\n" * 40, "utf-8")
    done = openalpha("ledger", "verify")
    assert done.returncode == 5
    assert "not a database" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:secret@localhost/x", "holds a password"),
        ("mysql://localhost/x", "postgresql://USER@HOST/NAME"),
        ("postgresql://me@localhost:1/x", "could not be"),
    ],
)
def test_an_address_that_does_not_work_is_one_sentence(url: str, said: str) -> None:
    done = openalpha("ledger", "verify", "--set", f"books.database_url={url}")
    assert done.returncode in (1, 5)
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("home")
def test_values_come_from_a_file_of_ones_own(tmp_path: Path) -> None:
    into = ("--environment", "live", "--to", "bybit:main", "--coin", "USDT")
    fine("ledger", "transfer", *into, "--amount", "100", "--at", "2024-03-01")
    rates = tmp_path / "rates.csv"
    rates.write_text("coin,quote,time,rate,source\nUSDT,AUD,2024-02-29,1.5345,mine\n", "utf-8")
    assert shown("ledger", "value", "--rates", str(rates)) == {
        "schema": "openalpha.ledger_value/1", "valued": 1, "open": 0,
    }  # fmt: skip
    assert shown("ledger", "open")["counts"] == {}
    rates.write_text("coin,quote,time,rate,source\nUSDT,AUD,2024-02-29,-1,mine\n", "utf-8")
    done = openalpha("ledger", "value", "--rates", str(rates))
    assert done.returncode == 1
    assert "rates.csv, line 2: the rate was -1, expected one above 0" in done.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("balances --environment mars", "'mars' is not an environment"),
        ("positions", "the ledger has no entries of me"),
        ("equity --environment paper --account x", "has no entries yet"),
        ("trades --environment paper --side up", "expected buy or sell"),
        ("entries --environment paper --kind up", "expected one of transfer"),
        ("trades --environment paper --from 2024-01-01 --to x", "is not a time"),
        ("transfer --environment paper --coin X --amount x --to a", "expected an amount"),
        ("transfer --environment paper --coin X --amount NaN --to a", "expected a finite"),
        ("verify --environment paper --head 5", "expected N:HASH"),
    ],
)
def test_a_wrong_word_is_one_sentence(command: str, said: str) -> None:
    done = openalpha("ledger", *command.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
