"""Books for tests: a ledger on an empty database, and a few drafts that are easy to read."""

from decimal import Decimal

from openalpha.books.accounts import Account, Book, Category
from openalpha.books.entries import Draft, EntryKind, FillDraft, Posting
from openalpha.core.instruments import Instrument, Kind, StepRule, instrument_id
from openalpha.core.messages import CashEffect, EffectKind, Environment, Fill
from openalpha.core.orders import Leg, Role, Side
from openalpha.core.reasons import Reason

ME = Book(Environment.PAPER, "me")
NOON_MS = 1_704_110_400_000  # 2024-01-01T12:00:00Z
DAY_MS = 86_400_000


def moved(
    key: str, amount: str, *, coin: str = "USDT", kind: EntryKind = EntryKind.FEE,
    at: int = NOON_MS, venue: str = "bybit:main",
) -> Draft:  # fmt: skip
    """Return an entry that changes one coin's cash."""
    against = {EntryKind.FEE: Category.FEE, EntryKind.TRANSFER: Category.TRANSFER}[kind]
    value = Decimal(amount)
    lines = (
        Posting(Account(venue, Category.CASH, coin), value),
        Posting(Account(venue, against, coin), value.copy_negate()),
    )
    return Draft(key=key, kind=kind, ts_ms=at, source="test", postings=lines)


def effect(seq: int, amount: str, kind: EffectKind = EffectKind.FEE) -> CashEffect:
    """Return a cash effect in USDT."""
    return CashEffect(seq, NOON_MS + seq, 0, "USDT", Decimal(amount), kind, None, None)


def linear(
    symbol: str = "BTCUSDT", *, price_decimals: int = 2, qty_decimals: int = 3
) -> Instrument:
    """Return a linear perpetual."""
    return Instrument(
        instrument_id("bybit_linear", symbol), Kind.LINEAR, symbol[:-4], "USDT", "USDT",
        price_decimals, qty_decimals, (StepRule(0, Decimal("0.01"), Decimal("0.001")),),
    )  # fmt: skip


def filled(
    seq: int, qty: str, price: str, *, instrument: Instrument | None = None, fee: str = "0",
    fee_coin: str = "USDT", venue: str = "bybit:main", at: int | None = None,
) -> FillDraft:  # fmt: skip
    """Return a fill of a signed quantity."""
    of = instrument or linear()
    signed = Decimal(qty)
    fill = Fill(
        seq=seq, ts_ms=NOON_MS + seq if at is None else at, account=0, instrument=of.id,
        order_id=seq, side=Side.BUY if signed > 0 else Side.SELL, leg=Leg.NET,
        price=Decimal(price), qty=abs(signed), role=Role.TAKER, fee=Decimal(fee),
        fee_coin=fee_coin, realised_pnl=Decimal(0), is_reducing=False, reason=Reason.MARKET,
    )  # fmt: skip
    return FillDraft(f"test/fill/{seq}", "test", f"fill {seq}", venue, fill, of, 8)
