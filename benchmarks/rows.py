"""The rows of the table: what is compared with what, how it is timed, and when a row is void."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import market
from benchmarks.environments import environment
from benchmarks.worker import Broken, Side

__all__ = ["Bench", "Line"]

OURS = "benchmarks.ours"
EQUAL_TO = 1e-6


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table; `must` and `aim` are ratios, or limits where `unit` is not x."""

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    must: float | None = None
    aim: float | None = None
    fills: int | None = None
    slow_share: float | None = None
    note: str = ""
    is_limit: bool = False
    point: tuple[str, int, float] | None = None
    """Of a growth row: its series, how many bars in all, and the seconds they took."""

    @property
    def is_met(self) -> bool | None:
        """Whether the must is reached; None where there is none or the row is void."""
        if self.must is None or self.ratio is None:
            return None
        return self.ratio <= self.must if self.is_limit else self.ratio >= self.must


@dataclass(slots=True)
class Bench:
    """What all rows share.

    Parameters
    ----------
    python : Path
        Our own interpreter.
    clock : str
        `wall_s` or `cpu_s` (for a machine that others use too).
    rounds : int
        Timed calls a side; the median counts.
    bars, event_bars, slow_bars : int
        Bars of the big rows, of the event rows, and of the peers that need seconds for them.
    """

    python: Path
    clock: str = "wall_s"
    rounds: int = 7
    bars: int = 1_000_000
    event_bars: int = 200_000
    slow_bars: int = 50_000
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="openalpha-bench-")))
    _made: set[str] = field(default_factory=set)
    _bare_rate: float | None = None

    def job(self, **changes: Any) -> dict[str, Any]:
        """Return the job of the table's heading, with changes."""
        usual = {
            "folder": str(self.folder / "main"), "bars": self.bars, "model": "bare", "fast": 10,
            "slow": 50, "amount": 10_000, "capital": 1_000_000, "fee_bps": 5.5,
        }  # fmt: skip
        return usual | changes

    def lay_out(self, instruments: int) -> None:
        """Write the markets the rows need."""
        self._make("main", self.bars, seed=1)
        self._make("continuous", self.event_bars, seed=2, has_gaps=False)
        for number in range(1, instruments):
            self._make(f"main-{number}", self.bars, seed=10 + number)

    def against_columns(self) -> Iterator[Line]:
        """One run beside vectorbt and backtesting.py."""
        job = self.job()
        ours, peer, why = self._both(
            job, job, peer="benchmarks.peers.vectorbt_side", env="arrays", rounds=self.rounds
        )
        if peer:
            self._bare_rate = self.bars / peer[self.clock]
        yield self._ratio("one run, bare", ours, peer, why, must=12, aim=30, name="vectorbt")
        job = self.job(statistics=True)
        ours, peer, why = self._both(
            job, job, peer="benchmarks.peers.vectorbt_side", env="arrays", rounds=3
        )
        yield self._ratio("the same, vectorbt with .stats()", ours, peer, why, name="vectorbt")
        job = self.job(bars=self.slow_bars)
        for module, env in (("backtesting", "arrays"), ("backtrader", "events")):
            ours, peer, why = self._both(
                job, job, peer=f"benchmarks.peers.{module}_side", env=env, rounds=3
            )
            yield self._ratio(f"one run, {self.slow_bars:,} bars", ours, peer, why, name=module)

    def full_model(self) -> Iterator[Line]:
        """Everything on: one instrument with and without a mark price, then five on one account."""
        for model, must, aim in (("full", 6, 20), ("full with mark", None, None)):
            taken = self._alone(self.job(model=model), self.rounds)
            yield self._against_bare(f"model: {model}", taken, self.bars, must=must, aim=aim)
        taken = self._alone(self.job(model="full", instruments=5), max(3, self.rounds // 2))
        what = "five instruments, one account, full model"
        yield self._against_bare(what, taken, 5 * self.bars, must=3, aim=8)

    def events(self) -> Iterator[Line]:
        """Call a strategy at every bar, beside NautilusTrader and backtrader."""
        continuous = str(self.folder / "continuous")
        for module, bars, must, aim in (
            ("nautilus", self.event_bars, 12, 40),
            ("backtrader", self.slow_bars, None, None),
        ):
            job = self.job(folder=continuous, bars=bars, kind="event")
            ours, peer, why = self._both(
                job, job, peer=f"benchmarks.peers.{module}_side", env="events", rounds=3
            )
            yield self._ratio(
                f"event strategy in Python, {bars:,} bars",
                ours, peer, why, must=must, aim=aim, name=module, bars=bars,
            )  # fmt: skip

    def preparing(self) -> Iterator[Line]:
        """Time what is not part of a run: preparing the history, saving the result."""
        taken = self._alone(self.job(save=True), 3)
        for key, what in (("prepare_s", "openalpha.history(frame)"), ("save_s", "result.save()")):
            yield Line(what, _seconds(taken[key]), note=f"{self.bars:,} bars, wall time")

    def page(self) -> Iterator[Line]:
        """Time the report of a long run as one HTML file, and weigh it."""
        taken = self._alone(self.job(page=True, slow=90), 3)
        what = f"HTML report of {self.bars:,} bars, {taken['trips']:,.0f} round trips"
        yield Line(
            what, _seconds(taken["page_s"]), ratio=taken["page_s"], must=4, aim=1.5, is_limit=True,
            note="wall time, after the run",
        )  # fmt: skip
        size = taken["page_mb"]
        yield Line("its size", f"{size:.2f} MB", ratio=size, must=6, aim=2, is_limit=True)

    def growth(self) -> Iterator[Line]:
        """Time a bar over three decades of bars, then over one to eight instruments."""
        for bars in (self.bars // 100, self.bars // 10, self.bars):
            taken = self._alone(self.job(bars=bars), self.rounds)
            yield self._per_bar(f"growth: {bars:,} bars", taken, bars)
        for count in (1, 2, 4, 8):
            bars = self.bars // 10
            taken = self._alone(self.job(bars=bars, model="full", instruments=count), self.rounds)
            yield self._per_bar(f"growth: {count} × {bars:,} bars, full model", taken, bars * count)

    def _make(self, name: str, bars: int, *, seed: int, has_gaps: bool = True) -> None:
        if name not in self._made:
            market.save(market.make(bars, seed=seed, has_gaps=has_gaps), self.folder / name)
            self._made.add(name)

    def _alone(self, job: dict[str, Any], rounds: int) -> dict[str, float]:
        side = Side(self.python, OURS, job)
        taken = [side.time() for _ in range(rounds)]
        side.close()
        return _medians(taken)

    def _both(
        self, job: dict[str, Any], peer_job: dict[str, Any], *, peer: str, env: str, rounds: int
    ) -> tuple[dict[str, float], dict[str, float], str]:
        """Time both sides in turns; the words say why the row is void, if it is."""
        ours = Side(self.python, OURS, job)
        try:
            theirs = Side(environment(env), peer, peer_job)
        except Broken as error:
            taken = _medians([ours.time() for _ in range(rounds)])
            ours.close()
            return taken, {}, str(error)
        try:
            pairs = [(ours.time(), theirs.time()) for _ in range(rounds)]
            why = self._difference(ours, theirs, pairs[-1])
        finally:
            ours.close()
            theirs.close()
        return _medians([a for a, _ in pairs]), _medians([b for _, b in pairs]), why

    def _difference(
        self, ours: Side, theirs: Side, last: tuple[dict[str, float], dict[str, float]]
    ) -> str:
        """Say in what the two runs differ; empty where they agree."""
        if last[0]["fills"] != last[1]["fills"]:
            return f"void: {last[0]['fills']:.0f} fills here, {last[1]['fills']:.0f} there"
        mine = ours.equity(self.folder / "ours.npy")
        other = theirs.equity(self.folder / "theirs.npy")
        mine = mine[-len(other) :]
        if len(mine) != len(other):
            return f"void: equity of {len(mine)} bars here, of {len(other)} there"
        largest = float(np.max(np.abs(mine - other) / np.abs(other)))
        return "" if largest <= EQUAL_TO else f"void: equity differs by {largest:.2g}"

    def _ratio(
        self,
        what: str,
        ours: dict[str, float],
        peer: dict[str, float],
        why: str,
        *,
        name: str,
        must: float | None = None,
        aim: float | None = None,
        bars: int | None = None,
    ) -> Line:
        taken, other = ours[self.clock], peer.get(self.clock)
        rate = f", {_rate(bars / taken)}" if bars else ""
        theirs = f", {_rate(bars / other)}" if bars and other else ""
        return Line(
            what,
            _seconds(taken) + rate,
            f"{name} {_seconds(other)}{theirs}" if other else name,
            ratio=other / taken if other and not why else None,
            must=must,
            aim=aim,
            fills=int(ours["fills"]),
            slow_share=ours["slow_share"],
            note=why or "same fills, same equity",
        )

    def _against_bare(
        self,
        what: str,
        taken: dict[str, float],
        bars: int,
        *,
        must: float | None,
        aim: float | None,
    ) -> Line:
        rate = bars / taken[self.clock]
        bare = self._bare_rate
        return Line(
            what,
            f"{_seconds(taken[self.clock])}, {_rate(rate)}",
            f"vectorbt bare {_rate(bare)}" if bare else "",
            ratio=rate / bare if bare else None,
            must=must,
            aim=aim,
            fills=int(taken["fills"]),
            slow_share=taken["slow_share"],
            note=f"final equity {taken['final_equity']:,.0f}",
        )

    def _per_bar(self, what: str, taken: dict[str, float], bars: int) -> Line:
        a_bar = taken[self.clock] / bars * 1e9
        return Line(
            what,
            f"{_seconds(taken[self.clock])}, {a_bar:,.0f} ns a bar",
            fills=int(taken["fills"]),
            slow_share=taken["slow_share"],
            point=("full model" if "full" in what else "one run", bars, taken[self.clock]),
        )


def _medians(taken: list[dict[str, float]]) -> dict[str, float]:
    return {key: median(one[key] for one in taken) for key in taken[0]}


def _seconds(value: float) -> str:
    return f"{value * 1e3:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def _rate(a_second: float) -> str:
    if a_second >= 1e6:
        return f"{a_second / 1e6:,.1f} M bars/s"
    return f"{a_second / 1e3:,.0f} k bars/s"
