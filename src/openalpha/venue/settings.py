"""What trading costs and how the simulated venue fills. No default flatters."""

from dataclasses import dataclass, field
from decimal import Decimal

from openalpha.core.errors import ConfigError

__all__ = [
    "LOWEST_TIER",
    "TIERS",
    "CostSettings",
    "FillSettings",
    "MarginSettings",
    "calibrated_spreads",
]

TIERS: dict[str, dict[str, tuple[str, str]]] = {
    "VIP0": {"linear": ("2.0", "5.5"), "spot": ("10.0", "10.0")},
    "VIP1": {"linear": ("1.8", "4.0"), "spot": ("6.75", "8.0")},
    "VIP2": {"linear": ("1.6", "3.75"), "spot": ("6.5", "7.75")},
    "VIP3": {"linear": ("1.4", "3.5"), "spot": ("6.25", "7.5")},
    "VIP4": {"linear": ("1.2", "3.2"), "spot": ("5.0", "6.0")},
    "VIP5": {"linear": ("1.0", "3.2"), "spot": ("4.0", "5.0")},
    "SUPREME": {"linear": ("0.0", "3.0"), "spot": ("3.0", "4.5")},
}
"""Bybit's maker and taker fees in basis points by VIP tier; inverse pays as linear.

Source: Bybit help centre, trading fee structure (id 000001634), as read in November 2026; regions
differ, so a live account asks the venue for its own rate. Of other venues the catalogue states the
rates of the lowest tier (`Instrument.fees`).
"""


LOWEST_TIER = "VIP0"


def calibrated_spreads(text: str) -> dict[str, Decimal]:
    """Read measured spreads in basis points by instrument from the text of `costs.calibrated`.

    Raises
    ------
    ConfigError
        If a part of it is not INSTRUMENT=BPS with 0 to 5000.

    Examples
    --------
    >>> calibrated_spreads("bybit_linear:BTCUSDT=1.8 bybit_linear:ETHUSDT=2")
    {'bybit_linear:BTCUSDT': Decimal('1.8'), 'bybit_linear:ETHUSDT': Decimal('2')}
    """
    found = {}
    for part in text.split():
        name, _, number = part.partition("=")
        try:
            spread = Decimal(number)
        except ArithmeticError:
            spread = Decimal(-1)
        if ":" not in name or not (spread.is_finite() and 0 <= spread <= 5000):
            raise ConfigError(
                f"costs.calibrated has '{part}', expected INSTRUMENT=BPS with 0 to 5000 such as "
                "bybit_linear:BTCUSDT=1.8"
            )
        found[name] = spread
    return found


@dataclass(frozen=True, slots=True)
class CostSettings:
    """Fees, spread, impact, participation, latency and funding."""

    preset: str = field(
        default="realistic",
        metadata={
            "help": "realistic charges everything below; none only what is named explicitly",
            "choices": ("realistic", "none"),
        },
    )
    tier: str = field(
        default=LOWEST_TIER,
        metadata={
            "help": "fee tier of the account at Bybit; other venues charge their lowest tier",
            "choices": tuple(TIERS),
        },
    )
    maker_bps: Decimal | None = field(
        default=None, metadata={"help": "maker fee; overrides the tier", "unit": "bps"}
    )
    taker_bps: Decimal | None = field(
        default=None, metadata={"help": "taker fee; overrides the tier", "unit": "bps"}
    )
    spread_bps: Decimal | None = field(
        default=None,
        metadata={"help": "bid-ask spread; half is paid by a taker (realistic: 1)", "unit": "bps"},
    )
    calibrated: str = field(
        default="",
        metadata={
            "help": "measured spreads by instrument, as `openalpha execution --calibrate` writes "
            "them: bybit_linear:BTCUSDT=1.8 …; one that is not named has costs.spread_bps",
            "unit": "bps",
        },
    )
    impact: Decimal | None = field(
        default=None,
        metadata={
            "help": "price impact of taking a whole bar's volume; falls with the square root of "
            "the share taken (realistic: 10)",
            "unit": "bps",
        },
    )
    participation: Decimal | None = field(
        default=None,
        metadata={
            "help": "largest share of a bar's volume all our fills may take; 0 is no limit "
            "(realistic: 0.1)",
            "unit": "fraction",
        },
    )
    latency_ms: int = field(
        default=0,
        metadata={"help": "time from a decision to the venue", "unit": "ms", "min": 0},
    )
    funding: bool = field(default=True, metadata={"help": "whether perpetuals pay funding"})

    def __post_init__(self) -> None:
        for name in ("spread_bps", "impact", "participation"):
            number = getattr(self, name)
            if number is not None and not 0 <= number <= 5000:
                raise ConfigError(f"costs.{name} was {number}, expected 0 to 5000")
        for name in ("maker_bps", "taker_bps"):
            number = getattr(self, name)
            if number is not None and not -100 <= number <= 1000:
                raise ConfigError(f"costs.{name} was {number} bps, expected -100 to 1000")
        calibrated_spreads(self.calibrated)


@dataclass(frozen=True, slots=True)
class MarginSettings:
    """How positions are margined."""

    mode: str = field(
        default="cross",
        metadata={
            "help": "cross shares the account's equity, isolated locks margin to each position",
            "choices": ("cross", "isolated"),
        },
    )
    leverage: Decimal = field(
        default=Decimal(1),
        metadata={"help": "leverage of every instrument", "unit": "×", "min": 1, "max": 100},
    )
    position_mode: str = field(
        default="one_way",
        metadata={
            "help": "one net position an instrument, or a long and a short leg",
            "choices": ("one_way", "hedge"),
        },
    )


@dataclass(frozen=True, slots=True)
class FillSettings:
    """How the price is assumed to move inside a bar."""

    path: str = field(
        default="adverse",
        metadata={
            "help": "adverse: the extreme worse for the position first; nearer_first: the nearer; "
            "refine: as the finer bars of the lake went (strategies that give targets)",
            "choices": ("adverse", "nearer_first", "refine"),
        },
    )
    feed: str = field(
        default="bars",
        metadata={
            "help": "what fills are made of: bars; trades: recorded trades, one by one; book: "
            "recorded depth and trades, with queues (both from the lake, for event strategies)",
            "choices": ("bars", "trades", "book"),
        },
    )
