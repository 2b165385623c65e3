"""The limits in force: those configured, held within bounds that no setting can loosen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from openalpha.risk.settings import LimitSettings, RiskSettings

__all__ = ["IMMUTABLE", "Limits", "limits_of", "setting_of"]

IMMUTABLE: Mapping[str, Decimal] = MappingProxyType(
    {
        "max_drawdown": Decimal("0.15"),
        "stop": Decimal("0.10"),
        "max_position": Decimal("0.30"),
        "risk_per_trade": Decimal("0.02"),
    }
)
"""Bounds in code: whoever trades may be stricter, never looser, whatever a setting says."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may do. Shares are fractions of equity, money is in the account's currency.

    The settings' 0 means no limit; the limits of `IMMUTABLE` are never 0 once `held` was asked.
    """

    max_position: Decimal = Decimal("0.10")
    min_order: Decimal = Decimal(10)
    max_order: Decimal = Decimal(10_000)
    max_trades_per_day: int = 50
    daily_loss: Decimal = Decimal("0.05")
    max_drawdown: Decimal = Decimal("0.15")
    stop: Decimal = Decimal("0.03")
    risk_per_trade: Decimal = Decimal("0.02")
    max_strategy: Decimal = Decimal("0.30")
    strategy_stop: Decimal = Decimal("0.10")
    cash_reserve: Decimal = Decimal("0.10")
    max_leverage: Decimal = Decimal(3)
    max_price_age_ms: int = 180_000

    def held(self) -> "Limits":
        """Return the same limits within `IMMUTABLE`; what was off or wider takes its bound.

        Examples
        --------
        >>> Limits(max_drawdown=Decimal(0), max_position=Decimal("0.5")).held().max_position
        Decimal('0.30')
        """
        bounds: dict[str, Any] = {
            name: min(getattr(self, name) or most, most) for name, most in IMMUTABLE.items()
        }
        return replace(self, **bounds)


def limits_of(risk: RiskSettings, limits: LimitSettings) -> Limits:
    """Return the limits two groups of settings ask for, held within `IMMUTABLE`.

    Examples
    --------
    >>> limits_of(RiskSettings(max_drawdown=Decimal("0.9")), LimitSettings()).max_drawdown
    Decimal('0.15')
    """
    return Limits(
        max_position=risk.max_position,
        min_order=risk.min_order,
        max_order=risk.max_order,
        max_trades_per_day=risk.max_trades_per_day,
        daily_loss=risk.daily_loss,
        max_drawdown=risk.max_drawdown,
        stop=risk.stop,
        risk_per_trade=limits.risk_per_trade,
        max_strategy=limits.max_strategy,
        strategy_stop=limits.strategy_stop,
        cash_reserve=limits.cash_reserve,
        max_leverage=limits.max_leverage,
        max_price_age_ms=limits.max_price_age_ms,
    ).held()


def setting_of(name: str) -> str:
    """Return the setting that a limit is set by.

    Examples
    --------
    >>> setting_of("max_position"), setting_of("cash_reserve")
    ('risk.max_position', 'limits.cash_reserve')
    """
    group = "limits" if name in LimitSettings.__dataclass_fields__ else "risk"
    return f"{group}.{name}"
