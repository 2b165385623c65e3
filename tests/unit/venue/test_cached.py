"""Machine code that is in the cache is loaded without waking the whole compiler."""

import subprocess
import sys

# The last module is one numba imports only when it makes ready to compile.
RUN = """
import sys
from openalpha.engine.warm import _small_machine
from openalpha.strategy.compiled import warm
machine = _small_machine()
machine.run(3)
assert machine.equity() == 10_000
assert warm()
print("numba.np.arraymath" in sys.modules)
"""


def test_a_warm_cache_needs_no_compiler():
    # The first process fills the cache where it is cold.
    said = [
        subprocess.run(
            [sys.executable, "-c", RUN], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said[-1] == "False"
