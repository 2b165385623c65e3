"""How many orders a second the twin takes, and how soon it answers, with 200 sockets open.

Server and client share the machine, each a process of its own; the journal is on, so every answer
has waited for the disk. Beside the wall clock stands the server's processor time an order: on a
machine that others use too, that is the figure to go by.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.rows import Bench, Line

START_S = 180.0
SOCKETS = 200
PROBES = 500


def twin_rows(bench: Bench) -> Iterator[Line]:
    """Orders as fast as they go, then 200 a second."""
    told = bench.folder / "twin.json"
    state = bench.folder / "twin"
    command = [sys.executable, "-m", "openalpha", "twin", "--port", "0", "--lift-limits"]
    command += ["--state", str(state), "--json", str(told), "--quiet"]
    server = subprocess.Popen(command)
    try:
        url = _url(server, told)
        seconds = 5.0
        fast, hot_ms = _watched(server.pid, url, seconds=seconds)
        paced, calm_ms = _watched(server.pid, url, seconds=seconds, pace=200.0)
        note = f"{SOCKETS} sockets, {fast['socket_bytes_per_s'] / 1e6:.1f} MB/s; journal synced"
        yield Line(
            "twin: orders a second",
            f"{fast['orders_per_s']:,.0f}/s",
            ratio=fast["orders_per_s"],
            must=2_000,
            note=f"{note}; p99 {fast['p99_ms']:.1f} ms; {fast['failed']} failed; of processor "
            f"server {hot_ms:.2f}, load {fast['client_cpu_ms_an_order']:.2f} ms an order",
        )
        yield Line(
            "twin: p99 of an order at 200/s",
            f"{paced['p99_ms']:.1f} ms",
            ratio=paced["p99_ms"],
            must=10.0,
            is_limit=True,
            note=f"p50 {paced['p50_ms']:.1f} ms; {_syncs(state)}; server {calm_ms:.2f} ms of "
            "processor an order with all it pushes",
        )
    finally:
        server.terminate()
        server.wait(timeout=30)


def _url(server: "subprocess.Popen[bytes]", told: Path) -> str:
    ends = time.monotonic() + START_S
    while not told.exists():
        if server.poll() is not None or time.monotonic() > ends:
            raise RuntimeError("the twin did not start")
        time.sleep(0.1)
    found: str = json.loads(told.read_text("utf-8"))["url"]
    return found


def _watched(
    pid: int, url: str, *, seconds: float, pace: float = 0.0
) -> tuple[dict[str, Any], float]:
    """Return what a load found, and the server's processor time an order in milliseconds."""
    before = _cpu_s(pid)
    found = _load(url, seconds=seconds, pace=pace)
    return found, (_cpu_s(pid) - before) / max(found["orders"], 1) * 1e3


def _load(url: str, *, seconds: float, pace: float = 0.0) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.twin_load", url, "--sockets", str(SOCKETS)]
    command += ["--seconds", str(seconds), "--pace", str(pace)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _cpu_s(pid: int) -> float:
    """Processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _syncs(folder: Path) -> str:
    """Say how long the disk takes to sync a small write: no order is answered sooner."""
    path = folder.parent / "probe"
    times = []
    with path.open("wb") as file:
        for _ in range(PROBES):
            file.write(b"x" * 400)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    path.unlink()
    times.sort()
    middle, slow = times[PROBES // 2] * 1e3, times[PROBES * 99 // 100] * 1e3
    return f"a bare sync {middle:.1f} ms, p99 {slow:.1f} ms"
