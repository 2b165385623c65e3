"""`make bench`: measure every row, print the table with its ratios, keep it as JSON if asked."""

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.emergency import emergency_rows
from benchmarks.ledger import ledger
from benchmarks.picture import picture
from benchmarks.report import report_rows
from benchmarks.rows import Bench, Line
from benchmarks.sweeps import growth, sweeps
from benchmarks.tax import tax_rows
from benchmarks.trading import trading_rows
from benchmarks.twin import twin_rows
from benchmarks.whole import first_backtest, memory

ROWS: dict[str, Callable[[Bench], Iterator[Line]]] = {
    "columns": Bench.against_columns,
    "full": Bench.full_model,
    "events": Bench.events,
    "first": first_backtest,
    "prepare": Bench.preparing,
    "page": Bench.page,
    "growth": growth,
    "sweeps": sweeps,
    "memory": memory,
    "ledger": ledger,
    "tax": tax_rows,
    "report": report_rows,
    "twin": twin_rows,
    "trading": trading_rows,
    "emergency": emergency_rows,
}


def main() -> int:
    options = _options()
    bench = Bench(Path(sys.executable), clock=f"{options.clock}_s")
    if options.quick:
        bench.rounds, bench.bars, bench.event_bars, bench.slow_bars = 3, 100_000, 20_000, 10_000
    wanted = options.rows.split(",") if options.rows else list(ROWS)
    if "full" in wanted and "columns" not in wanted:
        wanted.insert(0, "columns")  # its ratio is against vectorbt's bare run
    console = Console(width=None if sys.stdout.isatty() else 200)
    _say_circumstances(console, bench)
    lines: list[Line] = []
    try:
        if not {"ledger", "tax", "report", "twin", "trading", "emergency"}.issuperset(wanted):
            bench.lay_out(8)
        for name in wanted:
            for line in ROWS[name](bench):
                console.print(_sentence(line), highlight=False)
                lines.append(line)
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    console.print(_table(lines))
    if options.plot:
        Path(options.plot).write_text(picture(lines), "utf-8")
    if options.json:
        found = [asdict(line) | {"is_met": line.is_met} for line in lines]
        Path(options.json).write_text(json.dumps(found, indent=1), "utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall",
        help="cpu counts processor time, for a machine that others use too",
    )  # fmt: skip
    parser.add_argument("--rows", help=f"only these, with commas: {','.join(ROWS)}")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the bars: a trial, no result"
    )
    parser.add_argument("--json", help="also write the table to this file")
    parser.add_argument("--plot", help="draw the growth rows into this SVG file")
    options = parser.parse_args()
    unknown = set((options.rows or "").split(",")) - {"", *ROWS}
    if unknown:
        parser.error(f"no such rows: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    return options


def _say_circumstances(console: Console, bench: Bench) -> None:
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    console.print(
        f"Python {platform.python_version()}, {cores} cores, load {load:.1f}; medians of "
        f"{bench.rounds} calls in turns, {'wall' if bench.clock == 'wall_s' else 'processor'} time"
    )
    if load > cores / 4 and bench.clock == "wall_s":
        console.print("The machine is busy: wall times are not worth much now (try --clock cpu).")


def _sentence(line: Line) -> str:
    against = f" | {line.peer}" if line.peer else ""
    return f"  {line.what}: {line.ours}{against} | {line.note}"


def _table(lines: list[Line]) -> Table:
    table = Table(title="OpenAlpha beside its peers", title_justify="left")
    for name in ("what", "ours", "peer"):
        table.add_column(name)
    for name in ("ratio", "must", "aim", "", "fills", "slow bars"):
        table.add_column(name, justify="right")
    table.add_column("note")
    for line in lines:
        sign = {None: "", True: "met", False: "MISSED"}[line.is_met]
        mark = "" if line.is_limit else "×"
        table.add_row(
            line.what,
            line.ours,
            line.peer,
            "" if line.ratio is None else f"{line.ratio:.2f}{mark}",
            "" if line.must is None else f"{'≤' if line.is_limit else '≥'} {line.must:g}{mark}",
            "" if line.aim is None else f"{line.aim:g}{mark}",
            sign,
            "" if line.fills is None else f"{line.fills:,}",
            "" if line.slow_share is None else f"{line.slow_share:.1%}",
            line.note,
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
