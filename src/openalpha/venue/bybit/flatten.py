"""The emergency stop: cancels everything, closes every derivative position, looks again, repeats.

It needs the venue and a key, nothing else: no database, no kernel, no strategy. Every step is safe
to repeat and so is the whole. Spot coins are left alone but for what it is told to sell.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import uuid4

from openalpha.core.errors import OpenAlphaError, VenueUnavailable
from openalpha.core.orders import Side
from openalpha.venue.bybit.answers import BybitRefused
from openalpha.venue.bybit.client import BybitClient
from openalpha.venue.bybit.new_order import NewOrder
from openalpha.venue.bybit.orders import Outcome
from openalpha.venue.bybit.rows import OrderRow, PositionRow

__all__ = ["STOP_MARK", "Flattened", "flatten", "is_flat", "naked_positions"]

STOP_MARK = "oa-stop-"
"""How the ids of its orders begin, so that a trader knows them for what they are."""

_LINEAR_COINS = ("USDT", "USDC")
# Where the venue does not tell its inverse markets, these are the coins they settle in.
_INVERSE_COINS = ("BTC", "ETH", "XRP", "SOL", "DOT", "ADA", "LTC", "MNT")
_SPOT_FILTERS = ("Order", "StopOrder", "tpslOrder", "OcoOrder", "BidirectionalTpslOrder")
# A venue counts a batch's orders: no more at once than a key may place in a second.
_AT_ONCE = 10
_TOO_OFTEN, _NOTHING_TO_CLOSE = 10006, 110017
# Where a position that is to be kept has no stop, it gets one this far from the mark.
_STOP_FRACTION = Decimal("0.10")
_OF_POSITION = ("StopLoss", "TrailingStop")


@dataclass(slots=True)
class Flattened:
    """What an emergency stop did.

    Parameters
    ----------
    is_done : bool
        Nothing is left to cancel or close.
    cancelled, closing_orders : int
        Orders cancelled and orders sent to close.
    left : list of str
        What still stands, for a person: empty when done.
    troubles : list of str
        What the venue said meanwhile, each once.
    rounds : int
        How often it looked.
    """

    is_done: bool = False
    cancelled: int = 0
    closing_orders: int = 0
    left: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    rounds: int = 0


def flatten(
    client: BybitClient,
    *,
    keep_positions: bool = False,
    sell: Mapping[str, Decimal] | None = None,
    sale: str = "",
    limit_s: float = 60.0,
    pause: Callable[[float], object] = time.sleep,
) -> Flattened:
    """Cancel all orders and close all derivative positions, again and again until none is left.

    Parameters
    ----------
    client : BybitClient
        Its channel should be of the class RISK, which goes first in the budget.
    keep_positions : bool
        Only cancel what could open or enlarge a position; exits and reduce-only orders stay. A
        position without a stop first gets one, 10 % from the mark price.
    sell : mapping of symbol to quantity, optional
        Spot coins to sell at the market, as `{"BTCUSDT": Decimal("0.5")}`; what is not named is
        never sold. Each is sold once.
    sale : str
        What names this sale: a stop that is repeated under the same name, even by another process
        after a crash, sells nothing twice. Empty: every call is a sale of its own.
    limit_s : float
        No new round begins after this.
    pause : callable
        Waits a number of seconds.

    Returns
    -------
    Flattened
        Never raises for what the venue says or does not say: the trouble is in the result.
    """
    ends = time.monotonic() + limit_s
    books = [_Derivatives(client, category) for category in ("linear", "inverse")]
    parts: Sequence[_Derivatives | _Spot] = [*books, _Spot(client, dict(sell or {}), sale)]
    done = Flattened()
    with ThreadPoolExecutor(len(parts), thread_name_prefix="flatten") as pool:
        while True:
            done.rounds += 1
            rounds = [pool.submit(_guarded, part, keep_positions) for part in parts]
            findings = [each.result() for each in rounds]
            for cancelled, closing, _, trouble in findings:
                done.cancelled += cancelled
                done.closing_orders += closing
                done.troubles += [words for words in trouble if words not in done.troubles]
            done.left = [words for _, _, left, _ in findings for words in left]
            done.is_done = not done.left
            if done.is_done or time.monotonic() >= ends:
                return done
            pause(0.1)


def naked_positions(client: BybitClient) -> list[PositionRow]:
    """Return the derivative positions that no stop protects whole.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the venue cannot be asked.
    """
    return [
        one for category in ("linear", "inverse") for one in _Derivatives(client, category).naked()
    ]


def is_flat(client: BybitClient) -> bool:
    """Say whether nothing is open, by looking alone: no order anywhere, no derivative position.

    Raises
    ------
    VenueUnavailable, VenueRefused
        If the venue cannot be asked.
    """
    parts = [_Derivatives(client, category) for category in ("linear", "inverse")]
    return not (any(part.stands() for part in parts) or client.orders.open_orders("spot"))


_Round = tuple[int, int, list[str], list[str]]


def _guarded(part: "_Derivatives | _Spot", keep_positions: bool) -> _Round:
    """Do one round of a part; whatever goes wrong is words, so that the other parts go on."""
    part.troubles = []
    try:
        cancelled, closing, left = part.round(keep_positions=keep_positions)
    except OpenAlphaError as error:
        return 0, 0, [f"{part.name}: not known, the venue could not be asked"], [error.message]
    return cancelled, closing, left, part.troubles


class _Derivatives:
    """Orders and positions of linear or inverse contracts."""

    def __init__(self, client: BybitClient, category: str) -> None:
        self.name = category
        self.troubles: list[str] = []
        self._client = client
        self._coins: tuple[str, ...] = _LINEAR_COINS if category == "linear" else ()

    def round(self, *, keep_positions: bool) -> tuple[int, int, list[str]]:
        if keep_positions:
            naked = self._protect()
            return self._cancel_entries(), 0, [*_named(self._entries()), *naked]
        cancelled = sum(self._cancel_all(coin) for coin in self._settle_coins())
        held = self._held()
        closing = self._close(held)
        # Looked at only after something was done: the first round of an idle account is the last.
        if cancelled or held:
            held = self._held()
            return cancelled, closing, [*_named(self._orders()), *_positions(held)]
        return cancelled, closing, []

    def _settle_coins(self) -> tuple[str, ...]:
        if not self._coins:
            try:
                rules = self._client.market.rules("inverse")
                self._coins = tuple(sorted({one.settle for one in rules if one.settle}))
            except (VenueUnavailable, BybitRefused):
                self._coins = ()
        return self._coins or _INVERSE_COINS

    def _cancel_all(self, coin: str) -> int:
        try:
            return self._client.orders.cancel_all(self.name, settle=coin)
        except BybitRefused as refused:
            # One coin the venue does not know must not keep the others' orders alive.
            self.troubles.append(refused.message)
            return 0

    def _held(self) -> list[PositionRow]:
        if self.name == "inverse":
            return self._client.positions.held("inverse")
        return [
            position
            for coin in self._settle_coins()
            for position in self._client.positions.held("linear", settle=coin)
        ]

    def _orders(self) -> list[OrderRow]:
        orders = []
        for coin in self._settle_coins():
            try:
                orders += self._client.orders.open_orders(self.name, settle=coin)
            except BybitRefused as refused:
                self.troubles.append(refused.message)
        return orders

    def stands(self) -> bool:
        """Whether anything is held or open."""
        return bool(self._held() or self._orders())

    def naked(self) -> list[PositionRow]:
        """Return the positions that no stop protects, or stops of a part of it only."""
        held = [one for one in self._held() if one.stop_loss is None]
        stops = [one for one in self._orders() if one.is_stop] if held else []
        return [one for one in held if not _is_covered(one, stops)]

    def _protect(self) -> list[str]:
        """Give every position without a stop one; return those that still have none."""
        naked = []
        for position in self.naked():
            try:
                self._client.positions.set_exits(position, stop_loss=self._stop_price(position))
            except OpenAlphaError as error:
                self.troubles.append(error.message)
                naked.append(f"{self.name} position {position.symbol} without a stop")
        return naked

    def _stop_price(self, position: PositionRow) -> Decimal:
        (rules,) = self._client.market.rules(self.name, symbol=position.symbol)
        if not (position.mark_price and rules.tick_size):
            raise VenueUnavailable(f"Bybit does not say at what price {position.symbol} stands")
        sign = -1 if position.side is Side.BUY else 1
        price = position.mark_price * (1 + sign * _STOP_FRACTION)
        return price // rules.tick_size * rules.tick_size

    def _entries(self) -> list[OrderRow]:
        return [order for order in self._orders() if not order.is_protective]

    def _cancel_entries(self) -> int:
        entries = self._entries()
        count = 0
        for start in range(0, len(entries), _AT_ONCE):
            part = entries[start : start + _AT_ONCE]
            count += self._taken(self._client.orders.cancel_batch(part))
        return count

    def _close(self, held: list[PositionRow]) -> int:
        # Ten by a batch, the next ten one by one, and so on: the venue counts the two ways apart.
        orders = [_closing(position) for position in held]
        count = 0
        for start in range(0, len(orders), 2 * _AT_ONCE):
            part = orders[start : start + 2 * _AT_ONCE]
            count += self._taken(self._client.orders.create_batch(part[:_AT_ONCE]))
            count += sum(self._create(order) for order in part[_AT_ONCE:])
        return count

    def _create(self, order: NewOrder) -> int:
        try:
            self._client.orders.create(order)
        except OpenAlphaError as error:
            self.troubles.append(error.message)
            return 0
        return 1

    def _taken(self, outcomes: list[Outcome]) -> int:
        self.troubles += [
            f"{self.name}: {one.message} (retCode {one.code})"
            for one in outcomes
            if one.code not in (0, _TOO_OFTEN, _NOTHING_TO_CLOSE)
        ]
        return sum(one.code == 0 for one in outcomes)


class _Spot:
    """Orders on spot markets, and the coins that are to be sold."""

    name = "spot"

    def __init__(self, client: BybitClient, sell: dict[str, Decimal], sale: str) -> None:
        self.troubles: list[str] = []
        self._client = client
        self._sell = sell
        self._filters = list(_SPOT_FILTERS)
        # One id a symbol for the whole stop: a sale whose reply is lost is never made twice.
        self._links = {symbol: _link(f"{sale}/{symbol}" if sale else "") for symbol in sell}

    def round(self, *, keep_positions: bool) -> tuple[int, int, list[str]]:
        cancelled = 0 if keep_positions else self._cancel_everything()
        if keep_positions:
            cancelled = self._cancel_buys()
        closing = 0 if keep_positions else self._sell_coins()
        left = []
        if cancelled:
            orders = self._client.orders.open_orders("spot")
            left = _named([one for one in orders if not keep_positions or one.side is Side.BUY])
        return cancelled, closing, left + [f"spot {symbol} not sold" for symbol in self._sell]

    def _cancel_everything(self) -> int:
        count = 0
        for name in list(self._filters):
            try:
                count += self._client.orders.cancel_all("spot", order_filter=name)
            except BybitRefused as refused:
                self._filters.remove(name)
                self.troubles.append(refused.message)
        return count

    def _cancel_buys(self) -> int:
        orders = self._client.orders.open_orders("spot")
        return sum(self._client.orders.cancel(one) for one in orders if one.side is Side.BUY)

    def _sell_coins(self) -> int:
        count = 0
        for symbol, qty in list(self._sell.items()):
            order = NewOrder("spot", symbol, Side.SELL, qty, self._links[symbol])
            try:
                self._client.orders.create(order)
            except BybitRefused as refused:
                if self._client.orders.find("spot", symbol, link_id=order.link_id) is None:
                    # No use in asking for the same again: it is said, and a person must look.
                    self.troubles.append(f"spot {symbol} was not sold: {refused.message}")
            else:
                count += 1
            del self._sell[symbol]
        return count


def _closing(position: PositionRow) -> NewOrder:
    """Close what there is, be it more or less than was read: quantity 0 means all of it."""
    return NewOrder(
        position.category,
        position.symbol,
        Side.SELL if position.side is Side.BUY else Side.BUY,
        Decimal(0),
        _link(),
        is_reduce_only=True,
        closes_all=True,
        idx=position.idx,
    )


def _is_covered(position: PositionRow, stops: Sequence[OrderRow]) -> bool:
    """Say whether stops close a position whole; one of the position itself, or of 0, does."""
    own = [one for one in stops if (one.symbol, one.idx) == (position.symbol, position.idx)]
    is_whole = any(not one.qty or one.stop_kind in _OF_POSITION for one in own)
    return is_whole or sum(one.qty - one.filled_qty for one in own) >= position.size


def _link(name: str = "") -> str:
    mark = hashlib.sha256(name.encode()).hexdigest() if name else uuid4().hex
    return f"{STOP_MARK}{mark[:20]}"


def _named(orders: Sequence[OrderRow]) -> list[str]:
    return [f"{one.category} order {one.symbol} {one.order_id}" for one in orders]


def _positions(held: Sequence[PositionRow]) -> list[str]:
    return [f"{one.category} position {one.symbol} {one.size}" for one in held]
