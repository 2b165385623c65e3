"""Rows of the ledger: posting one by one, in groups, in bulk, and views over a million entries.

A posting is one line of an entry; an effect makes two, a fill four. One process does it all, on
a file of its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rows import Bench, Line
from benchmarks.worker import ROOT

__all__ = ["ledger"]

ENTRIES = 1_000_000
DAY_MS = 86_400_000
FIRST_MS = 1_672_531_200_000
STEP_MS = 60_000


def ledger(bench: Bench) -> Iterator[Line]:
    """Post durably, post in bulk, and look at what a million entries add up to."""
    entries = ENTRIES if bench.bars >= ENTRIES else ENTRIES // 10
    command = [str(bench.python), "-m", "benchmarks.ledger", str(entries)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        yield Line("the ledger", "", note=f"void: {said[-1] if said else 'no word'}")
        return
    found: dict[str, Any] = json.loads(done.stdout)
    for name, least in (("one by one", None), ("groups of 50", 1_000), ("bulk of 5,000", 20_000)):
        taken = found["posting"][name]
        rate = taken["postings"] / taken[bench.clock]
        yield Line(
            f"ledger: {name}, SQLite, each transaction synced", f"{rate:,.0f} postings/s",
            ratio=rate / least if least else None, must=1 if least else None,
            note=f"{taken['entries'] / taken[bench.clock]:,.0f} entries/s; a tenth of them fills",
        )  # fmt: skip
    for name, taken in found["views"].items():
        ms = taken[bench.clock] * 1e3
        yield Line(
            f"ledger: {name} over {entries:,} entries", f"{ms:,.1f} ms", ratio=ms, must=200,
            is_limit=True,
        )  # fmt: skip
    taken = found["verify"]
    yield Line(
        f"ledger: verify {entries:,} entries", f"{taken[bench.clock]:,.1f} s",
        note=f"file of {found['mb']:,.0f} MB",
    )  # fmt: skip


def _timed(call: Callable[[], Any], rounds: int = 1) -> dict[str, float]:
    taken = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    return {"wall_s": median(w for w, _ in taken), "cpu_s": median(c for _, c in taken)}


def _measure(entries: int) -> dict[str, Any]:
    from openalpha.books.accounts import Book
    from openalpha.books.ledger import Ledger
    from openalpha.books.rates import Rate, RateTable
    from openalpha.books.verify import verify_book
    from openalpha.core.clock import SystemClock
    from openalpha.core.messages import Environment
    from openalpha.store.database import open_database

    rates = RateTable([("USDT", "AUD", Rate(Decimal("1.52"), "bench", 0))], carry_ms=2**60)
    with tempfile.TemporaryDirectory(prefix="openalpha-ledger-") as folder:
        file = Path(folder) / "books.sqlite"
        books = Ledger(open_database(file), SystemClock(), rates)
        small, large = Book(Environment.PAPER, "small"), Book(Environment.BACKTEST, "large")
        posting = {}
        for name, count, batch in (("one by one", 300, 1), ("groups of 50", 5_000, 50)):
            drafts = list(_drafts(name, count))
            taken = _timed(lambda d=drafts, b=batch: books.post_many(small, d, batch=b))  # type: ignore[misc]
            lines = sum(4 if type(draft).__name__ == "FillDraft" else 2 for draft in drafts)
            posting[name] = {**taken, "postings": lines, "entries": count}
        posting["bulk of 5,000"] = _bulk(books, large, entries)
        proofs: list[Any] = []
        verifying = _timed(lambda: proofs.append(verify_book(books.database, large)))
        assert proofs[0].fault is None, proofs[0].fault
        return {
            "posting": posting,
            "views": {name: _timed(call, 5) for name, call in _views(books, large).items()},
            "verify": verifying,
            "mb": file.stat().st_size / 1e6,
        }


def _bulk(books: Any, book: Any, entries: int) -> dict[str, float]:
    """Post entries in bulk; making the drafts is not counted."""
    drafts = _drafts("bulk", entries)
    total = {"wall_s": 0.0, "cpu_s": 0.0, "postings": 0.0, "entries": float(entries)}
    while chunk := list(islice(drafts, 50_000)):
        taken = _timed(lambda c=chunk: books.post_many(book, c))  # type: ignore[misc]
        total["wall_s"] += taken["wall_s"]
        total["cpu_s"] += taken["cpu_s"]
        total["postings"] += sum(4 if type(draft).__name__ == "FillDraft" else 2 for draft in chunk)
    return total


def _drafts(source: str, count: int) -> Iterator[Any]:
    """Nine effects to a fill, a minute apart: two years of entries a million."""
    from openalpha.books.effects import effect_draft
    from openalpha.books.entries import FillDraft
    from openalpha.core.instruments import Instrument, InstrumentId, Kind, StepRule
    from openalpha.core.messages import CashEffect, EffectKind, Fill
    from openalpha.core.orders import Leg, Role, Side
    from openalpha.core.reasons import Reason

    steps = (StepRule(0, Decimal("0.1"), Decimal("0.001")),)
    name = InstrumentId("bybit_linear:BTCUSDT")
    rules = Instrument(name, Kind.LINEAR, "BTC", "USDT", "USDT", 1, 3, steps)
    for seq in range(count):
        ts_ms = FIRST_MS + seq * STEP_MS
        if seq % 10 == 9:
            side = Side.BUY if seq % 20 == 9 else Side.SELL
            fill = Fill(
                seq, ts_ms, 0, name, seq, side, Leg.NET, Decimal("43210.5"), Decimal("0.123"),
                Role.TAKER, Decimal("2.92312"), "USDT", Decimal(0), False, Reason.MARKET,
            )  # fmt: skip
            yield FillDraft(f"{source}/fill/{seq}", source, f"fill {seq}", "main", fill, rules, 8)
            continue
        amount = Decimal((seq * 7_919) % 2_000_003 - 1_000_001).scaleb(-8)
        effect = CashEffect(seq, ts_ms, 0, "USDT", amount, EffectKind.FEE, name, seq)
        yield effect_draft(effect, source=source, venue="main")


def _views(books: Any, book: Any) -> dict[str, Callable[[], Any]]:
    from openalpha.books.balances import balances
    from openalpha.books.equity import equity_history
    from openalpha.books.holdings import positions, profit_and_loss
    from openalpha.books.rates import NO_RATES
    from openalpha.books.statement import statement
    from openalpha.books.trades import Filters, entries, trades

    database = books.database
    late_ms = FIRST_MS + 40 * DAY_MS
    week = {"since_ms": late_ms, "until_ms": late_ms + 7 * DAY_MS // 2}
    return {
        "balances": lambda: balances(database, rates=NO_RATES, ts_ms=late_ms),
        "positions": lambda: positions(database, book),
        "profit and loss": lambda: profit_and_loss(database, book),
        "equity of every day": lambda: equity_history(database, book, venue="main", rates=NO_RATES),
        "statement of half a week": lambda: statement(
            database, book, venue="main", coin="USDT", **week
        ),
        "last 200 trades": lambda: trades(database, book, filters=Filters(limit=200)),
        "trades of half a week": lambda: trades(
            database, book, filters=Filters(**week, instrument="bybit_linear:BTCUSDT")
        ),
        "last 200 entries": lambda: entries(database, book, filters=Filters(limit=200)),
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]))))
