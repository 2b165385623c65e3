"""The emergency stop of a trader's own process: what its watching thread calls."""

import logging
from collections.abc import Callable
from pathlib import Path

from openalpha.cli.alert_port import tell_once
from openalpha.cli.exchange_access import connect, name_of, vault_of

__all__ = ["stop_act"]

_log = logging.getLogger(__name__)


def stop_act(home: Path, environment: str) -> Callable[[str], object]:
    """Return what stops an environment by the trader's key, over a connection of its own.

    The key is read now: when it is needed, the vault may be out of reach.

    Raises
    ------
    InputError, ConfigError
        If there is no key, or the vault does not open.
    """
    from openalpha.core.clock import SystemClock
    from openalpha.net import Priority
    from openalpha.trading.safety.emergency import StopOrder, emergency_stop

    name = name_of(environment, "trader")
    key = vault_of(home).get(name)

    def act(who: str) -> None:
        order = StopOrder(home, name, who=who, words=f"stopped by {who}")
        with connect(home, key, priority=Priority.RISK) as client:
            done = emergency_stop(order, client, clock=SystemClock())
        _log.warning("emergency_stop done=%s left=%s", done.is_done, done.left[:5])
        outcome = "nothing open is left" if done.is_done else f"NOT FLAT: {done.left[:5]}"
        tell_once(home, name, f"{name} was stopped by {who}: {outcome}")

    return act
