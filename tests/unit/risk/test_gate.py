"""The gate, limit by limit: it refuses, it never enlarges, and exits pass."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from openalpha.core.clock import DAY_MS
from openalpha.core.messages import ApprovedIntent, OrderIntent
from openalpha.core.orders import Leg, Side, TriggerKind
from openalpha.core.reasons import Reason
from openalpha.risk.gate import Gate, Refusal
from openalpha.risk.limits import IMMUTABLE, Limits, limits_of
from openalpha.risk.settings import LimitSettings, RiskSettings
from openalpha.risk.view import AccountView, Stage, StrategyMoney, SubBook
from tests.fakes.gate_view import BTC, ETH, at, buy, gate, held, said, sell, view
from tests.fakes.small_market import START_MS, inverse

NONE, RISK = Reason.NONE, Reason.RISK_REFUSED


@pytest.mark.parametrize(
    ("limits", "intent", "seen", "reason"),
    [
        ({"max_order": Decimal(1000)}, buy("10"), view(), NONE),
        ({"max_order": Decimal(1000)}, buy("10.001"), view(), RISK),
        ({"min_order": Decimal(100)}, buy("1"), view(), NONE),
        ({"min_order": Decimal(100)}, buy("0.999"), view(), RISK),
        ({"max_position": Decimal("0.1")}, buy("10"), view(), NONE),
        ({"max_position": Decimal("0.1")}, sell("10.001"), view(), RISK),
        # What is open on its side counts as filled.
        ({"max_position": Decimal("0.1")}, buy("2"), view(held("ma", "5", buying="4")), RISK),
        ({"max_position": Decimal("0.1")}, buy("2"), view(held("ma", "5", buying="3")), NONE),
        # Everybody's position of the account counts, not only one's own.
        ({"max_position": Decimal("0.1")}, buy("2"), view(held("rsi", "9")), RISK),
        ({"max_position": Decimal("0.1")}, buy("2"), view(held("rsi", "8")), NONE),
        # What another holds the other way frees nothing.
        ({"max_position": Decimal("0.1")}, buy("11"), view(held("rsi", "-9")), RISK),
        # A limit in code stands although the setting is wider.
        ({"max_position": Decimal(9)}, buy("30.001"), view(), RISK),
        ({"max_position": Decimal(0)}, buy("30.001"), view(), RISK),
        ({"max_position": Decimal(9)}, buy("30"), view(), NONE),
        # 3,000 down to a stop of 10 % would be 300, more than 2 % of 10,000.
        ({"stop": Decimal("0.1")}, buy("20.001"), view(), RISK),
        ({"stop": Decimal("0.1")}, buy("20"), view(), NONE),
        ({"stop": Decimal("0.1")}, buy("30", stop_e6=60_000), view(), NONE),
        # A stop that is further than the limit's is not the one that is reckoned with.
        ({"risk_per_trade": Decimal("0.005")}, buy("16", stop_e6=90_000), view(), NONE),
        ({"risk_per_trade": Decimal("0.005")}, buy("17", stop_e6=90_000), view(), RISK),
        # One strategy's positions together.
        ({"max_strategy": Decimal("0.3")}, buy("20"), view(held("ma", "20", of=ETH)), NONE),
        ({"max_strategy": Decimal("0.3")}, buy("20"), view(held("ma", "-21", of=ETH)), RISK),
        ({"max_strategy": Decimal("0.3")}, buy("20"), view(held("rsi", "40", of=ETH)), NONE),
        ({"max_leverage": Decimal("0.4")}, buy("20"), view(held("rsi", "40", of=ETH)), NONE),
        ({"max_leverage": Decimal("0.4")}, buy("20"), view(held("rsi", "41", of=ETH)), RISK),
        # 20 at 100 and a leverage of 10 lock 200.
        ({"cash_reserve": Decimal("0.1")}, buy("20"), view(free=Decimal(1200)), NONE),
        ({"cash_reserve": Decimal("0.1")}, buy("20"), view(free=Decimal(1199)), RISK),
    ],
)  # fmt: skip
def test_limits_of_size(
    limits: dict[str, Any], intent: OrderIntent, seen: AccountView, reason: Reason
) -> None:
    answer = gate(**limits).judge(intent, seen)
    assert said([answer]) == [reason]
    if isinstance(answer, Refusal):
        assert "the limit is" in answer.words


@pytest.mark.parametrize(
    ("limits", "intent", "seen", "words"),
    [
        ({"max_order": 1000}, buy("10.001"), view(),
         "the order would be 1000.1, the limit is at most 1000 (risk.max_order = 1000)"),
        ({"min_order": 100}, buy("0.5"), view(),
         "the order would be 50, the limit is at least 100 (risk.min_order = 100)"),
        ({"max_position": "0.10"}, buy("11"), view(),
         "the position would be 1100, the limit is at most 1000 (risk.max_position = 0.1)"),
        # What is in force is said, not the wider setting that code does not allow.
        ({"max_position": 9}, buy("31"), view(),
         "the position would be 3100, the limit is at most 3000 (risk.max_position = 0.3)"),
        ({"stop": "0.1"}, buy("25"), view(),
         "the loss down to its stop would be 250, the limit is at most 200 "
         "(limits.risk_per_trade = 0.02)"),
        ({"max_strategy": "0.3"}, buy("20"), view(held("ma", "22", of=ETH)),
         "the value of all positions of ma would be 3100, the limit is at most 3000 "
         "(limits.max_strategy = 0.3)"),
        ({"max_leverage": "0.4"}, buy("20"), view(held("rsi", "42", of=ETH)),
         "the value of all positions would be 4100, the limit is at most 4000 "
         "(limits.max_leverage = 0.4)"),
        ({"cash_reserve": "0.1"}, buy("20"), view(free=Decimal(1100)),
         "the money left free would be 900, the limit is at least 1000 "
         "(limits.cash_reserve = 0.1)"),
        ({"strategy_stop": "0.1"}, buy("1"),
         view(strategies={"ma": StrategyMoney(Decimal(1000), Decimal("899.5"))}),
         "ma has 899.5 left, the limit is at least 900 (limits.strategy_stop = 0.1)"),
        ({"max_price_age_ms": 1000}, buy("1"), view(seen_ms=START_MS - 1500),
         "the newest data of bybit_linear:BTCUSDT is 1500 ms old, the limit is at most 1000 "
         "(limits.max_price_age_ms = 1000)"),
    ],
)  # fmt: skip
def test_a_refusal_names_what_was_wanted_the_limit_and_its_setting(
    limits: dict[str, Any], intent: OrderIntent, seen: AccountView, words: str
) -> None:
    whole = "max_price_age_ms"
    wanted = {name: value if name == whole else Decimal(value) for name, value in limits.items()}
    answer = gate(**wanted).judge(intent, seen)
    assert isinstance(answer, Refusal) and answer.words == words


def test_the_day_s_last_order_and_another_s_coins_are_refused_in_words() -> None:
    counted = gate(max_trades_per_day=1)
    counted.judge(buy("1"), view())
    answer = counted.judge(buy("1"), view())
    assert isinstance(answer, Refusal)
    assert answer.words == (
        "it would be opening order 2 of the UTC day, the limit is at most 1 "
        "(risk.max_trades_per_day = 1)"
    )
    both = view(held("ma", "5"), held("rsi", "3"))
    answer = gate().judge(sell("6", is_reduce_only=True), both)
    assert isinstance(answer, Refusal)
    assert answer.words == (
        "ma holds 5 of bybit_linear:BTCUSDT and cannot close 6: the rest belongs to others"
    )


def test_a_limit_price_and_an_inverse_contract_are_valued_by_their_rules() -> None:
    dear = buy("10", limit_price=Decimal(101))
    assert said([gate(max_order=Decimal(1000)).judge(dear, view())]) == [RISK]
    usd = inverse()
    seen = view()
    market = replace(seen.markets[BTC.id], instrument=usd, settle_value=Decimal(20_000))
    seen = replace(seen, markets={usd.id: replace(market, price=Decimal(20_000))})
    answers = [
        gate(max_order=Decimal(1000)).judge(buy(qty, of=usd), seen) for qty in ("1000", "1001")
    ]
    assert said(answers) == [NONE, RISK]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        # The market stands at 100: a sale at 40 or better fills there, and is worth that.
        (sell("10.001", limit_price=Decimal(40)), RISK),
        (sell("10", limit_price=Decimal(40)), NONE),
        (buy("9", limit_price=Decimal(110)), NONE),
        (buy("9.1", limit_price=Decimal(110)), RISK),
        (buy("20", limit_price=Decimal(50)), NONE),
        # One that waits for its trigger fills no earlier, and may fill at either price.
        (sell("12", trigger_price=Decimal(80)), NONE),
        (sell("12", trigger_price=Decimal(80), limit_price=Decimal(40)), NONE),
        (sell("12.6", trigger_price=Decimal(80), limit_price=Decimal(40)), RISK),
    ],
)
def test_an_order_is_worth_what_it_may_fill_at(order: OrderIntent, reason: Reason) -> None:
    assert said([gate(max_order=Decimal(1000)).judge(order, view())]) == [reason]


def test_a_contract_of_dollars_is_worth_most_at_the_lowest_price_it_may_fill_at() -> None:
    usd, seen = inverse(), view()
    market = replace(seen.markets[BTC.id], instrument=usd, settle_value=Decimal(20_000))
    seen = replace(seen, markets={usd.id: replace(market, price=Decimal(20_000))})
    dear = buy("1001", of=usd, limit_price=Decimal(40_000))
    assert said([gate(max_order=Decimal(1000)).judge(dear, seen)]) == [RISK]


def test_an_exit_is_measured_by_no_limit() -> None:
    tight = gate(min_order=Decimal(5000), max_trades_per_day=1)
    seen = view(held("ma", "5"), equity=Decimal(-1), free=Decimal(0), seen_ms=0)
    assert said([tight.judge(sell("5"), seen), tight.judge(sell("5.001"), seen)]) == [
        NONE,
        Reason.BANKRUPT,
    ]


def test_of_a_flip_only_what_opens_is_measured() -> None:
    small = gate(max_order=Decimal(1000))
    assert said([small.judge(sell("18"), view(held("ma", "10")))]) == [NONE]
    assert said([small.judge(sell("20.001"), view(held("ma", "10")))]) == [RISK]


@pytest.mark.parametrize(
    ("stage", "opening", "closing"),
    [
        (Stage.ACTIVE, NONE, NONE),
        (Stage.REDUCING, Reason.BREAKER_STALE, NONE),
        (Stage.HALTED, Reason.BREAKER_STALE, Reason.BREAKER_STALE),
        (Stage.FLATTEN, Reason.BREAKER_STALE, Reason.BREAKER_STALE),
    ],
)
def test_each_stage_lets_less_through(stage: Stage, opening: Reason, closing: Reason) -> None:
    seen = view(held("ma", "5"), standing=at(stage))
    asked = [buy("1"), sell("5"), sell("5", is_reduce_only=True), sell("6")]
    assert said([gate().judge(one, seen) for one in asked]) == [opening, closing, closing, opening]


@pytest.mark.parametrize("stage", Stage)
def test_no_stage_leaves_a_position_naked_or_keeps_risk_from_closing(stage: Stage) -> None:
    seen = view(held("ma", "5"), standing=at(stage))
    stop = sell(
        "5",
        is_reduce_only=True,
        trigger_price=Decimal(97),
        trigger_kind=TriggerKind.STOP,
    )
    assert said([gate().judge(stop, seen)]) == [NONE]
    assert said([gate().judge(sell("5", is_reduce_only=True), seen, by_risk=True)]) == [NONE]
    is_halted = stage >= Stage.HALTED
    opening = replace(stop, is_reduce_only=False, side=Side.BUY)
    assert said([gate().judge(opening, seen, by_risk=True)]) == [
        Reason.BREAKER_STALE if stage is not Stage.ACTIVE else NONE
    ]
    plain = gate().judge(sell("5", is_reduce_only=True), seen)
    assert isinstance(plain, Refusal) == is_halted


def test_the_day_s_opening_orders_are_the_account_s() -> None:
    counted = gate(max_trades_per_day=2)
    asked = [buy("1"), buy("1", strategy="rsi"), buy("1", of=ETH), sell("1", strategy="b")]
    assert said([counted.judge(one, view()) for one in asked]) == [
        NONE, NONE, Reason.MAX_TRADES, Reason.MAX_TRADES,
    ]  # fmt: skip
    midnight = view(ts_ms=START_MS + DAY_MS, seen_ms=START_MS + DAY_MS)
    assert said([counted.judge(buy("1"), midnight)]) == [NONE], "the start stands at midnight"
    next_day = view(ts_ms=START_MS + 2 * DAY_MS)
    assert said([counted.judge(buy("1"), next_day)] * 1) == [NONE]
    back = view(ts_ms=START_MS + DAY_MS)
    assert said([counted.judge(buy("1"), back) for _ in range(2)]) == [NONE, Reason.MAX_TRADES]


def test_a_refused_order_is_not_counted() -> None:
    counted = gate(max_trades_per_day=1, max_order=Decimal(1000))
    assert said([counted.judge(buy(qty), view()) for qty in ("20", "5", "5")]) == [
        RISK, NONE, Reason.MAX_TRADES,
    ]  # fmt: skip


def test_a_change_of_an_open_order_is_measured_and_not_counted() -> None:
    counted = gate(max_trades_per_day=1, max_order=Decimal(1000))
    changes = [counted.judge(buy(qty), view(), is_part=True) for qty in ("5", "5", "20")]
    assert said(changes) == [NONE, NONE, RISK]
    assert said([counted.judge(buy("5"), view()) for _ in range(2)]) == [NONE, Reason.MAX_TRADES]
    assert said([counted.judge(buy("5"), view(), is_part=True)]) == [NONE]


def test_a_restart_keeps_the_count_and_the_numbers() -> None:
    first = gate(max_trades_per_day=2)
    first.judge(buy("1"), view())
    second = gate(max_trades_per_day=2)
    second.restore(json.loads(json.dumps(first.state())))
    answers = [second.judge(buy("1"), view()) for _ in range(2)]
    assert said(answers) == [NONE, Reason.MAX_TRADES]
    assert isinstance(answers[0], ApprovedIntent) and answers[0].gate_seq == 2


@pytest.mark.parametrize(("own", "sent"), [(0, 30_000), (20_000, 20_000), (50_000, 30_000)])
def test_every_entry_leaves_with_the_nearer_stop(own: int, sent: int) -> None:
    answer = gate(stop=Decimal("0.03")).judge(buy("1", stop_e6=own), view())
    assert isinstance(answer, ApprovedIntent)
    assert answer.intent == buy("1", stop_e6=sent)


def test_an_exit_leaves_as_it_came() -> None:
    answer = gate().judge(sell("5"), view(held("ma", "5")))
    assert isinstance(answer, ApprovedIntent) and answer.intent == sell("5")


def test_without_a_stop_in_the_settings_the_one_in_code_holds() -> None:
    answer = gate(stop=Decimal(0)).judge(buy("1"), view())
    assert isinstance(answer, ApprovedIntent) and answer.intent.stop_e6 == 100_000


def test_a_strategy_that_lost_its_share_opens_nothing_and_others_go_on() -> None:
    money = {
        "ma": StrategyMoney(Decimal(1000), Decimal(900)),
        "rsi": StrategyMoney(Decimal(1000), Decimal(901)),
    }
    seen = view(held("ma", "5"), strategies=money)
    stopped = gate(strategy_stop=Decimal("0.1"))
    asked = [buy("1"), sell("5"), buy("1", strategy="rsi")]
    assert said([stopped.judge(one, seen) for one in asked]) == [
        Reason.STRATEGY_STOPPED, NONE, NONE,
    ]  # fmt: skip


def test_a_piece_counts_as_no_order_of_the_day_and_may_be_small() -> None:
    strict = gate(min_order=Decimal(200), max_trades_per_day=1)
    pieces = [strict.judge(buy("1"), view(), is_part=True) for _ in range(3)]
    assert all(isinstance(one, ApprovedIntent) for one in pieces)
    assert said([strict.judge(buy("1"), view())]) == [Reason.RISK_REFUSED]
    large = gate(max_order=Decimal(200)).judge(buy("5"), view(), is_part=True)
    assert said([large]) == [Reason.RISK_REFUSED]


def test_an_unknown_market_has_no_price() -> None:
    assert said([gate().judge(buy("1"), replace(view(), markets={}))]) == [Reason.MISSING_BAR]


def test_hedged_legs_are_measured_apart() -> None:
    seen = view(SubBook("ma", BTC.id, Decimal(-25), leg=Leg.SHORT), held("ma", "25"))
    add = sell("6", leg=Leg.SHORT)
    assert said([gate().judge(add, seen)]) == [RISK]
    assert said([gate().judge(sell("25", leg=Leg.LONG), seen)]) == [NONE]


def test_settings_are_held_within_what_stands_in_code() -> None:
    loose = limits_of(
        RiskSettings(max_drawdown=Decimal(0), stop=Decimal(0), max_position=Decimal(0)),
        LimitSettings(risk_per_trade=Decimal(0)),
    )
    for name, most in IMMUTABLE.items():
        assert getattr(loose, name) == most
    strict = Limits(max_drawdown=Decimal("0.05")).held()
    assert strict.max_drawdown == Decimal("0.05")
    assert Gate(Limits(max_drawdown=Decimal(1))).limits.max_drawdown == Decimal("0.15")
    with pytest.raises(TypeError):
        IMMUTABLE["max_drawdown"] = Decimal(1)  # type: ignore[index]  # that is the point
