"""Equity as breakers see it: open profit in, deposits and withdrawals out, by UTC day.

Money that moves in or out scales the highest equity and the day's opening along, so neither a
deposit hides a loss nor a withdrawal looks like one.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

from openalpha.core.clock import DAY_MS

__all__ = ["EquityTrack"]

_ZERO = Decimal(0)


class EquityTrack:
    """Follows one account's equity, its highest, and what its UTC day began with.

    A reading at midnight belongs to the day that ends; a day begins with the last equity before it.

    Parameters
    ----------
    start : Decimal
        Equity before the first reading, in the account's currency.

    Examples
    --------
    >>> track = EquityTrack(Decimal(1000))
    >>> track.observe(1, Decimal(900), net_flows=Decimal(0))
    >>> track.observe(2, Decimal(1800), net_flows=Decimal(900))  # 900 were deposited
    >>> track.drawdown, track.peak
    (Decimal('0.1'), Decimal('2000'))
    """

    def __init__(self, start: Decimal) -> None:
        self.peak = self.last = self.day_opening = start
        self._flows = _ZERO
        self._day = -1
        # While an account is empty: how deep it stood, lest emptying it forgot a drawdown.
        self._depth: Decimal | None = None

    def observe(self, ts_ms: int, equity: Decimal, *, net_flows: Decimal) -> None:
        """Take a reading.

        Parameters
        ----------
        ts_ms : int
            UTC ms.
        equity : Decimal
            Open profit included.
        net_flows : Decimal
            All that was ever moved in less all that was moved out, at that same moment; to take
            one of the two from another moment makes a transfer look like profit or loss.
        """
        assert equity.is_finite() and net_flows.is_finite()
        moved = net_flows - self._flows
        if moved:
            self._flow(moved, equity)
            self._flows = net_flows
        day = (ts_ms - 1) // DAY_MS
        if day > self._day:  # a clock that was set back begins no day
            self._day, self.day_opening = day, self.last
        self.last = equity
        self.peak = max(self.peak, equity)

    @property
    def drawdown(self) -> Decimal:
        """Return 1 - equity / highest equity, at least 0."""
        return _fall(self.peak, self.last)

    @property
    def daily_loss(self) -> Decimal:
        """Return the loss since the UTC day began as a share of its opening, at least 0."""
        return _fall(self.day_opening, self.last)

    def is_fallen(self, share: Decimal) -> bool:
        """Say whether equity stands more than a share below its highest; never for a share of 0."""
        return share > 0 and self.peak - self.last > self.peak * share

    def is_day_lost(self, share: Decimal) -> bool:
        """Say whether the day lost more than a share of its opening; never for a share of 0."""
        return share > 0 and self.day_opening - self.last > self.day_opening * share

    def reset_peak(self) -> None:
        """Begin anew from the equity as it is: only for a command that a person gave."""
        self.peak, self._depth = self.last, None

    def rebase(self, equity: Decimal) -> None:
        """Go on from another equity as deep below its highest as before: another run's money."""
        moved = equity - self.last
        if moved:
            self._flow(moved, equity)
        self.last, self._flows = equity, _ZERO

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        names = ("peak", "last", "day_opening")
        kept: dict[str, Any] = {name: str(getattr(self, name)) for name in names}
        kept |= {"flows": str(self._flows), "day": self._day}
        return kept | {"depth": None if self._depth is None else str(self._depth)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        self.peak, self.last = Decimal(state["peak"]), Decimal(state["last"])
        self.day_opening, self._flows = Decimal(state["day_opening"]), Decimal(state["flows"])
        self._day = int(state["day"])
        self._depth = None if state["depth"] is None else Decimal(state["depth"])

    def _flow(self, moved: Decimal, after: Decimal) -> None:
        before = after - moved
        if after <= 0 < before:
            self._depth = before / self.peak if self.peak > 0 else None
        with localcontext() as context:
            # Rounded up: a longer way down from a higher peak is the stricter side.
            context.prec, context.rounding = 40, ROUND_CEILING
            if before <= 0 < after and self._depth is not None:
                self.peak = self.day_opening = after / self._depth
                self._depth = None
            elif before > 0 and after >= 0:
                self.peak = self.peak * after / before
                self.day_opening = self.day_opening * after / before
            else:
                self.peak, self.day_opening = self.peak + moved, self.day_opening + moved
        self.last += moved


def _fall(top: Decimal, now: Decimal) -> Decimal:
    return max(_ZERO, (top - now) / top) if top > 0 else _ZERO
