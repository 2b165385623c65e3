"""Money on the twin: the transaction log is the balance, to the last unit, whatever happens."""

import contextlib
import random
from decimal import Decimal as D  # noqa: N817 - a table of figures
from typing import Any

import pytest

from openalpha.venue.twin import Exchange
from tests.fakes.twin import (
    BTC,
    BTC_SPOT,
    BTC_USD,
    INVERSE,
    LINEAR,
    SPOT,
    Client,
    Refusal,
    admin,
    new_exchange,
    wait,
)


@pytest.fixture
def venue() -> Exchange:
    return new_exchange(BTC, BTC_SPOT, BTC_USD)


def log_of(client: Client) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    cursor = ""
    while True:
        page = client.get("/v5/account/transaction-log", limit=50, cursor=cursor)
        rows += page["list"]
        cursor = page["nextPageCursor"]
        if not cursor:
            return rows


def check_books(client: Client) -> None:
    """Each coin's log adds up to its balance, row by row and as a whole."""
    rows = log_of(client)
    for coin in ("USDT", "BTC"):
        of_coin = [row for row in rows if row["currency"] == coin][::-1]
        balance = D(0)
        for row in of_coin:
            balance += D(row["change"])
            assert D(row["cashBalance"]) == balance, row
            funding = D(row["funding"] or "0")
            assert D(row["cashFlow"]) + funding - D(row["fee"]) == D(row["change"]), row
        assert balance == client.balance(coin)
        number = client.exchange.state.accounts.by_key(client.key)
        assert number is not None
        held = client.exchange.state.balance(number[0].number, coin)
        assert D(held).scaleb(-8) == balance


def test_a_round_trip_is_its_profit_less_its_fees(venue: Exchange) -> None:
    me = Client.of(venue, USDT="50000")
    me.order("Buy", "0.1")
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=0.02)
    wait(venue, 200)
    me.order("Sell", "0.1")
    closed = me.get("/v5/position/closed-pnl", category="linear")["list"][0]
    assert me.balance() == 50_000 + D(closed["closedPnl"])
    gain = D(closed["cumExitValue"]) - D(closed["cumEntryValue"])
    fees = D(closed["openFee"]) + D(closed["closeFee"])
    assert D(closed["closedPnl"]) == gain - fees
    assert D(me.position()["cumRealisedPnl"]) == D(closed["closedPnl"])
    check_books(me)


def test_funding_is_paid_by_longs_and_never_a_fill(venue: Exchange) -> None:
    long, short = Client.of(venue, USDT="50000"), Client.of(venue, USDT="50000")
    long.order("Buy", "0.1")
    short.order("Sell", "0.1")
    before = (long.position()["size"], short.position()["size"])
    admin(venue, "/twin/funding", symbol="BTCUSDT", rate="0.001")
    assert (long.position()["size"], short.position()["size"]) == before
    for client, sign in ((long, 1), (short, -1)):
        row = client.get("/v5/execution/list", category="linear", execType="Funding")["list"][0]
        assert D(row["execFee"]) * sign > 0
        logged = client.get("/v5/account/transaction-log", type="SETTLEMENT")["list"][0]
        assert D(logged["funding"]) == -D(row["execFee"])
        check_books(client)
    history = long.get("/v5/market/funding/history", **LINEAR)["list"]
    assert history[0]["fundingRate"] == "0.001"


def test_funding_is_settled_at_its_stamps_by_itself() -> None:
    venue = new_exchange(BTC, step_ms=60_000)
    me = Client.of(venue, USDT="50000")
    me.order("Buy", "0.1")
    wait(venue, 25 * 3_600_000)
    rows = me.get("/v5/account/transaction-log", type="SETTLEMENT")["list"]
    assert len(rows) == 3
    assert all(int(row["transactionTime"]) % (8 * 3_600_000) == 0 for row in rows)


def test_a_crash_liquidates_and_the_fund_bears_what_is_missing(venue: Exchange) -> None:
    me, other = Client.of(venue, USDT="1000"), Client.of(venue, USDT="50000")
    me.order("Buy", "0.15")
    resting = me.order("Buy", "0.001", "40000")
    price = D(me.position()["liqPrice"])
    assert 53_000 < price < 58_000
    fund = venue.state.funds["USDT"]
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=-0.3)
    wait(venue, 3_000)
    assert me.position()["size"] == "0.000"
    assert me.shown(resting)["cancelType"] == "CancelAllBeforeLiq"
    kinds = {row["execType"] for row in me.get("/v5/execution/list", category="linear")["list"]}
    assert "BustTrade" in kinds
    assert me.balance() == 0
    assert venue.state.funds["USDT"] != fund
    check_books(me)
    check_books(other)


def test_the_liquidation_price_shown_is_where_it_happens(venue: Exchange) -> None:
    admin(venue, "/twin/market", symbol="BTCUSDT", event="still")
    for mode in ("cross", "isolated"):
        made = admin(venue, "/twin/accounts", balances={"USDT": "3000"}, margin_mode=mode)
        me = Client(venue, made["api_key"], made["api_secret"])
        for side, below in (("Buy", -1), ("Sell", 1)):
            me.order(side, "0.1")
            shown = D(me.position()["liqPrice"])
            machine = venue.state.pools[0].machine
            for away, survives in ((-below * 30, True), (below * 10, False)):
                machine.on_mark(0, venue.state.now_ms, int(shown * 10) + away)
                held = me.position()["size"] != "0.000"
                assert held == survives, (mode, side, shown, away)
            admin(venue, "/twin/fund", uid=made["uid"], coin="USDT", amount="3000")
            wait(venue, 100)


def test_a_closed_market_settles_every_position_at_the_mark(venue: Exchange) -> None:
    me = Client.of(venue, USDT="50000")
    me.order("Buy", "0.1")
    resting = me.order("Buy", "0.1", "50000")
    admin(venue, "/twin/instrument", symbol="BTCUSDT", status="Closed")
    assert me.position()["size"] == "0.000"
    assert me.shown(resting)["orderStatus"] == "Cancelled"
    with pytest.raises(Refusal) as refused:
        me.order("Buy", "0.1")
    assert refused.value.code == 110074
    assert me.get("/v5/execution/list", category="linear")["list"][0]["execType"] == "Settle"
    check_books(me)


@pytest.mark.parametrize("seed", range(6))
def test_books_add_up_after_anything(venue: Exchange, seed: int) -> None:
    rng = random.Random(seed)
    clients = [Client.of(venue, USDT="20000", BTC="1") for _ in range(3)]
    clients[2].post("/v5/position/switch-mode", category="linear", coin="USDT", mode=3)
    for _ in range(120):
        me = rng.choice(clients)
        with contextlib.suppress(Refusal):
            _anything(me, rng)
    for me in clients:
        check_books(me)


def _anything(me: Client, rng: random.Random) -> None:
    market = rng.choice((LINEAR, LINEAR, LINEAR, SPOT, INVERSE))
    side = rng.choice(("Buy", "Sell"))
    price = str(rng.randrange(57_000, 63_000))
    qty = str(rng.randrange(1, 9) * 100) if market is INVERSE else f"0.0{rng.randrange(1, 99):02d}"
    params = {**market, "side": side, "qty": qty, "orderType": rng.choice(("Limit", "Market"))}
    params["price"] = price
    if rng.random() < 0.3 and market is LINEAR:
        params["positionIdx"] = rng.choice((0, 1, 2))
    if rng.random() < 0.2:
        params |= {"triggerPrice": price, "triggerDirection": rng.choice((1, 2))}
    elif rng.random() < 0.2:
        params |= {"stopLoss": "50000" if side == "Buy" else "70000"}
    match rng.randrange(10):
        case 0:
            me.post("/v5/order/cancel-all", **market)
        case 1:
            wait(me.exchange, rng.randrange(1, 5_000))
        case 2:
            admin(me.exchange, "/twin/funding", symbol="BTCUSDT", rate=f"{rng.random() / 100:.6f}")
        case 3:
            size = rng.choice((-0.03, 0.03))
            admin(me.exchange, "/twin/market", symbol="BTCUSDT", event="gap", size=size)
            wait(me.exchange, 100)
        case _:
            me.post("/v5/order/create", **params)


def test_without_a_fund_winners_are_deleveraged_until_it_is_whole() -> None:
    venue = new_exchange(BTC, insurance_fund=D(0))
    loser, winner, other = (Client.of(venue, USDT=sum_) for sum_ in ("1000", "50000", "50000"))
    loser.order("Buy", "0.15")
    winner.order("Sell", "0.1")
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=-0.02)
    wait(venue, 200)
    other.order("Sell", "0.1")
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=-0.3)
    wait(venue, 3_000)
    assert loser.position()["size"] == "0.000"
    rows = winner.get("/v5/execution/list", category="linear", execType="AdlTrade")["list"]
    assert rows and winner.position()["size"] == "0.000"
    assert rows[0]["createType"] == "CreateByAdl_PassThrough" and rows[0]["execFee"] == "0"
    for client in (loser, winner, other):
        check_books(client)


@pytest.mark.parametrize("mode", ["one_way", "hedge"])
def test_margin_added_by_hand_moves_the_liquidation_and_goes_no_lower_than_it_must(
    venue: Exchange, mode: str
) -> None:
    made = admin(
        venue,
        "/twin/accounts",
        balances={"USDT": "1000"},
        margin_mode="isolated",
        position_mode=mode,
    )
    me = Client(venue, made["api_key"], made["api_secret"], made["uid"])
    idx = {"positionIdx": 2 if mode == "hedge" else 0}
    me.order("Sell", "0.1", **idx)

    def add(margin: str) -> Any:
        return me.post("/v5/position/add-margin", **LINEAR, **idx, margin=margin)

    def row() -> Any:
        return next(one for one in me.get("/v5/position/list", **LINEAR)["list"] if one["side"])

    before, wallet = row(), me.balance()
    answer = add("100.5")
    assert D(row()["positionBalance"]) - D(before["positionBalance"]) == D("100.5")
    # a short is liquidated so much higher as the margin added makes a coin of it
    assert abs(D(answer["liqPrice"]) - D(before["liqPrice"]) - D("1005")) <= D("0.1")
    assert answer["liqPrice"] == row()["liqPrice"] and me.balance() == wallet
    assert add("-100.5")["liqPrice"] == before["liqPrice"]
    for margin, code in (("-0.1", 110078), ("400", 110014), ("0", 110027), ("0.00001", 10001)):
        with pytest.raises(Refusal) as refusal:
            add(margin)
        assert refusal.value.code == code
    assert row() == {**before, "seq": row()["seq"], "updatedTime": row()["updatedTime"]}


def test_margin_is_added_to_what_is_isolated_and_held_alone(venue: Exchange) -> None:
    me = Client.of(venue)
    for code in (110015, 10001):
        with pytest.raises(Refusal) as refusal:
            me.post("/v5/position/add-margin", **LINEAR, margin="10")
        assert refusal.value.code == code
        me.post("/v5/account/set-margin-mode", setMarginMode="ISOLATED_MARGIN")


@pytest.mark.parametrize(("margin", "left"), [("0", "0.000"), ("150", "0.100")])
def test_margin_added_keeps_a_position_that_would_be_liquidated(
    venue: Exchange, margin: str, left: str
) -> None:
    made = admin(venue, "/twin/accounts", balances={"USDT": "1000"}, margin_mode="isolated")
    me = Client(venue, made["api_key"], made["api_secret"], made["uid"])
    me.order("Sell", "0.1")
    if margin != "0":
        me.post("/v5/position/add-margin", **LINEAR, margin=margin)
    admin(venue, "/twin/market", symbol="BTCUSDT", event="gap", size=0.1)
    wait(venue, 500)
    assert me.position()["size"] == left
