"""What a run did, as tables: rows of integers that become frames in people's units."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openalpha.core.instruments import Instrument, Kind
from openalpha.core.messages import CashEffect, EffectKind, Fill
from openalpha.core.orders import Leg, Role, Side
from openalpha.core.reasons import Reason
from openalpha.core.units import from_units
from openalpha.engine.reading import (
    FILL_INTS,
    FILL_REALS,
    EffectSums,
    FillColumns,
    Scales,
    read_effects,
    read_fills,
)
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EffectTable", "FillTable", "OrderTable", "Units"]

Floats = NDArray[np.float64]

_APART = 1 << EffectKind.FUNDING | 1 << EffectKind.LIQUIDATION_FEE


@dataclass(frozen=True, slots=True)
class Units:
    """What the integers of a run mean: its instruments, and each coin's name and decimals."""

    instruments: tuple[Instrument, ...]
    coins: tuple[str, ...]
    coin_decimals: tuple[int, ...]

    def scale(self, decimals: Sequence[int], which: NDArray[np.int64]) -> Floats | float:
        """Return 10^-decimals for each row, by its instrument or coin."""
        if len(set(decimals)) == 1:
            return float(10 ** decimals[0])
        return np.array([float(10**d) for d in decimals])[which]

    def scales(self) -> Scales:
        """Return the same for compiled readers, by instrument and coin."""
        every = self.instruments
        return Scales(
            np.array([float(10**i.price_decimals) for i in every]),
            np.array([float(10**i.qty_decimals) for i in every]),
            np.array([float(i.multiplier) for i in every]),
            np.array([float(i.kind is Kind.INVERSE) for i in every]),
            np.array([float(10**d) for d in self.coin_decimals]),
        )


@dataclass(frozen=True, eq=False)
class FillTable:
    """Fills, int64[n, FILL_COLS]."""

    rows: I64
    units: Units

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def columns(self) -> tuple[dict[str, I64], dict[str, Floats]]:
        """The fills as arrays by name, whole (`FILL_INTS`) and real (`FILL_REALS`)."""
        ints = np.empty((len(FILL_INTS), len(self.rows)), dtype=np.int64)
        reals = np.empty((len(FILL_REALS), len(self.rows)))
        read_fills(FillColumns(self.rows, ints, reals), self.units.scales())
        return dict(zip(FILL_INTS, ints, strict=True)), dict(zip(FILL_REALS, reals, strict=True))

    def to_frame(self) -> "pl.DataFrame":
        """Return one row a fill, prices and quantities in the instruments' units."""
        import polars as pl

        whole, real = self.columns
        decimals = [i.price_decimals for i in self.units.instruments]
        base = self.rows[:, at.F_BASE] / self.units.scale(decimals, whole["instrument"])
        return pl.DataFrame(
            {
                "seq": np.arange(len(self.rows), dtype=np.int64),
                "ts_ms": whole["ts_ms"],
                "instrument": _names(
                    pl, [i.id for i in self.units.instruments], whole["instrument"]
                ),
                "order_id": self.rows[:, at.F_ORDER].copy(),
                "side": whole["side"],
                "leg": whole["leg"],
                "price": real["price"],
                "qty": real["qty"],
                "notional": real["notional"],
                "role": whole["role"],
                "fee": real["fee"],
                "fee_coin": _names(pl, self.units.coins, whole["fee_coin"]),
                "realised_pnl": real["realised_pnl"],
                "is_reducing": self.rows[:, at.F_CLOSED] > 0,
                "reason": whole["reason"],
                "base_price": base,
                "spread_cost": real["spread_cost"],
                "impact_cost": real["impact_cost"],
            }
        )

    def messages(self, first: int = 0) -> list[Fill]:
        """Return the fills, from number `first` on, as exact messages."""
        return [
            self._message(seq, row) for seq, row in enumerate(self.rows[first:].tolist(), first)
        ]

    def _message(self, seq: int, row: list[int]) -> Fill:
        instrument = self.units.instruments[row[at.F_INST]]
        coin = row[at.F_FEE_COIN]
        return Fill(
            seq=seq,
            ts_ms=row[at.F_TS],
            account=row[at.F_ACCT],
            instrument=instrument.id,
            order_id=row[at.F_ORDER],
            side=Side.BUY if row[at.F_QTY] > 0 else Side.SELL,
            leg=Leg(row[at.F_LEG]),
            price=from_units(row[at.F_PRICE], instrument.price_decimals),
            qty=from_units(abs(row[at.F_QTY]), instrument.qty_decimals),
            role=Role(row[at.F_ROLE]),
            fee=from_units(-row[at.F_FEE], self.units.coin_decimals[coin]),
            fee_coin=self.units.coins[coin],
            realised_pnl=from_units(row[at.F_REALISED], self.units.coin_decimals[0]),
            is_reducing=row[at.F_CLOSED] > 0,
            reason=Reason(row[at.F_REASON]),
        )


@dataclass(frozen=True, eq=False)
class EffectTable:
    """Cash effects, int64[n, EFFECT_COLS]; the account is their sum."""

    rows: I64
    units: Units

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def sums(self) -> list[int]:
        """Each coin's sum, in its cash unit."""
        return self._read[0]

    @cached_property
    def apart(self) -> I64:
        """int64[k, EFFECT_COLS]: funding and liquidation fees, in order."""
        return self.rows[self._read[1]]

    @cached_property
    def _read(self) -> tuple[list[int], I64]:
        sums = np.zeros(len(self.units.coins), dtype=np.int64)
        picked = np.empty(len(self.rows) + 1, dtype=np.int64)
        found = read_effects(EffectSums(self.rows, sums, picked), _APART)
        return sums.tolist(), picked[:found]

    def to_frame(self) -> "pl.DataFrame":
        """Return one row an effect, amounts as floats in the coin."""
        import polars as pl

        rows = self.rows
        scale = self.units.scale(self.units.coin_decimals, rows[:, at.E_COIN])
        ids = [i.id for i in self.units.instruments]
        return pl.DataFrame(
            {
                "seq": np.arange(len(rows), dtype=np.int64),
                "ts_ms": rows[:, at.E_TS].copy(),
                "coin": _names(pl, self.units.coins, rows[:, at.E_COIN]),
                "kind": rows[:, at.E_KIND].copy(),
                "amount": rows[:, at.E_AMOUNT] / scale,
                "instrument": _names(pl, ids, rows[:, at.E_INST]),
                "fill_seq": rows[:, at.E_FILL].copy(),
            }
        )

    def messages(self) -> list[CashEffect]:
        """Return the effects as exact messages, as a ledger posts them."""
        return [self._message(seq, row) for seq, row in enumerate(self.rows.tolist())]

    def _message(self, seq: int, row: list[int]) -> CashEffect:
        number, fill, coin = row[at.E_INST], row[at.E_FILL], row[at.E_COIN]
        return CashEffect(
            seq=seq,
            ts_ms=row[at.E_TS],
            account=row[at.E_ACCT],
            coin=self.units.coins[coin],
            amount=from_units(row[at.E_AMOUNT], self.units.coin_decimals[coin]),
            kind=EffectKind(row[at.E_KIND]),
            instrument=self.units.instruments[number].id if number >= 0 else None,
            fill_seq=fill if fill >= 0 else None,
        )

    def total(self, coin: int = 0) -> Decimal:
        """Return the exact sum of one coin's effects."""
        return from_units(self.sums[coin], self.units.coin_decimals[coin])


@dataclass(frozen=True, slots=True, eq=False)
class OrderTable:
    """Orders that ended, int64[n, DONE_COLS], in the order they did."""

    rows: I64
    units: Units

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> "pl.DataFrame":
        """Return one row an order, prices and quantities in the instruments' units."""
        import polars as pl

        rows, instruments = self.rows, self.units.instruments
        which = rows[:, at.D_INST]
        price_scale = self.units.scale([i.price_decimals for i in instruments], which)
        qty_scale = self.units.scale([i.qty_decimals for i in instruments], which)
        return pl.DataFrame(
            {
                "id": rows[:, at.D_ID].copy(),
                "instrument": _names(pl, [i.id for i in instruments], which),
                "created_ts_ms": rows[:, at.D_CREATED].copy(),
                "ended_ts_ms": rows[:, at.D_TS].copy(),
                "status": rows[:, at.D_STATUS].copy(),
                "reason": rows[:, at.D_REASON].copy(),
                "side": rows[:, at.D_SIDE].copy(),
                "leg": rows[:, at.D_LEG].copy(),
                "order_type": rows[:, at.D_TYPE].copy(),
                "trigger_kind": rows[:, at.D_TKIND].copy(),
                "qty": rows[:, at.D_QTY] / qty_scale,
                "filled": rows[:, at.D_FILLED] / qty_scale,
                "limit": rows[:, at.D_LIMIT] / price_scale,
                "trigger": rows[:, at.D_TRIGGER] / price_scale,
                "is_reduce_only": rows[:, at.D_REDUCE] != 0,
            }
        )


def _names(pl: "object", names: Sequence[str], which: NDArray[np.int64]) -> "pl.Series":
    """Return a text column from row numbers; -1 is null."""
    import polars

    if len(names) == 1 and (len(which) == 0 or int(which.min()) >= 0):
        return polars.Series([names[0]], dtype=polars.String).new_from_index(0, len(which))
    table = polars.Series([*names, None], dtype=polars.String)
    return table.gather(np.where(which < 0, len(names), which))
