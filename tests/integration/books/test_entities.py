"""Entities in the database: files word after word, days in their zone, coins handed over."""

from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from openalpha.books.declarations import Declarations
from openalpha.books.entities import add_entity, hand_over, profile_of
from openalpha.books.imports.history import ImportedHistory, imported_history
from openalpha.books.imports.reading import read_export
from openalpha.books.imports.records import Move
from openalpha.books.imports.storing import Imports, Settlement, SourceFile
from openalpha.books.rates import NO_RATES
from openalpha.books.tax.entity_year import assess_profile
from openalpha.core.clock import ManualClock, parse_ms
from openalpha.core.errors import InputError
from openalpha.store.database import Database

D = Decimal
CLOCK = ManualClock(1_760_000_000_000)
HEADER = (
    "time,type,received_coin,received_amount,sent_coin,sent_amount,fee_coin,fee_amount,balance,id\n"
)
BOUGHT = "2025-06-30T23:30:00+08:00,buy,BTC,2,AUD,1000,,,,1\n"
LEFT = "2025-08-31T23:00:00+10:00,withdrawal,,,BTC,1,,,,2\n"


def keep(database: Database, folder: Path, text: str, entity: str = "me") -> None:
    path = folder / f"{entity}.csv"
    path.write_text(HEADER + text, "utf-8")
    found = read_export(path)
    imports = Imports(database, CLOCK)
    imports.add(entity, SourceFile(path.name, entity, ""), found=found, replace=False)


def history(database: Database, entity: str) -> ImportedHistory:
    imports = Imports(database, CLOCK)
    zone = profile_of(database, entity, clock=CLOCK).time_zone
    return imported_history(
        imports.records(entity),
        rates=NO_RATES,
        zone=ZoneInfo(zone),
        settlements=imports.settlements(entity),
    )


def test_a_file_is_replaced_only_when_asked_and_a_wrong_one_is_not_kept(
    database: Database,
) -> None:
    words = Declarations(database, CLOCK)
    assert profile_of(database, "me", clock=CLOCK).policy.entity == "individual"
    _, is_new = add_entity(words, "me", text='kind = "smsf"', replace=False)
    assert is_new
    assert not add_entity(words, "me", text='kind = "smsf"', replace=False)[1]
    for text, replace, said in (
        ('kind = "trust"', False, "--replace"),
        ('kind = "club"', True, "club"),
    ):
        with pytest.raises(InputError, match=said):
            add_entity(words, "me", text=text, replace=replace)
        assert profile_of(database, "me", clock=CLOCK).policy.entity == "smsf"
    assert add_entity(words, "me", text='kind = "trust"', replace=True)[1]
    assert profile_of(database, "me", clock=CLOCK).policy.entity == "trust"
    with pytest.raises(InputError, match="short name"):
        add_entity(words, "a/b", text="", replace=False)


@pytest.mark.parametrize(("zone", "day"), [("Perth", "2025-06-30"), ("Sydney", "2025-07-01")])
def test_days_are_those_of_the_entitys_zone(
    database: Database, tmp_path: Path, zone: str, day: str
) -> None:
    text = f'time_zone = "Australia/{zone}"'
    add_entity(Declarations(database, CLOCK), "me", text=text, replace=False)
    keep(database, tmp_path, BOUGHT)
    assert [str(event.day) for event in history(database, "me").events] == [day]


@pytest.mark.parametrize("is_imported", [True, False])
def test_coins_handed_over_are_sold_and_bought_at_market_value(
    database: Database, tmp_path: Path, is_imported: bool
) -> None:
    keep(database, tmp_path, BOUGHT + (LEFT if is_imported else ""))
    imports = Imports(database, CLOCK)
    for _ in range(2):
        out, into = hand_over(
            imports,
            sides=(
                ("me", history(database, "me").open_items),
                ("fund", history(database, "fund").open_items),
            ),
            move=Move("BTC", D(1)),
            ts_ms=parse_ms("2025-09-01T10:00+10:00"),
            settlement=Settlement("sell", D(900), "into the fund"),
        )
        if not is_imported:
            assert (out.was_imported, into.was_imported) == (False, False)
        elif _ == 0:
            assert (out.was_imported, into.was_imported) == (True, False)
            break
    mine, fund = history(database, "me"), history(database, "fund")
    assert not mine.open_items
    assert not fund.open_items
    year = assess_profile(mine.events, profile_of(database, "me", clock=CLOCK)).years[2026]
    assert year.statement.gross == D(400)
    (parcel,) = (
        assess_profile(fund.events, profile_of(database, "fund", clock=CLOCK)).parts[""].parcels
    )
    assert (parcel.qty, parcel.cost, str(parcel.acquired)) == (D(1), D(900), "2025-09-01")
