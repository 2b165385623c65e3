"""The emergency stop as a whole on the twin: lock, purchases, repeats, broken disks."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.clock import ManualClock
from openalpha.core.errors import InputError
from openalpha.core.orders import Side
from openalpha.net import Priority
from openalpha.store.audit import AuditTrail
from openalpha.trading.safety.emergency import Stop, StopOrder, emergency_stop
from openalpha.trading.safety.emergency_holdings import keep_bought, read_bought
from openalpha.trading.safety.emergency_lock import (
    Lock,
    lock,
    locked,
    refuse_if_locked,
    safety_folder,
    unlock,
)
from openalpha.trading.safety.guardian_heartbeat import Heartbeat
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import Exchange
from tests.fakes.bybit import account, pausing, wire
from tests.fakes.twin import BTC, BTC_SPOT, admin, new_exchange, wait

NOW = ManualClock(1_700_000_000_000)


@pytest.fixture
def exchange() -> Exchange:
    return new_exchange(BTC, BTC_SPOT)


@pytest.fixture
def client(exchange: Exchange) -> BybitClient:
    key = account(exchange, balances={"USDT": "500000", "BTC": "3"})
    return wire(exchange, key, priority=Priority.RISK)[0]


def stop(home: Path, exchange: Exchange, client: BybitClient, **more: Any) -> Stop:
    order = StopOrder(home, "twin", "ann", "a bad day", **more)
    return emergency_stop(order, client, clock=NOW, pause=pausing(exchange))


def trade(exchange: Exchange, client: BybitClient) -> None:
    client.orders.create(NewOrder("linear", "BTCUSDT", Side.BUY, Decimal("0.5"), "t-1"))
    client.orders.create(
        NewOrder("linear", "BTCUSDT", Side.BUY, Decimal("0.1"), "t-2", Decimal(50_000))
    )
    wait(exchange, 200)


def coins(client: BybitClient) -> Decimal:
    return next(coin.wallet for coin in client.account.wallet().coins if coin.coin == "BTC")


def test_nothing_trades_after_a_stop_until_a_person_unlocks(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    trade(exchange, client)
    done = stop(tmp_path, exchange, client)
    assert (done.is_done, done.is_locked, done.cancelled, done.closing_orders) == (True, True, 1, 1)
    assert client.positions.held("linear", settle="USDT") == []
    with pytest.raises(InputError, match="locked: a bad day"):
        refuse_if_locked(tmp_path, "twin")
    refuse_if_locked(tmp_path, "demo")
    assert unlock(tmp_path, "twin", why=Lock("calm again", "bob", 2)) is not None
    refuse_if_locked(tmp_path, "twin")
    assert [act.name for act in AuditTrail(tmp_path).acts()] == ["lock", "stop", "unlock"]


@pytest.mark.parametrize("has_trader", [True, False])
def test_an_order_that_was_on_its_way_is_closed_too(
    tmp_path: Path, exchange: Exchange, client: BybitClient, has_trader: bool
) -> None:
    """Orders went on after the kill switch: hummingbot 2534. It arrives after the first look."""
    heart = Heartbeat(tmp_path, "twin")
    heart.beat(0)
    if not has_trader:
        heart.end(0)
    admin(exchange, "/twin/latency", ms=300)
    client.orders.create(NewOrder("linear", "BTCUSDT", Side.BUY, Decimal("0.5"), "late"))
    done = stop(tmp_path, exchange, client)
    assert done.is_done
    wait(exchange, 1_000)
    assert bool(client.positions.held("linear", settle="USDT")) is not has_trader


def test_the_lock_stands_before_the_venue_is_asked(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    exchange.faults.add({"kind": "drop_before", "match": ""})
    done = stop(tmp_path, exchange, client, limit_s=0.0)
    assert not done.is_done and done.is_locked and "not known" in done.left[0]
    assert locked(tmp_path, "twin") is not None


def test_only_what_was_bought_is_sold(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal("0.5")})
    done = stop(tmp_path, exchange, client)
    assert done.is_done and coins(client) == Decimal("2.5")
    assert read_bought(tmp_path, "twin").qty == {}
    for _ in range(2):
        assert stop(tmp_path, exchange, client).is_done
        assert coins(client) == Decimal("2.5"), "a stop that is repeated sells nobody's coins"


def test_nothing_is_sold_where_nothing_was_bought(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    assert stop(tmp_path, exchange, client).is_done
    assert coins(client) == 3


def test_a_crash_between_sale_and_note_sells_nothing_twice(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal("0.5")})
    path = safety_folder(tmp_path, "twin") / "bought.json"
    before = path.read_bytes()
    assert stop(tmp_path, exchange, client).is_done
    path.write_bytes(before)  # as if the note had never reached the disk
    assert stop(tmp_path, exchange, client).is_done
    assert coins(client) == Decimal("2.5")
    # The same quantity bought anew is sold: it is another purchase.
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal("0.5")})
    assert stop(tmp_path, exchange, client).is_done
    assert coins(client) == 2


@pytest.mark.parametrize("seed", range(6))
def test_through_faults_exactly_what_was_bought_is_sold(
    tmp_path: Path, exchange: Exchange, client: BybitClient, seed: int
) -> None:
    """Lost requests and lost replies; where it gives up, it is repeated until it is done."""
    trade(exchange, client)
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal("0.5")})
    exchange.faults.reseed(seed)
    for kind in ("drop_before", "drop_after", "busy_after", "http_500"):
        exchange.faults.add({"kind": kind, "match": "/v5/", "probability": 0.12})
    for _ in range(20):
        if stop(tmp_path, exchange, client, limit_s=5.0).is_done:
            break
    exchange.faults.clear()
    assert stop(tmp_path, exchange, client).is_done
    assert coins(client) == Decimal("2.5")
    assert client.positions.held("linear", settle="USDT") == []


def test_what_was_not_sold_in_time_is_sold_by_the_next_stop(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal("0.5")})
    exchange.faults.add({"kind": "drop_before", "match": "/v5/order/create"})
    assert not stop(tmp_path, exchange, client, limit_s=0.0).is_done
    exchange.faults.clear()
    assert stop(tmp_path, exchange, client).is_done
    assert coins(client) == Decimal("2.5")


def test_more_than_there_is_is_not_sold(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal(9), "NOPEUSDT": Decimal(1)})
    done = stop(tmp_path, exchange, client)
    assert done.is_done and coins(client) == 0
    assert "no such market" in " ".join(done.troubles)


def test_all_holdings_go_when_told_so(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    done = stop(tmp_path, exchange, client, include_holdings=True)
    assert done.is_done and coins(client) == 0


def test_kept_positions_keep_their_coins_too(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    trade(exchange, client)
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal("0.5")})
    done = stop(tmp_path, exchange, client, keep_positions=True)
    assert done.is_done and coins(client) == 3
    (position,) = client.positions.held("linear", settle="USDT")
    assert position.stop_loss is not None


@pytest.mark.parametrize("damage", ["{", "[]", '{"qty": {"BTCUSDT": "x"}, "mark": "a"}', "{}"])
def test_a_damaged_file_of_purchases_sells_nothing_and_says_so(
    tmp_path: Path, exchange: Exchange, client: BybitClient, damage: str
) -> None:
    trade(exchange, client)
    keep_bought(tmp_path, "twin", bought={"BTCUSDT": Decimal(1)})
    (safety_folder(tmp_path, "twin") / "bought.json").write_text(damage)
    done = stop(tmp_path, exchange, client)
    assert done.is_done and coins(client) == 3
    assert "cannot be read" in done.troubles[0]
    assert client.positions.held("linear", settle="USDT") == []


def test_it_works_where_the_home_cannot_be_written(
    tmp_path: Path, exchange: Exchange, client: BybitClient
) -> None:
    """No database, no disk: the account is flat all the same."""
    trade(exchange, client)
    home = tmp_path / "file"
    home.write_text("where the home should be")
    done = stop(home, exchange, client)
    assert done.is_done and not done.is_locked
    assert "the lock could not be written" in done.troubles[0]
    assert client.positions.held("linear", settle="USDT") == []


def test_the_first_reason_stays(tmp_path: Path) -> None:
    lock(tmp_path, "live", why=Lock("first", "ann", 1))
    lock(tmp_path, "live", why=Lock("second", "bob", 2))
    found = locked(tmp_path, "live")
    assert found is not None and found.words == "first"


def test_a_stop_ends_the_arming(tmp_path: Path) -> None:
    armed = tmp_path / "arming" / "live.json"
    armed.parent.mkdir()
    armed.write_text("{}")
    lock(tmp_path, "demo", why=Lock("a", "b", 1))
    assert armed.exists()
    lock(tmp_path, "live", why=Lock("a", "b", 1))
    assert not armed.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"words": 1}'])
def test_a_damaged_lock_locks(tmp_path: Path, text: str) -> None:
    path = safety_folder(tmp_path, "twin") / "lock.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert locked(tmp_path, "twin") is not None


def test_a_file_in_the_home_locks_one_or_all(tmp_path: Path) -> None:
    (tmp_path / "STOP.twin").touch()
    assert locked(tmp_path, "twin") is not None and locked(tmp_path, "live") is None
    unlock(tmp_path, "twin", why=Lock("ok", "ann", 1))
    assert locked(tmp_path, "twin") is None
    (tmp_path / "STOP").symlink_to(tmp_path / "nowhere")
    assert locked(tmp_path, "twin") is not None and locked(tmp_path, "live") is not None
    with pytest.raises(InputError, match="stops every environment"):
        unlock(tmp_path, "twin", why=Lock("ok", "ann", 1))


def test_purchases_of_zero_are_not_kept(tmp_path: Path) -> None:
    keep_bought(tmp_path, "twin", bought={"A": Decimal(0), "B": Decimal("1.50")})
    assert read_bought(tmp_path, "twin").qty == {"B": Decimal("1.50")}
    assert read_bought(tmp_path, "demo").qty == {}
