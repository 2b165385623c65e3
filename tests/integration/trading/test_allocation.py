"""Money between the sub-books of a paper run: by rule, adding to zero, posted, replayed."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openalpha.books.accounts import Account, Category
from openalpha.books.balances import kept_balances
from openalpha.books.entries import EntryKind
from openalpha.books.trades import Filters, entries
from openalpha.books.writing import book_row
from openalpha.core.reasons import Reason
from openalpha.core.units import to_units
from openalpha.engine.compiled import plan as pl
from openalpha.engine.history_rows import rows_of
from openalpha.engine.signals import EngineSettings
from openalpha.engine.step import SignalStep
from openalpha.risk.settings import RiskSettings, SizingSettings
from openalpha.store.run_log import FrameKind, read
from openalpha.trading.analysis.replay import replay
from openalpha.trading.paper.starting import Asked
from openalpha.trading.paper.subbooks import open_sub_book
from openalpha.trading.run.allocation import AllocationSettings
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.settings import Handling
from tests.fakes.live_runs import BOOK, begun, books, driver_for, led_to_its_end, noted
from tests.integration.trading.test_paper_runs import hourly

TWO = (Asked("ma_cross", {"fast": 3, "slow": 9}), Asked("rsi_reversion", {"period": 5}))
LARGE = EngineSettings(sizing=SizingSettings(fraction=Decimal("0.8")))
CLOSE = AllocationSettings("threshold", threshold=Decimal("0.002"), least=Decimal(1))


def moves(folder: RunFolder) -> list[dict[str, Any]]:
    found = [json.loads(frame.payload) for frame in read(folder.log, {FrameKind.NOTE})]
    return [note for note in found if "moved" in note]


def shared(home: Path, count: int, rule: AllocationSettings) -> tuple[RunFolder, Any]:
    one = hourly(count)
    folder = begun(
        home, TWO, {one.instrument.id: one}, settings=LARGE, handling=Handling(allocation=rule)
    )
    return folder, one


@pytest.mark.parametrize(
    ("rule", "least"),
    [
        (CLOSE, 3),
        (AllocationSettings("calendar", period="day", least=Decimal("0.01")), 20),
        (AllocationSettings("calendar", period="week", least=Decimal("0.01")), 3),
    ],
)
def test_money_moves_by_the_rule_and_the_books_hold_what_the_accounts_do(rule, least, home):
    folder, one = shared(home, 700, rule)
    with books(home) as ledger:
        driver = led_to_its_end(folder, [one], ledger)
        posted = [
            entry
            for entry in entries(ledger.database, BOOK, filters=Filters(kind=EntryKind.TRANSFER))
            if entry.ref == "between sub-books"
        ]
        with ledger.database.reading() as connection:
            row = book_row(connection, BOOK)
            assert row is not None
            kept = kept_balances(connection, row[0], categories=[Category.CASH])
    found = moves(folder)
    assert len(found) >= least
    assert sorted(Decimal(note["moved"]) for note in found) == sorted(
        abs(entry.postings[0].amount) for entry in posted
    )
    for entry in posted:
        assert sum(line.amount for line in entry.postings) == 0
    for part, book in zip(driver.desk.plan.strategies, driver.desk.books, strict=True):
        account, units = Account(f"{folder.id}/{part.name}", Category.CASH, "USDT"), book.account
        assert to_units(kept[account], units.units.coin_decimals[0]) == units.machine.balances()[0]
    assert replay(folder).is_same
    shares = [row["share"] for row in folder.status()["books"]]
    assert sum(Decimal(share["now"]) for share in shares) == 1
    assert [share["wanted"] for share in shares] == ["0.500000"] * 2


def test_a_sub_book_is_what_the_engine_makes_of_its_bars_and_of_what_it_was_given(home):
    folder, one = shared(home, 500, CLOSE)
    with books(home) as ledger:
        led_to_its_end(folder, [one], ledger)
    plan, found = folder.plan(), moves(folder)
    assert len(found) > 2
    for number, part in enumerate(plan.strategies):
        book = open_sub_book(plan, part)
        step = book._step
        assert isinstance(step, SignalStep)
        fills, equity = [], []
        for row in rows_of([one]):
            led = book.lead(row)
            fills += led.written.fills.tolist()
            equity.append(led.equity)
            close_ms = row.ts_ms + plan.timeframe_ms
            for note in (note for note in found if note["ts"] == close_ms):
                sign = {note["giver"]: -1, note["taker"]: 1}[number]
                decimals = book.account.units.coin_decimals[0]
                step.transfer(sign * to_units(note["moved"], decimals), close_ms)
        said = noted(folder, number)
        assert np.array_equal(said.fills, np.array(fills))
        assert said.equity == equity


def test_a_strategy_that_gives_money_away_has_lost_nothing(home):
    folder, one = shared(home, 60, AllocationSettings())
    book = open_sub_book(folder.plan(), folder.plan().strategies[0])
    rows = list(rows_of([one]))
    for row in rows[:30]:
        equity = book.lead(row).equity
    book.transfer(-int(equity * 0.5), rows[29].ts_ms + 3_600_000)
    for row in rows[30:]:
        book.lead(row)
    limits = book._step.wishes.plans[0]
    assert limits[pl.PL_HALTED] == limits[pl.PL_DAY_LOST] == 0
    assert limits[pl.PL_PEAK_EQUITY] < equity * 0.6


def test_a_strategy_that_its_drawdown_closed_neither_gives_nor_takes(home):
    fragile = replace(LARGE, risk=RiskSettings(max_drawdown=Decimal("0.01")))
    one = hourly(700)
    handling = Handling(allocation=CLOSE)
    folder = begun(home, TWO, {one.instrument.id: one}, settings=fragile, handling=handling)
    with books(home) as ledger:
        driver = led_to_its_end(folder, [one], ledger)
    assert [book.is_halted for book in driver.desk.books] == [True, True]
    plan, ended = folder.plan(), {}
    for frame in read(folder.log, {FrameKind.DECISION}):
        content = json.loads(frame.payload)
        if int(Reason.BREAKER_DRAWDOWN) in content["codes"]:
            ended.setdefault(content["book"], content["ts"])
    first, last = min(ended.values()), max(ended.values())
    assert first < last, "the other one went on"
    assert any(note["ts"] < first for note in moves(folder))
    assert not [note for note in moves(folder) if note["ts"] >= first + plan.timeframe_ms]


def test_a_process_that_dies_after_a_move_goes_on_as_if_it_had_not(home, tmp_path):
    whole, one = shared(tmp_path, 300, CLOSE)
    with books(tmp_path) as ledger:
        led_to_its_end(whole, [one], ledger)
    folder, _ = shared(home, 300, CLOSE)
    dying = 0
    with books(home) as ledger:
        driver = driver_for(folder, [one], ledger)
        driver.start()
        post = driver.poster.post

        def failing(outcomes, **given):
            nonlocal dying
            if any(outcome.moved for outcome in outcomes):
                dying += 1
                raise KeyboardInterrupt
            return post(outcomes, **given)

        driver.poster.post = failing
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(driver.lead())
        assert dying == 1
        led_to_its_end(folder, [one], ledger)
    assert moves(folder) == moves(whole)
    assert replay(folder).is_same
    for number in range(2):
        assert np.array_equal(noted(folder, number).fills, noted(whole, number).fills)
