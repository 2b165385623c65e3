"""The twin's journal: what it keeps, what it cuts, and a twin rebuilt from it to the last unit."""

from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import ManualClock
from openalpha.core.errors import StorageError
from openalpha.venue.twin import Exchange, TwinSettings, durable
from openalpha.venue.twin import admin as own
from openalpha.venue.twin.durable import open_twin, whole_state
from openalpha.venue.twin.journal import Journal
from tests.fakes.twin import BTC, BTC_SPOT, START_MS, Client, wait

SETTINGS = TwinSettings(listings=(BTC, BTC_SPOT), backfill_days=1, levels=50)


def save(journal: Journal, exchange: Exchange) -> None:
    number = journal.cut()
    journal.save(whole_state(exchange), number=number)
    journal.drop(number)


def all_of(exchange: Exchange) -> dict[str, Any]:
    """Everything accounts can see of a twin."""
    seen: dict[str, Any] = {"overview": own.overview(exchange.state)["accounts"]}
    for record in exchange.state.records[1:]:
        seen["orders"] = {name: repr(order) for name, order in record.orders.items()}
        seen["executions"] = list(record.executions)
        seen["ledger"] = list(record.ledger)
        seen["closed"] = list(record.closed)
    return seen


class Restless:
    """A clock that moves whenever it is asked."""

    def __init__(self) -> None:
        self.ts_ms = START_MS

    def now_ms(self) -> int:
        self.ts_ms += 7
        return self.ts_ms


def test_a_clock_that_never_stands_still_changes_nothing(tmp_path: Path) -> None:
    clock = Restless()
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    for _ in range(200):
        exchange.advance()
    client = Client.of(exchange, USDT="50000")
    exchange.advance()
    journal.sync()
    journal.close()
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    assert again.state.accounts.by_key(client.key) is not None
    journal.close()


def live(exchange: Exchange) -> Client:
    exchange.limits.is_lifted = True
    client = Client.of(exchange, USDT="50000", BTC="1")
    client.order("Buy", "0.1", takeProfit="60100", stopLoss="59900")
    client.order("Buy", "0.1", "59950")
    wait(exchange, 30_000)
    client.order("Sell", "0.05", "61000")
    return client


def test_a_twin_taken_up_again_is_the_same_to_the_last_unit(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    live(exchange)
    wait(exchange, 60_000)
    exchange.take_pushes()
    journal.sync()
    before = all_of(exchange)
    journal.close()
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    assert all_of(again) == before
    assert len(before["executions"]) >= 2
    journal.close()


def test_a_whole_state_shortens_the_way_and_changes_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    client = live(exchange)
    journal.sync()
    for _ in range(3):
        save(journal, exchange)
        client.order("Buy", "0.01", "59000")
        journal.sync()
    before = all_of(exchange)
    candles = exchange.state.listings["linear:BTCUSDT"].tape.candles.copy()
    journal.close()
    assert len(list(tmp_path.glob("state-*.bin"))) == 2
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    assert all_of(again) == before
    assert (again.state.listings["linear:BTCUSDT"].tape.candles == candles).all()
    journal.close()


def test_a_state_of_another_version_is_not_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(START_MS)
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    client = live(exchange)
    for _ in range(3):
        client.order("Buy", "0.01", "59000")
        journal.sync()
        save(journal, exchange)
    journal.close()
    monkeypatch.setattr(durable, "STATE_VERSION", durable.STATE_VERSION + 1)
    with pytest.raises(StorageError, match="another version of the twin"):
        open_twin(tmp_path, SETTINGS, clock=clock)


def test_records_from_before_files_were_cut_are_taken_up(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    live(exchange)
    journal.sync()
    before = all_of(exchange)
    journal.close()
    (tmp_path / "journal-000000000000.log").rename(tmp_path / "journal.log")
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    assert all_of(again) == before
    assert before["executions"]
    journal.close()


def test_a_torn_last_line_is_cut_and_what_was_kept_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    list(journal.read(0))
    for number in range(3):
        journal.append({"n": number})
    journal.sync()
    journal.close()
    path = tmp_path / "journal-000000000000.log"
    whole = path.read_bytes()
    for cut in range(1, len(whole.splitlines()[-1])):
        path.write_bytes(whole[:-cut])
        journal = Journal(tmp_path)
        journal.open()
        assert [record["n"] for record in journal.read(0)] == [0, 1]
        assert journal.append({"n": 9}) == 3
        journal.close()


def test_damage_before_the_end_is_told_not_skipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.open()
    list(journal.read(0))
    for number in range(5):
        journal.append({"n": number})
    journal.sync()
    path = tmp_path / "journal-000000000000.log"
    path.write_bytes(path.read_bytes().replace(b'{"n":1}', b'{"n":7}'))
    with pytest.raises(StorageError, match="damaged"):
        list(journal.read(0))
    journal.close()


def test_a_damaged_whole_state_falls_back_to_the_one_before(tmp_path: Path) -> None:
    clock = ManualClock(START_MS)
    exchange, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    client = live(exchange)
    journal.sync()
    for _ in range(2):
        save(journal, exchange)
        client.order("Buy", "0.01", "59000")
        journal.sync()
    before = all_of(exchange)
    journal.close()
    newest = max(tmp_path.glob("state-*.bin"))
    newest.write_bytes(newest.read_bytes()[:-7])
    again, journal = open_twin(tmp_path, SETTINGS, clock=clock)
    assert all_of(again) == before
    journal.close()


def test_a_second_twin_on_the_folder_is_refused(tmp_path: Path) -> None:
    _, journal = open_twin(tmp_path, SETTINGS, clock=ManualClock(START_MS))
    with pytest.raises(StorageError, match="another twin runs"):
        open_twin(tmp_path, SETTINGS, clock=ManualClock(START_MS))
    journal.close()
