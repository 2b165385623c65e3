"""What happened to users of other systems, told again with ours: each story fails by assertion."""

from collections.abc import Callable
from decimal import Decimal

from openalpha.core.messages import EffectKind, OrderIntent
from openalpha.core.orders import OrderType, Side, TriggerKind
from openalpha.trading.bybit.side import BybitSide
from openalpha.trading.bybit.stops import Exits
from tests.faults.plans import BTC, placed
from tests.faults.scenario import settled_verdict
from tests.faults.trader import Wishes
from tests.faults.world import World

FUNDING_STAMP_MS = 1_700_006_400_000
STOP, LOWER_STOP = Decimal(55_000), Decimal(54_000)
Acts = dict[int, Callable[[BybitSide], Wishes]]


def buys(qty: str, **more: object) -> Callable[[BybitSide], Wishes]:
    """A decision that buys at the market."""
    intent = OrderIntent(0, BTC, Side.BUY, Decimal(qty), **more)  # type: ignore[arg-type]
    return lambda side: Wishes(orders=[placed(side.record.count + 1, "entry", intent)])


def sells(qty: str) -> Callable[[BybitSide], Wishes]:
    """A decision that sells at the market, to reduce."""
    intent = OrderIntent(0, BTC, Side.SELL, Decimal(qty), is_reduce_only=True)
    return lambda side: Wishes(orders=[placed(side.record.count + 1, "close", intent)])


def stops_at(price: Decimal) -> Callable[[BybitSide], Wishes]:
    """A decision that wants a stop for the position, now and always."""

    def wish(side: BybitSide) -> Wishes:
        side.protect("linear", "BTCUSDT", exits=Exits(stop=price))
        return Wishes()

    return wish


def stop(price: int | Decimal, *, replaces: int = 0) -> Callable[[BybitSide], Wishes]:
    """A decision that places a stop as an order of its own, in the place of the n-th or of none."""
    intent = OrderIntent(
        0,
        BTC,
        Side.SELL,
        Decimal("0.02"),
        trigger_price=Decimal(price),
        trigger_kind=TriggerKind.STOP,
        is_reduce_only=True,
    )

    def wish(side: BybitSide) -> Wishes:
        new = placed(side.record.count + 1, "stop", intent)
        if not replaces:
            return Wishes(orders=[new])
        old = next(o.link_id for o in side.record.orders.values() if o.number == replaces)
        side._owed += side.replace(new, old=old)
        return Wishes()

    return wish


def world_of(acts: Acts, *, seed: int = 1, start_ms: int = 1_700_000_000_000) -> World:
    """A world whose strategy does these acts at these decisions."""

    def plan(decision: int, side: BybitSide) -> Wishes:
        return acts[decision](side) if decision in acts else Wishes()

    return World(seed, plan, start_ms=start_ms)


def asked(world: World, path: str) -> int:
    """How often the exchange was asked something by the trader."""
    return sum(path in name and name.startswith("processed") for name in world.steps.names)


def stop_shown(world: World) -> str:
    """The stop the exchange has for the position."""
    return str(world.client.position()["stopLoss"])


def agrees(world: World, *expected: str) -> None:
    """Nothing is lost, doubled or believed otherwise than it is."""
    assert settled_verdict(world, set(expected)) == []


def restart(world: World) -> None:
    """End the process and start it again."""
    world.steps.at = world.steps.count + 1
    world.turn()
    assert world.trader is None
    world.run(8)


def funding_is_never_a_fill() -> None:
    """https://github.com/nautechsystems/nautilus_trader/issues/4937"""
    world = world_of({1: buys("0.02")}, start_ms=FUNDING_STAMP_MS - 8_000)
    world.run(60)
    world.settle()
    assert [fill.fill.qty for fill in world.trader.heard.fills] == [Decimal("0.02")]
    agrees(world)


def funding_is_paid_once_a_stamp() -> None:
    """https://github.com/freqtrade/freqtrade/issues/13263"""
    world = world_of({1: buys("0.02")}, start_ms=FUNDING_STAMP_MS - 8_000)
    world.run(60)
    restart(world)
    world.settle()
    kinds = [effect.kind for effect in world.trader.heard.effects]
    assert kinds.count(EffectKind.FUNDING) == 1
    agrees(world)


def a_warm_restart_invents_no_fill() -> None:
    """https://github.com/nautechsystems/nautilus_trader/issues/4736"""
    world = world_of({1: buys("0.02")})
    world.run(20)
    before = asked(world, "order/create")
    for _ in range(3):
        restart(world)
    world.settle()
    assert asked(world, "order/create") == before == 1
    assert world.client.position()["size"] == "0.020"
    agrees(world)


def starting_converges_in_one_pass() -> None:
    """https://github.com/nautechsystems/nautilus_trader/issues/3104"""
    world = world_of({})
    world.client.order("Buy", "0.05")
    world.client.order("Buy", "0.01", "50000")
    for _ in range(3):
        world.run(12)
        assert world.trader is not None
        assert world.trader.side.is_recovered
        restart(world)
    world.settle()
    assert asked(world, "order/create") == 0
    assert len(world.trader.heard.incidents) == 1, "the foreign order is told once"
    agrees(world, "foreign_order")


def an_accepted_order_is_not_submitted_again() -> None:
    """https://github.com/nautechsystems/nautilus_trader/issues/4215"""
    limit = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50_000)}
    world = world_of({1: buys("0.02"), 2: buys("0.01", **limit)})
    world.run(4)
    world.exchange.faults.add({"kind": "drop_after", "match": "/v5/order/create", "count": 2})
    world.run(30)
    world.settle()
    assert asked(world, "order/realtime") > 0
    assert world.client.position()["size"] == "0.020"
    agrees(world)


def timeouts_lose_and_double_nothing() -> None:
    """https://github.com/hummingbot/hummingbot/issues/3374"""
    limit = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50_000)}
    acts: Acts = {number: buys("0.01", **limit) for number in range(1, 9)}
    acts[9] = lambda side: Wishes(cancels=[one.link_id for one in side.record.open_orders()])
    world = world_of(acts, seed=10)
    world.run(4)
    world.network.weather.late = 0.6
    world.run(30)
    world.hub.strike("close_sockets", "private")
    world.run(30)
    world.settle()
    assert asked(world, "order/cancel") <= 40, "cancels are no loop"
    agrees(world)


def a_restart_keeps_stops_and_attaches_them_again() -> None:
    """https://github.com/Drakkar-Software/OctoBot/issues/3190"""
    world = world_of({1: buys("0.02"), 2: stops_at(STOP)})
    world.run(24)
    assert stop_shown(world) == "55000.0"
    restart(world)
    assert stop_shown(world) == "55000.0"
    body = {"category": "linear", "symbol": "BTCUSDT", "positionIdx": 0, "tpslMode": "Full"}
    world.client.post("/v5/position/trading-stop", **body, stopLoss="0")
    assert stop_shown(world) in ("", "0", "0.0")
    world.run(60)
    assert stop_shown(world) == "55000.0"


def a_position_closed_by_hand_gets_no_more_stops() -> None:
    """https://github.com/freqtrade/freqtrade/issues/7606"""
    world = world_of({1: buys("0.02"), 2: stops_at(STOP)})
    world.run(24)
    world.client.order("Sell", "0.02", reduceOnly=True)
    world.run(12)
    before = asked(world, "position/trading-stop")
    world.run(120)
    assert asked(world, "position/trading-stop") == before
    agrees(world, "foreign_fill")
    told = [one.code for one in world.trader.heard.incidents]
    assert told == ["foreign_fill"], "a person is told, once"


def no_stop_outlives_its_position() -> None:
    """https://github.com/freqtrade/freqtrade/issues/12528"""
    world = world_of({1: buys("0.02"), 2: stops_at(STOP), 8: sells("0.02")})
    world.run(28)
    assert stop_shown(world) == "55000.0"
    reducing = [o.is_reduce_only or o.closes_on_trigger for o in stop_orders(world)]
    assert reducing == [True]
    world.run(60)
    assert stop_orders(world) == []
    assert asked(world, "position/trading-stop") == 1
    agrees(world)


def an_unchanged_stop_is_left_alone() -> None:
    """https://github.com/freqtrade/freqtrade/issues/11788"""
    acts: Acts = {number: stops_at(STOP) for number in range(2, 80)}
    world = world_of({1: buys("0.02"), **acts})
    world.run(300)
    assert asked(world, "position/trading-stop") == 1


def a_position_is_never_naked_while_its_stop_moves() -> None:
    """https://github.com/freqtrade/freqtrade/issues/12984"""
    acts: Acts = {1: buys("0.02"), 2: stops_at(STOP)}
    acts |= {number: stops_at(STOP if number % 2 else LOWER_STOP) for number in range(6, 20)}
    acts |= {9: sells("0.005"), 13: sells("0.005")}
    world = world_of(acts)
    world.run(24)
    world.exchange.faults.add({"kind": "drop_after", "match": "/v5/position", "probability": 0.3})
    for _ in range(60):
        world.turn()
        assert stop_shown(world) in ("55000.0", "54000.0"), "there is a stop at every moment"
    assert asked(world, "position/trading-stop") > 3
    assert world.client.position()["size"] == "0.010"


def a_stop_is_replaced_without_a_gap() -> None:
    """https://github.com/jesse-ai/jesse/issues/510"""
    acts: Acts = {1: buys("0.02"), 2: stop(55_000)}
    acts |= {5: stop(56_000, replaces=2), 8: stop(57_000, replaces=3)}
    world = world_of(acts, seed=3)
    world.run(18)
    world.exchange.faults.add({"kind": "drop_before", "match": "/v5/order/create", "count": 1})
    for _ in range(60):
        world.turn()
        waiting = [o for o in world.account.orders.values() if o.status == "Untriggered"]
        assert waiting, "there is a stop at every moment"
    assert [o.trigger for o in waiting] == [570_000]
    agrees(world)


def stop_orders(world: World) -> list:
    """The exits of the position that wait at the exchange."""
    return [one for one in world.account.orders.values() if one.is_open and one.stop_type]
