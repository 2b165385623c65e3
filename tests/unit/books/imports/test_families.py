"""Every kind of export, a few rows each: what they become, row by row."""

from decimal import Decimal
from pathlib import Path

import pytest

from openalpha.books.imports.reading import FAMILIES
from openalpha.core.clock import parse_ms
from tests.fakes.exports import CASES, read


def words(moves: tuple[tuple[str, Decimal], ...]) -> str:
    return ", ".join(f"{amount.normalize():f} {coin}" for coin, amount in moves)


@pytest.mark.parametrize(("text", "family", "wanted"), [c[1:] for c in CASES], ids=lambda v: "")
def test_rows_become_records(
    tmp_path: Path, text: str, family: str, wanted: list[tuple[str, str, str, str, str]]
) -> None:
    found = read(tmp_path, text)
    assert found.family == family
    got = [
        (r.kind.value, r.label if at else "", r.ts_ms if at else -1, words(r.moves) if m else "",
         words(r.fees))
        for r, (_, _, at, m, _) in zip(found.records, wanted, strict=True)
    ]  # fmt: skip
    assert got == [
        (kind, label, parse_ms(at) if at else -1, moves, fees)
        for kind, label, at, moves, fees in wanted
    ]
    assert all(record.file == "export.csv" and record.line > 1 for record in found.records)
    assert len({record.key for record in found.records}) == len(found.records)


def test_no_two_families_know_one_header() -> None:
    for _, text, family, _ in CASES:
        header = next(line for line in text.splitlines() if line.count(",") > 5)
        cells = tuple(cell.strip('"') for cell in header.split(","))
        assert [known.name for known in FAMILIES if known.matches(cells)] == [family]
