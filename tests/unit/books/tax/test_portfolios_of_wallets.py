"""Wallets that are portfolios: whose events, and what a move from one to another is."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from openalpha.books.tax import Method, Policy, Refused, Treatment
from openalpha.books.tax.entity_year import Assessed, assess_profile
from openalpha.books.tax.events import Acquire, Cost, Derivative, Dispose, Event, Moved
from openalpha.books.tax.handing import Portfolios
from openalpha.books.tax.portfolios import Choice
from openalpha.books.tax.profile import AgentsWord, Profile

D = Decimal
BOT = Portfolios({"bot": "bybit"})
CAPITAL, STOCK, SCHEME = (
    Treatment.CAPITAL,
    Treatment.REVENUE_TRADING_STOCK,
    Treatment.REVENUE_PROFIT_SCHEME,
)


def moved(day: date = date(2025, 9, 1), **more: object) -> Moved:
    given: dict[str, object] = {"source": "cold", "target": "bybit unified", "value": D(180)}
    return Moved("m", day, "BTC", D(2), D(2), **(given | more))  # type: ignore[arg-type]


def bought(wallet: str = "cold") -> Acquire:
    return Acquire("b", date(2024, 8, 1), "BTC", D(2), D(100), wallet=wallet)


def sold(wallet: str = "bybit unified", day: date = date(2026, 8, 1)) -> Dispose:
    return Dispose("s", day, "BTC", D(2), D(400), wallet=wallet)


def found(
    events: list[Event],
    *,
    main: Treatment = CAPITAL,
    bot: Treatment = STOCK,
    value: str = "cost",
    method: Method = Method.FIFO,
) -> Assessed:
    choice = Choice("bot", bot, date(2024, 7, 1), "a business", "me", value)
    policy = Policy(treatment=main, method=method)
    return assess_profile(events, Profile("me", policy, choices=(choice,), portfolios=BOT))


def sums(done: Assessed) -> tuple[Decimal, Decimal]:
    gains = sum((gain.amount for year in done.years.values() for gain in year.gains), D(0))
    revenue = sum((row.amount for year in done.years.values() for row in year.revenue), D(0))
    return gains, revenue


def test_events_belong_to_the_portfolio_of_their_wallet() -> None:
    perp = Derivative("p", date(2025, 8, 1), "pnl", D(7), wallet="bybit unified")
    done = found([bought("bybit spot"), sold("bybit spot"), perp])
    assert set(done.parts) == {"bot"}
    assert sums(done) == (D(0), D(307))
    assert Portfolios({"a": "by", "b": "bybit"}).of("bybit") == "b"


def test_coins_moved_into_stock_at_cost_have_no_gain_that_day() -> None:
    done = found([bought(), moved(), sold()])
    assert sums(done) == (D(0), D(300))
    assert not done.open_items
    assert done.parts[""].parcels == ()


def test_coins_moved_into_stock_at_market_value_are_event_k4() -> None:
    done = found([bought(), moved(), sold()], value="market")
    assert sums(done) == (D(80), D(220))
    assert done.years[2026].statement.net == D(40)
    assert done.parts[""].slices[0].kind == "K4"
    with pytest.raises(Refused, match="nobody states"):
        found([bought(), moved(value=None), sold()], value="market")


def test_coins_moved_out_of_stock_begin_anew_at_cost() -> None:
    back = moved(source="bybit unified", target="cold")
    done = found([bought("bybit"), back, sold("cold", date(2026, 9, 1))])
    assert sums(done) == (D(300), D(0))
    assert done.years[2027].statement.net == D(300)  # a day short of twelve months
    later = found([bought("bybit"), back, sold("cold", date(2026, 9, 2))])
    assert later.years[2027].statement.net == D(150)


def test_on_one_account_cost_date_and_costs_of_owning_go_along() -> None:
    owning = Cost("c", date(2025, 1, 1), "BTC", 3, D(10))
    done = found([bought(), owning, moved(), sold(day=date(2025, 9, 2))], bot=CAPITAL)
    assert done.years[2026].statement.net == D(400 - 110) / 2
    assert done.parts["bot"].slices[0].acquired == date(2024, 8, 1)


def test_costs_of_owning_are_part_of_what_stock_costs() -> None:
    owning = Cost("c", date(2025, 1, 1), "BTC", 3, D(10))
    assert sums(found([bought(), owning, moved(), sold()])) == (D(0), D(400 - 110))


def test_what_arrives_cannot_be_sold_before_it_came() -> None:
    own = Acquire("own", date(2025, 8, 20), "BTC", D(2), D(50), wallet="bybit")
    early = Dispose("early", date(2025, 8, 25), "BTC", D(2), D(90), wallet="bybit")
    done = found([bought(), own, early, moved(), sold()], bot=CAPITAL)
    lots = {piece.disposal: piece.lot for piece in done.slices}
    assert lots["early"] == "own"
    assert str(lots["s"]).startswith("b@")


def test_a_profit_scheme_takes_coins_at_cost_and_gives_them_back_with_a_question() -> None:
    done = found([bought(), moved(), sold()], bot=SCHEME)
    assert sums(done) == (D(0), D(300))
    assert not done.open_items
    back = moved(source="bybit unified", target="cold")
    given = found([bought("bybit"), back, sold("cold")], bot=SCHEME)
    assert [item.code for item in given.open_items] == ["refer_change"]
    said = replace(given.profile, agent=(AgentsWord("refer_change", "split by days", "me"),))
    assert not replace(given, profile=said).open_items


def test_the_networks_fee_is_the_givers_and_sits_on_what_arrives() -> None:
    part = replace(moved(), received=D("1.5"), fee_value=D(40))
    gone = Dispose("s", date(2026, 8, 1), "BTC", D("1.5"), D(400), wallet="bybit")
    done = found([bought(), part, gone], bot=CAPITAL)
    pieces = {piece.disposal: piece.gain for piece in done.slices}
    assert pieces == {"m.fee": D(40 - 25), "s": D(400 - 75 - 40)}


def test_more_than_was_there_is_an_open_item() -> None:
    done = found([moved(), sold()])
    assert {item.code for item in done.open_items} == {"missing_acquisition"}


def test_a_choice_for_nobodys_portfolio_is_asked_about() -> None:
    choice = Choice("ghost", STOCK, date(2024, 7, 1), "why", "me")
    done = assess_profile([bought(), sold("cold")], Profile("me", choices=(choice,)))
    assert [item.code for item in done.open_items] == ["unknown_portfolio"]
    rest = replace(choice, portfolio="")
    bot = assess_profile([bought("bybit")], Profile("me", choices=(rest,), portfolios=BOT))
    assert not bot.open_items


def test_what_is_not_worked_out_is_refused() -> None:
    with pytest.raises(Refused, match="min_tax"):
        found([bought(), moved(), sold()], method=Method.MIN_TAX)
    choices = (
        Choice("bot", CAPITAL, date(2024, 7, 1), "why", "me"),
        Choice("bot", STOCK, date(2025, 8, 1), "why", "me"),
    )
    own = Acquire("own", date(2025, 1, 1), "BTC", D(1), D(50), wallet="bybit")
    with pytest.raises(Refused, match="account changed"):
        assess_profile(
            [bought(), own, moved(), sold()], Profile("me", choices=choices, portfolios=BOT)
        )


def in_two(method: Method) -> Assessed:
    """Two portfolios on capital account: the gain of one meets the loss the other may make."""
    choice = Choice("bot", CAPITAL, date(2023, 7, 1), "mine too", "me")
    events: list[Event] = [
        Acquire("old", date(2023, 8, 1), "BTC", D(1), D(10), wallet="cold"),
        Acquire("new", date(2025, 7, 2), "BTC", D(1), D(60), wallet="cold"),
        Acquire("low", date(2023, 8, 1), "ETH", D(1), D(20), wallet="bybit"),
        Acquire("high", date(2025, 7, 3), "ETH", D(1), D(95), wallet="bybit"),
        Dispose("one", date(2025, 9, 1), "BTC", D(1), D(100), wallet="cold"),
        Dispose("two", date(2025, 9, 2), "ETH", D(1), D(30), wallet="bybit"),
    ]
    profile = Profile("me", Policy(method=method), choices=(choice,), portfolios=BOT)
    return assess_profile(events, profile)


def test_min_tax_finds_one_order_for_all_portfolios() -> None:
    nets = {method: in_two(method).years[2026].statement.net for method in Method}
    done = in_two(Method.MIN_TAX)
    assert nets[Method.MIN_TAX] == 0 == min(nets.values())
    assert max(nets.values()) > 0, "another order is taxed"
    orders = {part.methods[2026] for part in done.parts.values()}
    assert len(orders) == 1, "so that the year can be locked"
