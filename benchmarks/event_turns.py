"""A strategy of callbacks that turns its position when the price turned: for the trading rows."""

from typing import ClassVar

from openalpha.strategy.events import Context, EventStrategy
from openalpha.strategy.params import Param, StrategyParams

__all__ = ["EventTurns"]


class EventTurns(EventStrategy):
    """Long after a rise, flat after a fall; one order a change."""

    name: ClassVar[str] = "event_turns"
    idea: ClassVar[str] = "None: it is there to be measured."

    class Params(StrategyParams):
        """The size."""

        amount: float = Param(3_000.0, ge=1, le=1e9, unit="USD", help="Size of an order.")

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.last = 0.0

    def on_bar(self, ctx: Context) -> None:
        """Buy after a rise, close after a fall."""
        move, self.last = (ctx.close - self.last if self.last else 0.0), ctx.close
        if move > 100 and not ctx.position:
            ctx.buy(round(self.params.amount / ctx.close, 3))
        elif move < -100 and ctx.position:
            ctx.close_position()
