"""Exits of positions at the real twin: both stand, one fills, the other goes; none flips it."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openalpha.trading.analysis.replay import replay
from openalpha.trading.orders.side import RequestKind
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.commands import Command
from openalpha.trading.venue.driver import VenueDriver
from openalpha.trading.venue.state import Work
from tests.fakes.twin import LINEAR, SPOT, admin
from tests.integration.trading.test_people_and_spot import BEFORE, both_markets, coins, conditional
from tests.integration.trading.test_people_and_spot import begun as spot
from tests.integration.trading.test_venue_callbacks import asked, strategy_of
from tests.integration.trading.test_venue_runs import Place, held, placed

D = Decimal
NEEDS = "from openalpha.strategy.params import Exits\n"
BOTH = "Exits(stop_e6=20_000, take_profit_e6=30_000)"


@pytest.fixture
def place(home: Path) -> Iterator[Place]:
    with placed(home) as one:
        admin(one.exchange, "/twin/market", **LINEAR, event="still")
        yield one


def deeds(**by_bar: str) -> str:
    """A strategy that does one thing a bar, said as the body of a callback."""
    return "".join(
        f"\n    def {name}(self, ctx):\n        {body}\n" for name, body in by_bar.items()
    )


def one_with(home: Path, **by_bar: str) -> Asked:
    """Such a strategy in its file."""
    one = asked(home, deeds(**by_bar))
    path = Path(one.ref)
    path.write_text(NEEDS + path.read_text())
    return one


def led(place: Place, **by_bar: str) -> VenueDriver:
    """The driver of such a strategy, begun."""
    driver = place.driver(place.begun(0, one_with(place.home, **by_bar)), None)
    driver.start()
    return driver


def waiting(place: Place) -> dict[str, tuple[Decimal, Decimal]]:
    """The exits at the exchange, quantity and trigger; each only reduces, each is there once."""
    rows = place.client.get("/v5/order/realtime", **LINEAR, orderFilter="StopOrder")["list"]
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for row in rows:
        if not row["orderLinkId"]:
            continue  # the first stop, which an entry that rests still brings
        is_sale, rises = row["side"] == "Sell", row["triggerDirection"] == 1
        assert row["reduceOnly"] and row["orderType"] == "Market"
        assert is_sale == (held(place) > 0)
        leg = "take_profit" if is_sale == rises else "stop"
        assert leg not in found
        found[leg] = (D(row["qty"]), D(row["triggerPrice"]))
    return found


def until(driver: VenueDriver, index: int) -> None:
    """Lead it to a bar of the strategy, and let what follows happen."""
    context = driver.desk.books[0].callbacks.context
    for _ in range(20 * index + 20):
        if context.index < index:
            driver.turns.step()
    assert context.index == index
    driver.turns.settle()


def moved(place: Place, driver: VenueDriver, size: float, *, depth: float = 1) -> None:
    """Let the price jump, the book having so much of its depth, and a bar close."""
    admin(place.exchange, "/twin/market", **LINEAR, event="calm")
    admin(place.exchange, "/twin/market", **LINEAR, event="thin", size=str(depth))
    admin(place.exchange, "/twin/market", **LINEAR, event="gap", size=str(size))
    driver.clock.wait(10_000)
    admin(place.exchange, "/twin/market", **LINEAR, event="still")
    until(driver, driver.desk.books[0].callbacks.context.index + 1)


def closed(driver: VenueDriver) -> None:
    driver._log.close()
    assert driver.desk.incidents == [], driver.desk.incidents
    assert replay(driver.folder).is_same


def entry(driver: VenueDriver) -> Decimal:
    return driver.desk.books[0].held[0].avg_price


@pytest.mark.parametrize(("size", "side"), [(0.04, "buy"), (-0.03, "buy"), (0.03, "sell")])
def test_what_is_reached_closes_the_position_and_the_other_goes(
    place: Place, size: float, side: str
) -> None:
    driver = led(place, at_0=f"ctx.{side}(0.01, exits={BOTH})")
    until(driver, 1)
    price, sign = entry(driver), 1 if side == "buy" else -1
    exits = waiting(place)
    assert [exits[leg][0] for leg in ("stop", "take_profit")] == [D("0.01")] * 2
    assert exits["stop"][1] == pytest.approx(price * (1 - sign * D("0.02")), rel=D("0.00001"))
    assert exits["take_profit"][1] == pytest.approx(
        price * (1 + sign * D("0.03")), rel=D("0.00001")
    )
    moved(place, driver, size)
    assert held(place) == 0
    assert waiting(place) == {}
    assert [fill[0] for fill in strategy_of(driver).seen.fills] == [1, 0], "told as nobody's order"
    closed(driver)


def test_both_follow_a_position_that_grows_shrinks_and_flips(place: Place) -> None:
    driver = led(
        place,
        at_0=f"ctx.buy(0.01, exits={BOTH})",
        at_2=f"ctx.buy(0.01, exits={BOTH})",
        at_4="ctx.sell(0.015, reduce_only=True)",
        at_6=f"ctx.close_position(); ctx.sell(0.02, exits={BOTH})",
    )
    until(driver, 1)
    first = waiting(place)
    moved(place, driver, 0.01)
    until(driver, 3)
    grown = waiting(place)
    assert {qty for qty, _ in grown.values()} == {D("0.02")}
    assert all(grown[leg][1] > first[leg][1] for leg in grown), "by the average price"
    until(driver, 5)
    assert {qty for qty, _ in waiting(place).values()} == {held(place)} == {D("0.005")}
    until(driver, 7)
    assert held(place) == D("-0.02")
    turned = waiting(place)
    assert {qty for qty, _ in turned.values()} == {D("0.02")}
    assert turned["stop"][1] > entry(driver) > turned["take_profit"][1]
    closed(driver)


def test_each_order_carries_its_own(place: Place) -> None:
    wide = "Exits(stop_e6=25_000, take_profit_e6=90_000)"
    driver = led(
        place,
        at_0=f"ctx.buy(0.01, exits={BOTH}); ctx.buy(0.01, limit=ctx.close * 0.985, exits={wide})",
    )
    until(driver, 1)
    before = waiting(place)
    assert before["take_profit"][1] == pytest.approx(entry(driver) * D("1.03"), rel=D("0.00001"))
    moved(place, driver, -0.017)
    after = waiting(place)
    assert held(place) == D("0.02")
    assert after["take_profit"][1] == pytest.approx(entry(driver) * D("1.09"), rel=D("0.00001"))
    assert after["stop"][1] == pytest.approx(entry(driver) * D("0.975"), rel=D("0.00001"))
    closed(driver)


def test_a_trailing_stop_moves_in_favour_alone_and_then_closes(place: Place) -> None:
    driver = led(place, at_0="ctx.buy(0.01, exits=Exits(stop_e6=25_000, trailing_e6=20_000))")
    until(driver, 1)
    seen = [waiting(place)["stop"][1]]
    for size in (0.01, -0.01, 0.02):
        moved(place, driver, size)
        seen.append(waiting(place)["stop"][1])
        assert waiting(place)["stop"][0] == held(place)
    assert seen[0] < seen[1] == seen[2] < seen[3]
    moved(place, driver, -0.03)
    assert held(place) == 0
    assert waiting(place) == {}
    closed(driver)


def test_a_trailing_stop_that_died_goes_on_where_it_was(place: Place, home: Path) -> None:
    driver = led(place, at_0="ctx.buy(0.01, exits=Exits(trailing_e6=20_000))")
    until(driver, 1)
    moved(place, driver, 0.02)
    before = waiting(place)["stop"]
    moved(place, driver, -0.005)
    driver._log.close()
    again = place.driver(driver.folder, None)
    again.start()
    until(again, 5)
    assert waiting(place)["stop"] == before
    closed(again)


def test_what_was_held_as_long_as_it_may_be_is_closed(place: Place) -> None:
    driver = led(place, at_0="ctx.buy(0.01, exits=Exits(time_exit_bars=3))")
    until(driver, 2)
    assert held(place) == D("0.01")
    until(driver, 3)
    assert held(place) == 0
    assert waiting(place) == {}
    closed(driver)


def test_orders_of_its_own_that_would_close_it_make_way_for_the_time_exit(place: Place) -> None:
    driver = led(
        place,
        at_0="ctx.buy(0.01, exits=Exits(time_exit_bars=3))",
        at_1="ctx.sell(0.01, limit=ctx.close * 1.05, reduce_only=True)",
    )
    until(driver, 3)
    assert held(place) == 0
    assert driver.desk.callbacks.open_of(0) == []
    closed(driver)


def test_what_fills_in_part_never_leaves_more_covered_than_is_held(place: Place) -> None:
    driver = led(place, at_0=f"ctx.buy(0.06, exits={BOTH})")
    until(driver, 1)
    assert {qty for qty, _ in waiting(place).values()} == {held(place)} == {D("0.06")}
    act = driver.turns._carrier.carry_out

    def looked(request: Any) -> bytes:
        assert held(place) >= 0, "it never turns over"
        return act(request)

    driver.turns._carrier = SimpleNamespace(carry_out=looked)
    (profit,) = driver.desk.books[0].take_profits
    moved(place, driver, 0.04, depth=0.0002)
    first = driver.desk.side.record.find(link_id=profit.link_id)
    assert 0 < first.filled_qty < first.qty, "the book had less than its quantity"
    assert held(place) == 0
    assert waiting(place) == {}
    assert sum(fill[2] for fill in strategy_of(driver).seen.fills[1:]) == pytest.approx(0.06)
    closed(driver)


def jumps(place: Place, driver: VenueDriver, size: float) -> None:
    """Let the price jump while the next exit is on its way to the exchange."""
    act = driver.turns._carrier.carry_out

    def jumped(request: Any) -> bytes:
        orders = request.params.get("orders", ()) if request.kind is RequestKind.PLACE else ()
        if any("triggerPrice" in order for order in orders) and held(place):
            driver.turns._carrier = SimpleNamespace(carry_out=act)
            admin(place.exchange, "/twin/market", **LINEAR, event="gap", size=str(size))
            admin(place.exchange, "/twin/market", **LINEAR, event="calm")
            driver.clock.wait(10_000)
            admin(place.exchange, "/twin/market", **LINEAR, event="still")
        return act(request)

    driver.turns._carrier = SimpleNamespace(carry_out=jumped)


def test_a_trailing_stop_whose_new_place_was_reached_closes_at_once(place: Place) -> None:
    driver = led(place, at_0="ctx.buy(0.01, exits=Exits(stop_e6=25_000, trailing_e6=20_000))")
    until(driver, 1)
    jumps(place, driver, -0.025)
    moved(place, driver, 0.03)
    assert held(place) == 0
    assert waiting(place) == {}
    closed(driver)


def test_an_exit_that_fills_in_part_is_left_to_fill_and_the_other_is_cut(place: Place) -> None:
    driver = led(place, at_0=f"ctx.buy(0.06, exits={BOTH})")
    until(driver, 1)
    desk, part, work = driver.desk, D("0.02"), Work(10**6)
    assert desk.orders._coming([], but="").closing == {}, "exits wait: they hold back no close"
    (book,), (stop,), (profit,) = desk.books, desk.books[0].stops, desk.books[0].take_profits
    order = desk.side.record.find(link_id=stop.link_id)
    order.filled_qty = order.reported_qty = part
    book.held[0].qty -= part
    work.moved.add(str(book.instruments[0].id))
    desk.stops.settle(work)
    assert book.stops == [stop]
    assert book.take_profits[0].qty == D("0.04")
    assert book.take_profits[0].before.link_id == profit.link_id
    driver._log.close()


def test_an_exit_whose_price_was_reached_before_it_stood_closes_at_once(place: Place) -> None:
    driver = led(place, at_0=f"ctx.buy(0.01, exits={BOTH})")
    jumps(place, driver, 0.05)
    until(driver, 0)
    fills = strategy_of(driver).seen.fills
    assert [(order, qty) for order, _, qty, _ in fills] == [(1, 0.01), (0, 0.01)]
    assert held(place) == 0
    assert waiting(place) == {}
    closed(driver)


def test_on_spot_a_take_profit_is_looked_at_with_each_close(home: Path) -> None:
    with both_markets(home) as place:
        admin(place.exchange, "/twin/market", **SPOT, event="still")
        driver = place.driver(
            spot(place, one_with(home, at_0=f"ctx.buy(0.01, exits={BOTH})")), None
        )
        driver.start()
        until(driver, 1)
        book = driver.desk.books[0]
        (stop,) = conditional(place)
        assert (D(stop["qty"]), book.take_profits[0].link_id) == (book.tradable(0), "")
        admin(place.exchange, "/twin/market", **SPOT, event="gap", size="0.04")
        admin(place.exchange, "/twin/market", **SPOT, event="calm")
        until(driver, 3)
        assert book.tradable(0) == 0
        assert coins(place) - BEFORE == book.held[0].qty < D("0.0001")
        assert conditional(place) == []
        closed(driver)


def test_stop_keeps_both_at_the_exchange(place: Place) -> None:
    driver = led(place, at_0=f"ctx.buy(0.01, exits={BOTH})")
    until(driver, 1)
    before = waiting(place)
    driver.command(Command("STOP", "home time"))
    driver.turns.settle()
    assert waiting(place) == before
    assert set(before) == {"stop", "take_profit"}
    closed(driver)


def test_a_person_cannot_take_an_exit_away(place: Place) -> None:
    driver = led(place, at_0=f"ctx.buy(0.01, exits={BOTH})")
    until(driver, 1)
    link = driver.desk.books[0].take_profits[0].link_id
    answer = driver.command(Command("CANCEL", "no", wish={"by": "ann", "link": link}))
    assert "the exit of a position" in answer["words"]
    assert set(waiting(place)) == {"stop", "take_profit"}
