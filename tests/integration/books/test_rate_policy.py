"""An entity chooses by whose prices its events are valued; others of the ledger are not touched."""

from decimal import Decimal
from pathlib import Path

from openalpha.books.accounts import Book
from openalpha.books.declarations import Declarations
from openalpha.books.effects import effect_draft
from openalpha.books.entities import add_entity
from openalpha.books.ledger import Ledger
from openalpha.books.rate_policy import EntityRates
from openalpha.books.rates import Rate, RateTable
from openalpha.books.whole import history_of
from openalpha.core.clock import ManualClock
from openalpha.core.messages import CashEffect, EffectKind, Environment
from openalpha.store.database import open_database

PUBLISHED = RateTable(
    [("BTC", "AUD", Rate(Decimal(100), "RBA", 0)), ("SOL", "AUD", Rate(Decimal(2), "RBA", 0))]
)
TEXT = 'aud_market = "btcmarkets_spot"'
ASKED: list[str] = []


def venue(market: str) -> RateTable:
    ASKED.append(market)
    return RateTable([("BTC", "AUD", Rate(Decimal(105), f"close of {market}:BTCAUD 1m", 4_000))])


def paid(coin: str) -> CashEffect:
    return CashEffect(0, 5_000, 0, coin, Decimal(1), EffectKind.INTEREST, None, None)


def test_each_entity_is_valued_by_its_own_choice(tmp_path: Path) -> None:
    database, clock = open_database(tmp_path / "books.sqlite"), ManualClock(6_000)
    ledger = Ledger(database, clock, PUBLISHED)
    ledger.entity_rates = EntityRates(database, clock, PUBLISHED, venue).of
    add_entity(Declarations(database, clock), "me", text=TEXT, replace=False)
    found = {}
    for entity in ("me", "trust"):
        for coin in ("BTC", "SOL"):
            book = Book(Environment.LIVE, entity)
            ledger.post(book, [effect_draft(paid(coin), source=f"{coin} in", venue="bybit")])
        history = history_of(ledger, entity)
        found[entity] = {coin: (r.rate, r.source) for (coin, _), r in history.rates.items()}
    assert found == {
        "me": {
            "BTC": (Decimal(105), "close of btcmarkets_spot:BTCAUD 1m"),
            "SOL": (Decimal(2), "RBA"),  # what the venue does not trade
        },
        "trust": {"BTC": (Decimal(100), "RBA"), "SOL": (Decimal(2), "RBA")},
    }
    assert ASKED == ["btcmarkets_spot"]
    database.close()
