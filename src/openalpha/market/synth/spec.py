"""What a synthetic market is asked to be: symbols, span, noise, funding and a planted edge."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from openalpha.core.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_ms
from openalpha.core.errors import InputError
from openalpha.market.series import SeriesKey, SeriesKind

__all__ = ["PRESETS", "CoinTraits", "Edge", "EdgeKind", "SynthSpec", "traits_of"]


class EdgeKind(StrEnum):
    """What can be planted in a market that is otherwise noise."""

    MOMENTUM = "momentum"
    MEAN_REVERSION = "mean_reversion"
    FUNDING_CARRY = "funding_carry"
    LEAD_LAG = "lead_lag"


@dataclass(frozen=True, slots=True)
class Edge:
    """A planted edge of known strength.

    Parameters
    ----------
    kind : EdgeKind
        MOMENTUM and MEAN_REVERSION follow or fade a symbol's own recent hours; FUNDING_CARRY
        leaves a part of the funding rate unpaid by the price; LEAD_LAG lets the first symbol's
        last hours move the others.
    net_sharpe : float
        Annual Sharpe of the reference rule after `cost_bps`, above 0 and at most 10.
    cost_bps : float
        Cost of one unit of turnover of the reference rule.
    """

    kind: EdgeKind
    net_sharpe: float
    cost_bps: float = 6.0

    def __post_init__(self) -> None:
        if not 0 < self.net_sharpe <= 10:
            raise InputError(
                f"the planted net Sharpe was {self.net_sharpe:g}, expected above 0 and at most 10"
            )

    @classmethod
    def parse(cls, text: str) -> "Edge":
        """Read `kind:net_sharpe`.

        Raises
        ------
        InputError
            If the kind is unknown or the Sharpe is not a number in range.

        Examples
        --------
        >>> Edge.parse("momentum:2.0").net_sharpe
        2.0
        """
        kind, _, sharpe = text.partition(":")
        try:
            return cls(EdgeKind(kind.replace("-", "_")), float(sharpe))
        except ValueError:
            kinds = ", ".join(EdgeKind)
            raise InputError(
                f"'{text}' is not an edge; write KIND:SHARPE, e.g. momentum:2.0, "
                f"with KIND one of {kinds}"
            ) from None


@dataclass(frozen=True, slots=True)
class SynthSpec:
    """A synthetic market; the same spec and seed always give the same bytes.

    Parameters
    ----------
    perps, spots : tuple of str
        Symbols of `synthetic_linear` and `synthetic_spot`. A spot symbol that is also a perp is
        its underlying. The first perp leads the common factor.
    start_ms : int
        First bar's open, on a whole day (UTC).
    days : int
        Length, 1 to 20,000.
    timeframe_ms : int
        A divisor of an hour (at least a minute) or a multiple of an hour that divides a day.
        Another time frame is another market, even with the same seed.
    funding_mean_bps : float
        Long-run mean of the 8-hour funding rate.
    has_garch, has_stochastic_volatility, has_regimes : bool
        Families of volatility; with all off the volatility follows the week's pattern only.
    edge : Edge or None
        None: every price is a martingale net of funding.
    """

    perps: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    spots: tuple[str, ...] = ("BTCUSDT",)
    start_ms: int = parse_ms("2023-01-01")
    days: int = 730
    timeframe_ms: int = MINUTE_MS
    funding_mean_bps: float = 0.5
    has_garch: bool = True
    has_stochastic_volatility: bool = True
    has_regimes: bool = True
    edge: Edge | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.days <= 20_000:
            raise InputError(f"days was {self.days}, expected 1 to 20000")
        if self.start_ms % DAY_MS:
            raise InputError("a synthetic market begins at midnight UTC; write a date")
        if not self.perps and not self.spots:
            raise InputError("a synthetic market needs at least one symbol")
        for names in (self.perps, self.spots):
            if len(set(names)) != len(names):
                raise InputError(f"a symbol is named twice in {', '.join(names)}")
            for name in names:
                # The lake's rule for names, asked before anything is made.
                SeriesKey("synthetic_linear", name, SeriesKind.FUNDING)
        _check_timeframe(self.timeframe_ms)
        edge = self.edge
        if edge is not None and edge.kind is EdgeKind.LEAD_LAG and len(self.perps) < 2:
            raise InputError("lead_lag needs two perpetuals: one leads, the others follow")
        if edge is not None and not self.perps:
            raise InputError("an edge is planted in perpetuals; name at least one")


def _check_timeframe(timeframe_ms: int) -> None:
    is_fine = MINUTE_MS <= timeframe_ms <= DAY_MS and (
        HOUR_MS % timeframe_ms == 0 or (timeframe_ms % HOUR_MS == 0 and DAY_MS % timeframe_ms == 0)
    )
    if not is_fine:
        raise InputError(
            "a synthetic market's time frame is 1m to 1h dividing an hour (1m, 5m, 15m, 1h) "
            "or hours dividing a day (4h, 12h, 1d)"
        )


@dataclass(frozen=True, slots=True)
class CoinTraits:
    """How one coin behaves and in which steps it trades; figures of our own, round on purpose."""

    price: float
    tick_size: Decimal
    lot_size: Decimal
    annual_volatility: float
    day_turnover: float
    common_share: float


_KNOWN = {
    "BTC": CoinTraits(40_000.0, Decimal("0.1"), Decimal("0.001"), 0.55, 6e9, 0.93),
    "ETH": CoinTraits(2_500.0, Decimal("0.01"), Decimal("0.01"), 0.70, 3e9, 0.93),
    "SOL": CoinTraits(100.0, Decimal("0.01"), Decimal("0.1"), 0.95, 8e8, 0.80),
    "XRP": CoinTraits(0.6, Decimal("0.0001"), Decimal("0.1"), 0.85, 4e8, 0.75),
}
_OTHER = CoinTraits(10.0, Decimal("0.001"), Decimal("0.1"), 0.90, 1e8, 0.70)


def traits_of(base: str) -> CoinTraits:
    """Return the traits of a coin; one that is not known gets those of a small coin.

    Examples
    --------
    >>> traits_of("BTC").tick_size
    Decimal('0.1')
    """
    return _KNOWN.get(base, _OTHER)


PRESETS = {
    "demo": SynthSpec(),
    "small": SynthSpec(days=30, timeframe_ms=5 * MINUTE_MS),
    "hourly": SynthSpec(days=3 * 365, timeframe_ms=HOUR_MS),
}
"""Ready-made specs by name: two years of minutes, a month of 5m, three years of hours."""
