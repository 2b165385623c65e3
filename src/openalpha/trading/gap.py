"""Splits the distance between what a run earned and what the model earned on the same bars.

The parts add up to the gap exactly. A run's fills are paired with the model's by sub-book,
instrument and decision; exits by the entry they protect. For a pair at prices p (run) and m (model)
the difference of its worth at the last closes is, with quantities q and k, and side s:

    s * q * (m - p)           price; of it latency: how far apart the bars opened they fill in
    s * (q - k) * (last - m)  size: the quantities differ because the equity did

What has no partner is `signal` where the targets at its decision differ, else `missed`. Orders of
the last close are left out: the model fills them on the next bar, which the tape does not have.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path

from openalpha.core.units import from_units
from openalpha.trading.execution_log import OrderSeen, RunSeen, read_run
from openalpha.trading.execution_model import ModelRun, model_run
from openalpha.trading.plan import RunPlan
from openalpha.trading.run_folder import RunFolder

__all__ = ["Gap", "Market", "gap_of", "split_gap"]

_ZERO = Decimal(0)
_BPS = Decimal(10_000)
_Key = tuple[int, str, int, bool, bool]


@dataclass(slots=True)
class Gap:
    """What a run earned less what the model earned, in the account currency, and why.

    Parameters
    ----------
    signal : Decimal
        Decided otherwise.
    price : Decimal
        Filled at other prices within the same bar.
    fee, funding : Decimal
        Paid otherwise.
    latency : Decimal
        What the market moved because the run filled in another bar.
    missed : Decimal
        Wanted alike, filled by one of the two only; executions by hand too.
    size : Decimal
        Other quantities, because what went before left another equity.
    turnover : Decimal
        Traded notional of the run.
    pairs, alone : int
        Orders with and without a partner.
    """

    signal: Decimal = _ZERO
    price: Decimal = _ZERO
    fee: Decimal = _ZERO
    funding: Decimal = _ZERO
    latency: Decimal = _ZERO
    missed: Decimal = _ZERO
    size: Decimal = _ZERO
    turnover: Decimal = _ZERO
    pairs: int = 0
    alone: int = 0

    def parts(self) -> dict[str, Decimal]:
        """Return the parts by name; they add up to `total`."""
        return {item.name: getattr(self, item.name) for item in fields(self)[:7]}

    @property
    def total(self) -> Decimal:
        """The gap: run less model."""
        return sum(self.parts().values(), _ZERO)

    @property
    def score(self) -> Decimal:
        """100 less the parts' sizes in basis points of the run's turnover; never below 0.

        Examples
        --------
        >>> Gap(price=Decimal(-3), fee=Decimal(1), turnover=Decimal(10_000)).score
        Decimal('96')
        """
        apart = sum((abs(part) for part in self.parts().values()), _ZERO)
        if not self.turnover:
            return Decimal(0) if apart else Decimal(100)
        return max(_ZERO, 100 - apart * _BPS / self.turnover)


@dataclass(frozen=True, slots=True)
class _Leg:
    """One order's executions on one side of the comparison."""

    side: int
    qty: Decimal
    price: Decimal
    ts_ms: int

    @property
    def notional(self) -> Decimal:
        return self.qty * self.price


class Market:
    """The bars of a tape, asked for prices.

    Parameters
    ----------
    plan : RunPlan
    seen : RunSeen

    Attributes
    ----------
    end_ms : int
        The last close; 0 without bars.
    """

    def __init__(self, plan: RunPlan, seen: RunSeen) -> None:
        self._stamps: dict[str, list[int]] = defaultdict(list)
        self._opens: dict[str, list[Decimal]] = defaultdict(list)
        self._closes: dict[str, list[Decimal]] = defaultdict(list)
        self._frame_ms = plan.timeframe_ms
        self.end_ms = seen.rows[-1].ts_ms + plan.timeframe_ms if seen.rows else 0
        for row in seen.rows:
            for item, bar in zip(plan.instruments, row.bars, strict=True):
                if bar is not None:
                    self._stamps[item.id].append(row.ts_ms)
                    self._opens[item.id].append(from_units(bar[0], item.price_decimals))
                    self._closes[item.id].append(from_units(bar[3], item.price_decimals))

    def last(self, instrument: str) -> Decimal:
        """Return the last close; zero where there is none."""
        return self._closes[instrument][-1] if self._closes[instrument] else _ZERO

    def open_at(self, instrument: str, ts_ms: int) -> Decimal | None:
        """Return the open of the bar a moment lies in; None where the tape has no such bar."""
        stamps = self._stamps[instrument]
        number = bisect_right(stamps, ts_ms) - 1
        if number < 0 or ts_ms >= stamps[number] + self._frame_ms:
            return None
        return self._opens[instrument][number]

    def close_before(self, instrument: str, ts_ms: int) -> Decimal | None:
        """Return the close of the last bar that had closed by a moment."""
        number = bisect_right(self._stamps[instrument], ts_ms - self._frame_ms) - 1
        return None if number < 0 else self._closes[instrument][number]


def gap_of(folder: RunFolder, *, strategies: Path | None = None) -> Gap:
    """Split the gap of a run at a venue against a backtest of the bars on its tape.

    Parameters
    ----------
    folder : RunFolder
    strategies : Path, optional
        The user's folder of strategy files.

    Raises
    ------
    InputError
        If the run is a backtest, or a strategy was changed since.
    """
    plan, seen = folder.plan(), read_run(folder)
    return split_gap(plan, seen, model=model_run(plan, seen.rows, folder=strategies))


def split_gap(plan: RunPlan, seen: RunSeen, *, model: ModelRun) -> Gap:
    """Split the gap between what a run did and what the model did on the same rows."""
    gap, market = Gap(funding=seen.funding - model.funding), Market(plan, seen)
    orders = [order for order in seen.orders if order.decided_ms < market.end_ms]
    run, kernel = _run_legs(orders), _model_legs(model)
    for key in sorted({*run, *kernel}):
        mine, theirs = run.get(key), kernel.get(key)
        if mine is not None and theirs is not None and mine.side == theirs.side:
            gap.pairs += 1
            _pair(gap, market, key[1], mine=mine, theirs=theirs)
            continue
        book, instrument, decided_ms = key[:3]
        is_alike = seen.targets.get((book, decided_ms)) == model.targets.get((book, decided_ms))
        for leg, sign in ((mine, 1), (theirs, -1)):
            if leg is not None:
                gap.alone += 1
                worth = sign * _worth(leg, market.last(instrument))
                if is_alike:
                    gap.missed += worth
                else:
                    gap.signal += worth
    for instrument, side, fill in seen.foreign:
        leg = _Leg(side, fill.qty, fill.price, fill.ts_ms)
        gap.missed += _worth(leg, market.last(instrument))
        gap.alone += 1
    paid = [fill for order in orders for fill in order.fills]
    paid += [fill for _, _, fill in seen.foreign]
    gap.fee = sum((fill.fee for fill in model.fills), _ZERO) - sum((f.fee for f in paid), _ZERO)
    gap.turnover = sum((fill.qty * fill.price for fill in paid), _ZERO)
    return gap


def _pair(gap: Gap, market: Market, instrument: str, *, mine: _Leg, theirs: _Leg) -> None:
    by_price = mine.side * mine.qty * (theirs.price - mine.price)
    before = market.open_at(instrument, theirs.ts_ms)
    after = market.open_at(instrument, mine.ts_ms)
    moved = _ZERO if before is None or after is None else after - before
    late = -mine.side * mine.qty * moved
    gap.latency += late
    gap.price += by_price - late
    gap.size += mine.side * (mine.qty - theirs.qty) * (market.last(instrument) - theirs.price)


def _worth(leg: _Leg, last: Decimal) -> Decimal:
    """Return what an execution made by the last close, fees apart."""
    return leg.side * leg.qty * (last - leg.price)


def _run_legs(orders: Iterable[OrderSeen]) -> dict[_Key, _Leg]:
    entered: dict[tuple[int, str], int] = {}
    found: dict[_Key, list[_Leg]] = defaultdict(list)
    for order in _by_first_fill(orders):
        place = (order.book, order.instrument)
        is_exit = order.decided_ms == 0
        if not is_exit and not order.is_reduce_only:
            entered[place] = order.decided_ms
        decided_ms = entered.get(place, 0) if is_exit else order.decided_ms
        key = (*place, decided_ms, is_exit, order.is_reduce_only)
        last_ms = max(fill.ts_ms for fill in order.fills)
        found[key].append(_Leg(order.side, order.filled, order.price, last_ms))
    return {key: _merged(legs) for key, legs in found.items()}


def _by_first_fill(orders: Iterable[OrderSeen]) -> list[OrderSeen]:
    filled = [order for order in orders if order.fills]
    return sorted(filled, key=lambda order: order.fills[0].ts_ms)


def _model_legs(model: ModelRun) -> dict[_Key, _Leg]:
    found: dict[_Key, list[_Leg]] = defaultdict(list)
    for fill in model.fills:
        key = (fill.book, fill.instrument, fill.decided_ms, fill.is_exit, fill.is_reduce_only)
        found[key].append(_Leg(fill.side, fill.qty, fill.price, fill.ts_ms))
    return {key: _merged(legs) for key, legs in found.items()}


def _merged(legs: list[_Leg]) -> _Leg:
    qty = sum((leg.qty for leg in legs), _ZERO)
    notional = sum((leg.notional for leg in legs), _ZERO)
    return _Leg(legs[0].side, qty, notional / qty, max(leg.ts_ms for leg in legs))
