"""Ten thousand seeded scenarios; the quick gate runs the first two hundred."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.nightly
def test_ten_thousand_scenarios() -> None:
    command = [sys.executable, "-m", "tests.faults", "scenarios"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
