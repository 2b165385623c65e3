"""The one list of settings groups. A package owns its group; here it only gets its name.

A group is a frozen dataclass whose every field has a default and carries `metadata`:

- `help`: what it means, one sentence without a full stop;
- `unit`: `bps`, `ms`, `fraction` … (empty for names and switches);
- `min`, `max`: inclusive bounds, where it has them;
- `choices`: the values allowed, where they can be listed.

A rule between fields stands in the group's `__post_init__`, which raises `ConfigError`.
A secret is a field of type `pydantic.SecretStr`.
"""

from dataclasses import dataclass, field
from pathlib import Path

from openalpha.books.settings import BooksSettings
from openalpha.market.download.settings import DownloadSettings
from openalpha.market.settings import DataSettings
from openalpha.net.alert_settings import AlertSettings
from openalpha.research.settings import ReportSettings
from openalpha.risk.settings import BreakerSettings, LimitSettings, RiskSettings, SizingSettings
from openalpha.trading.run.allocation import AllocationSettings
from openalpha.trading.run.settings import (
    ExecutionSettings,
    FeedSettings,
    PaperSettings,
    TradingSettings,
)
from openalpha.trading.safety.arming_settings import ArmingSettings
from openalpha.trading.safety.guardian_settings import GuardianSettings
from openalpha.venue.bybit.settings import ExchangeSettings
from openalpha.venue.settings import CostSettings, FillSettings, MarginSettings

__all__ = ["HomeSettings", "Settings"]


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """Where everything OpenAlpha keeps lives."""

    path: Path | None = field(
        default=None,
        metadata={
            "help": "folder of all state (data, runs, settings); also OPENALPHA_HOME",
            "outside_file": True,
        },
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the program. A new group is one line here."""

    home: HomeSettings = field(default_factory=HomeSettings)
    exchange: ExchangeSettings = field(default_factory=ExchangeSettings)
    data: DataSettings = field(default_factory=DataSettings)
    download: DownloadSettings = field(default_factory=DownloadSettings)
    costs: CostSettings = field(default_factory=CostSettings)
    margin: MarginSettings = field(default_factory=MarginSettings)
    fills: FillSettings = field(default_factory=FillSettings)
    sizing: SizingSettings = field(default_factory=SizingSettings)
    risk: RiskSettings = field(default_factory=RiskSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    breakers: BreakerSettings = field(default_factory=BreakerSettings)
    allocation: AllocationSettings = field(default_factory=AllocationSettings)
    execution: ExecutionSettings = field(default_factory=ExecutionSettings)
    arming: ArmingSettings = field(default_factory=ArmingSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    guardian: GuardianSettings = field(default_factory=GuardianSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    books: BooksSettings = field(default_factory=BooksSettings)
    trading: TradingSettings = field(default_factory=TradingSettings)
    feed: FeedSettings = field(default_factory=FeedSettings)
    paper: PaperSettings = field(default_factory=PaperSettings)
