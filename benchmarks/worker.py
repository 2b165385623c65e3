"""One side of a comparison as a process: it prepares, then makes a timed call whenever asked.

Sides are timed in turns, never at once. Lines of JSON go both ways; whatever a library prints goes
to the error stream.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Broken", "Outcome", "Side", "serve"]

ROOT = Path(__file__).parents[1]
_NONE: Mapping[str, str] = {}


class Outcome(NamedTuple):
    """What one call did: figures that both sides must agree on, and what to print beside them."""

    fills: int
    equity: NDArray[np.float64]
    slow_share: float = float("nan")
    extra: dict[str, float] = {}  # noqa: RUF012 - a default of a tuple, never written to


def serve(prepare: Callable[[dict[str, Any]], Callable[[], Outcome]]) -> None:
    """Answer the parent's lines until it closes them.

    Parameters
    ----------
    prepare : callable
        Takes the job (from the command line) and returns the call to time.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    begun = _now()
    call = prepare(json.loads(sys.argv[1]))
    prepared = _since(begun)
    begun = _now()
    outcome = call()
    print(json.dumps({"prepared": prepared, "first": _since(begun)}), file=answers)
    for line in sys.stdin:
        if line.startswith("equity "):
            np.save(line[7:].strip(), outcome.equity)
            print("{}", file=answers)
            continue
        begun = _now()
        outcome = call()
        taken = _since(begun)
        found = {
            "fills": outcome.fills,
            "slow_share": outcome.slow_share,
            "final_equity": float(outcome.equity[-1]),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            **outcome.extra,
        }
        print(json.dumps(found | taken), file=answers)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(begun: tuple[float, float]) -> dict[str, float]:
    return {"wall_s": time.perf_counter() - begun[0], "cpu_s": time.process_time() - begun[1]}


class Broken(RuntimeError):
    """A side that does not run here; its words say why."""


class Side:
    """The parent's end of a worker.

    Parameters
    ----------
    python : Path
        Interpreter of the side's environment.
    module : str
        Module to run, e.g. `benchmarks.ours`.
    job : mapping
        What to do, as JSON.
    environ : mapping, optional
        What to add to the environment.
    """

    def __init__(
        self,
        python: Path,
        module: str,
        job: dict[str, Any],
        *,
        environ: Mapping[str, str] = _NONE,
    ) -> None:
        self.process = subprocess.Popen(
            [str(python), "-W", "ignore", "-m", module, json.dumps(job)],
            cwd=ROOT,
            env=os.environ | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.module = module
        self.ready = self._read()

    def time(self) -> dict[str, float]:
        """Ask for one timed call and return what it took and did."""
        return self._ask("time")

    def equity(self, path: Path) -> NDArray[np.float64]:
        """Return the equity of the last call at every bar's close."""
        self._ask(f"equity {path}")
        values: NDArray[np.float64] = np.load(path)
        return values

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=60)

    def _ask(self, line: str) -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            said = self.process.communicate()[1].strip().splitlines()
            raise Broken(f"{self.module} stopped: {said[-1] if said else 'without a word'}")
        found: dict[str, Any] = json.loads(line)
        return found
