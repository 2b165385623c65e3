"""What research reads of a finished run: the engine's result and its tables as plain columns.

Research only reads. Everything here follows from the run; nothing is decided or traded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument, Kind
from openalpha.core.messages import EffectKind
from openalpha.engine.tables import EffectTable, FillTable
from openalpha.venue.kernel import layout as at

__all__ = ["CashColumns", "FillColumns", "FinishedRun", "Table"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Table(Protocol):
    """A table of the engine: rows of integers with named columns."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def to_frame(self) -> pl.DataFrame:
        """Return the rows as a frame in the instruments' own units."""
        ...


class FinishedRun(Protocol):
    """A run as the engine hands it over (`engine.EngineRun` is one).

    `ts_ms` int64[n] are the open stamps of the common grid; `equity` and `exposure` (gross
    exposure / equity) float64[n] stand at each bar's close; `closes` hold each instrument's close
    in price units, int64[n].
    """

    @property
    def ts_ms(self) -> Ints: ...  # noqa: D102 - see the class
    @property
    def timeframe_ms(self) -> int: ...  # noqa: D102
    @property
    def equity(self) -> Floats: ...  # noqa: D102
    @property
    def exposure(self) -> Floats: ...  # noqa: D102
    @property
    def closes(self) -> Sequence[Ints]: ...  # noqa: D102
    @property
    def fills(self) -> Table: ...  # noqa: D102
    @property
    def effects(self) -> Table: ...  # noqa: D102
    @property
    def orders(self) -> Table: ...  # noqa: D102
    @property
    def journal(self) -> NDArray[np.int8] | None: ...  # noqa: D102
    @property
    def capital(self) -> Decimal: ...  # noqa: D102
    @property
    def final_equity(self) -> Decimal: ...  # noqa: D102
    @property
    def balances(self) -> Mapping[str, Decimal]: ...  # noqa: D102
    @property
    def account_currency(self) -> str: ...  # noqa: D102
    @property
    def slow_bars(self) -> int: ...  # noqa: D102
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True, eq=False)
class FillColumns:
    """Fills as arrays of one length, in their order; money in the account currency.

    Parameters
    ----------
    ts_ms : int64[k]
    instrument : int64[k]
        Row of the run's instruments.
    side, leg, role, reason : int64[k]
        Numbers of the core enums.
    held_units : int64[k]
        Signed change of what is held, in quantity units: side x quantity, less a fee taken in the
        base coin.
    price, qty, notional, fee, realised_pnl, spread_cost, impact_cost : float64[k]
        Fee positive when paid; realised P&L before the fee; spread and impact >= 0.
    """

    ts_ms: Ints
    instrument: Ints
    side: Ints
    leg: Ints
    role: Ints
    reason: Ints
    held_units: Ints
    price: Floats
    qty: Floats
    notional: Floats
    fee: Floats
    realised_pnl: Floats
    spread_cost: Floats
    impact_cost: Floats

    def __len__(self) -> int:
        return len(self.ts_ms)

    @classmethod
    def of(
        cls, frame: pl.DataFrame, *, instruments: Sequence[Instrument], currency: str
    ) -> "FillColumns":
        """Read the engine's frame of fills.

        Parameters
        ----------
        frame : polars.DataFrame
            The columns of `EngineRun.fills.to_frame()`.
        instruments : sequence of Instrument
            The run's instruments; every fill names one of them by id.
        currency : str
            The account currency. A fee or a profit in another coin is that instrument's base coin
            and is valued at the fill's price.
        """
        whole = {name: _ints(frame, name) for name in _WHOLE}
        real = {name: _floats(frame, name) for name in _REAL}
        code = _instrument_codes(frame, instruments)
        scale = _by_instrument([10.0**i.qty_decimals for i in instruments], code)
        held = np.rint(real["qty"] * scale) * whole["side"]
        in_base = (frame["fee_coin"] != currency).to_numpy()
        if in_base.any():
            fee = np.where(in_base, real["fee"], 0.0)
            is_spot = _by_instrument([float(i.kind is Kind.SPOT) for i in instruments], code)
            held = held - np.rint(fee * is_spot * scale)
            real["fee"] = np.where(in_base, fee * real["price"], real["fee"])
        if any(i.settle != currency for i in instruments):
            foreign = _by_instrument([float(i.settle != currency) for i in instruments], code)
            value = np.where(foreign > 0, real["price"], 1.0)
            real["realised_pnl"] = real["realised_pnl"] * value
        columns: dict[str, Any] = {**whole, **real}
        return cls(instrument=code, held_units=held.astype(np.int64), **columns)

    @classmethod
    def read(cls, table: FillTable, *, currency: str) -> "FillColumns":
        """Read the engine's table of fills: `of(table.to_frame())` without the frame.

        Parameters
        ----------
        table : FillTable
        currency : str
            The account currency, the first of the table's coins.
        """
        instruments = table.units.instruments
        whole, real = dict(table.columns[0]), dict(table.columns[1])
        code, coin = whole["instrument"], whole.pop("fee_coin")
        held = whole.pop("qty_units")
        if coin.any():
            # A fee in another coin is in a spot market's base coin, counted in its own units.
            in_base = coin != 0
            held = held + in_base * table.rows[:, at.F_FEE]
            real["fee"] = np.where(in_base, real["fee"] * real["price"], real["fee"])
        if any(i.settle != currency for i in instruments):
            foreign = _by_instrument([float(i.settle != currency) for i in instruments], code)
            real["realised_pnl"] = real["realised_pnl"] * np.where(foreign, real["price"], 1.0)
        columns: dict[str, Any] = {**whole, **real}
        return cls(held_units=held, **columns)

    def take(self, rows: NDArray[np.intp]) -> "FillColumns":
        """Return some rows as columns of their own."""
        return FillColumns(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class CashColumns:
    """Cash effects as arrays of one length; `amount` in the account currency, + received.

    `instrument` is a row of the run's instruments, -1 where there is none.
    """

    ts_ms: Ints
    kind: Ints
    instrument: Ints
    amount: Floats

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        *,
        instruments: Sequence[Instrument],
        currency: str,
        kinds: Sequence[EffectKind] = (EffectKind.FUNDING, EffectKind.LIQUIDATION_FEE),
        prices: Mapping[str, tuple[Ints, Floats]] | None = None,
    ) -> "CashColumns":
        """Read effects of some kinds.

        Parameters
        ----------
        frame : polars.DataFrame
            The columns of `EngineRun.effects.to_frame()`.
        prices : mapping of coin to (int64[k] stamps, float64[k] prices), optional
            Values effects in another coin at the last price known; without one the amount counts
            as it stands.
        """
        kind = _ints(frame, "kind")
        frame = frame[np.flatnonzero(np.isin(kind, [int(wanted) for wanted in kinds]))]
        amount = _floats(frame, "amount").copy()
        ts_ms = _ints(frame, "ts_ms")
        for coin, known in (prices or {}).items():
            if coin != currency:
                _value(amount, ts_ms, np.flatnonzero((frame["coin"] == coin).to_numpy()), known)
        return cls(ts_ms, _ints(frame, "kind"), _instrument_codes(frame, instruments), amount)

    @classmethod
    def read(
        cls, table: EffectTable, *, prices: Mapping[str, tuple[Ints, Floats]]
    ) -> "CashColumns":
        """Read funding and liquidation fees of the engine's table: `of` without the frame."""
        rows, coins = table.apart, table.units.coins
        coin, ts_ms = rows[:, at.E_COIN], rows[:, at.E_TS].copy()
        scale = np.array([float(10**d) for d in table.units.coin_decimals])
        amount = rows[:, at.E_AMOUNT] / scale[coin]
        for name, known in prices.items():
            if name in coins:
                _value(amount, ts_ms, np.flatnonzero(coin == coins.index(name)), known)
        return cls(ts_ms, rows[:, at.E_KIND].copy(), rows[:, at.E_INST].copy(), amount)

    def total(self, kind: EffectKind) -> float:
        """Return the sum of one kind."""
        return float(self.amount[self.kind == int(kind)].sum())


_WHOLE = ("ts_ms", "side", "leg", "role", "reason")
_REAL = ("price", "qty", "notional", "fee", "realised_pnl", "spread_cost", "impact_cost")


def _value(amount: Floats, ts_ms: Ints, rows: NDArray[np.intp], known: tuple[Ints, Floats]) -> None:
    """Turn amounts of some rows into the account currency, at the last price known then."""
    stamps, closes = known
    last = np.maximum(np.searchsorted(stamps, ts_ms[rows], side="right") - 1, 0)
    amount[rows] *= closes[last]


def _ints(frame: pl.DataFrame, name: str) -> Ints:
    column = frame[name]
    return (column if column.dtype == pl.Int64 else column.cast(pl.Int64)).to_numpy()


def _floats(frame: pl.DataFrame, name: str) -> Floats:
    column = frame[name]
    return (column if column.dtype == pl.Float64 else column.cast(pl.Float64)).to_numpy()


def _by_instrument(values: Sequence[float], code: Ints) -> Floats | float:
    if len(values) <= 1:
        return values[0] if values else 0.0
    return np.array(values)[code]


def _instrument_codes(frame: pl.DataFrame, instruments: Sequence[Instrument]) -> Ints:
    if len(instruments) == 1 and frame["instrument"].null_count() == 0:
        return np.zeros(len(frame), dtype=np.int64)
    names = [str(instrument.id) for instrument in instruments]
    column = frame["instrument"].cast(pl.String)
    codes = column.replace_strict(names, list(range(len(names))), default=-1, return_dtype=pl.Int64)
    return codes.fill_null(-1).to_numpy()
