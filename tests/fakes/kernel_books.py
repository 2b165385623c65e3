"""Posts what came of a case into a ledger and asks that it holds the same, to the last unit."""

from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path

from openalpha.books.accounts import Account, Book, Category, position_coin
from openalpha.books.effects import RunEffects, run_drafts
from openalpha.books.ledger import Ledger
from openalpha.books.tables import ACCOUNTS
from openalpha.core.clock import ManualClock
from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import CashEffect, Environment, Fill
from openalpha.core.orders import Leg, Side
from openalpha.store.database import open_database
from tests.reference.scenario import Case, InstrumentCase, Outcome

BOOK = Book(Environment.BACKTEST, "me")
_RUNS = count(1)


@cache
def shared_ledger() -> Ledger:
    """One ledger in memory for all stories: each posts under a venue account of its own."""
    return Ledger(open_database(Path(":memory:")), ManualClock(0))


def books_agree(case: Case, out: Outcome) -> None:
    """Ledger cash is the kernel's in every coin, and so are quantity and cost of every position."""
    name = f"run{next(_RUNS)}"
    posted = _posted(case, out, name)
    ledger = shared_ledger()
    added = ledger.post(BOOK, list(run_drafts(posted)))
    assert added.added == len(out.effects) + len(out.fills) + len(posted.opening)
    found = balances_of(ledger, name)
    cash = {f"COIN{n}": Decimal(amount) for n, amount in enumerate(out.balances)}
    for coin, amount in cash.items():
        assert found.get(Account(name, Category.CASH, coin), Decimal(0)) == amount, coin
    for (number, leg), position in out.positions.items():
        rules = case.instruments[number]
        if rules.kind is Kind.SPOT and _begins_with(case, rules.base_coin):
            continue  # coins held before the first fill have no cost and no fill
        of = position_coin(f"x:I{number}", leg)
        qty = found.get(Account(name, Category.POSITION, of, of), Decimal(0))
        assert qty == position.qty, (number, leg)
        cost = found.get(Account(name, Category.COST, "COIN0", of), Decimal(0))
        assert cost == position.cost, (number, leg)


def balances_of(ledger: Ledger, venue: str) -> dict[Account, Decimal]:
    """Return every balance of a venue account."""
    with ledger.database.reading() as connection:
        rows = connection.execute(ACCOUNTS.select().where(ACCOUNTS.c.venue == venue))
        return {
            Account(row.venue, Category(row.category), row.coin, row.instrument): row.balance
            for row in rows
        }


def _begins_with(case: Case, coin: int) -> bool:
    return coin < len(case.account.balances) and case.account.balances[coin] != 0


def _is_inverse(rules: InstrumentCase) -> bool:
    return rules.kind is Kind.INVERSE


def _instrument(rules: InstrumentCase, number: int) -> Instrument:
    multiplier = rules.k_inverse if _is_inverse(rules) else Decimal(rules.num) / rules.den
    base = f"COIN{rules.base_coin}" if rules.kind is Kind.SPOT else f"BASE{number}"
    return Instrument(
        instrument_id("x", f"I{number}"), rules.kind, base, "COIN0", "COIN0", 0, 0,
        (StepRule(0, Decimal(1), Decimal(1)),), multiplier=Decimal(multiplier),
    )  # fmt: skip


def _posted(case: Case, out: Outcome, name: str) -> RunEffects:
    instruments = [_instrument(rules, number) for number, rules in enumerate(case.instruments)]
    effects = [
        CashEffect(
            seq, row.ts_ms, 0, f"COIN{row.coin}", Decimal(row.amount), row.kind,
            instruments[row.instrument].id if row.instrument >= 0 else None, None,
        )
        for seq, row in enumerate(out.effects)
    ]  # fmt: skip
    fills = [
        Fill(
            seq=seq, ts_ms=row.ts_ms, account=0, instrument=instruments[row.instrument].id,
            order_id=row.order_id, side=Side.BUY if row.qty > 0 else Side.SELL, leg=Leg(row.leg),
            price=Decimal(row.price), qty=Decimal(abs(row.qty)), role=row.role,
            fee=Decimal(row.fee), fee_coin=f"COIN{row.fee_coin}",
            realised_pnl=Decimal(row.realised), is_reducing=False, reason=row.reason,
        )
        for seq, row in enumerate(out.fills)
    ]  # fmt: skip
    opening = {f"COIN{n}": Decimal(amount) for n, amount in enumerate(case.account.balances)}
    return RunEffects(
        run_id=name,
        start_ms=case.market.ts_ms[0],
        opening={coin: amount for coin, amount in opening.items() if amount},
        effects=effects,
        fills=fills,
        instruments={str(item.id): item for item in instruments},
        cash_decimals={"COIN0": 0},
    )
