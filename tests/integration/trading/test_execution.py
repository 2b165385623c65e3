"""What a run's orders cost beside the model, measured on the real twin, and its gap split."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from openalpha.cli.border import execute
from openalpha.core.clock import HOUR_MS, MINUTE_MS
from openalpha.core.messages import Environment
from openalpha.engine.signals import EngineSettings
from openalpha.market.catalogue import instrument_for
from openalpha.store.run_log import FrameKind
from openalpha.trading.analysis.execution import carried_orders, measured_spreads, summed
from openalpha.trading.analysis.execution_log import read_run
from openalpha.trading.analysis.execution_model import model_run
from openalpha.trading.analysis.gap import gap_of, split_gap
from openalpha.trading.orders.side import Input
from openalpha.trading.paper.desk import Desk
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.feed_rows import row_payload
from openalpha.trading.venue.starting import VenueTerms, begin_venue_run
from openalpha.venue.rules import instrument_setup
from openalpha.venue.settings import CostSettings, MarginSettings
from tests.fakes.live_runs import books
from tests.integration.trading.test_venue_callbacks import GRID
from tests.integration.trading.test_venue_runs import FAST, placed

CENT = Decimal("0.01")


@pytest.fixture(scope="module")
def led(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """An hour at the twin; shorter than the streak of losses that would pause it."""
    return run_of(tmp_path_factory.mktemp("led") / "home", [FAST])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two strategies on one instrument: what cancels out is crossed, the rest netted."""
    asked = [FAST, Asked("rsi_reversion", {"period": 3})]
    return run_of(tmp_path_factory.mktemp("shared") / "home", asked)


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A grid: orders that name prices, and answers to fills between two closes."""
    return run_of(tmp_path_factory.mktemp("called") / "home", [GRID])


def run_of(home: Path, asked: list[Asked]) -> SimpleNamespace:
    home.mkdir()
    item = instrument_for("bybit_linear:BTCUSDT")
    with placed(home) as place, books(home) as ledger:
        folder = begin_venue_run(
            home,
            asked,
            instruments=[item] * len(asked),
            terms=VenueTerms(Environment.TWIN, MINUTE_MS, Decimal(40_000), 60 * MINUTE_MS),
            settings=EngineSettings(),
            clock=place.clock,
        )
        driver = place.led(folder, ledger)
    return SimpleNamespace(home=home, folder=folder, desk=driver.desk, seen=read_run(folder))


def model_equity(led: SimpleNamespace) -> Decimal:
    """What the kernel's own account ends with: an oracle that knows nothing of pairs."""
    plan = replace(led.folder.plan(), environment=Environment.PAPER)
    desk = Desk(plan)
    for number, row in enumerate(led.seen.rows, 1):
        desk.apply(number, Input(FrameKind.FEED, row_payload(row), row.ts_ms))
    decimals = desk.books[0].account.units.coin_decimals[0]
    return Decimal(round(sum(desk.equity))).scaleb(-decimals)


def run_equity(led: SimpleNamespace) -> Decimal:
    return sum((book.equity for book in led.desk.books), Decimal(0))


def of_the_last_close(led: SimpleNamespace) -> Decimal:
    """What orders made and cost that the model would fill on a bar the tape does not have."""
    last = led.seen.rows[-1]
    close = Decimal(last.bars[0][3]).scaleb(-led.folder.plan().instruments[0].price_decimals)
    end_ms = last.ts_ms + led.folder.plan().timeframe_ms
    late = [order for order in led.seen.orders if order.decided_ms >= end_ms]
    return sum(
        (o.side * f.qty * (close - f.price) - f.fee for o in late for f in o.fills), Decimal(0)
    )


def test_the_parts_add_up_to_what_the_run_earned_more_or_less(led) -> None:
    gap = gap_of(led.folder)
    apart = run_equity(led) - model_equity(led) - of_the_last_close(led)
    assert abs(gap.total - apart) < CENT, "the parts explain all of it"
    assert gap.pairs >= 10 and gap.alone == 0
    assert gap.signal == gap.missed == 0, "the same functions decide on the same bars"
    assert gap.price != 0
    assert 50 < gap.score < 100


def test_orders_of_several_strategies_are_compared_by_what_the_account_did(shared) -> None:
    gap = gap_of(shared.folder)
    apart = run_equity(shared) - model_equity(shared) - of_the_last_close(shared)
    assert abs(gap.total - apart) < CENT
    assert gap.pairs >= 10
    assert gap.signal == 0


def test_a_grid_s_orders_are_held_beside_the_model_s_of_the_same_price(called) -> None:
    """The answer to a fill too: the model gives it at the close of the fill's bar."""
    gap = gap_of(called.folder)
    apart = run_equity(called) - model_equity(called) - of_the_last_close(called)
    assert abs(gap.total - apart) < CENT
    answers = [o for o in called.seen.orders if o.fills and not o.decided_ms and o.row_ms]
    assert answers and all(o.is_reduce_only for o in answers)
    assert gap.pairs >= 5 and gap.pairs > gap.alone
    assert gap.signal == gap.size == 0, "both asked for the same, at the same prices"
    carried = carried_orders(called.folder)
    held = [one.model_bps for one in carried if one.filled and one.model_bps is not None]
    assert held == [0] * 5, "resting orders fill at their own price, in both"


def test_of_a_grid_too_what_was_missed_and_what_was_not_asked_for_differ(called) -> None:
    plan, seen = called.folder.plan(), read_run(called.folder)
    model = model_run(plan, seen)
    whole = split_gap(plan, seen, model=model)
    rung = next(o for o in seen.orders if o.fills and o.decided_ms)
    rung.fills = []
    missed = split_gap(plan, seen, model=model)
    assert (missed.pairs, missed.alone) == (whole.pairs - 1, whole.alone + 1)
    assert missed.missed != whole.missed and missed.signal == 0
    seen.orders.remove(rung)
    unasked = split_gap(plan, seen, model=model)
    assert unasked.signal == missed.missed - whole.missed and unasked.missed == whole.missed
    seen.refused.add((0, rung.decided_ms))
    refused = split_gap(plan, seen, model=model)
    assert (refused.signal, refused.missed) == (0, missed.missed)


def test_what_a_run_missed_or_decided_otherwise_is_told_apart(led) -> None:
    plan, seen = led.folder.plan(), read_run(led.folder)
    model = model_run(plan, seen)
    whole = split_gap(plan, seen, model=model)
    entry = next(o for o in seen.orders if o.decided_ms and not o.is_reduce_only and o.fills)
    for order in seen.orders:
        if order.decided_ms == entry.decided_ms:
            order.fills = []
    missed = split_gap(plan, seen, model=model)
    assert missed.missed != 0 and missed.signal == 0
    assert missed.alone == whole.alone + 1
    model.targets[entry.book, entry.decided_ms] = [-7]
    other = split_gap(plan, seen, model=model)
    assert (other.signal, other.missed) == (missed.missed, 0)


def test_a_fill_a_bar_later_is_latency(led) -> None:
    plan, seen = led.folder.plan(), read_run(led.folder)
    model = model_run(plan, seen)
    before = split_gap(plan, seen, model=model)
    order = next(o for o in seen.orders if o.decided_ms and o.fills)
    order.fills = [replace(fill, ts_ms=fill.ts_ms + plan.timeframe_ms) for fill in order.fills]
    after = split_gap(plan, seen, model=model)
    assert after.latency != 0
    assert after.total == before.total, "another name for the same money"


def test_every_order_has_its_times_and_its_slippage(led) -> None:
    orders = carried_orders(led.folder)
    end_ms = led.seen.rows[-1].ts_ms + led.folder.plan().timeframe_ms
    filled = [order for order in orders if order.is_market and order.decided_ms < end_ms]
    assert len(filled) >= 18
    for order in filled:
        assert order.decided_ms <= order.acked_ms
        assert order.decided_ms <= order.filled_ms
        assert order.filled == order.qty
        assert order.decision_bps is not None and abs(order.decision_bps) < 50
        assert order.arrival_bps is not None and abs(order.arrival_bps) < 50
        assert order.model_bps is not None and abs(order.model_bps) < 50
    stops = [order for order in orders if not order.is_market]
    assert stops and all(order.decided_ms == 0 for order in stops)
    by_hour = summed(filled, lambda one: one.hour)
    assert sum(found.orders for found in by_hour.values()) == len(filled)
    assert {one.decided_ms // HOUR_MS % 24 for one in filled} == set(by_hour)


def test_slippage_is_against_the_prices_it_says(led) -> None:
    order = next(order for order in carried_orders(led.folder) if order.is_market)
    (seen,) = (one for one in led.seen.orders if one.link_id == order.link_id)
    rows = {row.ts_ms: row for row in led.seen.rows}
    frame_ms = led.folder.plan().timeframe_ms
    item = led.folder.plan().instruments[0]
    close = Decimal(rows[order.decided_ms - frame_ms].bars[0][3]).scaleb(-item.price_decimals)
    opening = Decimal(rows[order.decided_ms].bars[0][0]).scaleb(-item.price_decimals)
    for found, price in ((order.decision_bps, close), (order.arrival_bps, opening)):
        assert found == seen.side * (seen.price - price) / price * 10_000


def test_the_command_and_the_spread_it_measures(led, monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("OPENALPHA_HOME", str(led.home))
    measured = tmp_path / "measured.toml"
    assert execute(["execution", led.folder.id, "--calibrate", str(measured), "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "openalpha.execution/1"
    spread = Decimal(told["spreads_bps"]["bybit_linear:BTCUSDT"])
    assert f"bybit_linear:BTCUSDT={spread:f}" in measured.read_text()
    assert execute(["config", "show", "--config", str(measured)]) == 0
    assert "bybit_linear:BTCUSDT" in capsys.readouterr().out
    assert execute(["execution", "--env", "twin"]) == 0
    assert "by hour" in capsys.readouterr().out
    assert execute(["replay", led.folder.id, "--against-backtest", "--json", "-"]) == 0
    gap = json.loads(capsys.readouterr().out)["gap"]
    parts = sum((Decimal(part) for part in gap["parts"].values()), Decimal(0))
    assert parts == Decimal(gap["total"])
    assert execute(["execution"]) == 1
    assert "name a run, or an environment" in capsys.readouterr().err


def test_a_measured_spread_is_what_a_backtest_charges() -> None:
    item = instrument_for("bybit_linear:BTCUSDT")
    costs = CostSettings(calibrated="bybit_linear:BTCUSDT=3 bybit_linear:ETHUSDT=9")

    def half(given: CostSettings) -> int:
        setup = instrument_setup(item, costs=given, margin=MarginSettings(), cash=8, base_coin=0)
        return setup.half_spread_e8

    assert half(costs) == 3 * half(CostSettings())
    assert half(replace(costs, spread_bps=Decimal(7))) == 7 * half(CostSettings())


def test_a_handful_of_orders_measures_nothing(led) -> None:
    few = carried_orders(led.folder)[:10]
    spreads, too_few = measured_spreads(few)
    assert spreads == {}
    assert 0 < too_few["bybit_linear:BTCUSDT"] < 20
