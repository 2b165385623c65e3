"""Bad rows, unknown files, zones and codings: nothing is lost, nothing is guessed."""

from pathlib import Path

import pytest

from openalpha.books.imports.reading import read_export
from openalpha.core.clock import parse_ms
from openalpha.core.errors import InputError
from tests.fakes.exports import read, text_of


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("SOLUSDT,LIMIT,BUY,x,50,2,0,t,o,11:30 2026-01-11", "expected a number"),
        ("SOLUSDT,LIMIT,BUY,1e99,50,2,0,t,o,11:30 2026-01-11", "expected a number"),
        ("SOLUSDT,LIMIT,BUY,NaN,50,2,0,t,o,11:30 2026-01-11", "expected a number"),
        ("WHAT,LIMIT,BUY,100,50,2,0,t,o,11:30 2026-01-11", "cannot be split"),
        ("SOLUSDT,LIMIT,HOLD,100,50,2,0,t,o,11:30 2026-01-11", "neither BUY nor SELL"),
        ("SOLUSDT,LIMIT,BUY,100,50,2,0,t,o,yesterday", "not a time"),
        ("SOLUSDT,LIMIT,BUY,100,50,2,0,t,o,11:30 2026-01-11,more", "more cells"),
        ("SOLUSDT,LIMIT,BUY", "is empty"),
    ],
)
def test_a_bad_row_is_kept_with_its_line_and_the_reason(tmp_path: Path, row: str, why: str) -> None:
    header = (
        "Spot Pairs,Order Type,Direction,Filled Value,Filled Price,Filled Quantity,Fees,"
        "Transaction ID,Order No.,Timestamp (UTC)\n"
    )
    good = "SOLUSDT,LIMIT,BUY,100,50,2,0,t,o,11:30 2026-01-11\n"
    found = read(tmp_path, header + good + row + "\n" + good)
    assert [record.kind.value for record in found.records] == ["trade", "unknown", "trade"]
    assert found.records[1].line == 3
    assert why in found.records[1].text
    assert row.split(",", maxsplit=1)[0] in found.records[1].text


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3\n", "\x00\x01"])
def test_a_file_of_no_known_kind_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="no header of a known export"):
        read(tmp_path, text)


def test_a_zone_given_moves_bare_times_only(tmp_path: Path) -> None:
    bare = text_of("kraken trades")
    found = read(tmp_path, bare, zone="Australia/Sydney")
    assert found.zone == "Australia/Sydney"
    assert found.records[0].ts_ms == parse_ms("2023-06-19T03:34:05.485")
    named = text_of("kucoin fills in another zone")
    other = read(tmp_path, named, zone="Australia/Sydney")
    assert (other.zone, other.records[0].ts_ms) == ("", parse_ms("2024-01-15T02:00"))


def test_a_mark_semicolons_and_utf_16_are_read(tmp_path: Path) -> None:
    text = text_of("binance spot trades")
    plain = read(tmp_path, text).records
    path = tmp_path / "export.csv"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace(",", ";").encode())
    assert [r.key for r in read_export(path).records] == [r.key for r in plain]
    path.write_bytes(text.encode("utf-16"))
    assert [r.key for r in read_export(path).records] == [r.key for r in plain]
