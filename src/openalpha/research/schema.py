"""The layout of a result document, as pydantic models: the source of its published JSON schema.

Models only describe and check. Documents are made by `document` and never pass through here on
their way out, so describing costs a run nothing.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from openalpha.research.definitions import DEFINITIONS

__all__ = [
    "Account",
    "AfterTaxRecord",
    "Against",
    "CheckRecord",
    "Costs",
    "Curve",
    "DataRecord",
    "DrawdownBands",
    "FillRow",
    "HourRow",
    "InstrumentRow",
    "MonthRow",
    "OpenItem",
    "Record",
    "RegimeRow",
    "ResultDocument",
    "SideRow",
    "Span",
    "TrialRecord",
    "TripRow",
    "VerdictRecord",
    "YearOfTax",
    "schema_text",
]

Ms = Annotated[int, Field(description="UTC milliseconds since 1970-01-01")]
Exact = Annotated[
    str, Field(pattern=r"^-?\d+(\.\d+)?([Ee][+-]?\d+)?$", description="exact decimal")
]
Money = Annotated[float | None, Field(description="account currency; null: not defined")]
Fraction = Annotated[float | None, Field(description="0.01 is one percent; null: not defined")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DataRecord(_Part):
    """What was read of one instrument."""

    fingerprint: str
    timeframe: str
    bars: int
    from_: str = Field(alias="from", description="first bar's open, ISO-8601 UTC")
    to: str = Field(description="last bar's close, ISO-8601 UTC")
    price_decimals: int
    qty_decimals: int
    notes: list[str]


class TrialRecord(_Part):
    """Where the run stands in the trial ledger; row -1: not recorded."""

    row: int
    hash: str
    family: int = Field(description="distinct configurations of the family so far")


class Record(_Part):
    """What the run was made from."""

    environment: str
    created: str
    commit: str
    versions: dict[str, str]
    strategy: str
    params: dict[str, Any]
    source_hash: str
    instruments: list[str]
    roles: list[str] = Field(description="what the strategy calls each instrument; else its id")
    data: dict[str, DataRecord]
    data_fingerprint: str
    settings: dict[str, dict[str, Any]]
    settings_hash: str
    capital: Exact
    account_currency: str
    seed: int | None
    is_lookahead_allowed: bool
    flattering: list[str] = Field(description="settings that make the result look better, in words")
    trial: TrialRecord
    slow_bars: int
    notes: list[str]


class Account(_Part):
    """The account at the end, exact."""

    currency: str
    capital: Exact
    final_equity: Exact
    balances: dict[str, Exact]


class Span(_Part):
    """What was run over."""

    start_ms: Ms
    end_ms: Ms
    timeframe_ms: int
    bars: int


class Costs(_Part):
    """From the profit before costs to the net profit."""

    profit_before_costs: Money
    spread_cost: Money
    impact_cost: Money
    fees: Money
    funding: Money = Field(description="received less paid")
    liquidation_fees: Money
    total_costs: Money
    net_profit: Money


class CheckRecord(_Part):
    """One thing that speaks against the result."""

    code: str
    severity: Literal["note", "caution", "alarm"]
    sentence: str


class VerdictRecord(_Part):
    """What to believe of it."""

    headline: str
    opinion: str
    severity: Literal["note", "caution", "alarm"]
    checks: list[CheckRecord]


class OpenItem(_Part):
    """What the data left open."""

    code: Literal["bars_missing", "funding_missing", "mark_missing"]
    instrument: str
    from_ms: Ms
    to_ms: Ms


class Curve(_Part):
    """Equity at closes; arrays of one length. Long runs hold one point a UTC day."""

    resolution: Literal["bar", "day"]
    close_ms: list[Ms]
    equity: list[Money]
    exposure: list[float | None] = Field(description="gross exposure / equity")
    benchmark_of_day: list[Money] = Field(description="buy and hold at the close of that UTC day")


class MonthRow(_Part):
    """One calendar month, UTC."""

    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    return_: Fraction = Field(alias="return")
    days: int


class InstrumentRow(_Part):
    """One instrument."""

    instrument: str
    round_trips: int
    win_rate: Fraction
    pnl: Money
    fees: Money
    funding: Money
    spread_cost: Money
    impact_cost: Money
    traded: Money


class _Earned(_Part):
    round_trips: int
    win_rate: Fraction
    gross_pnl: Money = Field(description="price result, spread and impact inside it")
    fees: Money
    funding: Money = Field(description="received less paid")
    pnl: Money = Field(description="gross_pnl - fees + funding")


class HourRow(_Earned):
    """The round trips entered in one hour of the day, UTC."""

    hour: int = Field(ge=0, le=23)


class RegimeRow(_Part):
    """One regime of the market, known the evening before; the first 30 days have none."""

    regime: Literal["rising calm", "rising wild", "falling calm", "falling wild"]
    days: int
    total_return: Fraction
    market_return: Fraction = Field(description="buying and holding on the same days")
    sharpe: float | None


class Against(_Part):
    """Against buying and holding, from daily returns."""

    beta: float | None
    alpha_annual: Fraction
    correlation: float | None
    up: float | None = Field(description="mean return on days it rose, over its own then")
    down: float | None = Field(description="the same on days it fell")


class DrawdownBands(_Part):
    """How deep the same days in another order would have fallen over the whole span."""

    deepest: Fraction = Field(description="of the run itself, at day ends")
    half_within: Fraction = Field(description="half of the paths stay within it")
    most_within: Fraction = Field(description="95 % of the paths stay within it")


class SideRow(_Earned):
    """One side."""

    side: Literal["long", "short"]
    expectancy: Money
    best: Money
    worst: Money


class TripRow(_Part):
    """One round trip."""

    instrument: str
    direction: Literal[-1, 1]
    entry_ts_ms: Ms
    exit_ts_ms: Ms
    entry_price: float = Field(description="quantity-weighted mean")
    exit_price: float = Field(description="quantity-weighted mean")
    qty: Exact
    entry_notional: Money
    gross_pnl: Money
    fees: Money
    funding: Money
    pnl: Money
    return_: Fraction = Field(alias="return")
    adverse_excursion: Fraction
    favourable_excursion: Fraction
    fills: int
    exit_reason: str


class FillRow(_Part):
    """One fill. Engines may add columns."""

    model_config = ConfigDict(extra="allow", strict=True)

    seq: int
    ts_ms: Ms
    instrument: str
    order_id: int
    side: Literal[-1, 1]
    leg: Literal[0, 1]
    price: Exact
    qty: Exact
    notional: float
    role: Literal[0, 1] = Field(description="0 maker, 1 taker")
    fee: float | Exact = Field(description="in fee_coin, positive when paid")
    fee_coin: str
    realised_pnl: float | Exact
    is_reducing: bool
    reason: str
    base_price: Exact = Field(description="price before spread and impact")
    spread_cost: float
    impact_cost: float


class YearOfTax(_Part):
    """One income year's part of the estimate."""

    year: str
    tax: Exact | None


class AfterTaxRecord(_Part):
    """What Australian tax would leave: an estimate, or the reason why there is none."""

    note: str = Field(description="whose tax, on which accounts; that it is an estimate")
    reason: str | None = Field(description="why there is no estimate; null where there is one")
    currency: Literal["AUD"]
    entity: str
    treatment: str
    derivatives: str
    is_synthetic: bool
    capital: Exact | None = Field(description="AUD, at the first moment's rate")
    final: Exact | None = Field(description="AUD, at the last moment's rate, before tax")
    tax: Exact | None = Field(description="AUD, all income years; open positions untaxed")
    by_year: list[YearOfTax]
    return_before: Fraction
    return_after: Fraction
    basis: str = Field(description="the rates taken")


class ResultDocument(_Part):
    """A backtest's result. Versions rise only when a reader of the old layout could be misled."""

    result_version: Literal[1]
    kind: Literal["backtest"]
    record: Record
    account: Account
    span: Span
    metrics: dict[str, float | None] = Field(
        description="every metric of docs/metrics.md: " + ", ".join(d.name for d in DEFINITIONS)
    )
    costs: Costs
    verdict: VerdictRecord
    after_tax: AfterTaxRecord
    open_items: list[OpenItem]
    equity: Curve
    by_month: list[MonthRow]
    by_instrument: list[InstrumentRow]
    by_side: list[SideRow]
    by_hour: list[HourRow]
    by_regime: list[RegimeRow]
    against_benchmark: Against
    drawdown_bands: DrawdownBands
    round_trips: list[TripRow]
    fills: list[FillRow]


def schema_text() -> str:
    """Return the JSON schema as text, ready to be a file."""
    schema = ResultDocument.model_json_schema(by_alias=True)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
