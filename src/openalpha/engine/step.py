"""The compiled pass, one closed row at a time: the same functions, so the same bytes."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from openalpha.core.instruments import Instrument
from openalpha.core.reasons import Reason
from openalpha.engine.compiled import plan as pl
from openalpha.engine.compiled.run import Wishes, run
from openalpha.engine.rows import OpenAccount, Row, Stepped, open_account
from openalpha.engine.signals import EngineSettings, check_settings, decision_plan
from openalpha.strategy.params import Exits

__all__ = ["VARYING_SIZES", "SignalStep"]

VARYING_SIZES = ("vol_target", "kelly")
"""Sizing kinds whose full size differs from bar to bar: `lead` must be told it."""

_NO_EXITS = Exits()
_NEVER = 2**61
"""A smallest order no order reaches."""
_UNDECIDED = -(2**31) + 1
"""A last target that no target equals."""


class SignalStep:
    """An account that holds what targets say, led by one closed row after the other.

    Led over the rows of a history it writes what `run_signals` writes.

    Parameters
    ----------
    instruments : sequence of Instrument
    timeframe_ms : int
    capital : Decimal
    settings : EngineSettings
    exits : Exits
        What every entry carries.
    has_mark, has_index : sequence of bool
        Whether an instrument's rows carry mark and index prices.

    Raises
    ------
    InputError
        As `run_signals`.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        *,
        timeframe_ms: int,
        capital: Decimal,
        settings: EngineSettings,
        exits: Exits = _NO_EXITS,
        has_mark: Sequence[bool] = (),
        has_index: Sequence[bool] = (),
    ) -> None:
        check_settings(settings, capital)
        self.account: OpenAccount = open_account(
            instruments,
            timeframe_ms=timeframe_ms,
            capital=capital,
            settings=settings.venue,
            has_mark=has_mark,
            has_index=has_index,
        )
        self._pays_funding = settings.venue.costs.funding
        n = len(instruments)
        plans = np.stack(
            [
                decision_plan(
                    settings,
                    exits,
                    units=self.account.units,
                    number=number,
                    timeframe_ms=timeframe_ms,
                    capital=capital,
                )
                for number in range(n)
            ]
        )
        varies = settings.sizing.kind in VARYING_SIZES
        self.wishes = Wishes(
            np.full((n, 2), pl.NO_TARGET, dtype=np.int32),
            np.zeros((n if varies else 0, 2 if varies else 0), dtype=np.int64),
            plans,
            np.zeros(0, dtype=np.int32),
        )
        self._min_order = int(plans[0, pl.PL_MIN_ORDER])
        self._was_refused = np.zeros(n, dtype=np.bool_)
        self._equity = np.empty(2)
        self._journal = np.zeros((2, n), dtype=np.int8)

    def lead(self, row: Row, targets_e6: Sequence[int], *, sizes_e6: Sequence[int] = ()) -> Stepped:
        """Lead the account through a row and decide at its close.

        Parameters
        ----------
        row : Row
            The row just closed.
        targets_e6 : sequence of int
            Wanted fraction of each instrument, known at the row's close; `NO_TARGET` says nothing.
        sizes_e6 : sequence of int
            Varying share of equity of each instrument, where the sizing kind wants it.
        """
        account = self.account
        here = self._take(row, targets_e6, sizes_e6)
        since = account.counters()
        market = account.machine.market
        while True:
            reached = run(
                account.machine.arena,
                market,
                self.wishes,
                self._equity,
                self._journal,
                here,
                here + 1,
            )
            if reached > here:
                break
            account.make_room()
        account.check()
        self._note_refusals(here)
        return Stepped(
            float(self._equity[here]),
            tuple(self._journal[here].tolist()),
            account.take_written(),
            account.commanded(row.ts_ms + account.machine.timeframe_ms, since),
        )

    def _take(self, row: Row, targets_e6: Sequence[int], sizes_e6: Sequence[int]) -> int:
        if row.funding and not self._pays_funding:
            row = Row(row.ts_ms, row.bars, row.mark, row.index)
        here = self.account.rows.add(row)
        self.wishes.targets[:, here] = targets_e6
        if self.wishes.sizes.shape[0]:
            self.wishes.sizes[:, here] = sizes_e6
        return here

    def transfer(self, amount: int, ts_ms: int) -> None:
        """Book money moved in (+) or out (-) at a row's close, in cash units.

        No limit takes it for profit or loss: the highest equity and the day's opening go along.
        """
        machine = self.account.machine
        before = machine.equity()
        machine.transfer(0, ts_ms, amount)
        self.rescale(before, before + amount)

    def rescale(self, before: int, after: int) -> None:
        """Take in that money was moved: what limits remember of equity is scaled, rounded up."""
        assert before > 0 and after > 0, "only a sub-book that has something left gives or takes"
        limits = self.wishes.plans[0]
        for column in (pl.PL_DAY_EQUITY, pl.PL_PEAK_EQUITY, pl.PL_LAST_EQUITY):
            limits[column] = -(-int(limits[column]) * after // before)

    @property
    def is_halted(self) -> bool:
        """Whether equity fell too far from its highest: it is closed for good."""
        return bool(self.wishes.plans[0, pl.PL_HALTED])

    def undecide(self, number: int) -> None:
        """Decide anew for an instrument at the next close, whatever its target was."""
        self.wishes.plans[number, pl.PL_LAST_TARGET] = _UNDECIDED

    def _note_refusals(self, here: int) -> None:
        if self.wishes.plans[0, pl.PL_MIN_ORDER] == _NEVER:
            refused = self._journal[here] == int(Reason.RISK_REFUSED)
            self._journal[here][refused] = int(Reason.PAUSED)
            self._was_refused |= refused

    def pause(self, is_paused: bool) -> None:
        """Refuse whatever would open or add, from the next row on, or allow it again.

        What was refused meanwhile is decided anew at the next close.
        """
        limits = self.wishes.plans[0]
        if is_paused == (limits[pl.PL_MIN_ORDER] == _NEVER):
            return
        limits[pl.PL_MIN_ORDER] = _NEVER if is_paused else self._min_order
        if not is_paused:
            self.wishes.plans[:, pl.PL_LAST_TARGET][self._was_refused] = _UNDECIDED
        self._was_refused[:] = False
