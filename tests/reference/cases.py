"""Random whole cases for hypothesis: small markets in which much happens.

Prices start near 1,000 and orders are placed near the price, so stops, limits and liquidations are
met; quantities and balances are such that margin sometimes binds and budgets sometimes run out.
Hypothesis draws a number, dice thrown from it do the rest: of what hypothesis would draw itself,
more than half the cases come to nothing. `smallest` cuts a failing case down instead.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from hypothesis import strategies as st

from openalpha.core.instruments import Kind
from openalpha.core.orders import (
    MarginMode,
    PositionMode,
    Side,
    TimeInForce,
    TriggerBy,
    TriggerKind,
)
from tests.reference.scenario import (
    NO_EXITS,
    NO_LIMIT,
    AccountCase,
    Amend,
    Bar,
    Cancel,
    Case,
    Command,
    ExitsCase,
    InstrumentCase,
    Mark,
    MarketCase,
    New,
    Series,
    Step,
    Tier,
)

LENGTH_MS = 60
START = 1_000
MOST_COMMANDS = 10
T = TypeVar("T")


class Dice:
    """Random choices that one number decides."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(number)

    def often(self, first: T, *rest: T, share: float = 0.7) -> T:
        """`first` in that share of throws, else one of the rest."""
        return first if self._random.random() < share else self._random.choice(rest)

    def rarely(self, share: float) -> bool:
        return self._random.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


def instrument(dice: Dice, base_coin: int) -> InstrumentCase:
    """Make an instrument; `base_coin` is the balance a spot instrument would use."""
    kind = dice.often(Kind.LINEAR, Kind.SPOT, Kind.INVERSE, share=0.55)
    steps = [Step(0, dice.often(1, 2, 5), dice.often(1, 3, 10))]
    if dice.rarely(0.04):
        steps.append(Step(dice.between(60, 300), dice.pick([2, 5]), dice.pick([2, 10])))
    is_inverse = kind is Kind.INVERSE
    num, den = (1, 1) if is_inverse else dice.often((1, 1), (1, 10), (10, 1), (1, 1_000))
    k_inverse = dice.pick([10**6, 10**8]) if is_inverse else 0
    worth = k_inverse // START if is_inverse else START * num // den
    return InstrumentCase(
        kind=kind,
        base_coin=base_coin if kind is Kind.SPOT else 0,
        num=num,
        den=den,
        k_inverse=k_inverse,
        steps=tuple(steps),
        min_qty=dice.often(0, 2, 10, share=0.9),
        max_qty=dice.often(NO_LIMIT, 60, share=0.95),
        max_market_qty=dice.often(NO_LIMIT, 40, share=0.95),
        min_notional=dice.often(0, 5 * worth, share=0.85),
        maker_e8=dice.often(20_000, 0, -10_000),
        taker_e8=dice.often(55_000, 0, 3_000_000),
        leverage_e2=dice.pick([100, 200, 1_000, 1_000, 2_000, 5_000, 5_033, 10_000]),
        max_leverage_e2=dice.often(10_000, 1_000, share=0.95),
        half_spread_e8=dice.often(0, 100_000, 777_777, 60_000_000, share=0.5),
        impact_e8=dice.often(0, 1_000_000, 12_345_678, share=0.5),
        participation_e6=dice.often(0, 100_000, 333_333, share=0.5),
        collateral_e4=dice.often(0, 9_000, 10_000, share=0.4),
        tiers=() if kind is Kind.SPOT else _tiers(dice, worth),
    )


def _tiers(dice: Dice, worth: int) -> tuple[Tier, ...]:
    """Zero to three tiers whose edges positions of these cases reach."""
    rows: list[Tier] = []
    limit, rate, deduction = 0, 0, 0
    for k in range(dice.between(0, 3)):
        raised = dice.pick([500_000, 1_000_000, 2_500_000])
        deduction += limit * raised // 10**8 if k else 0
        limit += max(1, dice.pick([3, 10, 30, 100, 300]) * worth)
        rate += raised
        rows.append(Tier(limit, rate, dice.often((10_000, 5_000, 2_500)[k], 1_000), deduction))
    return tuple(rows)


def series(dice: Dice, n_bars: int, *, has_holes: bool, is_perp: bool) -> Series:
    """Make a walk of bars: mostly gentle, now and then a gap; with mark, index and funding."""
    rows: list[Bar | None] = []
    price = START
    width = dice.pick([5, 30, 30, 120])
    for _ in range(n_bars):
        if has_holes and dice.rarely(0.25):
            rows.append(None)
            continue
        gap = dice.often(0, -400, -150, -40, -7, 3, 40, 150, 400, share=0.6)
        opened = max(20, price + gap)
        close = max(20, opened + dice.between(-width, width))
        high = max(opened, close) + dice.between(0, width)
        low = max(10, min(opened, close) - dice.between(0, width))
        rows.append((opened, high, low, close, dice.often(1_000, 0, 50, 90, 200, share=0.4)))
        price = close
    return Series(
        tuple(rows),
        _beside(dice, rows) if dice.rarely(0.5) else None,
        _beside(dice, rows) if dice.rarely(0.3) else None,
        _funding(dice, n_bars) if is_perp else (),
    )


def _beside(dice: Dice, rows: list[Bar | None]) -> tuple[Mark | None, ...]:
    """A mark or index a little off the last price."""
    off = dice.between(-25, 25)
    marks: list[Mark | None] = []
    for row in rows:
        if row is None:
            marks.append(None)
            continue
        opened, high, low, close = (max(5, x + off) for x in row[:4])
        extra = dice.between(0, 10)
        marks.append((opened, high + extra, max(1, low - extra), close))
    return tuple(marks)


def _funding(dice: Dice, n_bars: int) -> tuple[tuple[int, int], ...]:
    stamps = sorted({10 * dice.between(0, 6 * n_bars) for _ in range(dice.between(0, 3))})
    rates = [10**8, -(10**8), 3_333_333_333, -(10**10), 5 * 10**10]
    return tuple((stamp, dice.pick(rates)) for stamp in stamps)


def _exits(dice: Dice) -> ExitsCase:
    parts = (0, 5_000, 20_000, 50_001)
    return ExitsCase(
        stop_e6=dice.pick(parts),
        take_profit_e6=dice.pick(parts),
        trailing_e6=dice.pick(parts),
        activation_e6=dice.pick([0, 10_000]),
        time_exit_ms=dice.often(0, 1, 20, 45, 60, 100),
    )


class Floor:
    """Where orders are placed: the instruments, and the price each had after a bar."""

    def __init__(
        self, rules: tuple[InstrumentCase, ...], market: tuple[Series, ...], is_hedge: bool
    ) -> None:
        self.rules = rules
        self.market = market
        self.is_hedge = is_hedge

    def near(self, dice: Dice, i: int, bar: int, direction: int) -> int:
        """A price within reach, on the tick but for now and then."""
        rows = [row for row in self.market[i].bars[: bar + 1] if row is not None]
        price = rows[-1][3] if rows else START
        tick = self.rules[i].steps[0].tick_price_units
        away = direction * dice.between(-4, dice.pick([12, 60]))
        return max(tick, (price + away) // tick * tick) + int(dice.rarely(0.02))


def _new_order(dice: Dice, floor: Floor, bar: int) -> New:
    i = dice.between(0, len(floor.rules) - 1)
    side = dice.pick([Side.BUY, Side.SELL])
    is_reduce_only = dice.rarely(0.3)
    kind = TriggerKind.NONE
    if dice.rarely(0.6 if is_reduce_only else 0.3):
        kind = dice.pick([TriggerKind.STOP, TriggerKind.TAKE_PROFIT, TriggerKind.TRAILING])
    is_trailing, has_limit = kind is TriggerKind.TRAILING, dice.rarely(0.4)
    # A stop lies beyond the price in its own direction, a take-profit or a limit against it.
    beyond = int(side) if kind is TriggerKind.STOP else -int(side)
    triggers = [TriggerBy.LAST, TriggerBy.LAST, TriggerBy.MARK, TriggerBy.INDEX]
    lives = [TimeInForce.IOC, TimeInForce.FOK] + [TimeInForce.POST_ONLY] * has_limit
    by_price = kind in (TriggerKind.STOP, TriggerKind.TAKE_PROFIT)
    return New(
        after_bar=bar,
        side=side,
        qty=_qty(dice, floor.rules[i], is_reduce_only),
        limit=floor.near(dice, i, bar, -int(side)) if has_limit else 0,
        instrument=i,
        time_in_force=dice.often(TimeInForce.GTC, *lives),
        trigger_kind=kind,
        trigger_by=dice.pick(triggers) if by_price else TriggerBy.LAST,
        trigger=floor.near(dice, i, bar, beyond) if by_price else 0,
        distance=floor.rules[i].steps[0].tick_price_units * dice.between(0, 12) * is_trailing,
        activation=floor.near(dice, i, bar, -int(side)) * is_trailing * dice.between(0, 1),
        is_reduce_only=is_reduce_only,
        leg=_leg(dice, floor, i, side, is_reduce_only),
        oco_group=dice.often(0, 1, 2),
        exits=_exits(dice) if dice.rarely(0.4) else NO_EXITS,
    )


def _leg(dice: Dice, floor: Floor, i: int, side: Side, is_reduce_only: bool) -> int:
    if not floor.is_hedge or floor.rules[i].kind is Kind.SPOT:
        return int(dice.rarely(0.01))
    opens = 0 if side is Side.BUY else 1
    return 1 - opens if is_reduce_only or dice.rarely(0.2) else opens


def _qty(dice: Dice, rules: InstrumentCase, is_reduce_only: bool) -> int:
    if dice.rarely(0.01):
        return 2**53 // rules.steps[0].lot_qty_units * rules.steps[0].lot_qty_units
    if dice.rarely(0.4 if is_reduce_only else 0.01):
        return 0
    lots = dice.pick([1, 1, 2, 3, 5, 10, 20, 50])
    return rules.steps[0].lot_qty_units * lots + int(dice.rarely(0.02))


def _change(dice: Dice, floor: Floor, bar: int, found: list[Command]) -> Cancel | Amend:
    """Cancel or amend an earlier order, as a rule in a way that fits it."""
    k = dice.between(0, len(found) - 1)
    order_id = k + 1 + dice.often(0, 1, 2)
    if dice.rarely(0.3):
        return Cancel(bar, order_id)
    named = found[k]
    if not isinstance(named, New):
        return Amend(bar, order_id, qty=dice.between(1, 30), limit=START)
    lot = floor.rules[named.instrument].steps[0].lot_qty_units
    has_qty, has_price = dice.pick([(True, False), (False, True), (True, True)])
    by_price = named.trigger != 0 and dice.rarely(0.7)
    price = floor.near(dice, named.instrument, bar, dice.pick([-1, 1]))
    return Amend(
        bar,
        order_id,
        qty=lot * dice.between(1, 30) if has_qty else 0,
        limit=price if has_price and (named.limit or dice.rarely(0.1)) else 0,
        trigger=price if has_price and by_price else 0,
    )


def make_case(number: int) -> Case:
    """Make the case a number stands for."""
    dice = Dice(number)
    n_bars = dice.between(3, 8)
    rules = tuple(instrument(dice, k + 1) for k in range(dice.pick([1, 2])))
    has_holes = dice.rarely(0.2)
    market = tuple(
        series(dice, n_bars, has_holes=has_holes, is_perp=r.kind is not Kind.SPOT) for r in rules
    )
    is_hedge = dice.rarely(0.25)
    scale = max(1, max(r.k_inverse for r in rules) // 10**6)
    quote = dice.pick([300, 3_000, 30_000, 200_000, 10**7]) * scale
    account = AccountCase(
        (quote, *(dice.pick([0, 7, 50, 10**6]) for _ in rules)),
        dice.pick([MarginMode.CROSS, MarginMode.ISOLATED]),
        PositionMode.HEDGE if is_hedge else PositionMode.ONE_WAY,
    )
    return Case(
        rules,
        account,
        MarketCase(tuple(LENGTH_MS * b for b in range(n_bars)), market, LENGTH_MS),
        _commands(dice, Floor(rules, market, is_hedge), n_bars),
        dice.often("adverse", "nearer_first"),
        dice.often(0, 1, 10, 20, 30, 50, 60, 70, 130, share=0.5),
    )


def _commands(dice: Dice, floor: Floor, n_bars: int) -> tuple[Command, ...]:
    placed = sorted(dice.between(-1, n_bars - 2) for _ in range(dice.between(2, MOST_COMMANDS)))
    found: list[Command] = []
    for bar in placed:
        is_change = len(found) > 1 and dice.rarely(0.25)
        if is_change:
            found.append(_change(dice, floor, bar, found))
        else:
            found.append(_protecting(dice, _new_order(dice, floor, bar), found))
    # Something to protect, reduce, fund and liquidate, from early on.
    for k in range(dice.between(0, min(2, len(found)))):
        command = found[k]
        if isinstance(command, New):
            found[k] = _as_entry(command, floor)
    return tuple(found)


def _protecting(dice: Dice, new: New, found: list[Command]) -> New:
    """Turn most reduce-only orders against the first entry."""
    entry = found[0] if found else None
    if not new.is_reduce_only or not isinstance(entry, New) or dice.rarely(0.2):
        return new
    if new.side is entry.side or new.instrument != entry.instrument:
        side = Side.SELL if entry.side is Side.BUY else Side.BUY
        # Prices were drawn for the other side: only orders without one are moved.
        if new.limit or new.trigger or new.activation:
            return new
        return replace(new, side=side, instrument=entry.instrument, qty=0, leg=entry.leg)
    return replace(new, leg=entry.leg)


def _as_entry(new: New, floor: Floor) -> New:
    is_short = new.side is Side.SELL and floor.rules[new.instrument].kind is not Kind.SPOT
    return replace(
        new,
        after_bar=-1,
        side=Side.SELL if is_short else Side.BUY,
        leg=int(is_short and floor.is_hedge),
        limit=0,
        trigger_kind=TriggerKind.NONE,
        trigger=0,
        distance=0,
        activation=0,
        time_in_force=TimeInForce.GTC,
        is_reduce_only=False,
        qty=new.qty or floor.rules[new.instrument].steps[0].lot_qty_units * 5,
    )


def cases() -> st.SearchStrategy[Case]:
    """Return the strategy of whole cases."""
    return st.builds(make_case, st.integers(0, 2**64 - 1))


def smallest(case: Case, fails: Callable[[Case], bool]) -> Case:
    """Leave out commands and last bars while the case still fails."""
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for smaller in _smaller(case):
            if fails(smaller):
                case, is_smaller = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    n = len(case.market.ts_ms) - 1
    if n > 0:
        kept = tuple(c for c in case.commands if c.after_bar < n)
        yield replace(case, commands=kept, market=_shortened(case.market, n))
    for k, command in enumerate(case.commands):
        yield replace(case, commands=case.commands[:k] + case.commands[k + 1 :])
        if isinstance(command, New) and command.exits != NO_EXITS:
            plain = replace(command, exits=NO_EXITS)
            yield replace(case, commands=(*case.commands[:k], plain, *case.commands[k + 1 :]))


def _shortened(market: MarketCase, n: int) -> MarketCase:
    def cut(s: Series) -> Series:
        mark = None if s.mark is None else s.mark[:n]
        index = None if s.index is None else s.index[:n]
        return Series(s.bars[:n], mark, index, s.funding)

    return replace(market, ts_ms=market.ts_ms[:n], series=tuple(map(cut, market.series)))
