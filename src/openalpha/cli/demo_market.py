"""The synthetic market of the demonstration: made once a home, found again by its fingerprints."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen, write_text

if TYPE_CHECKING:
    from openalpha.market.history import History
    from openalpha.settings import LoadedSettings

__all__ = ["BTC", "BTC_SPOT", "ETH", "TIMEFRAME", "demo_histories"]

BTC = "synthetic_linear:BTCUSDT"
ETH = "synthetic_linear:ETHUSDT"
BTC_SPOT = "synthetic_spot:BTCUSDT"
TIMEFRAME = "1h"

_KINDS = ("bars", "mark", "index")


def demo_histories(
    screen: Screen, loaded: "LoadedSettings", *, seed: int, replaces: bool
) -> dict[str, "History"]:
    """Return the demo's hourly histories, making the one-minute market first where it is not there.

    Raises
    ------
    DataError
        If the lake holds another synthetic market, not made by the demo, and `replaces` is off.
    """
    made_of = _record(loaded.home)
    there = _load(loaded) if made_of else {}
    is_ours = bool(there) and _fingerprints(there) == made_of.get("fingerprints")
    if is_ours and made_of.get("seed") == seed:
        screen.remark(f"The synthetic market of seed {seed} is in the lake already")
        _keep_aud(loaded, there, seed=seed)
        return there
    screen.remark(
        f"Making a SYNTHETIC market of seed {seed}: BTC and ETH perpetuals and BTC spot, "
        "two years of minutes"
    )
    with screen.progress("making a synthetic market", 3) as advance:
        _make(loaded, seed=seed, replaces=replaces or is_ours, advance=advance)
    there = _load(loaded)
    _keep_aud(loaded, there, seed=seed)
    record = {"seed": seed, "fingerprints": _fingerprints(there)}
    write_text(_record_file(loaded.home), json.dumps(record, indent=1) + "\n")
    return there


def _make(loaded: "LoadedSettings", *, seed: int, replaces: bool, advance: Any) -> None:
    from openalpha.core.clock import SystemClock
    from openalpha.market.lake import Lake
    from openalpha.market.resample import resample_lake
    from openalpha.market.series import series_key
    from openalpha.market.synth import PRESETS, synthesise
    from openalpha.market.synth.keep import keep_in_lake

    lake = Lake(loaded.home, settings=loaded.settings.data)
    market = synthesise(PRESETS["demo"], seed=seed)
    advance(what="keeping it in the lake")
    keep_in_lake(market, lake, clock=SystemClock(), replaces=replaces)
    advance(what=f"combining minutes to {TIMEFRAME}")
    for kind in _KINDS:
        sources = [series_key(name, kind, timeframe="1m") for name in (BTC, ETH, BTC_SPOT)]
        known = [key for key in sources if lake.info(key) is not None]
        resample_lake(lake, known, timeframes=[TIMEFRAME])
    advance()


def _keep_aud(loaded: "LoadedSettings", there: Mapping[str, "History"], *, seed: int) -> None:
    """Keep the made-up price of USDT in AUD beside the market: its books are valued by it."""
    from openalpha.core.clock import DAY_MS, HOUR_MS, SystemClock
    from openalpha.market.lake import Lake
    from openalpha.market.synth import PRESETS, SynthMarket
    from openalpha.market.synth.keep import keep_in_lake
    from openalpha.market.synth.money import aud_history

    bars = there[BTC].ts_ms
    start_ms = int(bars[0]) - DAY_MS  # what an account opens with has a value, too
    n_hours = (int(bars[-1]) - start_ms) // HOUR_MS + 1
    history = aud_history(seed, start_ms=start_ms, n_hours=n_hours)
    market = SynthMarket(PRESETS["demo"], seed, {history.instrument.id: history}, {}, {})
    lake = Lake(loaded.home, settings=loaded.settings.data)
    keep_in_lake(market, lake, clock=SystemClock(), replaces=True)


def _load(loaded: "LoadedSettings") -> dict[str, "History"]:
    from openalpha.core.errors import UnknownName
    from openalpha.market.lake import Lake

    lake = Lake(loaded.home, settings=loaded.settings.data)
    try:
        return {name: lake.load(name, TIMEFRAME) for name in (BTC, ETH, BTC_SPOT)}
    except UnknownName:
        return {}


def _fingerprints(histories: Mapping[str, "History"]) -> dict[str, str]:
    return {name: history.fingerprint for name, history in histories.items()}


def _record_file(home: Path) -> Path:
    return home / "demo" / "market.json"


def _record(home: Path) -> dict[str, Any]:
    try:
        found = json.loads(_record_file(home).read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # never made, or damaged: it is made again
    return found if isinstance(found, dict) else {}
