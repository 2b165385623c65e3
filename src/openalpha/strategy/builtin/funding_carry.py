"""Funding carry: long spot, short perpetual while longs pay shorts well."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator

from openalpha.core.clock import DAY_MS
from openalpha.core.errors import InputError
from openalpha.strategy.bars import Bars, FloatArray
from openalpha.strategy.base import PortfolioStrategy
from openalpha.strategy.indicators.rolling import rolling_sum
from openalpha.strategy.params import ExitParams, Param
from openalpha.strategy.signals import after_warm_up, hold

__all__ = ["FundingCarry"]


class FundingCarry(PortfolioStrategy):
    """Hold equal amounts of spot long and perpetual short while funding pays enough.

    Instruments come as `spot` and `perp`, or several pairs as `spot.BTC`, `perp.BTC`,
    `spot.ETH`, `perp.ETH`; the capital is shared equally among the pairs.
    """

    name: ClassVar[str] = "funding_carry"
    idea: ClassVar[str] = "Longs pay shorts in rising markets: collect it with the price hedged."
    roles: ClassVar[tuple[str, ...]] = ("spot", "perp")

    class Params(ExitParams):
        """How much funding opens and closes the pair, and over how long it is measured."""

        period: int = Param(
            168, ge=1, le=100_000, unit="bars", help="Span the funding is added up over."
        )
        open_apr_pct: float = Param(
            8.0, ge=-100, le=1000, unit="% a year", help="Open above this funding."
        )
        close_apr_pct: float = Param(
            2.0, ge=-100, le=1000, unit="% a year", help="Close below this funding."
        )

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.close_apr_pct >= self.open_apr_pct:
                raise ValueError(
                    f"close_apr_pct is {self.close_apr_pct}, expected less than open_apr_pct"
                )
            return self

    def warm_up_bars(self, params: Params) -> int:
        """Return the span."""
        return params.period

    def targets(self, bars: Mapping[str, Bars], params: Params) -> Mapping[str, FloatArray]:
        """Return half of each pair's share long in spot and short in the perpetual."""
        pairs = _pairs(bars)
        wanted: dict[str, FloatArray] = {}
        for spot, perp in pairs:
            held = _held(bars[perp], params)
            wanted[spot] = held * (0.5 / len(pairs))
            wanted[perp] = held * (-0.5 / len(pairs))
        return wanted


def _held(perp: Bars, params: FundingCarry.Params) -> FloatArray:
    """Return 1 while the pair is held, 0 while not, NaN before the span is full."""
    paid = rolling_sum(np.nan_to_num(perp.funding_rate, nan=0.0), params.period)
    days = params.period * perp.timeframe_ms / DAY_MS
    apr_pct = paid / days * 365 * 100
    events = np.where(apr_pct > params.open_apr_pct, 1.0, np.nan)
    events[apr_pct < params.close_apr_pct] = 0.0
    return after_warm_up(hold(events), params.period)


def _pairs(bars: Mapping[str, Bars]) -> list[tuple[str, str]]:
    labels = sorted(key.partition(".")[2] for key in bars if key.partition(".")[0] == "spot")
    pairs = [tuple(f"{role}.{label}".rstrip(".") for role in ("spot", "perp")) for label in labels]
    found = {key for pair in pairs for key in pair}
    if not pairs or found != set(bars):
        raise InputError(
            "funding_carry trades pairs: give spot=... and perp=..., or spot.BTC=... perp.BTC=... "
            f"for several; it got {', '.join(sorted(bars)) or 'nothing'}"
        )
    return [(pair[0], pair[1]) for pair in pairs]
