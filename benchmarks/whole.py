"""Rows that measure whole processes: the first backtest of a process, and memory at 31 M bars."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import market
from benchmarks.rows import Bench, Line
from benchmarks.worker import ROOT

__all__ = ["first_backtest", "memory"]

YEARS, YEAR_BARS = 60, 525_600
FIRST_BARS = 100_000


def first_backtest(bench: Bench) -> Iterator[Line]:
    """`openalpha backtest` in a new process, from a file, with a warm cache."""
    import polars as pl

    held = market.load(bench.folder / "main", FIRST_BARS)
    stamps = market.FIRST_MS + market.MINUTE_MS * np.arange(len(held.close))
    path = bench.folder / "first.parquet"
    pl.DataFrame({"ts": stamps, **held._asdict()}).write_parquet(path)
    command = [
        str(bench.python), "-m", "openalpha", "backtest", "ma_cross", "--data", str(path),
        "--param", "fast=10", "--param", "slow=50", "--quiet",
    ]  # fmt: skip
    # A home of its own: the user's ledger must not count these as trials.
    home = tempfile.mkdtemp(dir=bench.folder)
    # Python's own bytecode is part of a warm cache; where the caller turned it off, nowhere near.
    environ = os.environ | {
        "OPENALPHA_HOME": home,
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(bench.folder / "bytecode"),
    }
    environ.setdefault("OPENALPHA_KERNEL_CACHE", _kernel_cache(bench.python))
    taken = []
    for _ in range(5):
        wall, cpu = time.perf_counter(), _children_cpu()
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
        wall, cpu = time.perf_counter() - wall, _children_cpu() - cpu
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            yield Line("first backtest of a process", "", note=f"void: {said[-1:]}")
            return
        taken.append(wall if bench.clock == "wall_s" else cpu)
    whole = median(taken[1:])
    yield Line(
        "first backtest of a process, whole command", f"{whole:.2f} s", ratio=whole, must=2.0,
        aim=1.2, is_limit=True, note=f"{FIRST_BARS:,} bars from a Parquet file, run folder written",
    )  # fmt: skip


def memory(bench: Bench) -> Iterator[Line]:
    """Find the peak memory of one run over 31 M bars: one long series, then sixty instruments."""
    for shape, must in (("one series", 2.5), ("sixty instruments", None)):
        done = subprocess.run(
            [str(bench.python), "-m", "benchmarks.whole", shape, str(bench.folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()
            yield Line(f"31 M bars, {shape}", "", note=f"void: {said[-1:]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        yield Line(
            f"31 M bars, {shape}: peak memory",
            f"{found['peak_gb']:.2f} GB, {found['wall_s']:.1f} s",
            ratio=found["peak_gb"], must=must, aim=1.5, is_limit=True, fills=found["fills"],
            slow_share=found["slow_share"], note=f"bars alone {found['bars_gb']:.2f} GB",
        )  # fmt: skip


def _kernel_cache(python: Path) -> str:
    code = "from openalpha.venue.kernel._compile import cache_dir; print(cache_dir().parent)"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _long_history(folder: Path, number: int, bars: int) -> Any:
    """Build a history column by column, holding one float column beside it."""
    from benchmarks.ours import instrument
    from openalpha.market.history import History

    rows = np.empty((bars, 5), dtype=np.int64)
    for place, name in enumerate(("open", "high", "low", "close", "volume")):
        column = np.load(folder / f"{name}.npy", mmap_mode="r")
        decimals = market.QTY_DECIMALS if name == "volume" else market.PRICE_DECIMALS
        for start in range(0, bars, YEAR_BARS):
            part = slice(start, start + YEAR_BARS)
            rows[part, place] = np.rint(column[part] * 10.0**decimals)
    stamps = market.FIRST_MS + market.MINUTE_MS * np.arange(bars, dtype=np.int64)
    traded = instrument(f"LONG{number}")
    return History.of(traded, market.MINUTE_MS, ts_ms=stamps, bars=rows)


def _measure(shape: str, folder: Path) -> dict[str, float]:
    """Run once over 31 M bars in this process and say how much memory it took at most."""
    import resource

    import openalpha
    from benchmarks.ours import groups

    count = 1 if shape == "one series" else YEARS
    bars = YEARS * YEAR_BARS // count
    data = [_long_history(folder / f"long-{bars}", number, bars) for number in range(count)]
    job = {"model": "bare", "capital": 10_000_000, "fee_bps": 0.5, "amount": 1_000}
    begun = time.perf_counter()
    result = openalpha.backtest(
        "ma_cross", data, params={"fast": 10, "slow": 50, "long_only": True},
        home=tempfile.mkdtemp(dir=folder), **groups(job),
    )  # fmt: skip
    assert np.isfinite(result.metrics["total_return"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "wall_s": time.perf_counter() - begun,
        "peak_gb": peak * 1024 / 1e9,
        "bars_gb": count * bars * 48 / 1e9,
        "fills": len(result.run.fills),
        "slow_share": result.run.slow_bars / (YEARS * YEAR_BARS),
    }


def _lay_out(folder: Path, bars: int) -> None:
    place = folder / f"long-{bars}"
    if not (place / "volume.npy").exists():
        market.save(market.make(bars, seed=3), place)


if __name__ == "__main__":
    wanted, where = sys.argv[1], Path(sys.argv[2])
    made = YEARS * YEAR_BARS if wanted == "one series" else YEAR_BARS
    # Made by a process of its own, so that making it does not count as the run's memory.
    child = os.fork()
    if child == 0:
        _lay_out(where, made)
        os._exit(0)
    os.waitpid(child, 0)
    print(json.dumps(_measure(wanted, where)))
