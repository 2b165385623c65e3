"""The limits of the live profile: an order that opens passes the gate or is refused by reason."""

from abc import ABC, abstractmethod
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.core.reasons import Reason
from openalpha.core.units import to_units
from openalpha.risk.settings import RiskSettings
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.machine import Machine

__all__ = ["Gate", "Judge", "RunningGate"]

_MILLION = 1_000_000


class Judge(ABC):
    """The limits an order is measured by; how equity stands is told by whoever leads the account.

    It refuses, it never changes an order. Orders still open count towards the largest position as
    if they had filled.

    Parameters
    ----------
    risk : RiskSettings
    machine : Machine
    cash_decimals : int
        Decimals of the account coin's cash unit.
    """

    def __init__(self, risk: RiskSettings, machine: Machine, cash_decimals: int) -> None:
        self._machine = machine
        self._start = float(machine.account.balances[0])
        self._peak = self._start
        self._drawdown, self._daily_loss = float(risk.max_drawdown), float(risk.daily_loss)
        self._max_trades = risk.max_trades_per_day
        self._max_position_e6 = int(risk.max_position * _MILLION)
        self._smallest = to_units(risk.min_order, cash_decimals)
        self._largest = to_units(risk.max_order, cash_decimals)
        self._day, self._trades = -1, 0
        self.stop_e6 = int(risk.stop * Decimal(_MILLION))
        self.is_halted = False

    @abstractmethod
    def _equity_at(self, row: int) -> float:
        """Return the equity a row's orders are measured by, in cash units."""

    @abstractmethod
    def _stopped(self, row: int) -> Reason:
        """Return the reason why nothing may be opened at all, or NONE."""

    def refusal(
        self, number: int, *, side: int, qty: int, limit: int, trigger: int, last: int, row: int
    ) -> Reason:
        """Return why an order of instrument `number` may not be sent at a row's close, or NONE.

        Parameters
        ----------
        side, qty, limit, trigger : int
            The order's, in units; 0: it has no such price.
        last : int
            The last price, in units; 0: there is none yet.
        row : int
            The bar just closed.
        """
        price = self._price(number, side, limit=limit, trigger=trigger, last=last)
        if price == 0:
            return Reason.MISSING_BAR
        after = self._size_after(number, side, qty)
        if after <= 0:
            return Reason.NONE
        now = self._equity_at(row)
        stopped = self._stopped(row)
        if stopped is not Reason.NONE:
            return stopped
        worth = self._worth(number, min(qty, after), price)
        cap = int(now) * self._max_position_e6 // _MILLION
        is_too_small = worth < self._smallest
        is_too_large = 0 < self._largest < worth
        if is_too_small or is_too_large or self._worth(number, after, price) > cap > 0:
            return Reason.RISK_REFUSED
        if 0 < self._max_trades <= self._trades:
            return Reason.MAX_TRADES
        self._trades += 1
        return Reason.NONE

    def _size_after(self, number: int, side: int, qty: int) -> int:
        """Return the position on an order's side if it and all open orders of its side filled."""
        rows = self._machine.live_orders(number)
        opening = rows[(rows[:, at.O_SIDE] == side) & (rows[:, at.O_REDUCE] == 0)]
        pending = int((opening[:, at.O_QTY] - opening[:, at.O_FILLED]).sum())
        return self._machine.position(number)[0] * side + pending + qty

    def _price(self, number: int, side: int, *, limit: int, trigger: int, last: int) -> int:
        """Return the price an order is valued at: of those it may fill at the one worth most.

        A limit that the market has passed already fills at the market.
        """
        prices = [price for price in (limit, trigger) if price] or [last]
        if limit and last and not trigger and limit * side > last * side:
            prices.append(last)
        is_inverse = self._machine.instruments[number].kind == at.INVERSE
        return min(prices) if is_inverse else max(prices)

    def _worth(self, number: int, qty: int, price: int) -> int:
        setup = self._machine.instruments[number]
        if setup.kind == at.INVERSE:
            return qty * setup.k // price
        return qty * price * setup.num // setup.den


class Gate(Judge):
    """The gate of a run over a whole history: it reads equity from the curve as that is filled.

    Parameters
    ----------
    risk, machine, cash_decimals
        As of `Judge`.
    equity : float64[n]
        Cash units at each row's close; filled as the run goes on, read up to the row asked about.
    """

    def __init__(
        self, risk: RiskSettings, machine: Machine, equity: NDArray[np.float64], cash_decimals: int
    ) -> None:
        super().__init__(risk, machine, cash_decimals)
        self._equity = equity
        self._close_ms = machine.market.ts + machine.timeframe_ms
        self._seen = 0

    def breach(self, start: int, stop: int) -> int:
        """Return the first row of [start, stop) that closes too far below the peak, or `stop`."""
        self._follow(start)
        found = np.flatnonzero(self._falls(start, stop))
        return start + int(found[0]) if len(found) else stop

    def is_halted_by(self, stop: int) -> bool:
        """Say whether equity fell too far from its peak in any row before `stop`."""
        self._follow(stop)
        return self.is_halted

    def _equity_at(self, row: int) -> float:
        return float(self._equity[row])

    def _stopped(self, row: int) -> Reason:
        """Return the reason why nothing may be opened at all, or NONE."""
        day = (int(self._close_ms[row]) - 1) // DAY_MS
        if day != self._day:
            self._day, self._trades = day, 0
        if self._equity[row] <= 0:
            return Reason.BANKRUPT
        self._follow(row + 1)
        if self.is_halted:
            return Reason.BREAKER_DRAWDOWN
        last = int(np.searchsorted(self._close_ms, day * DAY_MS, side="right")) - 1
        opening = float(self._equity[last]) if last >= 0 else self._start
        worst = float(self._equity[last + 1 : row + 1].min())
        is_lost = self._daily_loss > 0 and opening - worst > opening * self._daily_loss
        return Reason.BREAKER_DAILY_LOSS if is_lost else Reason.NONE

    def _falls(self, start: int, stop: int) -> NDArray[np.bool_]:
        part = self._equity[start:stop]
        peak = np.maximum(np.maximum.accumulate(part), self._peak)
        return np.asarray((peak - part > peak * self._drawdown) & (self._drawdown > 0))

    def _follow(self, stop: int) -> None:
        """Take the rows up to `stop` (exclusive) into peak and breaker."""
        if stop > self._seen:
            self.is_halted = self.is_halted or bool(self._falls(self._seen, stop).any())
            self._peak = max(self._peak, float(self._equity[self._seen : stop].max()))
            self._seen = stop


class RunningGate(Judge):
    """The gate of an account that is led on and on: it is told equity and keeps what it needs."""

    def __init__(self, risk: RiskSettings, machine: Machine, cash_decimals: int) -> None:
        super().__init__(risk, machine, cash_decimals)
        self._now = self._opening = self._worst = self._start

    def add(self, now_ms: int, equity_units: float) -> None:
        """Take in equity at a row's close or another moment, times not falling."""
        day = (now_ms - 1) // DAY_MS
        if day != self._day:
            self._day, self._trades = day, 0
            self._opening, self._worst = self._now, equity_units
        self._now, self._worst = equity_units, min(self._worst, equity_units)
        self._peak = max(self._peak, equity_units)
        fall = self._peak - equity_units
        self.is_halted |= fall > self._peak * self._drawdown and self._drawdown > 0

    def rescale(self, factor: float) -> None:
        """Take in that money was moved: equity of before is scaled, none looks lost."""
        self._now *= factor
        self._opening *= factor
        self._worst *= factor
        self._peak *= factor

    def _equity_at(self, row: int) -> float:
        return self._now

    def _stopped(self, row: int) -> Reason:
        if self._now <= 0:
            return Reason.BANKRUPT
        if self.is_halted:
            return Reason.BREAKER_DRAWDOWN
        is_lost = self._opening - self._worst > self._opening * self._daily_loss
        return Reason.BREAKER_DAILY_LOSS if is_lost and self._daily_loss > 0 else Reason.NONE
