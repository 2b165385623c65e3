"""Dollar-cost averaging: buy a little at regular times, more in dips, take profit on the whole."""

import math
from typing import ClassVar

from openalpha.strategy.events import Context, EventStrategy
from openalpha.strategy.params import Param, StrategyParams

__all__ = ["Dca"]


class Dca(EventStrategy):
    """Buy a fixed share of the first equity every so many bars; sell all at a profit, if asked."""

    name: ClassVar[str] = "dca"
    idea: ClassVar[str] = "Nobody can time the market: spread the entry over many moments."

    class Params(StrategyParams):
        """How often, how much, and when to take profit."""

        every_bars: int = Param(24, ge=1, le=100_000, unit="bars", help="Bars between purchases.")
        share_pct: float = Param(
            1.0, ge=0.01, le=100, unit="% of the first equity", help="Size of one purchase."
        )
        max_purchases: int = Param(
            90, ge=1, le=100_000, help="Purchases until the position is full."
        )
        dip_pct: float = Param(
            0.0,
            ge=0,
            le=90,
            unit="%",
            help="Buy double this far below the average entry; 0: never.",
        )
        take_profit_pct: float = Param(
            0.0,
            ge=0,
            le=1000,
            unit="%",
            help="Sell all this far above the average entry; 0: never.",
        )

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.purchases = 0
        self.amount = math.nan

    def on_bar(self, ctx: Context) -> None:
        """Take profit if it is there, else buy when it is time."""
        if math.isnan(self.amount):
            self.amount = ctx.equity * self.params.share_pct / 100
        if self._is_profit_reached(ctx):
            ctx.close_position()
            self.purchases = 0
        elif ctx.index % self.params.every_bars == 0 and self.purchases < self.params.max_purchases:
            self._buy(ctx)

    def _is_profit_reached(self, ctx: Context) -> bool:
        goal = self.params.take_profit_pct
        return goal > 0 and ctx.position > 0 and ctx.close >= ctx.entry_price * (1 + goal / 100)

    def _buy(self, ctx: Context) -> None:
        is_dip = (
            self.params.dip_pct > 0
            and ctx.position > 0
            and ctx.close <= ctx.entry_price * (1 - self.params.dip_pct / 100)
        )
        ctx.buy(self.amount * (2 if is_dip else 1) / ctx.close, tag="dip" if is_dip else "regular")
        self.purchases += 1
