"""However coins pass between accounts and portfolios, every dollar is taxed once."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from openalpha.books.tax import Method, Policy, Treatment
from openalpha.books.tax.entity_year import Assessed, assess_profile
from openalpha.books.tax.events import Acquire, Dispose, Event, Moved
from openalpha.books.tax.handing import Portfolios
from openalpha.books.tax.portfolios import Choice
from openalpha.books.tax.profile import Profile

D = Decimal
FIRST = date(2024, 1, 1)
WALLETS = ("cold", "bybit unified")
TREATMENTS = st.sampled_from(list(Treatment))
Step = tuple[int, int, int, int]
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(1, 900), st.integers(0, 1)),
    min_size=1,
    max_size=14,
)


def story(steps: list[Step], *, may_move: bool) -> tuple[list[Event], Decimal]:
    """Purchases, sales and moves of what is there; at the end everything is sold."""
    held = dict.fromkeys(WALLETS, D(0))
    events: list[Event] = []
    result, day = D(0), FIRST
    for number, (what, qty, price, side) in enumerate(steps):
        day += timedelta(days=25)
        wallet, other = WALLETS[side], WALLETS[1 - side]
        amount = min(D(qty), held[wallet])
        name, value = f"e{number}", D(price)
        if what == 0:
            held[wallet] += qty
            result -= value
            events.append(Acquire(name, day, "BTC", D(qty), value, wallet=wallet))
        elif what == 1 and amount:
            held[wallet] -= amount
            result += value
            events.append(Dispose(name, day, "BTC", amount, value, wallet=wallet))
        elif what == 2 and amount and may_move:
            held[wallet] -= amount
            held[other] += amount
            events.append(
                Moved(name, day, "BTC", amount, amount, source=wallet, target=other, value=value)
            )
    day += timedelta(days=25)
    for wallet, left in held.items():
        if left:
            result += 77
            events.append(Dispose(f"end {wallet}", day, "BTC", left, D(77), wallet=wallet))
    return events, result


def taxed(done: Assessed) -> Decimal:
    gains = sum((gain.amount for year in done.years.values() for gain in year.gains), D(0))
    return gains + sum((row.amount for year in done.years.values() for row in year.revenue), D(0))


@given(
    steps=STEPS,
    main=TREATMENTS,
    bot=TREATMENTS,
    value=st.sampled_from(["cost", "market"]),
    method=st.sampled_from([Method.FIFO, Method.LIFO, Method.HIFO, Method.SPECIFIC]),
)
# The parcels that leave are those the giver's own method left, not stock's first in, first out.
@example(
    steps=[(0, 1, 1, 1), (0, 1, 2, 1), (1, 1, 1, 1), (2, 1, 1, 1)],
    main=Treatment.REVENUE_TRADING_STOCK,
    bot=Treatment.CAPITAL,
    value="cost",
    method=Method.LIFO,
)
def test_moves_between_portfolios_tax_every_dollar_once(
    steps: list[Step], main: Treatment, bot: Treatment, value: str, method: Method
) -> None:
    events, result = story(steps, may_move=True)
    choice = Choice("bot", bot, FIRST, "why", "me", value)
    profile = Profile(
        "me",
        Policy(treatment=main, method=method),
        choices=(choice,),
        portfolios=Portfolios({"bot": "bybit"}),
    )
    done = assess_profile(events, profile)
    assert {item.code for item in done.open_items} <= {"refer_change", "unknown_portfolio"}
    assert round(taxed(done), 9) == result


@given(
    steps=STEPS,
    first=TREATMENTS,
    changes=st.lists(
        st.tuples(TREATMENTS, st.integers(1, 300), st.sampled_from(["cost", "market"])),
        max_size=3,
    ),
    method=st.sampled_from(list(Method)),
)
def test_changes_of_account_tax_every_dollar_once(
    steps: list[Step],
    first: Treatment,
    changes: list[tuple[Treatment, int, str]],
    method: Method,
) -> None:
    events, result = story(steps, may_move=False)
    choices = tuple(
        Choice("", to, FIRST + timedelta(days=after), "why", "me", value, {"BTC": D(13)})
        for to, after, value in changes
    )
    done = assess_profile(
        events, Profile("me", Policy(treatment=first, method=method), choices=choices)
    )
    assert round(taxed(done), 9) == result
