"""`openalpha rerun`: make a backtest again from its folder; name what changed, compare bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openalpha.cli.border import CHECK_FAILED
from openalpha.cli.conventions import (
    ConfigOption,
    JsonOption,
    QuietOption,
    Screen,
    SetOption,
    read_settings,
)
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment

if TYPE_CHECKING:
    from openalpha.market.history import History
    from openalpha.research.reproduction import Difference
    from openalpha.research.result import BacktestResult
    from openalpha.settings import LoadedSettings
    from openalpha.store.runs import StoredRun

__all__ = ["app"]

app = typer.Typer()

RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Its id, the beginning of it, latest or latest-1.")
]
DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="[ROLE=]FILE", help="Where its bars are now; repeatable."),
]
StrategyOption = Annotated[
    str, typer.Option("--strategy", metavar="NAME|FILE", help="Where its strategy is now.")
]


@app.command()
def rerun(
    run: RunArgument = "latest",
    data: DataOption = None,
    strategy: StrategyOption = "",
    json_to: JsonOption = None,
    settings: SetOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Make a backtest again with its own settings and compare it byte by byte; exit 4 if not."""
    from openalpha.research.reproduction import changes, differences
    from openalpha.store.runs import RunStore

    screen = Screen(json_to, is_quiet=quiet)
    loaded = read_settings(config, settings)
    stored = RunStore(loaded.home).open_run(run)
    if stored.environment is not Environment.BACKTEST:
        raise InputError(f"run {stored.id} was led live; `openalpha replay` makes it again")
    record = stored.record
    histories = _histories(record, loaded, data or ())
    found = _again(screen, loaded, record, histories, strategy=strategy or record["strategy"])
    changed = changes(record, found.record)
    for change in changed:
        screen.show(f"{change.kind} changed: {change.sentence}")
    if not changed:
        screen.show("Code, settings, data and versions are those of the run.")
    with TemporaryDirectory() as folder:
        places = differences(stored, found.save(folder))
    is_same = not any(place.is_result for place in places)
    _show(screen, stored, places, is_same=is_same)
    screen.result(
        {
            "schema": "openalpha.rerun/1",
            "run": stored.id,
            "is_identical": not places,
            "is_same_result": is_same,
            "changed": changed,
            "differences": places,
        }
    )
    if not is_same:
        raise typer.Exit(CHECK_FAILED)


def _histories(
    record: Mapping[str, Any], loaded: "LoadedSettings", files: Sequence[str]
) -> dict[str, "History"]:
    """Read what the run was made on, by role; as the run noted it where nothing has changed."""
    from openalpha.cli.backtest_data import Source, Wanted, histories_of
    from openalpha.core.clock import parse_ms

    names: list[str] = record["instruments"]
    roles = dict(zip(names, record.get("roles", names), strict=True))
    given = _files(files, names, roles)
    found = {}
    for name in names:
        data = record["data"][name]
        if name not in given and name.startswith("frame:"):
            raise InputError(f"{name} came from a file or a frame; name it: --data FILE")
        # A file without an instrument of its own is unnamed again.
        instrument = "" if name.startswith("frame:") else name
        span = {"start_ms": parse_ms(data["from"]), "end_ms": parse_ms(data["to"])}
        wanted = Wanted((Source("", instrument, given.get(name)),), data["timeframe"], **span)
        (history,) = histories_of(wanted, loaded, capital=Decimal(record["capital"])).values()
        if history.fingerprint == data["fingerprint"]:
            history = replace(history, notes=tuple(data["notes"]))
        found[roles[name]] = history
    return found


def _files(files: Sequence[str], names: Sequence[str], roles: Mapping[str, str]) -> dict[str, Path]:
    """Return which file holds which instrument: by its role or id, or in the run's order."""
    found: dict[str, Path] = {}
    by_role = {role: name for name, role in roles.items()}
    for text in files:
        before, is_named, after = text.partition("=")
        if is_named and not Path(text).exists():
            name = by_role.get(before, before)
        else:
            name, after = next((name for name in names if name not in found), ""), text
        if name not in names:
            known = ", ".join(roles.values())
            raise InputError(f"--data {text} fits none of the run's instruments: {known}")
        found[name] = Path(after)
    return found


def _again(
    screen: Screen,
    loaded: "LoadedSettings",
    record: Mapping[str, Any],
    histories: Mapping[str, "History"],
    *,
    strategy: str,
) -> "BacktestResult":
    from openalpha import api
    from openalpha.cli.backtest import set_taxpayer
    from openalpha.cli.kernel import compile_kernel
    from openalpha.core.clock import parse_ms
    from openalpha.research.context import RunContext
    from openalpha.research.result import BacktestResult
    from openalpha.strategy import build_params, load_strategy, source_hash

    cls = load_strategy(strategy, folder=loaded.home / "strategies")
    params = build_params(cls.Params, record["params"], strategy=cls.name)
    groups = record["settings"]
    settings = api.engine_settings(
        groups["costs"], groups["sizing"],
        margin=groups["margin"], fills=groups["fills"], risk=groups["risk"],
    )  # fmt: skip
    compile_kernel(screen)
    with screen.progress("running it again"):
        run = api.run_once(
            cls, cls, params, histories=histories, capital=Decimal(record["capital"]),
            settings=settings, home=loaded.home,
        )  # fmt: skip
    trial = record["trial"]
    is_bounded = api.is_bounded(histories, settings)
    context = RunContext(
        strategy=cls.name,
        params=api.plain_params(params),
        source_hash=source_hash(cls),
        histories={str(history.instrument.id): history for history in histories.values()},
        settings=api.settings_record(settings),
        created_ms=parse_ms(record["created"]),
        seed=record["seed"],
        commit=record["commit"],
        home=loaded.home,
        is_lookahead_allowed=record["is_lookahead_allowed"],
        funding_worst_return=(float(run.final_equity / run.capital - 1) if is_bounded else None),
        roles=tuple(histories),
        # A rerun tries nothing new: it stands where the run stood, and is not counted.
        trial=trial["row"],
        trial_hash=trial["hash"],
        trials=trial["family"],
    )
    result = BacktestResult(run, context)
    set_taxpayer(screen, result, loaded)
    return result


def _show(
    screen: Screen, stored: "StoredRun", places: "Sequence[Difference]", *, is_same: bool
) -> None:
    if not places:
        screen.show(f"Run {stored.id} came out again, all {len(stored.names())} files to the byte.")
        return
    head = "its results are the same" if is_same else "its RESULTS DIFFER"
    screen.show(f"Run {stored.id} was made again and {head}; what is not as it was:")
    for place in places:
        then, now = place.then or "(nothing)", place.now or "(nothing)"
        screen.show(f"  {place.file}, {place.place}: {then}, now {now}")
