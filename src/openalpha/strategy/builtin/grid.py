"""Grid: a ladder of resting buy orders below the price, each sold one step higher once filled."""

import math
from typing import ClassVar

from openalpha.core.messages import Fill
from openalpha.strategy.events import Context, EventStrategy
from openalpha.strategy.params import Param, StrategyParams

__all__ = ["Grid"]

_WITH_CRUMBS = 1.02


class Grid(EventStrategy):
    """Earn the step between neighbouring rungs of a ladder while the price swings across it.

    Long only: a rung is bought by a post-only limit order and sold one step above by a
    reduce-only one. The ladder is placed anew around the price when nothing is held and the
    price has left it upward.
    """

    name: ClassVar[str] = "grid"
    idea: ClassVar[str] = (
        "Sideways markets cross the same prices often: buy low rungs, sell one up."
    )

    class Params(StrategyParams):
        """The ladder."""

        step_pct: float = Param(1.0, ge=0.02, le=50, unit="%", help="Distance between rungs.")
        rungs: int = Param(10, ge=1, le=100, help="Number of buy orders below the price.")
        share_pct: float = Param(
            5.0, ge=0.01, le=100, unit="% of the first equity", help="Size of one rung."
        )
        floor_pct: float = Param(
            0.0, ge=0, le=90, unit="%",
            help="Give up this far below the ladder: close all and start anew; 0: never.",
        )  # fmt: skip

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.anchor = math.nan
        self.amount = math.nan
        self.order_rung: dict[int, int] = {}

    def on_bar(self, ctx: Context) -> None:
        """Place the ladder when there is none, move it up, or give it up."""
        if math.isnan(self.amount):
            self.amount = ctx.equity * self.params.share_pct / 100
        if math.isnan(self.anchor):
            self._place(ctx)
        elif ctx.position == 0 and ctx.close > self._price(-1):
            self._clear(ctx)
            self._place(ctx)
        elif self._is_given_up(ctx):
            self._clear(ctx)
            ctx.close_position()
            self.anchor = math.nan

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """Answer a filled buy by a sell one step up, a filled sell by the buy it came from."""
        rung = self.order_rung.get(fill.order_id)
        if rung is None:
            return
        qty = float(fill.qty)
        if fill.side > 0:
            qty = self._sellable(ctx, qty)
            if qty <= 0:
                return
            order = ctx.sell(qty, limit=self._price(rung - 1), reduce_only=True, tag=f"sell {rung}")
        else:
            order = ctx.buy(qty, limit=self._price(rung), post_only=True, tag=f"buy {rung}")
        self.order_rung[order] = rung

    def _sellable(self, ctx: Context, bought: float) -> float:
        """Return how much of a rung can be sold: a spot fee may have been taken out of it.

        The crumbs that rounding down to a lot left of earlier rungs go with it.
        """
        # The stops that risk attaches to a rung sell, too, but only if the rung is still there.
        for_sale = sum(
            order.qty - order.filled for order in ctx.orders if order.tag.startswith("sell")
        )
        free = ctx.position - for_sale
        return free if free < bought * _WITH_CRUMBS else bought

    def _price(self, rung: int) -> float:
        """Return the price of a rung: 0 is the anchor, 1 the first buy below it."""
        return self.anchor * (1 - self.params.step_pct / 100) ** rung

    def _place(self, ctx: Context) -> None:
        self.anchor = ctx.close
        for rung in range(1, self.params.rungs + 1):
            price = self._price(rung)
            order = ctx.buy(self.amount / price, limit=price, post_only=True, tag=f"buy {rung}")
            self.order_rung[order] = rung

    def _clear(self, ctx: Context) -> None:
        for order in ctx.orders:
            ctx.cancel(order.id)
        self.order_rung.clear()

    def _is_given_up(self, ctx: Context) -> bool:
        if not self.params.floor_pct:
            return False
        lowest = self._price(self.params.rungs)
        return ctx.close < lowest * (1 - self.params.floor_pct / 100)
