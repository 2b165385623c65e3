"""Finds machine code in the cache without waking the whole compiler.

numba registers every function it could ever compile before it looks into the cache, which takes
half a second of each new process; machine code that is there already needs none of it.
"""

from collections.abc import Callable
from typing import Any

from numba.core.caching import FunctionCache

__all__ = ["look_first"]


class _LookFirst(FunctionCache):
    """Looks into the cache before the compiler is made ready, and after it if nothing is found."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with self._guard_against_spurious_io_errors():
            found = self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]  # numba's own
            if found is not None:
                return found
        return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]  # numba's own


def look_first(dispatcher: Any, function: Callable[..., Any]) -> None:
    """Let a function compiled with `cache=True` and without the runtime look into its cache first.

    Call it while the cache folder of the function is set.
    """
    dispatcher._cache = _LookFirst(function)  # type: ignore[no-untyped-call]  # numba's own
