"""A trader whose loop hangs is stopped from outside: by a signal, and by a file in the home."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, pathlib, sys, threading, time
from openalpha.trading.safety.emergency_watch import EmergencyWatch
home, how = pathlib.Path(sys.argv[1]), sys.argv[2]
early = threading.Thread(target=time.sleep, args=(60,), daemon=True)
if "early" in how:
    early.start()
watch = EmergencyWatch(home, "twin", lambda who: print(f"stopped by {who}", flush=True))
watch.start()
print("ready", flush=True)
if "spins" in how:
    while not watch.has_acted.is_set():
        pass
elif "sleeps" in how:
    time.sleep(60)
else:
    os.read(os.pipe()[0], 1)
"""


@pytest.mark.parametrize("how", ["spins", "sleeps", "blocks", "spins early"])
@pytest.mark.parametrize("by", ["signal", "file", "file of one environment"])
def test_a_hung_loop_is_stopped(tmp_path: Path, how: str, by: str) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), how],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        if by == "signal":
            os.kill(running.pid, signal.SIGUSR1)
        else:
            name = "STOP" if by == "file" else "STOP.twin"
            (tmp_path / name).touch()
        assert running.stdout.readline().startswith("stopped by ")
    finally:
        running.kill()
        running.wait(timeout=10)
        assert running.stdout is not None
        running.stdout.close()


def test_a_file_of_another_environment_is_not_its_own(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), "sleeps"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert running.stdout is not None
        running.stdout.readline()
        (tmp_path / "STOP.live").touch()
        time.sleep(1)
        os.set_blocking(running.stdout.fileno(), False)
        assert running.stdout.read() is None
    finally:
        running.kill()
        running.wait(timeout=10)
        assert running.stdout is not None
        running.stdout.close()
