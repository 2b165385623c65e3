"""A small, whole history for tax reports: every kind of event, each figure easy to work out."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from openalpha.books.imports.reconcile import Check
from openalpha.books.report.facts import Facts, Origin, Signature
from openalpha.books.report.model import OpenLine, RateLine, Settled, SourceFile
from openalpha.books.tax.entity import Policy
from openalpha.books.tax.events import (
    Acquire,
    CoinFee,
    Derivative,
    Dispose,
    Event,
    Money,
    Swap,
)
from openalpha.books.tax.profile import BroughtLoss, Profile
from openalpha.core.clock import parse_ms

D = Decimal
RIGHT = ("bybit", "unified", "BTC")


def at(day: date, hour: int = 2) -> int:
    return parse_ms(f"{day.isoformat()}T{hour:02d}:00")


def history() -> list[Event]:
    """Two coins, a swap, a fee in coin, a loss with a purchase near it, income, a perpetual."""
    days = {n: date(2025, n, 10) for n in range(1, 13)}
    return [
        Acquire("buy-btc", date(2024, 1, 10), "BTC", D(2), D(120000), D(120),
                wallet="bybit spot", ts_ms=at(date(2024, 1, 10))),
        Dispose("old-sale", days[2], "BTC", D("0.5"), D(40000), D(40), ts_ms=at(days[2])),
        Acquire("buy-eth", days[8], "ETH", D(4), D(20000), D(20), ts_ms=at(days[8])),
        Dispose("sell-btc", days[9], "BTC", D("0.5"), D(50000), D(50), ts_ms=at(days[9])),
        Dispose("sell-eth", days[10], "ETH", D(1), D(3500), D("3.50"), ts_ms=at(days[10]),
                reason="stop of the strategy"),
        Acquire("again-eth", days[10], "ETH", D(1), D(3600), D("3.60"), ts_ms=at(days[10], 5)),
        Swap("swap", days[11], "ETH", D(1), "SOL", D(20), D(6100),
             coin_fee=CoinFee("ETH", D("0.001"), D("6.10")), ts_ms=at(days[11])),
        Acquire("staking", days[12], "SOL", D("0.25"), D("76.25"), kind="staking",
                income=D("76.25"), ts_ms=at(days[12])),
        Money("interest", date(2026, 1, 5), D("12.40"), "interest", ts_ms=at(date(2026, 1, 5))),
        Derivative("perp-win", date(2026, 2, 3), "pnl", D("500.25"), "BTCUSDT", "USDT",
                   D("330"), ts_ms=at(date(2026, 2, 3))),
        Derivative("perp-fee", date(2026, 2, 3), "fee", D("-3.03"), "BTCUSDT", "USDT",
                   D("-2"), ts_ms=at(date(2026, 2, 3), 3)),
        Acquire("later", date(2026, 8, 1), "BTC", D(1), D(130000), ts_ms=at(date(2026, 8, 1))),
    ]  # fmt: skip


def facts(**changes: Any) -> Facts:
    """Return facts of 2025-26 with nothing open; any part may be changed by name."""
    profile = Profile(
        "me",
        Policy(),
        full_name="Ann Example",
        losses=(BroughtLoss(2024, D(1500), evidence="notice of assessment"),),
    )
    made = Facts(
        profile=profile,
        year=2026,
        events=history(),
        signature=Signature("Ann Example", "buys to hold", date(2024, 1, 1)),
        balances=(balance(),),
        rates=(RateLine("USDT", "2026-02-03T02:00:00Z", D("1.5159"), "RBA F11.1 2026-02-03, x"),),
        settled=(
            Settled("unmatched_deposit", "k1", "a.csv, line 3: 1 SOL came", "own", None, "mine"),
        ),
        origin=Origin("9.9.9", (SourceFile("a.csv", "bybit spot trades", "ab" * 32),), "made now"),
        where=lambda event: f"a.csv, line {len(event)}",
    )
    return replace(made, **changes)


def balance(**changes: Any) -> Check:
    zero = D(0)
    row = Check(*RIGHT, zero, zero, zero, D("-0.001"), D(2), zero, zero, D("1.999"), D("1.999"),
                0, "right")  # fmt: skip
    return row._replace(**changes)


def item(code: str = "missing_rate", key: str = "sell-btc/0.5BTC") -> OpenLine:
    return OpenLine(code, key, "a.csv, line 8: no rate says what it was worth")
