"""How far an installation goes: what its mode leaves out is refused before anything is begun.

What makes an account safer (stops, closing, cancelling, the guardian) is never refused.
"""

from openalpha.core.errors import InputError
from openalpha.core.messages import Environment

__all__ = ["refuse_run", "refuse_tests"]

_RUNS = {
    "dashboard_only": (),
    "backtest_only": (),
    "paper_trade": (Environment.PAPER, Environment.TWIN, Environment.DEMO, Environment.TESTNET),
}


def refuse_run(mode: str, environment: str) -> None:
    """Raise unless an installation of this mode leads runs of an environment.

    Raises
    ------
    InputError
        If it does not.

    Examples
    --------
    >>> refuse_run("paper_trade", "twin")
    """
    allowed = _RUNS.get(mode)
    if allowed is not None and environment not in {one.name.lower() for one in allowed}:
        wanted = "live_trade" if environment == "live" else "paper_trade"
        raise InputError(
            f"this installation is set to {mode}: it leads no run in {environment}; "
            f"set trading.mode = {wanted} where it should"
        )


def refuse_tests(mode: str) -> None:
    """Raise unless an installation of this mode tests strategies on history.

    Raises
    ------
    InputError
        If it does not.
    """
    if mode == "dashboard_only":
        raise InputError(
            "this installation is set to dashboard_only: it tests nothing; set "
            "trading.mode = backtest_only where it should"
        )
