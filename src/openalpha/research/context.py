"""What a run was made from: all that has to be the same for it to come out the same again."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from openalpha.core.clock import format_ms, timeframe_name
from openalpha.core.instruments import Instrument
from openalpha.core.messages import Environment
from openalpha.market.history import History
from openalpha.research.trials import TrialLedger

__all__ = ["RunContext", "installed_versions", "settings_hash"]

_PACKAGES = ("openalpha", "numpy", "numba", "polars", "TA-Lib")


@dataclass(frozen=True, slots=True, eq=False)
class RunContext:
    """The circumstances of one run.

    Parameters
    ----------
    strategy : str
        Its name.
    params : mapping
        Its parameters, all of them, as JSON can hold them.
    source_hash : str
        Hash of its source.
    histories : mapping of instrument id to History
        In the order of the run's instruments.
    settings : mapping of group to mapping of key to value
        Every setting the run used, plain values, no secrets.
    created_ms : int
        When the run was made, from the clock.
    environment : Environment
    seed : int or None
        Seed of whatever was random, None where nothing was.
    commit : str
        Commit of our own code, where known.
    roles : tuple of str
        What the strategy calls each of the histories, in their order; empty where it is their ids.
    home : Path or None
        Where `save` puts the run folder.
    is_lookahead_allowed : bool
        Whether a strategy that sees the future was let through by name.
    funding_worst_return : float or None
        Total return with missing settlements at their worse bound.
    trial : int
        Row in the trial ledger, -1 when there is none.
    trial_hash : str
        That row's hash: it vouches for the ledger up to there.
    trials : int
        Configurations its family had tried, this one included.
    ledger : TrialLedger or None
        That ledger. Given instead of hash and count, it is asked for both when a verdict or a
        record needs them, so that a run pays only for its row.
    notes : tuple of str
        What else a reader should know.
    """

    strategy: str
    params: Mapping[str, Any]
    source_hash: str
    histories: Mapping[str, History]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    created_ms: int = 0
    environment: Environment = Environment.BACKTEST
    seed: int | None = None
    commit: str = ""
    roles: tuple[str, ...] = ()
    home: Path | None = None
    is_lookahead_allowed: bool = False
    funding_worst_return: float | None = None
    trial: int = -1
    trial_hash: str = ""
    trials: int = 1
    ledger: TrialLedger | None = None
    notes: tuple[str, ...] = ()

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The run's instruments, in order."""
        return tuple(history.instrument for history in self.histories.values())

    def data_record(self) -> dict[str, dict[str, Any]]:
        """Return what was read of each instrument: fingerprint, time frame, bars, span, notes."""
        return {
            name: {
                "fingerprint": history.fingerprint,
                "timeframe": timeframe_name(history.timeframe_ms),
                "bars": len(history),
                "from": format_ms(int(history.ts_ms[0])),
                "to": format_ms(history.end_ms),
                "price_decimals": history.instrument.price_decimals,
                "qty_decimals": history.instrument.qty_decimals,
                "notes": list(history.notes),
            }
            for name, history in self.histories.items()
        }

    def data_fingerprint(self) -> str:
        """Return one hash over the fingerprints of all instruments."""
        if len(self.histories) == 1:
            return next(iter(self.histories.values())).fingerprint
        joined = "\n".join(f"{name} {h.fingerprint}" for name, h in self.histories.items())
        return hashlib.sha256(joined.encode()).hexdigest()


def settings_hash(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the hash of a run's settings, whatever order they stand in.

    Examples
    --------
    >>> one = {"costs": {"taker_bps": 5.5, "spread_bps": 1}}
    >>> settings_hash(one) == settings_hash({"costs": {"spread_bps": 1, "taker_bps": 5.5}})
    True
    """
    encoded = json.dumps(settings, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(encoded.encode()).hexdigest()


def installed_versions() -> dict[str, str]:
    """Return the versions a result depends on: Python, the machine, the packages that compute."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            found[name.lower()] = "not installed"
    return found
