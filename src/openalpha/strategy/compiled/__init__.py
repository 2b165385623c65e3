"""Compiles this package's few hot loops on first use, cached under the hash of their source.

Without numba, or where it cannot compile, callers take their numpy path: same bits, slower.
numba's cache notices neither an edited callee nor a changed option, hence the folder's name.
"""

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from openalpha.strategy.compiled import loops

__all__ = ["cache_folder", "compiled_loop", "warm"]

_OPTIONS: dict[str, Any] = {"nogil": True, "_nrt": False, "error_model": "numpy"}


def cache_folder(version: str) -> Path:
    """Return the folder of the loops' machine code for one version of numba.

    It lies beside the kernel's: `OPENALPHA_KERNEL_CACHE` names another parent folder.
    """
    digest = hashlib.sha256(f"{version}{sorted(_OPTIONS.items())}".encode())
    digest.update(Path(loops.__file__).read_bytes())
    parent = os.environ.get("OPENALPHA_KERNEL_CACHE")
    if not parent:
        caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        parent = str(Path(caches) / "openalpha" / "kernel")
    return Path(parent) / f"strategy-{digest.hexdigest()[:16]}"


@cache
def compiled_loop(name: str) -> Callable[..., Any] | None:
    """Return a function of `loops` compiled, or None where this machine cannot compile it."""
    try:
        import numba
    except ImportError:
        return None
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder(numba.__version__))
    try:
        try:
            made: Callable[..., Any] = numba.njit(cache=True, **_OPTIONS)(getattr(loops, name))
            _look_first(made)
        except RuntimeError:
            # No folder can be written: compile for this process only.
            made = numba.njit(**_OPTIONS)(getattr(loops, name))
    finally:
        config.CACHE_DIR = before
    return made


def _look_first(dispatcher: Any) -> None:
    """Let numba look into its cache before it makes ready to compile: half a second of a process.

    Only for loops without its runtime, which would have to be made ready too.
    """
    cache_of = dispatcher._cache
    usual = cache_of.load_overload

    def load_overload(signature: Any, target: Any) -> Any:
        with cache_of._guard_against_spurious_io_errors():
            found = cache_of._load_overload(signature, target)
            if found is not None:
                return found
        return usual(signature, target)

    cache_of.load_overload = load_overload


def warm() -> bool:
    """Compile what a first run would compile, into the cache; say whether this machine can."""
    import numpy as np

    loop = compiled_loop("cross_of_means")
    if loop is None:
        return False
    units = np.arange(1, 9, dtype=np.int64)
    units.flags.writeable = False
    sums = np.zeros(9)
    sums.flags.writeable = False
    of_sums = compiled_loop("cross_of_sums")
    assert of_sums is not None
    of_sums(sums, 2, 3, 0, 0, 1, np.zeros(8, dtype=np.int32))
    for kind in (np.float64, np.int32):
        loop(units, 2, 3, 0, 0, 1, np.zeros(8, dtype=kind))
    return True
