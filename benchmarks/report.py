"""A tax report of 50,000 disposals: the model from the fills, and each form of it.

A process of its own, as `benchmarks.tax`, so that its memory is its own.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.rows import Bench, Line
from benchmarks.tax import seeded_fills

__all__ = ["report_rows"]

ROOT = Path(__file__).parents[1]
DISPOSALS = 50_000
MUST_S = 20.0


def report_rows(bench: Bench) -> Iterator[Line]:
    """Measure the report of one year with 50,000 disposals; fewer in a quick run."""
    is_quick = bench.bars < 1_000_000
    wanted = DISPOSALS // 10 if is_quick else DISPOSALS
    row = _measured(wanted)
    clock = bench.clock
    taken = row["build"][clock] + row["pdf"][clock]
    others = ", ".join(f"{name} {row[name][clock]:.1f} s" for name in ("html", "xlsx", "csv"))
    yield Line(
        f"tax report of {row['disposals']:,} disposals as PDF",
        f"{taken:.1f} s",
        ratio=taken,
        must=None if is_quick else MUST_S,
        fills=row["rows"],
        note=(
            f"model {row['build'][clock]:.1f} s with both treatments, PDF {row['pdf'][clock]:.1f} "
            f"s of {row['rows']:,} rows, {row['memory_gb']:.2f} GB; also {others}"
        ),
        is_limit=True,
    )


def _measured(disposals: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.report", str(disposals)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def _worker(disposals: int) -> None:
    from openalpha.books.report import Facts, build_report
    from openalpha.books.report.csv_files import report_csv
    from openalpha.books.report.facts import Signature
    from openalpha.books.report.html import report_html
    from openalpha.books.report.pdf import report_pdf
    from openalpha.books.report.xlsx import report_xlsx
    from openalpha.books.tax.events import Dispose
    from openalpha.books.tax.profile import Profile

    first = date(2025, 7, 1)
    fills = []
    sold = 0
    # Half of the seeded fills are sales; all of them in one income year.
    for number, fill in enumerate(seeded_fills(3 * disposals)):
        day = first + timedelta(days=min(364, number * 364 // (2 * disposals)))
        fills.append(replace(fill, day=day))
        sold += isinstance(fill, Dispose)
        if sold == disposals:
            break
    found: dict[str, Any] = {"disposals": sold}
    made, found["build"] = _timed(
        lambda: build_report(Facts(Profile("me"), 2026, fills, Signature("bench")))
    )
    for name, form in (
        ("pdf", report_pdf),
        ("html", report_html),
        ("xlsx", report_xlsx),
        ("csv", report_csv),
    ):
        _, found[name] = _timed(lambda form=form: form(made))
    found["rows"] = len(made.disposals)
    # Linux counts kilobytes, macOS bytes.
    unit = 1e6 if sys.platform == "linux" else 1e9
    found["memory_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps(found))


def _timed(work: Any) -> tuple[Any, dict[str, float]]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


if __name__ == "__main__":
    _worker(int(sys.argv[1]))
