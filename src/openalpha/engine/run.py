"""A finished run as everybody above reads it, and how one is started on the kernel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument, Kind
from openalpha.core.units import from_units, to_units
from openalpha.engine.funding import Settlements
from openalpha.engine.grid import Grid
from openalpha.engine.tables import EffectTable, FillTable, OrderTable, Units
from openalpha.market.history import History
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.machine import Machine
from openalpha.venue.kernel.setup import make_market
from openalpha.venue.rules import account_setup, cash_decimals, instrument_setup
from openalpha.venue.settings import CostSettings, FillSettings, MarginSettings

__all__ = ["EngineRun", "VenueSettings", "account_coins", "finished_run", "machine_for"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """The settings the simulated venue needs."""

    costs: CostSettings = field(default_factory=CostSettings)
    margin: MarginSettings = field(default_factory=MarginSettings)
    fills: FillSettings = field(default_factory=FillSettings)


@dataclass(frozen=True, eq=False)
class EngineRun:
    """What a run did.

    Parameters
    ----------
    ts_ms : int64[n]
        Bar open stamps of the common grid; `equity[i]` stands at the close of bar i.
    equity : float64[n]
        Account currency, marked at each bar's close (mark price where there is one).
    journal : int8[n, n_inst] or None
        Reason code of each bar's decision; all of them fit in a byte.
    slow_bars : int
        Bars that were not skipped: something could have happened in them.
    closes : tuple of int64[n]
        Each instrument's close in price units.
    """

    ts_ms: NDArray[np.int64]
    timeframe_ms: int
    equity: Floats
    fills: FillTable
    effects: EffectTable
    orders: OrderTable
    journal: NDArray[np.int8] | None
    capital: Decimal
    final_equity: Decimal
    balances: Mapping[str, Decimal]
    account_currency: str
    slow_bars: int
    notes: tuple[str, ...]
    closes: tuple[NDArray[np.int64], ...]

    @cached_property
    def position(self) -> Floats:
        """float64[n, n_inst]: signed quantity held at each bar's close, both legs netted."""
        units = self.fills.units
        held = np.zeros((len(self.ts_ms), len(units.instruments)))
        rows = self.fills.rows
        bar = np.searchsorted(self.ts_ms, rows[:, at.F_TS], side="right") - 1
        for number, instrument in enumerate(units.instruments):
            for leg in range(2):
                mine = (rows[:, at.F_INST] == number) & (rows[:, at.F_LEG] == leg)
                if mine.any():
                    after = rows[mine, at.F_AFTER] / 10.0**instrument.qty_decimals
                    held[:, number] += _carried(bar[mine], after, len(self.ts_ms))
        return held

    @cached_property
    def exposure(self) -> Floats:
        """float64[n]: gross exposure over equity at each bar's close, 0 without equity."""
        gross = np.zeros(len(self.ts_ms))
        for number, instrument in enumerate(self.fills.units.instruments):
            close = self.closes[number] / 10.0**instrument.price_decimals
            size = np.abs(self.position[:, number]) * float(instrument.multiplier)
            if instrument.kind is Kind.INVERSE:
                gross += np.divide(size, close, out=np.zeros_like(size), where=close > 0)
            else:
                gross += size * close
        return np.divide(gross, self.equity, out=np.zeros_like(gross), where=self.equity > 0)


def _carried(bar: NDArray[np.intp], after: Floats, n: int) -> Floats:
    """Return the last value at or before each bar, 0 before the first."""
    last = np.append(np.diff(bar) != 0, True)
    bar, after = np.maximum(bar[last], 0), after[last]
    counts = np.diff(np.append(bar, n))
    out = np.zeros(n)
    out[bar[0] :] = np.repeat(after, counts)
    return out


def account_coins(instruments: Sequence[Instrument]) -> tuple[str, ...]:
    """Return the coins of an account: its currency, then each spot instrument's base coin.

    Raises
    ------
    InputError
        If the instruments do not settle in one coin, or two spot instruments share a base coin.
    """
    settle = {i.quote if i.kind is Kind.SPOT else i.settle for i in instruments}
    if len(settle) > 1:
        raise InputError(
            f"the instruments settle in different coins ({', '.join(sorted(settle))}); "
            "run those of one coin together"
        )
    bases = [i.base for i in instruments if i.kind is Kind.SPOT]
    if len(set(bases)) < len(bases):
        raise InputError("two spot instruments of one base coin cannot share an account; run one")
    return (settle.pop(), *bases)


def _beside(grid: Grid) -> NDArray[np.int64] | None:
    """Return the closes where they lie side by side already: a copy would cost what it saves."""
    if len(grid.closes) == 1 and grid.closes[0].flags.c_contiguous:
        return grid.closes[0][None, :]
    return None


def machine_for(
    histories: Sequence[History],
    grid: Grid,
    *,
    capital: Decimal,
    settings: VenueSettings,
    funding: Sequence[Settlements] | None = None,
) -> tuple[Machine, Units]:
    """Build the kernel for an account that trades these histories.

    Parameters
    ----------
    capital : Decimal
        Starting balance, in the account currency.
    funding : sequence of (stamps, rates_e12), optional
        Settlements to use instead of the histories' own.

    Returns
    -------
    tuple
        The machine, and what its integers mean.
    """
    instruments = tuple(h.instrument for h in histories)
    coins = account_coins(instruments)
    cash = cash_decimals(capital, instruments)
    base = {coin: 1 + number for number, coin in enumerate(coins[1:])}
    setups = tuple(
        instrument_setup(
            i,
            costs=settings.costs,
            margin=settings.margin,
            cash=cash,
            base_coin=base[i.base] if i.kind is Kind.SPOT else 0,
        )
        for i in instruments
    )
    spot = {i.base: i.qty_decimals for i in instruments if i.kind is Kind.SPOT}
    decimals = (cash, *(spot[coin] for coin in coins[1:]))
    balances = (to_units(capital, cash), *(0 for _ in coins[1:]))
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    if funding is None:
        funding = [(h.funding_ts_ms, h.funding_rate_e12) for h in histories]
    if not settings.costs.funding:
        funding = [nothing for _ in histories]
    market, spans = make_market(
        grid.ts_ms,
        grid.bars,
        mark=grid.mark,
        index=grid.index,
        funding=funding,
        closes=_beside(grid),
    )
    machine = Machine(
        setups,
        account_setup(balances, costs=settings.costs, margin=settings.margin, fills=settings.fills),
        market,
        spans,
        grid.timeframe_ms,
        mark_rows=grid.mark_rows,
        index_rows=grid.index_rows,
    )
    return machine, Units(instruments, coins, decimals)


def finished_run(
    machine: Machine,
    units: Units,
    *,
    grid: Grid,
    equity: Floats,
    journal: NDArray[np.int8] | None,
    capital: Decimal,
    notes: Sequence[str],
) -> EngineRun:
    """Read a machine that has reached the end of its history into a run.

    Checks that the account is the sum of its effects, to the unit; anything else is a bug.
    """
    balances = machine.balances()
    effects = EffectTable(machine.effects, units)
    start = machine.account.balances
    for coin, balance in enumerate(balances):
        opening = start[coin] if coin < len(start) else 0
        booked = opening + effects.sums[coin]
        assert booked == balance, "the account is not the sum of its effects"
    return EngineRun(
        ts_ms=grid.ts_ms,
        timeframe_ms=grid.timeframe_ms,
        equity=equity,
        fills=FillTable(machine.fills, units),
        effects=effects,
        orders=OrderTable(machine.done, units),
        journal=journal,
        capital=capital,
        final_equity=from_units(machine.equity(), units.coin_decimals[0]),
        balances={
            coin: from_units(balance, decimals)
            for coin, balance, decimals in zip(
                units.coins, balances, units.coin_decimals, strict=True
            )
        },
        account_currency=units.coins[0],
        slow_bars=int(machine.arena[at.H_SLOW_BARS]),
        notes=tuple(notes),
        closes=grid.closes,
    )
