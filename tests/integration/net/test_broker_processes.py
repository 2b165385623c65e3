"""The broker among real processes: opening a chart or a download never starves a cancel."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openalpha.core.clock import SystemClock
from openalpha.core.errors import StorageError
from openalpha.net import Priority, RateBroker, RateLimit

HOST = "venue.test"
# A refill of one request in ten seconds: what is taken is gone for as long as the test lasts.
LIMIT = RateLimit(per_s=0.1, burst=20)

GREEDY = """
    import sys
    from pathlib import Path
    from openalpha.core.clock import SystemClock
    from openalpha.core.errors import VenueUnavailable
    from openalpha.net import Priority, RateBroker, RateLimit
    broker = RateBroker(Path(sys.argv[1]), clock=SystemClock(), limit=RateLimit(0.1, 20))
    is_told = False
    while True:
        try:
            broker.take("venue.test", Priority.DATA, wait_at_most_s=0)
        except VenueUnavailable:
            if not is_told:
                print("starved", flush=True)
            is_told = True
"""
HOLDING = """
    import sys, time
    from pathlib import Path
    from openalpha.net.locked import change_record
    with change_record(Path(sys.argv[1]) / "budget-venue.test.json"):
        print("held", flush=True)
        time.sleep(600)
"""


@contextmanager
def process(code: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said its first word."""
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        assert running.stdout.readline()
        yield running
    finally:
        running.kill()
        running.wait(timeout=30)
        running.stdout.close()


def broker(folder: Path) -> RateBroker:
    return RateBroker(folder, clock=SystemClock(), limit=LIMIT)


def test_opening_a_chart_never_starves_a_cancel(tmp_path: Path) -> None:
    """Downloads that take all they may leave what is reserved: freqtrade 11025."""
    full = f"[20.0,{SystemClock().now_ms()},0]"
    (tmp_path / f"budget-{HOST}.json").write_text(full, "utf-8")
    made = broker(tmp_path)
    with process(GREEDY, tmp_path), process(GREEDY, tmp_path):
        for _ in range(6):
            made.take(HOST, Priority.ORDERS, wait_at_most_s=0)
        for _ in range(2):
            made.take(HOST, Priority.RISK, wait_at_most_s=0)


def test_a_process_that_dies_with_the_lock_leaves_it(tmp_path: Path) -> None:
    with process(HOLDING, tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=30)
        broker(tmp_path).take(HOST, Priority.DATA, wait_at_most_s=60)


def test_a_process_that_hangs_with_the_lock_cannot_stop_an_emergency(tmp_path: Path) -> None:
    with process(HOLDING, tmp_path) as holder:
        holder.send_signal(signal.SIGSTOP)
        broker(tmp_path).take(HOST, Priority.RISK, wait_at_most_s=0)
        with pytest.raises(StorageError, match="held by another process"):
            broker(tmp_path).take(HOST, Priority.ORDERS, wait_at_most_s=0)
