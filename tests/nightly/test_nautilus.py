"""The strictest client of all lives a life on the twin, from an environment of its own."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.fakes.twin import served

SCRIPT = Path(__file__).parents[2] / "examples" / "twin_nautilus.py"


@pytest.mark.nightly
def test_nautilus_trader_lives_a_whole_life() -> None:
    python = os.environ.get("OPENALPHA_TEST_NAUTILUS")
    if not python:
        pytest.skip("OPENALPHA_TEST_NAUTILUS names the python of a place with nautilus_trader")
    with served() as url:
        done = subprocess.run(
            [python, str(SCRIPT), url], capture_output=True, text=True, timeout=180, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a whole life, and flat again" in done.stdout
