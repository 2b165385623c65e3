"""Rows of sweeps and of what judges a strategy: many configurations, many paths, many folds."""

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environments import environment
from benchmarks.rows import EQUAL_TO, Bench, Line
from benchmarks.worker import Broken, Outcome, Side, serve

__all__ = ["growth", "sweeps"]

OURS, PEER = "benchmarks.sweeps", "benchmarks.peers.vectorbt_sweep"
FAST, SLOW = list(range(5, 45)), list(range(50, 175, 5))


def sweeps(bench: Bench) -> Iterator[Line]:
    """1,000 configurations × 100,000 bars beside vectorbt's second call; then paths and folds."""
    bars = min(bench.bars, 100_000)
    job = bench.job(bars=bars, fast=FAST, slow=SLOW)
    peer, why, theirs = _peer(bench, job)
    for model, must, aim in (("bare", 30, 100), ("full", 12, 40)):
        ours, ends = _ours(bench, job | {"model": model})
        if not why and model == "bare":
            why = _difference(ours, ends, peer, theirs)
        ratio = peer[bench.clock] / ours[bench.clock] if peer and not why else None
        work = len(FAST) * len(SLOW) * bars
        yield Line(
            f"sweep of 1,000 × {bars:,}, {model}",
            f"{ours[bench.clock]:.2f} s, {work / ours[bench.clock] / 1e6:,.0f} M bars/s",
            f"vectorbt {peer[bench.clock]:.1f} s" if peer else "vectorbt",
            ratio=ratio, must=must, aim=aim, fills=int(ours["fills"]),
            note=why or f"68 figures and a ledger row each, {ours['peak_mb']:.0f} MB",
        )  # fmt: skip
        if model == "bare":
            yield Line(
                "memory of that sweep", f"{ours['peak_mb']:.0f} MB", ratio=ours["peak_mb"],
                must=700, aim=400, is_limit=True,
            )  # fmt: skip
    yield from _new_processes(bench, job)
    yield from _judging(bench, job)


def growth(bench: Bench) -> Iterator[Line]:
    """Time a bar over decades of bars and instruments, then over decades of configurations."""
    yield from bench.growth()
    bars = min(bench.bars, 100_000)
    for count in (10, 100, 1_000):
        job = bench.job(bars=bars, fast=FAST[: max(1, count // 25)], slow=SLOW[: min(count, 25)])
        taken, _ = _ours(bench, job)
        work = count * bars
        yield Line(
            f"growth: sweep of {count:,} × {bars:,} bars",
            f"{taken[bench.clock]:.2f} s, {taken[bench.clock] / work * 1e9:.1f} ns a bar",
            fills=int(taken["fills"]), point=("sweep", work, taken[bench.clock]),
        )  # fmt: skip


def _new_processes(bench: Bench, job: dict[str, Any]) -> Iterator[Line]:
    """Time the first sweep of a process, its imports too, with caches of machine code and without.

    The interpreter's own start is not counted, on either side.
    """
    for what, must, aim, is_cold in (
        ("the same in a new process, both caches warm", 5, 8, False),
        ("the same in a new process, both caches cold", None, None, True),
    ):
        ours = _first(bench, bench.python, OURS, job, is_cold=is_cold)
        try:
            peer = _first(bench, environment("arrays"), PEER, job, is_cold=is_cold)
        except Broken as error:
            yield Line(what, f"{ours:.2f} s", "vectorbt", note=str(error))
            continue
        yield Line(
            what, f"{ours:.2f} s", f"vectorbt {peer:.1f} s", ratio=peer / ours, must=must, aim=aim
        )


def _first(bench: Bench, python: Path, module: str, job: dict[str, Any], *, is_cold: bool) -> float:
    with tempfile.TemporaryDirectory() as empty:
        caches = {"OPENALPHA_KERNEL_CACHE": empty, "NUMBA_CACHE_DIR": empty} if is_cold else {}
        taken = []
        for _ in range(1 if is_cold else 3):
            side = Side(python, module, job, environ=caches)
            side.close()
            taken.append(sum(side.ready[part][bench.clock] for part in ("prepared", "first")))
        return sorted(taken)[len(taken) // 2]


def _peer(bench: Bench, job: dict[str, Any]) -> tuple[dict[str, float], str, Any]:
    try:
        side = Side(environment("arrays"), PEER, job)
    except Broken as error:
        return {}, str(error), None
    taken = side.time()  # the second call: the first compiled
    ends = side.equity(bench.folder / "theirs.npy")
    side.close()
    return taken, "", ends


def _ours(bench: Bench, job: dict[str, Any]) -> tuple[dict[str, float], Any]:
    side = Side(bench.python, OURS, job)
    taken = [side.time() for _ in range(3)]
    ends = side.equity(bench.folder / "ours.npy")
    side.close()
    middle = sorted(taken, key=lambda one: one[bench.clock])[1]
    return middle, ends


def _difference(ours: dict[str, float], ends: Any, peer: dict[str, float], theirs: Any) -> str:
    if ours["fills"] != peer["fills"]:
        return f"void: {ours['fills']:.0f} fills here, {peer['fills']:.0f} there"
    largest = float(np.max(np.abs(ends - theirs) / np.abs(theirs)))
    return "" if largest <= EQUAL_TO else f"void: final equity differs by {largest:.2g}"


def _judging(bench: Bench, job: dict[str, Any]) -> Iterator[Line]:
    from openalpha.research.montecarlo_paths import trade_paths

    shares = np.random.default_rng(1).normal(0.001, 0.01, 1_000)
    taken = [_timed(bench, lambda: trade_paths(shares)) for _ in range(3)]
    yield Line("10,000 Monte Carlo paths of 1,000 trades", f"{sorted(taken)[1]:.2f} s",
               ratio=sorted(taken)[1], must=1.0, aim=0.2, is_limit=True)  # fmt: skip
    side = Side(bench.python, OURS, job | {"kind": "walkforward"})
    found = side.time()[bench.clock]
    side.close()
    yield Line("walk-forward, 20 folds × 200 configurations", f"{found:.2f} s", ratio=found,
               must=6.0, aim=2.0, is_limit=True, note=f"{job['bars']:,} bars")  # fmt: skip


def _timed(bench: Bench, call: Callable[[], object]) -> float:
    clock = time.perf_counter if bench.clock == "wall_s" else time.process_time
    begun = clock()
    call()
    return clock() - begun


def prepare(job: dict[str, Any]) -> Callable[[], Outcome]:
    import openalpha
    from benchmarks.ours import frame, groups, instrument

    held = frame(Path(job["folder"]), job["bars"], has_funding=job["model"] != "bare")
    history = openalpha.history(held, instrument=instrument("COIN0"))
    home = tempfile.mkdtemp()
    grid = {"fast": job["fast"], "slow": job["slow"]}

    def run() -> Outcome:
        result = openalpha.sweep(
            "ma_cross", history, grid=grid, params={"long_only": True}, home=home, **groups(job)
        )
        frame = result.frame
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ends = frame["final_equity"].to_numpy()
        return Outcome(int(frame["fills"].sum()), ends, extra={"peak_mb": peak})

    def walk() -> Outcome:
        result = openalpha.walkforward(
            "ma_cross", history, grid={"fast": job["fast"][:20], "slow": job["slow"][:10]},
            params={"long_only": True}, folds=20, home=home, **groups(job),
        )  # fmt: skip
        return Outcome(0, result.equity)

    return walk if job.get("kind") == "walkforward" else run


if __name__ == "__main__":
    sys.exit(serve(prepare))
