"""What a kernel wrote, as Python reads it."""

from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.arena import DONE, EFFECTS, FILLS, orders_of, rows_of
from openalpha.venue.kernel.layout import I64

__all__ = ["Written"]


class Written:
    """The logs and live orders of whatever keeps its state in an arena."""

    __slots__ = ()
    arena: I64

    @property
    def fills(self) -> I64:
        """int64[n_fills, FILL_COLS] of all accounts so far."""
        return rows_of(self.arena, FILLS)

    @property
    def effects(self) -> I64:
        """int64[n_effects, EFFECT_COLS] of all accounts so far."""
        return rows_of(self.arena, EFFECTS)

    @property
    def done(self) -> I64:
        """int64[n_ended, DONE_COLS]: the orders that have ended, in the order they did."""
        return rows_of(self.arena, DONE)

    def live_orders(self, number: int) -> I64:
        """Return int64[n, ORDER_COLS] of an instrument's orders that are alive or in flight."""
        slots = orders_of(self.arena, number)
        return slots[slots[:, at.O_STATUS] != at.FREE]
