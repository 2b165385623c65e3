"""What Australian tax would leave of a run: an estimate, from its cash effects valued in AUD.

Only what was realised is taxed; positions open at the end are not. Where nobody says what a coin
was worth in AUD there is no estimate, and the reason stands in its place: a rate is never assumed.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from openalpha.books.imports.symbols import FIAT
from openalpha.books.rates import NO_RATES, RateSource, RealRates
from openalpha.books.tax.amounts import exact
from openalpha.books.tax.dates import local_date
from openalpha.books.tax.entity import Refused
from openalpha.books.tax.entity_year import assess_profile
from openalpha.books.tax.events import Acquire, CoinFee, Derivative, Dispose, Event, Swap
from openalpha.books.tax.payable import taxes_of
from openalpha.books.tax.profile import Profile
from openalpha.books.tax.tables import known_law, load_tables
from openalpha.core.clock import format_ms
from openalpha.core.messages import EffectKind
from openalpha.core.units import from_units
from openalpha.engine.tables import EffectTable
from openalpha.venue.kernel import layout as at

if TYPE_CHECKING:
    from openalpha.research.measured import MeasuredRun

__all__ = ["AfterTax", "Taxpayer", "after_tax", "slow_words", "taxpayer_at"]

MOST_SPOT_FILLS = 250_000
"""A run with more spot fills gets no line: each is a disposal with parcels, about 5 KB of them."""

_SLOW_FROM = 20_000
_FILLS_A_SECOND = 10_000

_HALF_HOUR_MS = 1_800_000  # no zone's midnight lies between two of these
_NAMES = {
    EffectKind.FEE: "fee",
    EffectKind.LIQUIDATION_FEE: "fee",
    EffectKind.FUNDING: "funding",
    EffectKind.INSURANCE: "clawback",
}


@dataclass(frozen=True, slots=True)
class Taxpayer:
    """Whose run it would have been, and who says what coins are worth in AUD."""

    profile: Profile = field(default_factory=lambda: Profile("me"))
    rates: RateSource = NO_RATES


@dataclass(frozen=True, slots=True)
class AfterTax:
    """The estimate, in AUD, or the reason why there is none.

    `capital` and `final` are the account at the first and last moment, each at its own rate. `tax`
    is what all income years of the run add, by year in `by_year`. `basis` says at what rates.
    """

    entity: str
    treatment: str
    derivatives: str
    is_synthetic: bool
    reason: str = ""
    capital: Decimal | None = None
    final: Decimal | None = None
    tax: Decimal | None = None
    by_year: tuple[tuple[int, Decimal], ...] = ()
    basis: str = ""

    @property
    def total_return(self) -> float | None:
        """Return of the account in AUD after tax, as a fraction."""
        if self.capital is None or self.final is None or self.tax is None:
            return None
        return float((self.final - self.tax) / self.capital - 1)

    @property
    def before(self) -> float | None:
        """Return of the account in AUD before tax, as a fraction."""
        if self.capital is None or self.final is None:
            return None
        return float(self.final / self.capital - 1)

    @property
    def words(self) -> str:
        """Whose tax, on which accounts, and what kind of figure it is."""
        made_up = "SYNTHETIC prices; " if self.is_synthetic else ""
        account = self.treatment.replace("_", " ")
        return (
            f"{made_up}an estimate, not advice: {self.entity}, spot on {account} account, "
            f"contracts on {self.derivatives} account"
        )


class _NoRate(Exception):
    """Nobody says what a coin was worth."""


def after_tax(result: "MeasuredRun", taxpayer: Taxpayer) -> AfterTax:
    """Estimate what tax would leave of a run.

    Parameters
    ----------
    result : MeasuredRun
    taxpayer : Taxpayer
        Made-up rates count for made-up markets only.

    Returns
    -------
    AfterTax
        With a reason instead of figures where a rate is missing, the run is too long for it, or
        the entity's tax is not worked out here.
    """
    names = list(result.context.histories)
    is_synthetic = all(name.startswith("synthetic") for name in names)
    policy = taxpayer.profile.policy
    empty = AfterTax(policy.entity, policy.treatment, policy.derivatives, is_synthetic)
    effects = result.run.effects
    if not isinstance(effects, EffectTable):
        return replace(empty, reason="the run keeps no exact cash effects")
    if not is_synthetic:
        taxpayer = replace(taxpayer, rates=RealRates(taxpayer.rates))
    try:
        with exact():
            return _estimate(result, effects, taxpayer, empty)
    except (_NoRate, Refused) as why:
        return replace(empty, reason=str(why))


def slow_words(result: "MeasuredRun") -> str:
    """Say how long the line of a run of very many spot fills takes; empty where it is quick."""
    effects = result.run.effects
    count = len(_traded(effects.rows)) if isinstance(effects, EffectTable) else 0
    if not _SLOW_FROM <= count <= MOST_SPOT_FILLS:
        return ""
    seconds = count // _FILLS_A_SECOND
    return f"the tax of {count:,} spot fills is worked out parcel by parcel: about {seconds} s"


def taxpayer_at(home: Any) -> Taxpayer:
    """Return an individual with every default, valued by the markets of a home's lake."""
    if home is None:
        return Taxpayer()
    from openalpha.books.lake_rates import LakeRates
    from openalpha.books.rate_chain import ChainedRates
    from openalpha.market.lake import Lake

    return Taxpayer(rates=ChainedRates(LakeRates(Lake(home))))


def _estimate(
    result: "MeasuredRun", effects: EffectTable, taxpayer: Taxpayer, empty: AfterTax
) -> AfterTax:
    run, profile = result.run, taxpayer.profile
    valued = _Valued(taxpayer.rates)
    capital = valued.aud(run.account_currency, run.capital, ts_ms=result.start_ms)
    final = valued.aud(run.account_currency, run.final_equity, ts_ms=result.end_ms)
    # Contracts belong to no portfolio's choice: a run is one strategy of its own.
    plain = replace(profile, losses=(), choices=())
    opening = _opening(run.account_currency, run.capital, capital, result, profile.time_zone)
    events = [*opening, *_events(effects, valued, profile.time_zone)]
    tables = load_tables()
    assessed = assess_profile(events, plain, law=known_law())
    years = taxes_of(assessed, tables=tables)
    by_year = tuple((number, year.added) for number, year in years.items())
    basis = next((year.basis for year in years.values()), "nothing was realised")
    return replace(
        empty,
        capital=capital,
        final=final,
        tax=sum((amount for _, amount in by_year), Decimal(0)),
        by_year=by_year,
        basis=basis,
    )


@dataclass(frozen=True, slots=True)
class _Valued:
    """Values coins in AUD, or stops."""

    rates: RateSource

    def aud(self, coin: str, amount: Decimal, *, ts_ms: int) -> Decimal:
        if coin == "AUD" or not amount:
            return amount
        found = self.rates.rate(coin, "AUD", ts_ms=ts_ms)
        if found is None:
            raise _NoRate(
                f"nobody says what {coin} was worth in AUD at {format_ms(ts_ms)} (`openalpha rates "
                "import`, or a market of it in the lake)"
            )
        return amount * found.rate


def _opening(
    coin: str, amount: Decimal, worth: Decimal, result: "MeasuredRun", zone: str
) -> Iterator[Event]:
    if coin not in FIAT and amount:
        day = local_date(result.start_ms, zone)
        yield Acquire("opening", day, coin, amount, worth, ts_ms=result.start_ms)


def _events(effects: EffectTable, valued: _Valued, zone: str) -> list[Event]:
    """Return events of a run's effects: each spot fill, and each day's money of contracts."""
    rows = effects.rows
    fills = rows[:, at.E_FILL]
    traded = _traded(rows)
    if len(traded) > MOST_SPOT_FILLS:
        raise Refused(
            f"{len(traded):,} spot fills are more than a report works out; post the run with "
            "--post-to-ledger and ask `openalpha tax report --environment backtest`"
        )
    is_spot = np.isin(fills, traded) & (fills >= 0)
    found = list(_contracts(effects, rows[~is_spot], valued, zone))
    found += _spot(effects, rows[is_spot], valued, zone)
    return sorted(found, key=lambda event: event.ts_ms or 0)


def _traded(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(rows[rows[:, at.E_KIND] == EffectKind.TRADE, at.E_FILL])


def _contracts(
    effects: EffectTable, rows: NDArray[np.int64], valued: _Valued, zone: str
) -> Iterator[Event]:
    """Yield the sum of each day, coin and kind, valued at the day's last effect."""
    sums: dict[tuple[date, int, str], list[int]] = defaultdict(lambda: [0, 0])
    for half, kind, coin, amount, ts_ms in _summed(rows):
        entry = sums[_day(half, zone), coin, _NAMES.get(EffectKind(kind), "pnl")]
        entry[0] += amount
        entry[1] = max(entry[1], ts_ms)
    for (day, coin, name), (units, ts_ms) in sums.items():
        if not units:
            continue
        qty, asset = from_units(units, effects.units.coin_decimals[coin]), effects.units.coins[coin]
        is_money = asset in FIAT
        yield Derivative(
            f"{day}/{asset}/{name}",
            day,
            name,
            valued.aud(asset, qty, ts_ms=ts_ms),
            coin="" if is_money else asset,
            qty=Decimal(0) if is_money else qty,
            ts_ms=ts_ms,
        )


def _summed(rows: NDArray[np.int64]) -> list[list[int]]:
    """Return [half hour, kind, coin, sum, last stamp] of each that occurs."""
    if not len(rows):
        return []
    columns = [rows[:, at.E_TS] // _HALF_HOUR_MS, rows[:, at.E_KIND], rows[:, at.E_COIN]]
    order = np.lexsort(columns[::-1])
    keys = np.stack(columns, axis=1)[order]
    first = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
    sums = np.add.reduceat(rows[order, at.E_AMOUNT], first)
    last = np.maximum.reduceat(rows[order, at.E_TS], first)
    return np.column_stack((keys[first], sums, last)).tolist()  # type: ignore[no-any-return]


@lru_cache(maxsize=200_000)
def _day(half: int, zone: str) -> date:
    return local_date(half * _HALF_HOUR_MS, zone)


def _spot(
    effects: EffectTable, rows: NDArray[np.int64], valued: _Valued, zone: str
) -> Iterator[Event]:
    """Yield a purchase, sale or swap for each spot fill, valued by what it was quoted in."""
    groups: dict[int, list[Sequence[int]]] = defaultdict(list)
    for row in rows.tolist():
        groups[row[at.E_FILL]].append(row)
    for number, group in groups.items():
        moves: dict[str, Decimal] = defaultdict(Decimal)
        fees: dict[str, Decimal] = defaultdict(Decimal)
        for row in group:
            coin = effects.units.coins[row[at.E_COIN]]
            amount = from_units(row[at.E_AMOUNT], effects.units.coin_decimals[row[at.E_COIN]])
            if row[at.E_KIND] == EffectKind.TRADE:
                moves[coin] += amount
            else:
                fees[coin] -= amount
        quote = effects.units.instruments[group[0][at.E_INST]].quote
        yield from _fill(f"fill {number}", moves, fees, (quote, group[0][at.E_TS]), valued, zone)


def _fill(
    name: str,
    moves: Mapping[str, Decimal],
    fees: Mapping[str, Decimal],
    where: tuple[str, int],
    valued: _Valued,
    zone: str,
) -> Iterator[Event]:
    quote, ts_ms = where
    day = _day(ts_ms // _HALF_HOUR_MS, zone)
    base = next((coin for coin in moves if coin != quote), None)
    if base is None or not moves[base]:
        return
    money, qty = moves.get(quote, Decimal(0)), moves[base]
    value = valued.aud(quote, abs(money), ts_ms=ts_ms)
    cash, coin_fee = Decimal(0), None
    for coin, amount in fees.items():
        worth = value * amount / abs(qty) if coin == base else valued.aud(coin, amount, ts_ms=ts_ms)
        if coin in FIAT or amount < 0:
            cash += worth
        elif amount:
            coin_fee = CoinFee(coin, amount, worth)
    fee: dict[str, Any] = {"fee": cash, "coin_fee": coin_fee, "ts_ms": ts_ms}
    if quote not in FIAT:
        out, into = (quote, base) if qty > 0 else (base, quote)
        yield Swap(name, day, out, abs(moves[out]), into, abs(moves[into]), value, **fee)
    elif qty > 0:
        yield Acquire(name, day, base, qty, value, **fee)
    else:
        yield Dispose(name, day, base, -qty, value, **fee)
