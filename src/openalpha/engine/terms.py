"""An event strategy's order in words and floats, as the kernel wants it: in ticks and lots."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument
from openalpha.strategy.events import OrderTerms
from openalpha.strategy.params import Exits
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import OrderRequest

__all__ = ["Terms", "plain_number"]

_KNOWN = OrderTerms.__optional_keys__
_PLAIN = frozenset(("instrument", "tag", "reduce_only"))
_TIFS = {"GTC": at.GTC, "IOC": at.IOC, "FOK": at.FOK}
# A float that misses a whole number of ticks or lots by its last bits means that number.
_SLACK = 1e-6


class Terms:
    """Turns the terms of orders on one instrument into requests.

    Parameters
    ----------
    instrument : Instrument
    steps : sequence of (stamp, tick, lot)
        Its rules by date, in units, as the kernel has them.
    timeframe_ms : int
        What a time exit is counted in.
    exits : Exits
        What an order carries that says nothing about its exits.
    """

    def __init__(
        self,
        instrument: Instrument,
        steps: Sequence[tuple[int, int, int]],
        *,
        timeframe_ms: int,
        exits: Exits,
    ) -> None:
        self.instrument_id = str(instrument.id)
        self.price_scale = 10.0**instrument.price_decimals
        self.qty_scale = 10.0**instrument.qty_decimals
        self._steps = steps
        self._timeframe_ms = timeframe_ms
        self._exits = exits

    def step_at(self, ts_ms: int) -> tuple[int, int]:
        """Return tick and lot, in units, in force at a moment."""
        now = self._steps[0]
        if len(self._steps) > 1:
            for step in self._steps[1:]:
                if step[0] <= ts_ms:
                    now = step
        return now[1], now[2]

    def lots(self, qty: object, ts_ms: int) -> int:
        """Return a quantity in units, rounded down to a lot; 0 below one lot."""
        number = plain_number(qty, "an order's quantity")
        lot = self.step_at(ts_ms)[1]
        return lot * math.floor(number * self.qty_scale / lot + _SLACK)

    def ticks(self, price: object, ts_ms: int, *, up: bool, what: str) -> int:
        """Return a price in units, rounded to a tick; at least one tick."""
        number = plain_number(price, what)
        tick = self.step_at(ts_ms)[0]
        steps = number * self.price_scale / tick
        whole = math.ceil(steps - _SLACK) if up else math.floor(steps + _SLACK)
        return tick * max(whole, 1)

    def request(
        self, side: int, qty: object, *, terms: Mapping[str, Any], ts_ms: int
    ) -> OrderRequest:
        """Return an order as the kernel wants it; its quantity is 0 where it is below one lot.

        Limits round away from the market (a buy's down), triggers away from the present price.

        Raises
        ------
        InputError
            If a term is unknown or not a usable value, or terms contradict each other.
        """
        if terms.keys() <= _PLAIN:
            # A market order, the most frequent one by far.
            reduces = bool(terms.get("reduce_only", False))
            made = OrderRequest(side, self.lots(qty, ts_ms), reduce_only=reduces)
            self._attach(made, self._exits)
            return made
        unknown = terms.keys() - _KNOWN
        if unknown:
            raise InputError(
                f"an order has no term '{min(unknown)}'; it has {', '.join(sorted(_KNOWN))}"
            )
        limit = terms.get("limit")
        kind, trigger = _trigger(terms)
        made = OrderRequest(side, self.lots(qty, ts_ms), trigger_kind=kind)
        made.reduce_only = bool(terms.get("reduce_only", False))
        if limit is not None:
            made.order_type = at.LIMIT
            made.limit = self.ticks(limit, ts_ms, up=side < 0, what="a limit price")
        if trigger is not None:
            rises = (side > 0) != (kind == at.TAKE_PROFIT)
            made.trigger = self.ticks(trigger, ts_ms, up=rises, what="a trigger price")
        made.tif = _time_in_force(terms, is_limit=limit is not None)
        self._attach(made, terms.get("exits", self._exits))
        return made

    def _attach(self, made: OrderRequest, exits: object) -> None:
        if not isinstance(exits, Exits):
            raise InputError(f"an order's exits were {exits!r}, expected Exits(...)")
        if made.reduce_only:
            return
        made.stop_e6, made.take_profit_e6 = exits.stop_e6, exits.take_profit_e6
        made.trailing_e6, made.activation_e6 = exits.trailing_e6, exits.activation_e6
        made.time_exit_ms = exits.time_exit_bars * self._timeframe_ms


def plain_number(value: Any, what: str) -> float:
    """Return a finite number above 0.

    Raises
    ------
    InputError
        If it is anything else; `what` names it.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{what} was {value!r}, expected a number") from None
    if not (number > 0 and math.isfinite(number)):
        raise InputError(f"{what} was {number}; it must be a number above 0")
    return number


def _trigger(terms: Mapping[str, Any]) -> tuple[int, object]:
    stop, take_profit = terms.get("stop"), terms.get("take_profit")
    if stop is not None and take_profit is not None:
        raise InputError("an order has one trigger, stop or take_profit; place two orders")
    if stop is not None:
        return at.STOP, stop
    return (at.NO_TRIGGER, None) if take_profit is None else (at.TAKE_PROFIT, take_profit)


def _time_in_force(terms: Mapping[str, Any], *, is_limit: bool) -> int:
    name = terms.get("tif", "GTC")
    if name not in _TIFS:
        raise InputError(f"tif was {name!r}, expected {', '.join(_TIFS)}")
    if not terms.get("post_only", False):
        return _TIFS[name]
    if not is_limit or name != "GTC":
        raise InputError(
            "post_only needs a limit price and tif GTC: the order must be able to rest"
        )
    return at.POST_ONLY
