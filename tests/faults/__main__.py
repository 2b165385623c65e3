"""Try what could lose an order and write what came of it: `python -m tests.faults scenarios`.

What is tried: `scenarios` (a crash at every step, and seeded scenarios, in one process), `kills`
(real processes killed by kill -9), `soak` (days on end, on the virtual clock). With `--write` the
table goes into a page, between the marks that are named after what was tried.
"""

import argparse
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from tests.faults.crashes import CrashReport, crash_everywhere
from tests.faults.kills import KillReport, kill_order_path, kill_trees
from tests.faults.scenario import Verdict, run_scenario
from tests.faults.soak import GROWN, SoakReport, soak
from tests.faults.whole import WholeReport, crash_all
from tests.faults.whole_stories import STORIES

PLANS = ((1, 3), (4, 2), (9, 4))
COUNTS = {"scenarios": 10_000, "kills": 216, "soak": 30}
EVERY_TENTH = tuple(range(10, 361, 10))
"""Of the steps that are enumerated in one process, as many as there are for `PLANS`."""
AT_MOMENTS = (0,) * 60


def main() -> int:
    """Run, say what came of it, and put the table into a page where one is named."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("what", choices=sorted(COUNTS))
    parser.add_argument("--count", type=int, default=0, help="how many; else as many as nightly")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="the page whose table to replace")
    chosen = parser.parse_args()
    tried = {"scenarios": _scenarios, "kills": _kills, "soak": _soak}[chosen.what]
    table, faults = tried(chosen.count or COUNTS[chosen.what], chosen.first, chosen.processes)
    print(table)
    for fault in faults:
        print(fault)
    if chosen.write is not None:
        _put(chosen.write, chosen.what, table)
    return 4 if faults else 0


def _put(page: Path, what: str, table: str) -> None:
    """Replace what stands between the marks of one thing that was tried."""
    begin = f"<!-- {what}: written by python -m tests.faults {what} -->"
    end = f"<!-- end of {what} -->"
    before, rest = page.read_text("utf-8").split(begin)
    page.write_text(f"{before}{begin}\n\n{table}\n{end}{rest.split(end)[1]}", "utf-8")


def _rows(head: str, rows: Iterable[tuple[object, ...]]) -> list[str]:
    """A table as Markdown: the first column of words, the others of numbers."""
    names = head.split(" | ")
    return [
        f"| {' | '.join(names)} |",
        f"| --- |{' ---: |' * (len(names) - 1)}",
        *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows),
        "",
    ]


def _crash(plan: tuple[int, int]) -> CrashReport:
    return crash_everywhere(plan[0], decisions=plan[1])


def _scenarios(count: int, first: int, processes: int) -> tuple[str, list[str]]:
    seeds = range(first, first + count)
    with ProcessPoolExecutor(processes) as pool:
        crashes = list(pool.map(_crash, PLANS))
        stories = list(pool.map(crash_all, STORIES))
        verdicts = list(pool.map(run_scenario, seeds, chunksize=10))
    faults = [fault for report in crashes for fault in report.faults]
    faults += [fault for report in stories for fault in report.faults[:3]]
    faults += [f"{one.seed} {one.kinds} {one.faults[:3]}" for one in verdicts if one.faults]
    return _scenario_table(crashes, stories, verdicts), faults


def _scenario_table(
    crashes: list[CrashReport], stories: list[WholeReport], verdicts: list[Verdict]
) -> str:
    points = sum(report.points for report in crashes)
    bad = sum(bool(report.faults) for report in crashes)
    slowest = max(report.slowest_ms for report in crashes) / 1000
    served = [ms / 1000 for verdict in verdicts for ms in verdict.served_ms] or [0.0]
    since_start = max((ms for verdict in verdicts for ms in verdict.recoveries_ms), default=0)
    rows: list[tuple[object, ...]] = [
        ("a crash at every step of the order path", points, points, bad, f"{slowest:.1f} s"),
        *((f"… of {story.name}", story.points, story.points, story.bad, "") for story in stories),
        ("seeded scenarios, all kinds", *_summed(verdicts), f"{max(served):.1f} s"),
    ]
    for kind in sorted({kind for verdict in verdicts for kind in verdict.kinds}):
        rows.append((f"… with {kind}", *_summed([v for v in verdicts if kind in v.kinds]), ""))
    lines = _rows(
        "what was tried | runs | deaths of the trader | runs with a fault | recovery", rows
    )
    lines += [
        "Recovery is the slowest, from the start of the process, or from the last request that was "
        f"not answered, to the last fate known; median of the scenarios {median(served):.1f} s. "
        "From the start, with all that went on being lost meanwhile, the slowest took "
        f"{since_start / 1000:.0f} s.",
        "",
        f"{sum(v.orders for v in verdicts)} orders, {sum(v.fills for v in verdicts)} executions; "
        f"seeds {verdicts[0].seed} to {verdicts[-1].seed}. A fault is: an order lost, doubled or "
        "believed to stand otherwise than it does; an execution missed or counted twice; a "
        "position or a balance that is not the exchange's to the last unit; an incident that "
        "nothing caused; a recovery of more than ten seconds.",
        "",
    ]
    return "\n".join(lines)


def _summed(verdicts: list[Verdict]) -> tuple[int, int, int]:
    """Runs, deaths, and runs with a fault."""
    deaths = sum(verdict.crashes for verdict in verdicts)
    return len(verdicts), deaths, sum(bool(verdict.faults) for verdict in verdicts)


def _kills(count: int, first: int, processes: int) -> tuple[str, list[str]]:
    """Kills of the order path's own process, then of whole installations; one at a time."""
    del processes  # the installations are several processes themselves
    steps = (*EVERY_TENTH, *AT_MOMENTS)
    with tempfile.TemporaryDirectory(prefix="openalpha-kills-") as name:
        path = kill_order_path(Path(name) / "path", steps[:count])
        trees = KillReport()
        if count > len(steps):
            trees = kill_trees(Path(name), seed=first, kills=count - len(steps))
    return _kill_table(path, trees), [*path.faults, *trees.faults]


def _kill_table(path: KillReport, trees: KillReport) -> str:
    named: Counter[str] = Counter()
    rows: list[tuple[object, ...]] = []
    for report, words in ((path, "the order path, {}"), (trees, "an installation: the {}")):
        for name, kills in report.kills.items():
            named[name] += kills
            took_s = report.recoveries_s.get(name, [])
            times = (f"{median(took_s):.1f} s", f"{max(took_s):.1f} s") if took_s else ("", "")
            rows.append((words.format(name), kills, *times))
    lines = _rows("killed by kill -9 | kills | going on after (median) | slowest", rows)
    orders, executions = path.orders + trees.orders, path.executions + trees.executions
    faults = len(path.faults) + len(trees.faults)
    lines += [
        f"{named.total()} kills, {orders} orders, {executions} executions, {faults} faults. "
        "The times count from the start of what was killed until the run has led its next bar, "
        "the start of Python and of the other parts that ended with it included.",
        "",
    ]
    return "\n".join(lines)


def _soak(count: int, first: int, processes: int) -> tuple[str, list[str]]:
    """Days on end of one run; `count` of them."""
    del processes
    with tempfile.TemporaryDirectory(prefix="openalpha-soak-") as name:
        report = soak(Path(name) / "home", seed=first, days=count)
    return _soak_table(report), report.verdict()


def _soak_table(report: SoakReport) -> str:
    days = report.days
    shown = sorted({0, 4, len(days) // 2, len(days) - 1} & set(range(len(days))))
    rows = [
        (
            number + 1,
            f"{days[number].memory_mb:.0f} MB",
            f"{days[number].log_bytes / 1e6:.1f} MB",
            f"{days[number].ledger_bytes / 1e6:.1f} MB",
            days[number].files,
            days[number].handles,
            days[number].orders,
        )
        for number in shown
    ]
    head = "end of day | memory | log | ledger | files | open files | orders in mind"
    lines = _rows(head, rows)
    paces = ", ".join(f"{what} {report.pace(of):.2f}" for what, of in GROWN.items())
    lines += [
        f"{len(days)} days, {report.executions} executions, {report.struck} kinds of faults let "
        f"loose, {report.deaths} deaths of the trader. Memory grows by {report.memory_growth:.2%} "
        f"over the days after the fifth. How fast the second half grows beside the first: {paces}. "
        f"Wrong at the end: {'; '.join(report.verdict()) or 'nothing'}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
