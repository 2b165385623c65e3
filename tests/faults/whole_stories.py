"""The stories in which the product's own loop is ended: worked, by hand, on spot, netted, shared.

What is run, what people say at which bar, and where the price jumps; `tests.faults.whole` leads
them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from openalpha.core.clock import MINUTE_MS
from openalpha.trading.paper.starting import Asked
from openalpha.trading.run.allocation import AllocationSettings
from openalpha.trading.run.settings import ExecutionSettings, Handling
from openalpha.trading.venue.driver import VenueDriver

__all__ = ["SPOT", "STORIES", "Story"]

LINEAR, SPOT = "bybit_linear:BTCUSDT", "bybit_spot:BTCUSDT"
_GRID = Asked("grid", {"step_pct": 0.03, "share_pct": 1, "rungs": 4})
_TWO = (Asked("ma_cross", {"fast": 2, "slow": 5}), Asked("rsi_reversion", {"period": 3}))
_THREE = (*_TWO, Asked("ma_cross", {"fast": 3, "slow": 9}))
_EXITS = {"trailing_pct": 0.2, "take_profit_pct": 0.1}
_WAYS = {"a TWAP": "twap", "a VWAP": "vwap", "an iceberg": "iceberg", "a chase": "chase"}
_TO_MIDNIGHT_MS = 6_160_000
"""To four minutes before the UTC day ends."""
_BOUGHT = {"instrument": SPOT, "side": "buy", "qty": "0.02"}
Act = Callable[[VenueDriver], Mapping[str, Any]]


@dataclass(frozen=True)
class Story:
    """What is run: strategies on an instrument, and what people say at which bar.

    `ahead_ms` is how far the market has gone on before it begins;
    `gap` is a jump of the price, by what share and as the n-th request of which kind goes out;
    `shows` what the log must tell once nobody dies, or the story is not what its name says.
    """

    instrument: str
    minutes: int
    asked: tuple[Asked, ...] = ()
    acts: tuple[tuple[int, str, Act], ...] = ()
    handling: Handling = field(default_factory=Handling)
    ahead_ms: int = 0
    gap: tuple[str, str, int] | None = None
    shows: bytes = b""


def _wish(**terms: Any) -> Act:
    return lambda driver: terms


def _newest(**terms: Any) -> Act:
    """The same for the order of a person that was given last and is open."""

    def act(driver: VenueDriver) -> Mapping[str, Any]:
        open_ones = [o.link_id for o in driver.desk.side.record.open_orders()]
        mine = [name for name in open_ones if name.startswith("manual-")]
        return {"link": mine[-1], **terms}

    return act


def _all_of_it(driver: VenueDriver) -> Mapping[str, Any]:
    """A sale of the coins that were bought."""
    (book,) = driver.desk.books
    return {"instrument": SPOT, "side": "sell", "qty": f"{book.tradable(0):f}"}


def _most_of_it(driver: VenueDriver) -> Mapping[str, Any]:
    """A sale of some of the coins that were bought."""
    return {"instrument": SPOT, "side": "sell", "qty": "0.012"}


def _worked(how: str, **more: Any) -> tuple[tuple[int, str, Act], ...]:
    wish = {"instrument": LINEAR, "side": "buy", "qty": "0.03", "pieces": 3, "work": how}
    return ((1, "ORDER", _wish(**wish, over_ms=4 * MINUTE_MS, **more)),)


STORIES: dict[str, Story] = {
    "a TWAP under way": Story(LINEAR, 6, acts=_worked("twap")),
    "a VWAP under way": Story(LINEAR, 6, acts=_worked("vwap")),
    "an iceberg under way": Story(LINEAR, 6, acts=_worked("iceberg", limit="61000")),
    "a chase under way": Story(LINEAR, 6, acts=_worked("chase")),
    "orders by hand": Story(
        LINEAR,
        5,
        acts=(
            (1, "ORDER", _wish(instrument=LINEAR, side="buy", qty="0.02")),
            (1, "ORDER", _wish(instrument=LINEAR, side="buy", qty="0.05", limit="50000")),
            (2, "AMEND", _newest(limit="51000")),
            (3, "CANCEL", _newest()),
            (4, "CLOSE", _wish(instrument=LINEAR)),
        ),
    ),
    "orders by hand on spot": Story(
        SPOT,
        4,
        acts=(
            (1, "ORDER", _wish(instrument=SPOT, side="buy", qty="0.02")),
            (2, "ORDER", _wish(instrument=SPOT, side="buy", qty="0.01", limit="50000")),
            (3, "ORDER", _all_of_it),
        ),
    ),
    "three strategies netted on one instrument": Story(
        LINEAR,
        14,
        asked=_THREE,
    ),
    "money moved between strategies": Story(
        LINEAR,
        9,
        asked=_TWO,
        handling=Handling(
            AllocationSettings("threshold", threshold=Decimal("0.00002"), least=Decimal("0.01"))
        ),
        shows=b'"moved"',
    ),
    "money moved with the new day": Story(
        LINEAR,
        8,
        asked=_TWO,
        handling=Handling(AllocationSettings("calendar", period="day", least=Decimal("0.01"))),
        ahead_ms=_TO_MIDNIGHT_MS,
        shows=b'"moved"',
    ),
    **{
        f"entries worked as {name}": Story(
            LINEAR,
            9,
            asked=(Asked("ma_cross", {"fast": 2, "slow": 5}),),
            handling=Handling(
                execution=ExecutionSettings(how, minutes=3, pieces=3, limit_bps=Decimal(50))
            ),
            shows=b'"work"',
        )
        for name, how in _WAYS.items()
    },
    "a trailing stop and a take-profit that is reached": Story(
        LINEAR,
        8,
        asked=(Asked("ma_cross", {"fast": 2, "slow": 5, **_EXITS}),),
        shows=b'"exit":"take_profit"',
    ),
    "exits of three strategies netted on one instrument": Story(
        LINEAR,
        12,
        asked=tuple(Asked(one.ref, {**one.params, **_EXITS}) for one in _THREE),
        shows=b'"exit":"take_profit"',
    ),
    "a sale of some coins beside their stop": Story(
        SPOT,
        4,
        acts=((1, "ORDER", _wish(**_BOUGHT)), (2, "ORDER", _most_of_it)),
    ),
    "a stop that is quicker than a sale": Story(
        SPOT,
        4,
        acts=((1, "ORDER", _wish(**_BOUGHT)), (2, "ORDER", _all_of_it)),
        gap=("-0.1", "/v5/order/cancel", 1),
        shows=b'"dropped"',
    ),
    "a stop that is quicker than a sale of some coins": Story(
        SPOT,
        4,
        acts=((1, "ORDER", _wish(**_BOUGHT)), (2, "ORDER", _most_of_it)),
        gap=("-0.1", "/v5/order/amend", 1),
        shows=b'"dropped"',
    ),
    "a stop and a sale that rests": Story(
        SPOT,
        5,
        acts=(
            (1, "ORDER", _wish(**_BOUGHT)),
            (2, "ORDER", _wish(instrument=SPOT, side="sell", qty="0.015", limit="90000")),
            (3, "ORDER", _wish(instrument=SPOT, side="buy", qty="0.001", limit="20000")),
        ),
        gap=("-0.1", "/v5/order/create", 3),
    ),
    "a grid that answers its fills": Story(LINEAR, 5, asked=(_GRID,)),
    "a grid on spot": Story(SPOT, 5, asked=(_GRID,)),
}
