"""One strategy's part of a run: its own account, led row by row by the functions of the engine."""

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from openalpha.core.clock import DAY_MS
from openalpha.core.errors import InputError
from openalpha.core.instruments import Instrument
from openalpha.engine.bars_so_far import BarsSoFar, keep_row
from openalpha.engine.rows import KernelAccount, OpenAccount, Row, Stepped
from openalpha.engine.step import VARYING_SIZES, SignalStep
from openalpha.engine.step_events import EventStep
from openalpha.risk.sizing import UNKNOWN, kelly_e6, volatility_target_e6
from openalpha.strategy import load_strategy, source_hash
from openalpha.strategy.base import NO_OPINION_E6, PortfolioStrategy, SignalStrategy, evaluate_e6
from openalpha.strategy.events import EventStrategy
from openalpha.strategy.params import build_params
from openalpha.strategy.together import together
from openalpha.trading.paper.message_book import MessageBook
from openalpha.trading.run.plan import RunPlan, StrategyPlan

__all__ = ["SubBook", "Thinker", "open_sub_book", "part_of"]

_SILENT = int(NO_OPINION_E6)


class SubBook(Protocol):
    """One strategy and its account."""

    name: str

    @property
    def account(self) -> KernelAccount:
        """The kernel account it trades."""
        ...

    @property
    def last_targets(self) -> tuple[int, ...]:
        """What it wanted at the last close, in millionths; empty for a strategy that orders."""
        ...

    @property
    def is_halted(self) -> bool:
        """Whether its drawdown limit closed it for good."""
        ...

    @property
    def so_far(self) -> Sequence[BarsSoFar]:
        """The bars it goes by, one an instrument."""
        ...

    def remember(self, rows: Sequence[Row]) -> None:
        """Take in rows of before the run; nothing is decided on them."""
        ...

    def foresee(self, rows: Sequence[Row]) -> None:
        """Hear of rows that have happened and will be led next, so as to think once for all."""
        ...

    def lead(self, row: Row, *, is_silent: bool = False) -> Stepped:
        """Lead the account through a row and decide at its close, unless silent."""
        ...

    def transfer(self, amount: int, ts_ms: int) -> None:
        """Take in (+) or give away (-) money at a row's close, in cash units."""
        ...

    def pause(self, is_paused: bool) -> None:
        """Open nothing from now on, or go on."""
        ...

    def stop(self) -> None:
        """Hear that the run ends."""
        ...


def open_sub_book(plan: RunPlan, part: StrategyPlan, *, folder: Path | None = None) -> SubBook:
    """Open a strategy's sub-book as it was when its run began.

    Parameters
    ----------
    folder : Path, optional
        The user's folder of strategy files.

    Raises
    ------
    InputError
        If the strategy's source is no longer what the run began with, or cannot be used.
    """
    cls: Any = load_strategy(part.ref, folder=folder)
    if part.source_hash and source_hash(cls) != part.source_hash:
        raise InputError(
            f"strategy {part.name} ({part.ref}) was changed since the run began; put its file back "
            "as it was, or start a new run"
        )
    params = build_params(cls.Params, part.params, strategy=cls.name)
    instruments = [plan.instruments[number] for number in part.numbers]
    common: dict[str, Any] = {
        "timeframe_ms": plan.timeframe_ms,
        "capital": plan.capital_of(part),
        "settings": plan.settings,
        "has_mark": [plan.has_mark[number] for number in part.numbers],
        "has_index": [plan.has_index[number] for number in part.numbers],
    }
    if plan.settings.venue.fills.feed != "bars":
        is_event = issubclass(cls, EventStrategy)
        return MessageBook(plan, part, cls(params) if is_event else cls())
    if issubclass(cls, EventStrategy):
        step = EventStep(cls(params), part.keys, instruments, **common)
        return _EventBook(part.name, step)
    strategy: SignalStrategy = cls()
    return _SignalBook(
        part,
        Thinker(strategy, params, part.keys, instruments, plan),
        SignalStep(instruments, exits=strategy.exits(params), **common),
    )


def part_of(row: Row, numbers: Sequence[int]) -> Row:
    """Return what of a row is about some instruments, numbered anew."""
    if len(numbers) == len(row.bars) and list(numbers) == list(range(len(numbers))):
        return row
    place = {number: new for new, number in enumerate(numbers)}
    return Row(
        row.ts_ms,
        tuple(row.bars[number] for number in numbers),
        tuple(row.mark[number] for number in numbers) if row.mark else (),
        tuple(row.index[number] for number in numbers) if row.index else (),
        tuple((place[n], ts, rate) for n, ts, rate in row.funding if n in place),
    )


class _EventBook:
    """A strategy of callbacks."""

    last_targets: tuple[int, ...] = ()

    def __init__(self, name: str, step: EventStep) -> None:
        self.name, self._step = name, step

    @property
    def account(self) -> OpenAccount:
        return self._step.account

    @property
    def is_halted(self) -> bool:
        return self._step.is_halted

    @property
    def so_far(self) -> Sequence[BarsSoFar]:
        return self._step.so_far

    def remember(self, rows: Sequence[Row]) -> None:
        self._step.remember(rows)

    def foresee(self, rows: Sequence[Row]) -> None:
        """Do nothing: it decides bar by bar."""

    def lead(self, row: Row, *, is_silent: bool = False) -> Stepped:
        return self._step.lead(row, is_silent=is_silent)

    def transfer(self, amount: int, ts_ms: int) -> None:
        self._step.transfer(amount, ts_ms)

    def pause(self, is_paused: bool) -> None:
        self._step.pause(is_paused)

    def stop(self) -> None:
        self._step.stop()


class _SignalBook:
    """A strategy of targets."""

    def __init__(self, part: StrategyPlan, thinker: "Thinker", step: SignalStep) -> None:
        self.name, self._thinker, self._step = part.name, thinker, step
        self.last_targets = tuple(_SILENT for _ in part.numbers)

    @property
    def account(self) -> OpenAccount:
        return self._step.account

    @property
    def is_halted(self) -> bool:
        return self._step.is_halted

    @property
    def so_far(self) -> Sequence[BarsSoFar]:
        return self._thinker.so_far

    def remember(self, rows: Sequence[Row]) -> None:
        self._thinker.remember(rows)

    def foresee(self, rows: Sequence[Row]) -> None:
        self._thinker.foresee(rows)

    def lead(self, row: Row, *, is_silent: bool = False) -> Stepped:
        targets, sizes = self._thinker.at(row)
        self.last_targets = tuple(_SILENT for _ in targets) if is_silent else tuple(targets)
        return self._step.lead(row, self.last_targets, sizes_e6=sizes)

    def transfer(self, amount: int, ts_ms: int) -> None:
        self._step.transfer(amount, ts_ms)

    def pause(self, is_paused: bool) -> None:
        self._step.pause(is_paused)

    def stop(self) -> None:
        """Nothing has to be told."""


class Thinker:
    """Asks a signal strategy what it wants at the close of rows, from the anchor of the run on.

    Rows that have happened already are thought about together: a target depends on no later bar
    (`prove`), so each row's is what it would have been alone.

    Attributes
    ----------
    so_far : list of BarsSoFar
        The bars of its instruments; sub-books of a run keep those of one instrument once.
    """

    def __init__(
        self,
        strategy: SignalStrategy,
        params: Any,
        keys: Sequence[str],
        instruments: Sequence[Instrument],
        plan: RunPlan,
    ) -> None:
        self.strategy, self.params, self._keys = strategy, params, tuple(keys)
        self.so_far = [BarsSoFar(item, plan.timeframe_ms) for item in instruments]
        self._sizing, self._leverage = plan.settings.sizing, plan.settings.venue.margin.leverage
        self._known: deque[tuple[int, list[int], list[int]]] = deque()
        self._day, self._day_sizes = -1, [UNKNOWN] * len(instruments)

    def foresee(self, rows: Sequence[Row]) -> None:
        """Think about rows that have happened and will be asked about next, all at once."""
        for row in rows:
            keep_row(self.so_far, row)
        targets = self._targets(len(rows))
        for row in rows:
            wanted = [part.get(row.ts_ms, _SILENT) for part in targets]
            self._known.append((row.ts_ms, wanted, []))
        if self._sizing.kind in VARYING_SIZES:
            self._add_sizes(rows)

    def remember(self, rows: Sequence[Row]) -> None:
        """Take in rows of before the run: they are the anchor of every indicator."""
        for row in rows:
            keep_row(self.so_far, row)

    def at(self, row: Row) -> tuple[list[int], list[int]]:
        """Return targets and varying sizes at a row's close."""
        if not self._known:
            self.foresee([row])
        ts_ms, targets, sizes = self._known.popleft()
        assert ts_ms == row.ts_ms, "rows are led in the order they were foreseen in"
        return targets, sizes

    def _targets(self, count: int) -> list[dict[int, int]]:
        """Return the targets of the last `count` rows by stamp, one mapping an instrument."""
        bars = {
            key: part.bars() for key, part in zip(self._keys, self.so_far, strict=True) if len(part)
        }
        if isinstance(self.strategy, PortfolioStrategy):
            if len(bars) < len(self._keys) or not _share_a_bar(self.so_far):
                return [{} for _ in self._keys]
            bars = together(bars)
        if not bars:
            return [{} for _ in self._keys]
        found = evaluate_e6(self.strategy, bars, params=self.params)
        return [
            _tail(bars[key].ts_ms, found[key], count) if key in bars else {} for key in self._keys
        ]

    def _add_sizes(self, rows: Sequence[Row]) -> None:
        tails: list[Mapping[int, int]] | None = None
        first = len(self._known) - len(rows)
        for number, row in enumerate(rows):
            if row.ts_ms // DAY_MS != self._day:
                tails = tails or [self._sizes(part, len(rows)) for part in self.so_far]
                self._day = row.ts_ms // DAY_MS
                self._day_sizes = [
                    tail.get(row.ts_ms, old)
                    for tail, old in zip(tails, self._day_sizes, strict=True)
                ]
            elif tails is not None:
                self._day_sizes = [
                    tail.get(row.ts_ms, old)
                    for tail, old in zip(tails, self._day_sizes, strict=True)
                ]
            self._known[first + number][2][:] = self._day_sizes

    def _sizes(self, part: BarsSoFar, count: int) -> Mapping[int, int]:
        if not len(part):
            return {}
        bars, sizing = part.bars(), self._sizing
        if sizing.kind == "kelly":
            share = kelly_e6(
                bars.close, bars.ts_ms, days=sizing.lookback_days, largest=float(sizing.fraction)
            )
        else:
            share = volatility_target_e6(
                bars.close,
                bars.ts_ms,
                target=float(sizing.target_volatility),
                days=sizing.lookback_days,
                largest=float(self._leverage),
            )
        return _tail(bars.ts_ms, share, count)


def _tail(ts_ms: NDArray[np.int64], values: NDArray[Any], count: int) -> dict[int, int]:
    return dict(zip(ts_ms[-count:].tolist(), values[-count:].tolist(), strict=True))


def _share_a_bar(parts: Sequence[BarsSoFar]) -> bool:
    if len({part.last_ts_ms() for part in parts}) == 1:
        return True
    shared = parts[0].bars().ts_ms
    for part in parts[1:]:
        shared = np.intersect1d(shared, part.bars().ts_ms)
    return len(shared) > 0
