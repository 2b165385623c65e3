"""Unmodified clients of the real venue live on the twin: the scripts of examples/."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.twin import served

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("twin_ccxt.py", "a whole life in"),
        ("twin_pybit.py", "equity"),
        ("twin_ccxt_pro.py", "placed, amended and cancelled by message"),
        ("twin_pybit_sockets.py", "heard all private topics"),
    ],
)
def test_an_unmodified_client_lives_a_whole_life(url: str, script: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script), url],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": ""},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert says in done.stdout
