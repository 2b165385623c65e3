"""A sub-book whose fills are made of its market's messages (`paper.feed` trades and book)."""

from collections.abc import Sequence

from openalpha.core.errors import InputError
from openalpha.engine.bars_so_far import BarsSoFar
from openalpha.engine.book_account import BookAccount
from openalpha.engine.rows import Row, Stepped
from openalpha.engine.step_messages import Happened, MessageStep
from openalpha.strategy.events import EventStrategy
from openalpha.trading.run.plan import RunPlan, StrategyPlan
from openalpha.venue.kernel import layout as at
from openalpha.venue.kernel.layout import I64

__all__ = ["MessageBook"]


class MessageBook:
    """A strategy of callbacks and its account in the price-time book.

    Parameters
    ----------
    strategy : object
        As it was loaded and given its parameters.

    Raises
    ------
    InputError
        If the strategy or the plan is not one for messages.
    """

    last_targets: tuple[int, ...] = ()

    def __init__(self, plan: RunPlan, part: StrategyPlan, strategy: object) -> None:
        feed = plan.settings.venue.fills.feed
        if not isinstance(strategy, EventStrategy):
            raise InputError(
                f"{part.name} gives targets at the closes of bars; paper.feed = {feed} is for "
                "event strategies"
            )
        if len(part.numbers) != 1:
            raise InputError(
                f"paper.feed = {feed} trades one instrument a run; {len(part.numbers)} were given"
            )
        self.name = part.name
        self._step = MessageStep(
            strategy,
            part.keys[0],
            plan.instruments[part.numbers[0]],
            timeframe_ms=plan.timeframe_ms,
            capital=plan.capital_of(part),
            settings=plan.settings,
        )
        self._step.begin(0)

    @property
    def account(self) -> BookAccount:
        """Its account."""
        return self._step.account

    @property
    def is_halted(self) -> bool:
        """Whether its drawdown limit closed it for good."""
        return self._step.is_halted

    @property
    def so_far(self) -> Sequence[BarsSoFar]:
        """The bars it goes by: of its one instrument."""
        return self._step.so_far

    def remember(self, rows: Sequence[Row]) -> None:
        """Take in rows of before the run; nothing is decided on them."""
        self._step.remember(rows)

    def foresee(self, rows: Sequence[Row]) -> None:
        """Do nothing: it decides moment by moment."""

    def lead(self, row: Row, *, is_silent: bool = False) -> Stepped:
        """Lead the account to a row's close and decide there, unless silent."""
        return self._step.lead(row, is_silent=is_silent)

    def hear(self, events: I64, *, is_silent: bool = False) -> list[Happened]:
        """Lead the account through messages and decide at each moment, unless silent."""
        return self._step.hear(events, is_silent=is_silent)

    def go_stale(self) -> None:
        """Decide nothing until the market is heard again."""
        self._step.go_stale()

    def transfer(self, amount: int, ts_ms: int) -> None:
        """Take in (+) or give away (-) money at a row's close, in cash units."""
        self._step.transfer(amount, ts_ms)

    def pause(self, is_paused: bool) -> None:
        """Open nothing from now on, or go on."""
        self._step.pause(is_paused)

    def stop(self) -> None:
        """Hear that the run ends."""
        self._step.stop()

    def is_closing(self) -> bool:
        """Say whether an order that closes the position at the market is under way."""
        rows = self.account.machine.live_orders(0)
        is_plain = (rows[:, at.O_TYPE] == at.MARKET) & (rows[:, at.O_TKIND] == at.NO_TRIGGER)
        return bool((is_plain & (rows[:, at.O_REDUCE] == 1) & (rows[:, at.O_ATTACHED] == 0)).any())
