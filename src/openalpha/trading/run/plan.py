"""What a run is to do, fixed before it starts: kept in its record, read again at every start."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from typing import Any, get_type_hints

from openalpha.core.errors import DataError, InputError
from openalpha.core.instruments import Instrument
from openalpha.core.messages import Environment
from openalpha.engine.run import VenueSettings
from openalpha.engine.signals import EngineSettings
from openalpha.market.rules_file import rules_of, rules_row
from openalpha.risk.settings import BreakerSettings, LimitSettings, RiskSettings, SizingSettings
from openalpha.trading.run.allocation import AllocationSettings
from openalpha.trading.run.settings import ExecutionSettings, Handling
from openalpha.venue.settings import CostSettings, FillSettings, MarginSettings

__all__ = ["RunPlan", "StrategyPlan", "circumstances", "under_live_limits"]

_SCHEMA = "openalpha.run-plan/1"
_PACKAGES = ("openalpha", "numpy", "numba", "polars", "TA-Lib")


@dataclass(frozen=True, slots=True)
class StrategyPlan:
    """One strategy of a run, and the sub-book it trades.

    Parameters
    ----------
    name : str
        Name of the sub-book, one of a kind within the run.
    ref : str
        What `load_strategy` finds it by.
    params : mapping
        All parameters, as JSON can hold them.
    source_hash : str
        Hash of its source when the run began.
    numbers : tuple of int
        Which of the run's instruments it trades.
    keys : tuple of str
        Role or id of each.
    share : Decimal
        Its part of the run's capital.
    """

    name: str
    ref: str
    params: Mapping[str, Any]
    source_hash: str
    numbers: tuple[int, ...]
    keys: tuple[str, ...]
    share: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Everything a run depends on but what happens to it.

    Parameters
    ----------
    environment : Environment
    timeframe_ms : int
    capital : Decimal
        Of the whole run, in the account currency.
    instruments : tuple of Instrument
    strategies : tuple of StrategyPlan
    settings : EngineSettings
    has_mark, has_index : tuple of bool
        Whether rows carry an instrument's mark and index price.
    limits, breakers : LimitSettings and BreakerSettings
        Of trading at a venue; paper has those of `settings` alone.
    handling : Handling
        How strategies share the money, and how entries are placed at a venue.
    """

    environment: Environment
    timeframe_ms: int
    capital: Decimal
    instruments: tuple[Instrument, ...]
    strategies: tuple[StrategyPlan, ...]
    settings: EngineSettings
    has_mark: tuple[bool, ...]
    has_index: tuple[bool, ...]
    limits: LimitSettings = field(default_factory=LimitSettings)
    breakers: BreakerSettings = field(default_factory=BreakerSettings)
    handling: Handling = field(default_factory=Handling)

    def __post_init__(self) -> None:
        """Refuse a plan that gives away more than there is, or names two books alike."""
        names = [part.name for part in self.strategies]
        if len(set(names)) < len(names):
            raise InputError(f"two strategies are called alike ({', '.join(names)}); name them")
        total = sum((part.share for part in self.strategies), Decimal(0))
        if total > 1 or any(part.share <= 0 for part in self.strategies):
            raise InputError(
                f"the strategies' shares add up to {total}; each must be above 0, all at most 1"
            )

    def capital_of(self, part: StrategyPlan) -> Decimal:
        """Return what a strategy's sub-book begins with."""
        return self.capital * part.share

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it."""
        return {
            "schema": _SCHEMA,
            "environment": self.environment.name.lower(),
            "timeframe_ms": self.timeframe_ms,
            "capital": str(self.capital),
            "instruments": [rules_row(item) for item in self.instruments],
            "has_mark": list(self.has_mark),
            "has_index": list(self.has_index),
            "strategies": [_strategy_row(part) for part in self.strategies],
            "settings": {name: _group_row(group) for name, group in _groups(self).items()},
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "RunPlan":
        """Read a plan back.

        Raises
        ------
        DataError
            If it is of another version or damaged.
        """
        if row.get("schema") != _SCHEMA:
            raise DataError(
                f"the run's plan is of version {row.get('schema')!r}, this program reads {_SCHEMA}"
            )
        groups = row["settings"]
        settings = EngineSettings(
            VenueSettings(
                _group_of(CostSettings, groups["costs"]),
                _group_of(MarginSettings, groups["margin"]),
                _group_of(FillSettings, groups["fills"]),
            ),
            _group_of(SizingSettings, groups["sizing"]),
            _group_of(RiskSettings, groups["risk"]),
        )
        return cls(
            Environment[row["environment"].upper()],
            row["timeframe_ms"],
            Decimal(row["capital"]),
            tuple(rules_of(item) for item in row["instruments"]),
            tuple(_strategy_of(part) for part in row["strategies"]),
            settings,
            tuple(row["has_mark"]),
            tuple(row["has_index"]),
            _group_of(LimitSettings, groups.get("limits", {})),
            _group_of(BreakerSettings, groups.get("breakers", {})),
            Handling(
                _group_of(AllocationSettings, groups.get("allocation", {})),
                _group_of(ExecutionSettings, groups.get("execution", {})),
            ),
        )


def under_live_limits(settings: EngineSettings) -> EngineSettings:
    """Return settings with the limits of the live profile in force, as paper and live demand."""
    return replace(settings, risk=replace(settings.risk, profile="live"))


def circumstances() -> dict[str, str]:
    """Return what the bytes of a run depend on beside its plan: versions, processor, kernel."""
    import platform

    from llvmlite import binding

    from openalpha.venue.kernel._compile import source_hash

    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": str(binding.get_host_cpu_name()),
        "kernel": source_hash(),
    }
    for name in _PACKAGES:
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            found[name.lower()] = "not installed"
    return found


def _groups(plan: RunPlan) -> dict[str, Any]:
    settings = plan.settings
    return {
        "costs": settings.venue.costs,
        "margin": settings.venue.margin,
        "fills": settings.venue.fills,
        "sizing": settings.sizing,
        "risk": settings.risk,
        "limits": plan.limits,
        "breakers": plan.breakers,
        "allocation": plan.handling.allocation,
        "execution": plan.handling.execution,
    }


def _group_row(group: Any) -> dict[str, Any]:
    values = {item.name: getattr(group, item.name) for item in fields(group)}
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()
    }


def _group_of(cls: Any, row: Mapping[str, Any]) -> Any:
    hints = get_type_hints(cls)
    known = {item.name for item in fields(cls)}
    return cls(
        **{
            name: Decimal(value) if value is not None and "Decimal" in str(hints[name]) else value
            for name, value in row.items()
            if name in known
        }
    )


def _strategy_row(part: StrategyPlan) -> dict[str, Any]:
    row = {item.name: getattr(part, item.name) for item in fields(part)}
    return row | {"share": str(part.share), "params": dict(part.params)}


def _strategy_of(row: Mapping[str, Any]) -> StrategyPlan:
    return StrategyPlan(
        name=row["name"],
        ref=row["ref"],
        params=row["params"],
        source_hash=row["source_hash"],
        numbers=tuple(row["numbers"]),
        keys=tuple(row["keys"]),
        share=Decimal(row["share"]),
    )
