"""How well a run's orders were carried out: their times, and what they cost beside three prices.

Slippage is a cost in basis points, positive where it was paid. It is measured against

- `decision`: the close that the order was decided at (of a stop its trigger);
- `arrival`: the open of the bar in which the venue took the order (of a stop its trigger);
- `model`: what the kernel's order of the same decision paid on the same bars.

The tape holds bars: the close and the open stand for the mid of their moment.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median

from openalpha.core.clock import HOUR_MS
from openalpha.trading.analysis.execution_log import OrderSeen, Terms, read_run
from openalpha.trading.analysis.execution_model import ModelRun, model_run
from openalpha.trading.analysis.gap import Market
from openalpha.trading.run.folder import RunFolder

__all__ = ["Carried", "Summary", "carried_orders", "measured_spreads", "summed"]

_ZERO = Decimal(0)
_BPS = Decimal(10_000)
_FEWEST = 20
"""Executed market orders of an instrument below which its spread is not called measured."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One order and how it was carried out.

    Parameters
    ----------
    run, environment, book, instrument, link_id : str
    side : int
    qty, filled, price, fee : Decimal
        Price is the average of what was filled, zero for nothing.
    is_market : bool
        Sent to be filled at once; neither a stop nor an order with a limit is.
    how : str
        `once`, or how the order it is a piece of was worked: its decision is that order's.
    decided_ms, sent_ms, acked_ms, filled_ms : int
        UTC ms, the first fill's by the venue's clock; 0 where nobody noted it or it did not happen.
    decision_bps, arrival_bps, model_bps : Decimal or None
        Slippage; None without a fill or without the price to hold it to.
    """

    run: str
    environment: str
    book: str
    instrument: str
    link_id: str
    side: int
    qty: Decimal
    filled: Decimal
    price: Decimal
    fee: Decimal
    is_market: bool
    how: str
    decided_ms: int
    sent_ms: int
    acked_ms: int
    filled_ms: int
    decision_bps: Decimal | None
    arrival_bps: Decimal | None
    model_bps: Decimal | None

    @property
    def notional(self) -> Decimal:
        """Value of what was filled."""
        return self.filled * self.price

    @property
    def venue(self) -> str:
        """Where it was, as in the instrument's name."""
        return self.instrument.partition(":")[0]

    @property
    def hour(self) -> int:
        """Hour of the UTC day in which it was decided; of a stop, in which it was sent."""
        return (self.decided_ms or self.acked_ms) // HOUR_MS % 24


@dataclass(frozen=True, slots=True)
class Summary:
    """A group of orders in figures; slippage is weighted by notional, times are medians in ms."""

    orders: int
    filled_share: Decimal | None
    notional: Decimal
    fee_bps: Decimal | None
    decision_bps: Decimal | None
    arrival_bps: Decimal | None
    model_bps: Decimal | None
    send_ms: int | None
    ack_ms: int | None
    fill_ms: int | None


def carried_orders(folder: RunFolder, *, strategies: Path | None = None) -> list[Carried]:
    """Return every order of a run at a venue with its times and its slippage.

    Parameters
    ----------
    folder : RunFolder
    strategies : Path, optional
        The user's folder of strategy files.

    Raises
    ------
    InputError
        If the run is a backtest, or a strategy was changed since it began.
    """
    plan, seen = folder.plan(), read_run(folder)
    market = Market(plan, seen)
    paid = _model_prices(model_run(plan, seen, folder=strategies))
    names = [part.name for part in plan.strategies]
    found = []
    for order in seen.orders:
        decision, arrival = order.trigger, order.trigger
        if order.trigger is None:
            at_ms = order.accepted_ms or order.taken_ms
            decision = market.close_before(order.instrument, order.begun_ms)
            arrival = market.open_at(order.instrument, at_ms)
        key = (order.instrument, order.row_ms, order.side, order.terms)
        found.append(
            Carried(
                run=folder.id,
                environment=folder.environment.name.lower(),
                # Orders of people are in a sub-book behind those of the strategies.
                book=names[order.book] if order.book < len(names) else "manual",
                instrument=order.instrument,
                link_id=order.link_id,
                side=order.side,
                qty=order.qty,
                filled=order.filled,
                price=order.price,
                fee=sum((fill.fee for fill in order.fills), _ZERO),
                is_market=order.trigger is None and order.limit is None,
                how=order.how,
                decided_ms=order.decided_ms,
                sent_ms=order.sent_ms,
                acked_ms=order.acked_ms,
                filled_ms=min((fill.ts_ms for fill in order.fills), default=0),
                decision_bps=_cost_bps(order, decision),
                arrival_bps=_cost_bps(order, arrival),
                model_bps=_cost_bps(order, paid.get(key) if order.row_ms else None),
            )
        )
    return found


def _model_prices(model: ModelRun) -> dict[tuple[str, int, int, Terms], Decimal]:
    sums: dict[tuple[str, int, int, Terms], list[Decimal]] = defaultdict(lambda: [_ZERO, _ZERO])
    for fill in model.fills:
        if not fill.is_exit:
            key = (fill.instrument, fill.decided_ms, fill.side, fill.terms)
            sums[key][0] += fill.qty * fill.price
            sums[key][1] += fill.qty
    return {key: notional / qty for key, (notional, qty) in sums.items()}


def _cost_bps(order: OrderSeen, price: Decimal | None) -> Decimal | None:
    if price is None or not price or not order.fills:
        return None
    return order.side * (order.price - price) / price * _BPS


def summed(
    orders: Iterable[Carried], by: Callable[[Carried], str | int]
) -> dict[str | int, Summary]:
    """Return the figures of groups of orders, by what names a group, sorted."""
    groups: dict[str | int, list[Carried]] = defaultdict(list)
    for order in orders:
        groups[by(order)].append(order)
    return {name: _summary(groups[name]) for name in sorted(groups)}


def _summary(orders: Sequence[Carried]) -> Summary:
    notional = sum((order.notional for order in orders), _ZERO)
    wanted = [order for order in orders if order.is_market]
    fee = sum((order.fee for order in orders), _ZERO)
    return Summary(
        orders=len(orders),
        filled_share=_share(wanted),
        notional=notional,
        fee_bps=fee / notional * _BPS if notional else None,
        decision_bps=_weighted(orders, lambda order: order.decision_bps),
        arrival_bps=_weighted(orders, lambda order: order.arrival_bps),
        model_bps=_weighted(orders, lambda order: order.model_bps),
        send_ms=_median((one.sent_ms, one.decided_ms) for one in wanted if one.how == "once"),
        ack_ms=_median((one.acked_ms, one.sent_ms or one.decided_ms) for one in wanted),
        fill_ms=_median((one.filled_ms, one.sent_ms or one.decided_ms) for one in wanted),
    )


def _share(orders: Sequence[Carried]) -> Decimal | None:
    """Return the executed share of what was sent to be executed at once; None for nothing sent."""
    asked = sum((order.qty * (order.price or 1) for order in orders), _ZERO)
    return sum((order.notional for order in orders), _ZERO) / asked if asked else None


def _weighted(orders: Sequence[Carried], of: Callable[[Carried], Decimal | None]) -> Decimal | None:
    known = [(order.notional, found) for order in orders if (found := of(order)) is not None]
    weight = sum((notional for notional, _ in known), _ZERO)
    return sum((n * found for n, found in known), _ZERO) / weight if weight else None


def _median(spans: Iterable[tuple[int, int]]) -> int | None:
    known = [after - before for after, before in spans if after and before]
    return round(median(known)) if known else None


def measured_spreads(orders: Iterable[Carried]) -> tuple[dict[str, Decimal], dict[str, int]]:
    """Return the bid-ask spread that market orders paid, by instrument, in basis points.

    It is twice the mean slippage against the arrival price, weighted by notional, impact included,
    never below zero; a taker pays half of it.

    Returns
    -------
    spreads : dict
        Of instruments with at least 20 executed market orders.
    too_few : dict
        How many the others have.
    """
    groups: dict[str, list[Carried]] = defaultdict(list)
    for order in orders:
        if order.is_market and order.arrival_bps is not None:
            groups[order.instrument].append(order)
    spreads, too_few = {}, {}
    for name in sorted(groups):
        found = _weighted(groups[name], lambda order: order.arrival_bps)
        if len(groups[name]) < _FEWEST or found is None:
            too_few[name] = len(groups[name])
        else:
            spreads[name] = max(2 * found, _ZERO).quantize(Decimal("0.0001"))
    return spreads, too_few
