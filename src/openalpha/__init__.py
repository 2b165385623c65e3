"""OpenAlpha: find trading ideas, test them honestly, trade them under limits that hold.

This module is a lazy door: the public functions live in `openalpha.api` and are loaded on
first use, so that `import openalpha` and `openalpha --help` stay quick.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BacktestResult", "History", "MonteCarloResult", "StressResult", "SweepResult",
    "WalkForwardResult", "__version__", "backtest", "history", "montecarlo", "stress", "sweep",
    "walkforward",
]  # fmt: skip

_STUDIES = frozenset(("SweepResult", "sweep"))
_JUDGING = frozenset(
    ("MonteCarloResult", "StressResult", "WalkForwardResult", "montecarlo", "stress", "walkforward")
)

__version__: str


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("openalpha")
    if name in _STUDIES:
        from openalpha import studies

        return getattr(studies, name)
    if name in _JUDGING:
        from openalpha import judging

        return getattr(judging, name)
    if name in __all__:
        from openalpha import api

        return getattr(api, name)
    raise AttributeError(f"module 'openalpha' has no attribute {name!r}")
