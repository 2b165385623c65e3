"""From an instrument's rules and the cost settings to the kernel's integers."""

from collections.abc import Sequence
from decimal import Decimal

from openalpha.core.errors import DataError, InputError
from openalpha.core.instruments import Instrument, Kind
from openalpha.core.units import decimals_of, to_units
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.setup import AccountSetup, InstrumentSetup, Tier
from openalpha.venue.settings import (
    LOWEST_TIER,
    TIERS,
    CostSettings,
    FillSettings,
    MarginSettings,
    calibrated_spreads,
)

__all__ = ["account_setup", "cash_decimals", "fee_notes", "fees_bps", "instrument_setup"]

REALISTIC_SPREAD_BPS = Decimal(1)
REALISTIC_IMPACT_BPS = Decimal(10)
REALISTIC_PARTICIPATION = Decimal("0.1")
_BPS_E8 = 10_000
_TIERED = "bybit_"
_LARGEST_BALANCE = 2**62


def fees_bps(instrument: Instrument, costs: CostSettings) -> tuple[Decimal, Decimal]:
    """Return maker and taker fee in basis points: explicit, else the venue's, else none.

    Examples
    --------
    >>> from openalpha.market.catalogue import instrument_for
    >>> fees_bps(instrument_for("binance_usdm:BTCUSDT"), CostSettings())
    (Decimal('2'), Decimal('5'))
    """
    maker, taker = _schedule(instrument, costs)[:2]
    return (
        maker if costs.maker_bps is None else costs.maker_bps,
        taker if costs.taker_bps is None else costs.taker_bps,
    )


def fee_notes(instruments: Sequence[Instrument], costs: CostSettings) -> list[str]:
    """Return a sentence an instrument: what it pays, and by whose schedule.

    Examples
    --------
    >>> from openalpha.market.catalogue import instrument_for
    >>> fee_notes([instrument_for("binance_usdm:BTCUSDT")], CostSettings())
    ['binance_usdm:BTCUSDT: fees 2 bps maker, 5 bps taker: lowest tier of binance_usdm']
    """
    notes = []
    for instrument in instruments:
        maker, taker = fees_bps(instrument, costs)
        words = _schedule(instrument, costs)[2]
        named = [name for name in ("maker_bps", "taker_bps") if getattr(costs, name) is not None]
        if len(named) == 2:
            words = "as costs.maker_bps and costs.taker_bps say"
        elif named:
            words = f"costs.{named[0]} as set, the other by {words}"
        notes.append(
            f"{instrument.id}: fees {maker.normalize():f} bps maker, "
            f"{taker.normalize():f} bps taker: {words}"
        )
        measured = _measured_spread(instrument, costs)
        if measured is not None:
            notes.append(f"{instrument.id}: spread {measured:f} bps, as costs.calibrated says")
    return notes


def _measured_spread(instrument: Instrument, costs: CostSettings) -> Decimal | None:
    """Return the spread that was measured of an instrument; an explicit one goes before it."""
    if costs.spread_bps is not None:
        return None
    return calibrated_spreads(costs.calibrated).get(str(instrument.id))


def _schedule(instrument: Instrument, costs: CostSettings) -> tuple[Decimal, Decimal, str]:
    """Return the maker and taker fee of the schedule in force, and whose it is."""
    market, fees = instrument.market, instrument.fees
    if costs.preset == "none":
        return Decimal(0), Decimal(0), "costs.preset = none"
    if fees is not None and not market.startswith(_TIERED):
        ignored = "" if costs.tier == LOWEST_TIER else f" ({costs.tier} is a tier of Bybit's)"
        return fees.maker_bps, fees.taker_bps, f"lowest tier of {market}{ignored}"
    kind = "spot" if instrument.kind is Kind.SPOT else "linear"
    maker, taker = (Decimal(text) for text in TIERS[costs.tier][kind])
    if market.startswith(_TIERED):
        return maker, taker, f"tier {costs.tier} of {market}"
    # The dearest entry tier of the venues known here, so that ignorance does not flatter.
    return maker, taker, f"no schedule of {market} is known, so those of Bybit's {costs.tier}"


def _or_preset(value: Decimal | None, costs: CostSettings, realistic: Decimal) -> Decimal:
    """Return an explicit setting, else the preset's."""
    if value is not None:
        return value
    return realistic if costs.preset == "realistic" else Decimal(0)


def cash_decimals(capital: Decimal, instruments: Sequence[Instrument]) -> int:
    """Return the decimals of the account coin's cash unit.

    The instruments' own (8 unless the catalogue says otherwise), coarser where a balance a thousand
    times the capital could pass 64 bits.

    Raises
    ------
    DataError
        If even whole coins of the capital do.
    """
    decimals = max(instrument.cash_decimals for instrument in instruments)
    while decimals > 0 and capital * 1000 * 10**decimals >= _LARGEST_BALANCE:
        decimals -= 1
    if capital >= _LARGEST_BALANCE:
        raise DataError(f"a capital of {capital} is too large to count; give one below 10^18")
    return decimals


def _scale(instrument: Instrument, cash: int) -> tuple[int, int, int]:
    """Return num, den and the inverse constant k of an instrument (rules N2, N3)."""
    d, q = instrument.price_decimals, instrument.qty_decimals
    extra = decimals_of(instrument.multiplier)
    factor = int(instrument.multiplier * 10**extra)
    if instrument.kind is Kind.INVERSE:
        power = d - q + cash - extra
        if power < 0:
            raise DataError(
                f"{instrument.id}: a contract unit is finer than the cash unit; use fewer quantity "
                "decimals or more cash decimals"
            )
        return 1, 1, factor * 10**power
    power = cash - d - q - extra
    return (factor * 10**power, 1, 0) if power >= 0 else (factor, 10**-power, 0)


def instrument_setup(
    instrument: Instrument,
    *,
    costs: CostSettings,
    margin: MarginSettings,
    cash: int,
    base_coin: int,
) -> InstrumentSetup:
    """Translate an instrument's rules and the settings for the kernel.

    Parameters
    ----------
    instrument : Instrument
    costs, margin : settings
    cash : int
        Decimals of the account coin's cash unit.
    base_coin : int
        Balance index of a spot instrument's base coin (>= 1); 0 otherwise.

    Raises
    ------
    DataError
        If a rule does not fit the instrument's units; names it.
    """
    d, q = instrument.price_decimals, instrument.qty_decimals
    num, den, k = _scale(instrument, cash)
    maker, taker = fees_bps(instrument, costs)
    steps = tuple(
        (rule.since_ms, to_units(rule.tick_size, d), to_units(rule.lot_size, q))
        for rule in instrument.steps
    )
    biggest = instrument.max_qty
    market = instrument.max_market_qty if instrument.max_market_qty is not None else biggest
    measured = _measured_spread(instrument, costs)
    spread = _or_preset(costs.spread_bps, costs, REALISTIC_SPREAD_BPS)
    spread = spread if measured is None else measured
    tiers = instrument.tiers if instrument.kind is not Kind.SPOT else ()
    return InstrumentSetup(
        kind=int(instrument.kind),
        num=num,
        den=den,
        k=k,
        base_coin=base_coin,
        steps=steps,
        min_qty=to_units(instrument.min_qty, q),
        max_qty=at.BIG if biggest is None else to_units(biggest, q),
        max_market_qty=at.BIG if market is None else to_units(market, q),
        min_notional=int(instrument.min_notional * 10**cash),
        maker_e8=int(maker * _BPS_E8),
        taker_e8=int(taker * _BPS_E8),
        leverage_e2=int(margin.leverage * 100),
        max_leverage_e2=max(int(instrument.max_leverage * 100), 100),
        half_spread_e8=int(spread * _BPS_E8 / 2),
        impact_e8=int(_or_preset(costs.impact, costs, REALISTIC_IMPACT_BPS) * _BPS_E8),
        participation_e6=int(
            _or_preset(costs.participation, costs, REALISTIC_PARTICIPATION) * 1_000_000
        ),
        tiers=tuple(
            Tier(
                limit=int(tier.limit_notional * 10**cash),
                maintenance_e8=int(tier.maintenance_rate * 10**8),
                max_leverage_e2=int(tier.max_leverage * 100),
                deduction=int(tier.deduction * 10**cash),
            )
            for tier in tiers
        ),
    )


def account_setup(
    balances: tuple[int, ...],
    *,
    costs: CostSettings,
    margin: MarginSettings,
    fills: FillSettings,
) -> AccountSetup:
    """Translate balances (cash units) and modes for the kernel.

    Raises
    ------
    InputError
        If `fills.path` is `refine`: that is a run on finer bars, not a path within these.
    """
    if fills.path == "refine":
        raise InputError(
            "fills.path = refine works for a backtest of a strategy that gives targets, with finer "
            "bars in the lake; here choose adverse, or test on finer bars (--timeframe)"
        )
    return AccountSetup(
        balances=balances,
        margin_mode=at.ISOLATED if margin.mode == "isolated" else at.CROSS,
        position_mode=at.HEDGE if margin.position_mode == "hedge" else at.ONE_WAY,
        path=at.NEARER_FIRST if fills.path == "nearer_first" else at.ADVERSE,
        latency_ms=costs.latency_ms,
    )
