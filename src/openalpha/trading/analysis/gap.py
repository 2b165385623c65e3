"""Splits the distance between what a run earned and what the model earned on the same bars.

The parts add up to the gap exactly. What the account did of an instrument at a decision is held
beside what the model did at it, exits by the entry before them. Where the run bought Q for C and
the model q for c (signed), their worth at the last close L differs by (Q - q) L - (C - c):

    (Q - q) (L - m)  size: the quantities differ because the equity did; m is the model's price
    - Q (a - b)      latency: how far apart the bars opened that the two fill in
    the rest         price

What has no partner is `signal` where the targets at its decision differ, else `missed`. Orders of
callbacks that name a price are held beside the model's of the same price; without a partner they
are `missed` where both ordered and one filled, or the gate refused it, else `signal`. Orders of
the last close are left out: the model fills them on the next bar, which the tape does not have.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path

from openalpha.core.units import from_units
from openalpha.trading.analysis.execution_log import (
    NO_TERMS,
    OrderSeen,
    RunSeen,
    Terms,
    read_run,
)
from openalpha.trading.analysis.execution_model import ModelRun, model_run
from openalpha.trading.run.folder import RunFolder
from openalpha.trading.run.plan import RunPlan

__all__ = ["Gap", "Market", "gap_of", "split_gap"]

_ZERO = Decimal(0)
_BPS = Decimal(10_000)
_Key = tuple[str, int, bool, int, Terms]
"""Instrument, close of the deciding row, whether it is an exit that was not decided; where an order
names a price its side and prices, else 0 and none."""


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
        Decisions on an instrument (orders that name a price and exits apart) that both filled, and
        that one of the two did.
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


@dataclass(slots=True)
class _Leg:
    """What was done at a decision: signed quantity and cost, value, and when the last of it was."""

    qty: Decimal = _ZERO
    cost: Decimal = _ZERO
    size: Decimal = _ZERO
    value: Decimal = _ZERO
    ts_ms: int = 0
    book: int = 0

    def add(self, side: int, qty: Decimal, *, price: Decimal, ts_ms: int) -> None:
        self.qty += side * qty
        self.cost += side * qty * price
        self.size += qty
        self.value += qty * price
        self.ts_ms = max(self.ts_ms, ts_ms)

    @property
    def price(self) -> Decimal:
        return self.value / self.size

    def worth(self, last: Decimal) -> Decimal:
        """Return what it made by the last close, fees apart."""
        return self.qty * last - self.cost


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
    return split_gap(plan, seen, model=model_run(plan, seen, folder=strategies))


def split_gap(plan: RunPlan, seen: RunSeen, *, model: ModelRun) -> Gap:
    """Split the gap between what a run did and what the model did on the same rows."""
    gap, market = Gap(funding=seen.funding - model.funding), Market(plan, seen)
    orders = [order for order in seen.orders if order.row_ms < market.end_ms]
    run, kernel = _run_legs(orders), _model_legs(model)
    alike = _Alike(plan, seen, model)
    for key in sorted({*run, *kernel}):
        instrument = key[0]
        mine, theirs = run.get(key), kernel.get(key)
        if mine is not None and theirs is not None:
            gap.pairs += 1
            _pair(gap, market, instrument, mine=mine, theirs=theirs)
            continue
        gap.alone += 1
        last = market.last(instrument)
        worth = mine.worth(last) if mine is not None else _ZERO
        worth -= theirs.worth(last) if theirs is not None else _ZERO
        if alike.is_wanted(key, (mine or theirs or _Leg()).book):
            gap.missed += worth
        else:
            gap.signal += worth
    for instrument, side, fill in seen.foreign:
        gap.missed += side * fill.qty * (market.last(instrument) - fill.price)
        gap.alone += 1
    paid = [fill for order in orders for fill in order.fills]
    paid += [fill for _, _, fill in seen.foreign]
    gap.fee = sum((fill.fee for fill in model.fills), _ZERO) - sum((f.fee for f in paid), _ZERO)
    gap.turnover = sum((fill.qty * fill.price for fill in paid), _ZERO)
    return gap


class _Alike:
    """Says of what one of run and model filled alone whether both wanted it."""

    def __init__(self, plan: RunPlan, seen: RunSeen, model: ModelRun) -> None:
        self._seen, self._model = seen, model
        self._books = range(len(plan.strategies))
        self._asked = {(o.instrument, o.row_ms, o.side, o.terms) for o in seen.orders}

    def is_wanted(self, key: _Key, book: int) -> bool:
        instrument, decided_ms, is_exit, side, terms = key
        seen, model = self._seen.targets, self._model.targets
        every = [(number, decided_ms) for number in self._books]
        if not all(seen.get(one) == model.get(one) for one in every):
            return False
        if is_exit or seen.get((book, decided_ms)) != []:
            return True
        if (book, decided_ms) in self._seen.refused:
            return True
        sides = (side,) if side else (1, -1)
        asked = {(instrument, decided_ms, one, terms) for one in sides}
        return bool(asked & self._asked) and bool(asked & self._model.asked)


def _pair(gap: Gap, market: Market, instrument: str, *, mine: _Leg, theirs: _Leg) -> None:
    last = market.last(instrument)
    size = (mine.qty - theirs.qty) * (last - theirs.price)
    before = market.open_at(instrument, theirs.ts_ms)
    after = market.open_at(instrument, mine.ts_ms)
    late = _ZERO if before is None or after is None else -mine.qty * (after - before)
    gap.size += size
    gap.latency += late
    gap.price += mine.worth(last) - theirs.worth(last) - size - late


def _run_legs(orders: Iterable[OrderSeen]) -> dict[_Key, _Leg]:
    entered: dict[str, int] = {}
    found: dict[_Key, _Leg] = defaultdict(_Leg)
    filled = [order for order in orders if order.fills]
    for order in sorted(filled, key=lambda order: order.fills[0].ts_ms):
        name, is_exit = order.instrument, order.row_ms == 0
        if not is_exit and not order.is_reduce_only:
            entered[name] = order.row_ms
        decided_ms = entered.get(name, 0) if is_exit else order.row_ms
        terms = NO_TERMS if is_exit else order.terms
        for fill in order.fills:
            leg = found[_key(name, decided_ms, is_exit, side=order.side, terms=terms)]
            leg.book = order.book
            leg.add(order.side, fill.qty, price=fill.price, ts_ms=fill.ts_ms)
    return found


def _model_legs(model: ModelRun) -> dict[_Key, _Leg]:
    found: dict[_Key, _Leg] = defaultdict(_Leg)
    for fill in model.fills:
        leg = found[
            _key(fill.instrument, fill.decided_ms, fill.is_exit, side=fill.side, terms=fill.terms)
        ]
        leg.book = fill.book
        leg.add(fill.side, fill.qty, price=fill.price, ts_ms=fill.ts_ms)
    return found


def _key(name: str, decided_ms: int, is_exit: bool, *, side: int, terms: Terms) -> _Key:
    return name, decided_ms, is_exit, side if terms != NO_TERMS else 0, terms
