"""Tax of a million fills: time and memory of each parcel method, and how both grow.

Each line is a process of its own, so that the memory is that of one assessment with its fills.
"""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.rows import Bench, Line

__all__ = ["seeded_fills", "tax_rows"]

ROOT = Path(__file__).parents[1]
ASSETS, YEARS, START = 20, 3, date(2023, 7, 1)
LIMITS_S = {"fifo": (30.0, 10.0), "hifo": (60.0, 20.0), "min_tax": (60.0, 20.0)}
MEMORY_GB = 2.0


def tax_rows(bench: Bench) -> Iterator[Line]:
    """Measure each method on the whole number of fills, then FIFO on a quarter of them."""
    whole = bench.bars
    is_quick = whole < 1_000_000
    found = {method: _measured(whole, method) for method in LIMITS_S}
    for method, (must, aim) in LIMITS_S.items():
        row = found[method]
        taken, memory = row[bench.clock], row["memory_gb"]
        yield Line(
            f"tax of {whole:,} fills, {ASSETS} assets, {YEARS} years, {method}",
            f"{taken:.1f} s",
            ratio=taken,
            must=None if is_quick else must,
            aim=None if is_quick else aim,
            fills=whole,
            note=f"{memory:.2f} GB with the fills themselves; {row['slices']:,} slices",
            is_limit=True,
        )
    peak = max(row["memory_gb"] for row in found.values())
    must_gb = None if is_quick else MEMORY_GB
    yield Line("memory of it", f"{peak:.2f} GB", ratio=peak, must=must_gb, is_limit=True)
    quarter = _measured(whole // 4, "fifo")
    growth = found["fifo"][bench.clock] / (4 * quarter[bench.clock])
    yield Line(
        "time a fill, against a quarter of the fills",
        f"{growth:.2f}",
        ratio=growth,
        must=1.5,
        note="1 is linear",
        is_limit=True,
    )


def _measured(fills: int, method: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.tax", str(fills), method]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def seeded_fills(count: int) -> list[Any]:
    """Seeded spot fills, about half of them sales, never more than is held."""
    from openalpha.books.tax.events import Acquire, Dispose

    rng = random.Random(1)
    cents = Decimal("1e-8")
    held: dict[str, Decimal] = {}
    found: list[Any] = []
    for number in range(count):
        asset = f"C{rng.randrange(ASSETS)}"
        day = START + timedelta(days=number * 365 * YEARS // count)
        qty = Decimal(rng.randrange(1, 100_000)).scaleb(-4)
        aud = (qty * Decimal(rng.randrange(9_000, 11_000)).scaleb(-2)).quantize(cents)
        fee = (aud / 1000).quantize(cents)
        have = held.get(asset, Decimal(0))
        is_sale = have > qty and rng.random() < 0.5
        held[asset] = have - qty if is_sale else have + qty
        kind = Dispose if is_sale else Acquire
        found.append(kind(f"f{number}", day, asset, qty, aud, fee, ts_ms=number))
    return found


def _worker(fills: int, method: str) -> None:
    from openalpha.books.tax import Method, Policy, assess

    events = seeded_fills(fills)
    wall, cpu = time.perf_counter(), time.process_time()
    found = assess(events, Policy(method=Method(method)))
    row = {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        # Linux counts kilobytes, macOS bytes.
        "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / (1e6 if sys.platform == "linux" else 1e9),
        "slices": len(found.slices),
        "net": {year: str(result.statement.net) for year, result in found.years.items()},
    }
    print(json.dumps(row))


if __name__ == "__main__":
    _worker(int(sys.argv[1]), sys.argv[2])
