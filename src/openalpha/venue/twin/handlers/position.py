"""The position family: list, leverage, modes, trading stops, closed profit, margin."""

from operator import itemgetter
from typing import Any

from openalpha.venue.kernel import layout as at
from openalpha.venue.twin import desk
from openalpha.venue.twin.accounts import Account
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.exits import exit_order, whole_exits
from openalpha.venue.twin.intake import leg_of, price_of, trigger_by_of
from openalpha.venue.twin.listings import CASH, Listing
from openalpha.venue.twin.numbers import read_decimal, units_of
from openalpha.venue.twin.rows import position_row
from openalpha.venue.twin.state import State
from openalpha.venue.twin.wire import Params, newest, page, stretch

__all__ = ["READS", "WRITES", "apply_modes"]

MOST_PARTIAL_EXITS = 20


def _legs(account: Account) -> range:
    return range(2 if account.is_hedged else 1)


def _position_list(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/position/list: by symbol also empty rows, else only what is held."""
    category = state.category(params)
    if category == "spot":
        raise Refused(10001, "Illegal category")
    if category == "linear" and not (params.get("symbol") or params.get("settleCoin")):
        raise Refused(10001, "params error: symbol or settleCoin is required")
    rows = []
    for listing in state.of_category(category):
        if params.get("symbol") and listing.symbol != params["symbol"]:
            continue
        settle = params.get("settleCoin")
        if settle and listing.instrument.settle != settle:
            continue
        for leg in _legs(account):
            held = listing.pool.machine.position(account.number, listing.number, leg)[0]
            if held or params.get("symbol"):
                rows.append(position_row(state, account, listing=listing, leg=leg))
    if params.get("symbol") and not rows:
        raise Refused(10001, "params error: symbol invalid")
    return {"category": category, **page(rows, params, default=20, most=200)}


def _contract(state: State, params: Params) -> Listing:
    listing = state.listing(params)
    if listing.is_spot:
        raise Refused(10001, "Illegal category")
    return listing


def _set_leverage(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/position/set-leverage."""
    listing = _contract(state, params)
    wanted = []
    for name in ("buyLeverage", "sellLeverage"):
        value = read_decimal(params.get(name))
        units = None if value is None else units_of(value, 2)
        if units is None or units < 100:
            raise Refused(10001, f"params error: {name} invalid")
        wanted.append(units)
    if wanted[0] != wanted[1] and not (account.is_hedged and account.is_isolated):
        raise Refused(10001, "buyLeverage and sellLeverage must be equal")
    if max(wanted) > listing.instrument.max_leverage * 100:
        raise Refused(110013, "Cannot set leverage due to risk limit level")
    machine = listing.pool.machine
    before = [machine.leverage(account.number, listing.number, leg) for leg in range(2)]
    if before == wanted:
        raise Refused(110043, "Set leverage has not been modified")
    for leg, leverage in enumerate(wanted):
        machine.set_leverage(account.number, listing.number, leg, leverage)
    if machine.state(account.number)[2] < 0:
        for leg, leverage in enumerate(before):
            machine.set_leverage(account.number, listing.number, leg, leverage)
        raise Refused(110012, "Insufficient available balance")
    return {}


def _is_busy(state: State, account: Account) -> str:
    """Say what keeps an account from changing its modes: orders, positions or nothing."""
    if any(True for _ in state.record(account).open_ids):
        return "orders"
    for listing in state.listings.values():
        if listing.is_spot:
            continue
        if any(
            listing.pool.machine.position(account.number, listing.number, leg)[0]
            for leg in range(2)
        ):
            return "positions"
    return ""


def apply_modes(state: State, account: Account) -> None:
    """Tell every machine an account's margin and position mode."""
    for pool in state.pools:
        pool.machine.set_modes(
            account.number,
            margin_mode=at.ISOLATED if account.is_isolated else at.CROSS,
            position_mode=at.HEDGE if account.is_hedged else at.ONE_WAY,
        )
    account.updated_ms = state.now_ms


def _switch_mode(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/position/switch-mode. The twin switches the whole account."""
    if state.category(params) != "linear":
        raise Refused(10001, "Illegal category")
    if not (params.get("symbol") or params.get("coin")):
        raise Refused(10001, "params error: symbol or coin is required")
    mode = str(params.get("mode"))
    if mode not in ("0", "3"):
        raise Refused(10001, "params error: mode invalid")
    wants = mode == "3"
    if wants == account.is_hedged:
        raise Refused(110025, "Position mode is not modified")
    busy = _is_busy(state, account)
    if busy == "positions":
        raise Refused(
            110024, "You have an existing position, so the position mode cannot be switched"
        )
    if busy == "orders":
        raise Refused(110028, "You have existing orders, so the position mode cannot be switched")
    account.is_hedged = wants
    apply_modes(state, account)
    return {}


def _trading_stop(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/position/trading-stop."""
    listing = _contract(state, params)
    _, leg = leg_of(account, params, listing=listing)
    held = listing.pool.machine.position(account.number, listing.number, leg)[0]
    if held == 0:
        raise Refused(10001, "can not set tp/sl/ts for zero position")
    if str(params.get("tpslMode") or "Full") == "Partial":
        return _partial_stop(state, account, params, listing=listing, leg=leg)
    changed = False
    for kind, name, by in (
        ("TakeProfit", "takeProfit", "tpTriggerBy"),
        ("StopLoss", "stopLoss", "slTriggerBy"),
        ("TrailingStop", "trailingStop", ""),
    ):
        text = params.get(name)
        if text is None or text == "":
            continue
        changed |= _set_whole(
            state, account, params, listing=listing, leg=leg, kind=kind, name=name, by=by
        )
    if not changed:
        raise Refused(34040, "not modified")
    return {}


def _set_whole(
    state: State,
    account: Account,
    params: Params,
    *,
    listing: Listing,
    leg: int,
    kind: str,
    name: str,
    by: str,
) -> bool:
    """Set, move or remove one exit of a whole position; returns whether anything changed."""
    price = price_of(params, name, listing=listing)
    present = whole_exits(state, account, listing=listing, leg=leg).get(kind)
    trigger_by = trigger_by_of(params, by) if by else "LastPrice"
    if price == 0:
        if present is not None:
            desk.cancel(state, present)
        return present is not None
    activation = price_of(params, "activePrice", listing=listing) if not by else 0
    if present is not None:
        now = present.distance if kind == "TrailingStop" else present.trigger
        if (now, present.activation, present.trigger_by) == (price, activation, trigger_by):
            return False
    held = listing.pool.machine.position(account.number, listing.number, leg)[0]
    side = -1 if held > 0 else 1
    order = exit_order(state, account, listing=listing, kind=kind, side=side, leg=leg)
    order.trigger_by = trigger_by
    if kind == "TrailingStop":
        order.distance, order.activation = price, activation
    else:
        order.trigger = price
    # The new one stands before the old one goes: the position is never naked.
    try:
        desk.place(state, order)
    except Refused as refused:
        if refused.code in (110092, 110093):
            raise Refused(10001, f"{kind} is on the wrong side of the {trigger_by}") from None
        raise
    if present is not None and present.is_open:
        desk.cancel(state, present)
    return True


def _partial_stop(
    state: State, account: Account, params: Params, *, listing: Listing, leg: int
) -> dict[str, Any]:
    """Place a take-profit and stop-loss for part of a position; one cancels the other."""
    held = listing.pool.machine.position(account.number, listing.number, leg)[0]
    wanted = [name for name in ("takeProfit", "stopLoss") if read_decimal(params.get(name))]
    sizes = {read_decimal(params.get(name)) for name in ("tpSize", "slSize")}
    if len(wanted) == 2 and len(sizes) == 2:
        raise Refused(10001, "params error: tpSize and slSize must be equal")
    if _partial_exits(state, account, listing) + len(wanted) > MOST_PARTIAL_EXITS:
        raise Refused(110061, "Not allowed to have more than 20 TP/SLs under Partial tpSlMode")
    group = state.next_seq()
    made = 0
    for kind, name, short in (
        ("PartialTakeProfit", "takeProfit", "tp"),
        ("PartialStopLoss", "stopLoss", "sl"),
    ):
        trigger = price_of(params, name, listing=listing)
        if not trigger:
            continue
        value = read_decimal(params.get(f"{short}Size"))
        units = None if value is None or value <= 0 else units_of(value, listing.qty_decimals)
        if units is None or units % listing.lot or units > abs(held):
            raise Refused(10001, f"params error: {short}Size invalid")
        side = -1 if held > 0 else 1
        order = exit_order(state, account, listing=listing, kind=kind, side=side, leg=leg)
        order.trigger, order.qty, order.group = trigger, units, group
        order.trigger_by = trigger_by_of(params, f"{short}TriggerBy")
        if str(params.get(f"{short}OrderType") or "Market") == "Limit":
            order.kind, order.tif = "Limit", "GTC"
            order.limit = price_of(params, f"{short}LimitPrice", listing=listing)
        desk.place(state, order)
        made += 1
    if not made:
        raise Refused(34040, "not modified")
    return {}


def _partial_exits(state: State, account: Account, listing: Listing) -> int:
    """Count the open exits of parts of an account's positions in a market."""
    record = state.record(account)
    return sum(
        one.listing == listing.key and one.stop_type.startswith("Partial")
        for one in map(record.orders.__getitem__, record.open_ids)
    )


def _closed_pnl(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer GET /v5/position/closed-pnl, the newest first."""
    category = state.category(params)
    start, end = stretch(params, now_ms=state.now_ms)
    rows = (
        row
        for row in reversed(state.record(account).closed)
        if row["_category"] == category
        and start <= int(row["updatedTime"]) <= end
        and (not params.get("symbol") or row["symbol"] == params["symbol"])
    )
    chosen, cursor = newest(rows, params, number=itemgetter("_seq"), default=50, most=100)
    shown = [{name: row[name] for name in row if not name.startswith("_")} for row in chosen]
    return {"category": category, "list": shown, "nextPageCursor": cursor}


def _add_margin(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/position/add-margin: more (+) or less (-) for an isolated position."""
    listing = _contract(state, params)
    idx, leg = leg_of(account, params, listing=listing)
    value = read_decimal(params.get("margin"))
    amount = None if value is None or units_of(value, 4) is None else units_of(value, CASH)
    if amount is None:
        raise Refused(10001, "params error: margin invalid")
    if not account.is_isolated:
        raise Refused(110015, "The position is in cross margin mode.")
    if not listing.pool.machine.position(account.number, listing.number, leg)[0]:
        raise Refused(10001, "can not add margin to zero position")
    if amount == 0:
        raise Refused(110027, "Margin has not been modified.")
    desk.add_margin(state, account, listing=listing, leg=leg, amount=amount)
    row = position_row(state, account, listing=listing, leg=leg)
    named = {"category": listing.category, "symbol": listing.symbol, "positionIdx": idx}
    return {**named, **{name: row[name] for name in _MARGIN_FIELDS}}


_MARGIN_FIELDS = (
    "riskId",
    "riskLimitValue",
    "size",
    "positionValue",
    "avgPrice",
    "liqPrice",
    "bustPrice",
    "markPrice",
    "leverage",
    "autoAddMargin",
    "positionStatus",
    "positionIM",
    "positionMM",
    "unrealisedPnl",
    "cumRealisedPnl",
    "stopLoss",
    "takeProfit",
    "trailingStop",
    "createdTime",
    "updatedTime",
)


def _set_auto_add_margin(state: State, account: Account, params: Params) -> dict[str, Any]:
    """Answer POST /v5/position/set-auto-add-margin: remembered and shown, never acted on."""
    listing = _contract(state, params)
    _, leg = leg_of(account, params, listing=listing)
    flag = str(params.get("autoAddMargin"))
    if flag not in ("0", "1"):
        raise Refused(10001, "params error: autoAddMargin invalid")
    state.holding(account.number, listing.key, leg=leg).is_auto_margin = flag == "1"
    return {}


READS = {"/v5/position/list": _position_list, "/v5/position/closed-pnl": _closed_pnl}
WRITES = {
    "/v5/position/set-leverage": _set_leverage,
    "/v5/position/switch-mode": _switch_mode,
    "/v5/position/trading-stop": _trading_stop,
    "/v5/position/add-margin": _add_margin,
    "/v5/position/set-auto-add-margin": _set_auto_add_margin,
}
