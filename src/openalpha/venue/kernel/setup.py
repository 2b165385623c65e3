"""What a kernel is told before it starts, in integers: instruments, account, history."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64, Market

__all__ = ["AccountSetup", "InstrumentSetup", "OrderRequest", "Tier", "lent", "make_market"]


@dataclass(frozen=True, slots=True)
class Tier:
    """A risk tier in integers: notional limit and deduction in cash units, rate in 10^-8."""

    limit: int
    maintenance_e8: int
    max_leverage_e2: int
    deduction: int


@dataclass(frozen=True, slots=True)
class InstrumentSetup:
    """An instrument's rules and costs in the kernel's integers (docs/kernel/rules.md, N and P).

    `num`/`den` turn value units into cash units of the account's coin; `k` is the inverse
    contract's constant; `steps` are (since_ms, tick, lot) in order; `base_coin` is a spot coin's
    balance index.
    Fees, half spread and impact in 10^-8, participation in 10^-6 (0: no limit), leverage in 10^-2.
    """

    kind: int
    num: int = 1
    den: int = 1
    k: int = 0
    base_coin: int = 0
    steps: tuple[tuple[int, int, int], ...] = ((0, 1, 1),)
    min_qty: int = 0
    max_qty: int = at.BIG
    max_market_qty: int = at.BIG
    min_notional: int = 0
    maker_e8: int = 0
    taker_e8: int = 0
    leverage_e2: int = 100
    max_leverage_e2: int = 10_000
    half_spread_e8: int = 0
    impact_e8: int = 0
    participation_e6: int = 0
    collateral_e4: int = 0
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountSetup:
    """Starting balances (coin 0 first, cash units) and modes of the account."""

    balances: tuple[int, ...]
    margin_mode: int = at.CROSS
    position_mode: int = at.ONE_WAY
    path: int = at.ADVERSE
    latency_ms: int = 0


@dataclass(slots=True)
class OrderRequest:
    """A new order in integers; 0 means "none" for prices, triggers and exits.

    Quantity 0 with `reduce_only` means the whole position. Exits are millionths of the entry price.
    """

    side: int
    qty: int
    order_type: int = at.MARKET
    limit: int = 0
    tif: int = at.GTC
    trigger_kind: int = at.NO_TRIGGER
    trigger_by: int = at.BY_LAST
    trigger: int = 0
    reduce_only: bool = False
    leg: int = 0
    oco: int = 0
    activation: int = 0
    distance: int = 0
    stop_e6: int = 0
    take_profit_e6: int = 0
    trailing_e6: int = 0
    activation_e6: int = 0
    time_exit_ms: int = 0
    account: int = 0

    def row(self, into: I64) -> I64:
        """Write the request into a reusable int64[REQUEST_COLS] row and return it."""
        into[:19] = (
            self.account,
            self.side,
            self.leg,
            self.order_type,
            self.tif,
            self.qty,
            self.limit,
            self.trigger_kind,
            self.trigger_by,
            self.trigger,
            int(self.reduce_only),
            self.oco,
            self.activation,
            self.distance,
            self.stop_e6,
            self.take_profit_e6,
            self.trailing_e6,
            self.activation_e6,
            self.time_exit_ms,
        )
        return into


def make_market(
    ts_ms: I64,
    bars: I64,
    *,
    mark: I64 | None = None,
    index: I64 | None = None,
    funding: Sequence[tuple[I64, I64]] = (),
    closes: I64 | None = None,
) -> tuple[Market, tuple[tuple[int, int], ...]]:
    """Bundle the arrays of a history for the kernel.

    Parameters
    ----------
    ts_ms : int64[n]
        Opening stamps.
    bars : int64[n_inst, n, 5]
        Open, high, low, close, volume; volume -1 where the instrument has no bar (its prices then
        repeat the last close, 0 before the first).
    mark, index : int64[n_series, n, 4], optional
    funding : sequence of (stamps int64[k], rates_e12 int64[k]), one an instrument
    closes : int64[n_inst, n], optional
        The bars' closes, where they also lie side by side: marking equity then reads an eighth.

    Returns
    -------
    tuple
        The market, and each instrument's [start, stop) in its funding arrays.
    """
    assert bars.ndim == 3 and bars.shape[1] == ts_ms.shape[0] and bars.shape[2] == 5
    spans: list[tuple[int, int]] = []
    count = 0
    for stamps, _ in funding:
        spans.append((count, count + len(stamps)))
        count += len(stamps)
    spans += [(count, count)] * (bars.shape[0] - len(spans))
    none = np.zeros((0, 0, 4), dtype=np.int64)
    no_funding = np.zeros(0, np.int64)
    bars = lent(bars)
    market = Market(
        lent(ts_ms),
        bars,
        lent(none if mark is None else mark),
        lent(none if index is None else index),
        lent(np.concatenate([f[0] for f in funding]) if funding else no_funding),
        lent(np.concatenate([f[1] for f in funding]) if funding else no_funding),
        bars if closes is None else lent(closes)[:, :, None],
    )
    return market, tuple(spans)


def lent(array: I64) -> I64:
    """Return an array for compiled code: contiguous int64, never flagged read-only.

    The kernel never writes to a market; a read-only flag would only make numba compile everything a
    second time for a second type.
    """
    array = np.ascontiguousarray(array, dtype=np.int64)
    return array if array.flags.writeable else np.asarray(_Lender(array))


class _Lender:
    """Hands out an array's memory without its read-only flag."""

    def __init__(self, array: I64) -> None:
        self.keep_alive = array
        self.__array_interface__: dict[str, Any] = {
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.__array_interface__["data"][0], False),
            "version": 3,
        }
