"""Imports in the database, on SQLite and PostgreSQL: once, whole, and by entity."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.declarations import Declarations
from openalpha.books.imports.reading import ReadFile, read_export
from openalpha.books.imports.storing import Added, Imports, Settlement, SourceFile
from openalpha.books.published_rates import Stated, stated_rates, store
from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError
from openalpha.store.database import Database

HEADER = (
    "Spot Pairs,Order Type,Direction,Filled Value,Filled Price,Filled Quantity,Fees,"
    "Transaction ID,Order No.,Timestamp (UTC)\n"
)
ROWS = [
    f"SOLUSDT,LIMIT,BUY,{n}00,50,{n * 2},0.{n},t{n},o,1{n}:30 2026-01-11\n" for n in range(1, 6)
]


@pytest.fixture
def imports(database: Database) -> Imports:
    return Imports(database, ManualClock(1_720_000_000_000))


def export(folder: Path, rows: list[str]) -> ReadFile:
    path = folder / "x.csv"
    path.write_text(HEADER + "".join(rows), "utf-8")
    return read_export(path)


def add(imports: Imports, found: ReadFile, sha: str, **more: object) -> Added:
    source = SourceFile("x.csv", sha, str(more.pop("zone", "")))
    entity = str(more.pop("entity", "me"))
    return imports.add(entity, source, found=found, replace=bool(more.pop("replace", False)))


def test_a_file_twice_changes_nothing_and_overlapping_ones_merge(
    imports: Imports, tmp_path: Path
) -> None:
    assert add(imports, export(tmp_path, ROWS[:3]), "a") == Added(3, 0, was_known_file=False)
    before = imports.records("me")
    assert add(imports, export(tmp_path, ROWS[:3]), "a") == Added(0, 3, was_known_file=True)
    assert imports.records("me") == before
    assert add(imports, export(tmp_path, ROWS[1:]), "b") == Added(2, 2, was_known_file=False)
    found = sorted(imports.records("me"), key=lambda record: record.ts_ms)
    whole = export(tmp_path, ROWS).records
    assert [record.key for record in found] == [record.key for record in whole]
    assert [record.line for record in found] == [2, 3, 4, 4, 5]
    assert found[0] == whole[0]
    assert [row["name"] for row in imports.files("me")] == ["x.csv", "x.csv"]


def test_equal_rows_of_one_file_are_several(imports: Imports, tmp_path: Path) -> None:
    assert add(imports, export(tmp_path, [ROWS[0]] * 3), "a").new == 3
    assert add(imports, export(tmp_path, [ROWS[0]] * 2), "b").new == 0


def test_entities_are_kept_apart(imports: Imports, tmp_path: Path) -> None:
    add(imports, export(tmp_path, ROWS[:2]), "a")
    assert add(imports, export(tmp_path, ROWS[:2]), "a", entity="trust").new == 2
    assert len(imports.records("me")) == len(imports.records("trust")) == 2
    assert imports.records("nobody") == []


def test_a_file_in_another_zone_is_refused_until_it_is_to_replace(
    imports: Imports, tmp_path: Path
) -> None:
    add(imports, export(tmp_path, ROWS[:2]), "a", zone="UTC")
    with pytest.raises(InputError, match="imported before as bybit spot trades, times in UTC"):
        add(imports, export(tmp_path, ROWS[2:]), "a", zone="UTC+8")
    assert len(imports.records("me")) == 2
    assert add(imports, export(tmp_path, ROWS[2:]), "a", zone="UTC+8", replace=True).new == 3
    assert len(imports.records("me")) == 3


def test_what_a_file_said_before_it_was_replaced_is_kept(
    imports: Imports, database: Database, tmp_path: Path
) -> None:
    add(imports, export(tmp_path, ROWS), "a")
    before = {record.key for record in imports.records("me")}
    for zone in ("UTC+8", "UTC+9"):
        add(imports, export(tmp_path, ROWS[2:]), "a", zone=zone, replace=True)
    words = Declarations(database, imports.clock).history("me", "replaced a")
    said = [json.loads(word.said) for word in words]
    assert [(row["name"], row["zone"], len(row["records"])) for row in said] == [
        ("x.csv", "", 5),
        ("x.csv", "UTC+8", 3),
    ]
    assert {record[0] for record in said[0]["records"]} == before


def test_the_last_word_on_an_item_holds(imports: Imports) -> None:
    first = Settlement("own", None, "a wallet")
    last = Settlement("buy", Decimal("12.50"), "no: é bought")
    imports.settle("me", "k", settlement=first)
    imports.settle("me", "k", settlement=last)
    imports.settle("me", "l", settlement=first)
    assert imports.settlements("me") == {"k": last, "l": first}
    assert imports.settlements("trust") == {}


def test_published_rates_are_kept_once_and_never_changed(database: Database) -> None:
    clock = ManualClock(1)
    row = Stated("USD", "AUD", 1000, "RBA", Decimal("1.464557703573520797"), "RBA 1")
    assert store(database, [row, row], clock=clock) == (1, 1)
    assert store(database, [row], clock=clock) == (0, 1)
    other = row._replace(rate=Decimal("1.5"))
    with pytest.raises(InputError, match=r"makes 1\.5 AUD, but 1\.4645"):
        store(database, [other._replace(coin="EUR"), other], clock=clock)
    found = stated_rates(database)
    kept = found.rate("USD", "AUD", ts_ms=2000)
    assert kept is not None and kept.rate == row.rate
    assert found.rate("EUR", "AUD", ts_ms=2000) is None
