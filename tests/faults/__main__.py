"""Run many scenarios and write the table of results: `python -m tests.faults --scenarios 10000`."""

import argparse
import logging
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults.crashes import CrashReport, crash_everywhere
from tests.faults.scenario import Verdict, run_scenario

BEGIN, END = "<!-- results: written by python -m tests.faults -->", "<!-- end of results -->"
PLANS = ((1, 3), (4, 2), (9, 4))


def main() -> int:
    """Run, say what came of it, and put the table into a page where one is named."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--scenarios", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="the page whose table to replace")
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.scenarios)
    with ProcessPoolExecutor(chosen.processes) as pool:
        crashes = list(pool.map(_crash, PLANS))
        verdicts = list(pool.map(run_scenario, seeds, chunksize=10))
    table = results(crashes, verdicts)
    print(table)
    for verdict in (verdict for verdict in verdicts if verdict.faults):
        print(verdict.seed, verdict.kinds, verdict.faults[:3])
    if chosen.write is not None:
        text = chosen.write.read_text("utf-8")
        before, rest = text.split(BEGIN)
        chosen.write.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{rest.split(END)[1]}", "utf-8")
    failed = any(report.faults for report in crashes) or any(v.faults for v in verdicts)
    return 4 if failed else 0


def _crash(plan: tuple[int, int]) -> CrashReport:
    return crash_everywhere(plan[0], decisions=plan[1])


def results(crashes: list[CrashReport], verdicts: list[Verdict]) -> str:
    """The table, as Markdown."""
    points = sum(report.points for report in crashes)
    bad = sum(bool(report.faults) for report in crashes)
    slowest = max(report.slowest_ms for report in crashes) / 1000
    recoveries = sorted(ms for verdict in verdicts for ms in verdict.recoveries_ms)
    rows = [
        ("a crash at every step of the order path", points, points, bad, f"{slowest:.1f} s"),
        (
            "seeded scenarios, all kinds",
            len(verdicts),
            sum(verdict.crashes for verdict in verdicts),
            sum(bool(verdict.faults) for verdict in verdicts),
            f"{_quantile(recoveries, 0.5):.1f} s (median)",
        ),
    ]
    counts: Counter[str] = Counter(kind for verdict in verdicts for kind in verdict.kinds)
    faulty: Counter[str] = Counter(
        kind for verdict in verdicts if verdict.faults for kind in verdict.kinds
    )
    with_crashes = {
        kind: sum(verdict.crashes for verdict in verdicts if kind in verdict.kinds)
        for kind in counts
    }
    rows += [
        (f"… with {kind}", counts[kind], with_crashes[kind], faulty[kind], "")
        for kind in sorted(counts)
    ]
    lines = [
        "| what was tried | runs | deaths of the trader | runs with a fault | recovery |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {what} | {runs} | {dead} | {bad} | {time} |" for what, runs, dead, bad, time in rows),
        "",
        f"{sum(v.orders for v in verdicts)} orders, {sum(v.fills for v in verdicts)} executions; "
        f"seeds {verdicts[0].seed} to {verdicts[-1].seed}. A fault is: an order lost, doubled or "
        "believed to stand otherwise than it does; an execution missed or counted twice; a "
        "position or a balance that is not the exchange's to the last unit; an incident that "
        "nothing caused.",
        "",
    ]
    return "\n".join(lines)


def _quantile(values: list[int], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] / 1000 if values else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
