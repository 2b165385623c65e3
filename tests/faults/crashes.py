"""A crash at every place where the order path waits: each network call's way out and back, each
write and sync of the disk, each pause. Enumerated, not sampled."""

from dataclasses import dataclass, field

from tests.faults.plans import scripted
from tests.faults.scenario import settled_verdict
from tests.faults.world import World


@dataclass
class CrashReport:
    """What came of an enumeration: places tried, what went wrong, the slowest recovery."""

    points: int = 0
    names: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    slowest_ms: int = 0


def crash_everywhere(
    seed: int, *, decisions: int, turns: int = 20, twice: bool = False
) -> CrashReport:
    """Run the same world again and again, ended one step later each time.

    With `twice` the trader dies again while it recovers, at another step of it each time.
    """
    report = CrashReport()
    while True:
        at = report.points + 1
        world = World(seed, scripted(seed, last=decisions))
        world.steps.at = at
        while twice and not world.crashes and world.turns < turns:
            world.turn()
        if twice and world.crashes:
            world.steps.at = world.steps.count + 1 + at % 25
        world.run(turns - world.turns)
        if not world.crashes:
            return report
        report.points = at
        name = world.steps.names[at - 1]
        report.names.add(name)
        try:
            world.settle()
            found = settled_verdict(world, set())
        except AssertionError as error:
            found = [str(error)]
        report.faults += [f"step {at} ({name}): {fault}" for fault in found]
        report.slowest_ms = max(report.slowest_ms, *world.recoveries_ms)
