"""The exchange cancels everything when the trader's line is dead (DCP); nothing stays naked."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.errors import ConfigError, InputError
from openalpha.core.orders import Side
from openalpha.net import Priority
from openalpha.store.exchange_key import ExchangeKey
from openalpha.trading.safety import guardian as guardian_module
from openalpha.trading.safety.emergency import Stop, StopOrder, emergency_stop
from openalpha.trading.safety.emergency_lock import locked
from openalpha.trading.safety.guardian import Guardian
from openalpha.trading.safety.guardian_dcp import switch_on
from openalpha.trading.safety.guardian_settings import GuardianSettings
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.twin import exchange as exchange_module
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.sockets import Hub
from tests.fakes.bybit import URL, wire
from tests.fakes.twin import BTC, BTC_SPOT, BTC_USD, Client, Ear, new_exchange, wait

STOP = Decimal(55_000)


class Scene:
    """A trader with a position, its stop and an entry, and a guardian beside it."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.exchange = new_exchange(BTC, BTC_SPOT, BTC_USD)
        self.hub = Hub(self.exchange)
        self.me = Client.of(self.exchange)
        key = ExchangeKey(self.me.key, self.me.secret, URL)
        self.client: BybitClient = wire(self.exchange, key, priority=Priority.RISK)[0]
        self.said: list[str] = []
        self.guardian = Guardian(
            home,
            "twin",
            self.client,
            settings=GuardianSettings(**{"dcp_window_s": 10, **settings}),
            clock=self.exchange.clock,
            tell=self.said.append,
        )
        switch_on(self.client, 10)
        self.ear = Ear(self.hub, "/v5/private")
        self.ear.login(self.me)
        self.ear.say(op="subscribe", args=["dcp.future", "dcp.spot"])
        self.me.order("Buy", "0.02")
        self.entry = self.me.order("Buy", "0.01", "50000")
        self.seconds(1)

    def seconds(self, count: int) -> None:
        for _ in range(count):
            wait(self.exchange, 1_000)
            self.hub.pump()

    def dies(self) -> None:
        self.hub.close(self.ear.session)
        self.seconds(12)
        assert self.me.shown(self.entry)["cancelType"] == "CancelByDCP"

    def stop_of_the_position(self) -> None:
        (position,) = self.client.positions.held("linear", settle="USDT")
        self.client.positions.set_exits(position, stop_loss=STOP)

    def stop_of_its_own(self) -> None:
        terms: dict[str, Any] = {"trigger_price": STOP, "is_reduce_only": True}
        self.client.orders.create(
            NewOrder("linear", "BTCUSDT", Side.SELL, Decimal("0.02"), "stop-1", **terms)
        )


@pytest.mark.parametrize("kind", ["stop_of_the_position", "stop_of_its_own"])
def test_the_stop_is_back_where_it_was(tmp_path: Path, kind: str) -> None:
    scene = Scene(tmp_path)
    getattr(scene, kind)()
    scene.guardian.round()
    assert scene.said == [], "nothing has happened yet"
    scene.dies()
    assert Decimal(scene.me.position()["stopLoss"] or 0) == 0, "the exchange took the stop, too"
    scene.guardian.round()
    assert Decimal(scene.me.position()["stopLoss"]) == STOP
    assert scene.me.position()["size"] == "0.020" and locked(tmp_path, "twin") is None
    assert "cancelled the stops of BTCUSDT" in scene.said[0]
    scene.guardian.round()
    assert len(scene.said) == 1, "once"


def test_without_the_guardians_look_it_would_stay_naked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guardian_module, "bared", lambda client: [])
    scene = Scene(tmp_path)
    scene.stop_of_the_position()
    scene.dies()
    scene.guardian.round()
    assert Decimal(scene.me.position()["stopLoss"] or 0) == 0


def test_or_everything_is_closed_and_locked(tmp_path: Path) -> None:
    scene = Scene(tmp_path, dcp_act="flatten")
    scene.stop_of_the_position()
    scene.dies()
    scene.guardian.round()
    scene.seconds(1)
    assert scene.me.position()["size"] == "0.000"
    assert locked(tmp_path, "twin") is not None


def test_a_stop_that_was_taken_away_by_hand_stays_away(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.stop_of_the_position()
    (position,) = scene.client.positions.held("linear", settle="USDT")
    scene.client.positions.set_exits(position, stop_loss=Decimal(0))
    scene.guardian.round()
    assert scene.said == []


def test_off_by_default_and_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GuardianSettings().dcp_window_s == 0
    with pytest.raises(ConfigError, match=r"was 2, expected 0 \(off\) or 3 to 300"):
        GuardianSettings(dcp_window_s=2)

    def denied(*args: object) -> None:
        raise Refused(10005, "Permission denied")

    monkeypatch.setitem(exchange_module.WRITES, "/v5/order/disconnected-cancel-all", denied)
    exchange = new_exchange(BTC)
    me = Client.of(exchange)
    client = wire(exchange, ExchangeKey(me.key, me.secret, URL))[0]
    with pytest.raises(InputError, match="does not grant DCP to this account"):
        switch_on(client, 10)


def test_an_act_that_does_not_come_to_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange is away while a STOP file lies there: a person must hear so."""

    def one_try(order: StopOrder, *more: Any, **how: Any) -> Stop:
        return emergency_stop(replace(order, limit_s=0.0), *more, **how)

    monkeypatch.setattr(guardian_module, "emergency_stop", one_try)
    scene = Scene(tmp_path)
    scene.exchange.faults.add({"kind": "drop_before", "match": ""})
    (tmp_path / "STOP").touch()
    for _ in range(5):
        scene.guardian.round()
    told = [words for words in scene.said if "NOT done" in words]
    assert len([words for words in scene.said if "acts (flatten)" in words]) == 1
    assert len(told) == 1 and "linear: not known" in told[0], "said once, not at each try"
    scene.exchange.faults.clear()
    for _ in range(5):
        scene.guardian.round()
        scene.seconds(1)
    assert scene.said[-1].startswith("the guardian is done: ")
    assert scene.client.positions.held("linear", settle="USDT") == []
