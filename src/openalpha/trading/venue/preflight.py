"""Compares an account with the run it is to carry, before the first order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument, Kind
from openalpha.trading.run.plan import RunPlan
from openalpha.venue.bybit.answers import NO_SUCH_SYMBOL, BybitRefused
from openalpha.venue.bybit.channel import Call, Channel
from openalpha.venue.bybit.client import PositionCalls
from openalpha.venue.bybit.rows import FeeRate
from openalpha.venue.rules import fees_bps

__all__ = ["TRADED", "check_account", "check_rules"]

_MARGIN = {"cross": "REGULAR_MARGIN", "isolated": "ISOLATED_MARGIN"}
TRADED = "Trading"
"""The venue's word for an instrument that can be traded."""

Row = Mapping[str, Any]


def check_account(
    channel: Channel, plan: RunPlan, *, is_new: bool, hear: Callable[[str], None]
) -> None:
    """Compare an account with a run's plan; set the leverage, refuse whatever else differs.

    A run may reckon with a higher fee than it pays, not with a lower one. Once it has begun it goes
    on whatever the fee becomes: what it holds must be led.

    Parameters
    ----------
    is_new : bool
        The run begins: what the account holds of its instruments is somebody else's.
    hear : callable
        Told what was set.

    Raises
    ------
    InputError
        Naming every difference.
    VenueUnavailable
        If the venue does not answer.
    """
    found = _margin_mode(channel, plan)
    found += _money(channel, plan) if is_new else []
    for item in plan.instruments:
        away, wrong = _standing(channel, item)
        if away and not is_new:
            # The run goes on without it; what it holds there the watch on instruments sees to.
            hear(f"{away}; nothing is opened in it")
            continue
        wrong += [away] if away else []
        found += wrong
        if not wrong:
            for said, cure in _fees(channel, item, plan):
                if cure and is_new:
                    found.append(f"{said}, which flatters it: {cure}")
                else:
                    hear(f"{said}; the exchange's is booked and the run goes on")
        if wrong or item.kind is Kind.SPOT:
            continue  # coins of before stay: a sub-book sells what it bought
        rows = _ask(channel, "/v5/position/list", item)
        if any(int(row.get("positionIdx") or 0) for row in rows):
            found.append(f"{item.symbol} is in hedge mode; switch it to one-way at the exchange")
        held = [row for row in rows if Decimal(str(row.get("size") or 0))]
        if held and is_new:
            found.append(
                f"{held[0]['size']} {item.symbol} {held[0].get('side', '')} is held already, by "
                "no order of this run: close it, or use another account"
            )
        _set_leverage(channel, item, rows, plan=plan, hear=hear)
    if found:
        raise InputError("the account does not fit the run: " + "; ".join(found))


def _ask(channel: Channel, path: str, item: Instrument) -> list[Row]:
    params = {"category": item.market.removeprefix("bybit_"), "symbol": item.symbol}
    return list(channel.call(Call(path, params)).rows)


def _margin_mode(channel: Channel, plan: RunPlan) -> list[str]:
    answer = channel.call(Call("/v5/account/info", {}))
    have, wanted = answer.result.get("marginMode"), _MARGIN[plan.settings.venue.margin.mode]
    if have in (wanted, None):
        return []
    return [f"its margin mode is {have}, the run's is {wanted}; change either"]


def _money(channel: Channel, plan: RunPlan) -> list[str]:
    """Say whether the account has less than the run was given, or what does not back positions."""
    answer = channel.call(Call("/v5/account/wallet-balance", {"accountType": "UNIFIED"}))
    first = plan.instruments[0]
    coin = first.quote if first.kind is Kind.SPOT else first.settle
    rows = [row for wallet in answer.rows for row in wallet.get("coin", ())]
    mine: Row = next((row for row in rows if row.get("coin") == coin), {})
    held, found = Decimal(str(mine.get("walletBalance") or 0)), []
    if held < plan.capital:
        found.append(
            f"it holds {held} {coin}, the run's capital is {plan.capital}; fund it or lower it"
        )
    has_margin = any(item.kind is not Kind.SPOT for item in plan.instruments)
    if has_margin and mine.get("marginCollateral") and mine.get("collateralSwitch") is False:
        found.append(f"its {coin} is no collateral; switch that on at the exchange")
    return found


def check_rules(channel: Channel, instruments: Sequence[Instrument]) -> None:
    """Compare the rules a run counts in with the venue's.

    Raises
    ------
    InputError
        Naming every instrument that is not traded there now, or by another tick or lot.
    VenueUnavailable
        If the venue does not answer.
    """
    found = []
    for item in instruments:
        away, wrong = _standing(channel, item)
        found += [away] if away else wrong
    if found:
        raise InputError("; ".join(found))


def _standing(channel: Channel, item: Instrument) -> tuple[str, list[str]]:
    """Say that an instrument is not traded, and where not by the tick and lot the run counts in."""
    params = {"category": item.market.removeprefix("bybit_"), "symbol": item.symbol}
    try:
        rows = channel.call(Call("/v5/market/instruments-info", params, is_public=True)).rows
    except BybitRefused as refused:
        if refused.code != NO_SUCH_SYMBOL:
            raise
        rows = []
    if not rows:
        return f"the venue does not list {item.symbol}", []
    status = str(rows[0].get("status", TRADED))
    if status != TRADED:
        return f"{item.symbol} is not traded now: the venue says {status}", []
    last = item.steps[-1]
    lot = "basePrecision" if item.kind is Kind.SPOT else "qtyStep"
    theirs = {
        "tick": (rows[0].get("priceFilter", {}).get("tickSize"), last.tick_size),
        "lot": (rows[0].get("lotSizeFilter", {}).get(lot), last.lot_size),
    }
    return "", [
        f"the {name} of {item.symbol} is {stated} at the venue and {ours} in the lake; download "
        "the rules again (`openalpha data download`)"
        for name, (stated, ours) in theirs.items()
        if stated is not None and Decimal(str(stated)) != ours
    ]


def _fees(channel: Channel, item: Instrument, plan: RunPlan) -> Iterator[tuple[str, str]]:
    """Yield where the account pays another fee than the run reckons with; if more, its cure."""
    rows = _ask(channel, "/v5/account/fee-rate", item)
    paid = FeeRate.of(rows[0]) if rows else FeeRate(item.symbol, None, None)
    reckoned = fees_bps(item, plan.settings.venue.costs)
    for name, rate, bps in zip(("maker", "taker"), (paid.maker, paid.taker), reckoned, strict=True):
        if rate is None or rate * 10_000 == bps:
            continue
        pays = f"{(rate * 10_000).normalize():f}"
        said = (
            f"the account pays {pays} bps as {name} of {item.symbol} and the run reckons with "
            f"{bps.normalize():f}"
        )
        yield said, f"add --set costs.{name}_bps={pays}" if rate * 10_000 > bps else ""


def _set_leverage(
    channel: Channel,
    item: Instrument,
    rows: list[Row],
    *,
    plan: RunPlan,
    hear: Callable[[str], None],
) -> None:
    wanted = plan.settings.venue.margin.leverage
    have = Decimal(str(rows[0].get("leverage") or 0)) if rows else Decimal(0)
    category = item.market.removeprefix("bybit_")
    if have != wanted and PositionCalls(channel).set_leverage(
        category, item.symbol, leverage=wanted
    ):
        hear(f"the leverage of {item.symbol} was {have or 'unknown'}, is {wanted} now")
