"""Event strategies on the rehearsal stage: what they do, and from the past alone."""

import itertools
import random

import numpy as np
import pytest

from openalpha.core.errors import InputError
from openalpha.strategy import Bars, EventStrategy, FindingKind, load_strategy, prove
from openalpha.strategy.proof.rehearsal import Rehearsal, rehearse
from openalpha.strategy.specimen import specimen_bars

BARS = specimen_bars(800, seed=2)


def bars_of(*prices: float) -> Bars:
    close = np.array(prices)
    open_ = np.concatenate([close[:1], close[:-1]])
    return Bars.from_columns(
        {"open": open_, "high": np.maximum(open_, close), "low": np.minimum(open_, close),
         "close": close},
        timeframe_ms=3_600_000,
    )  # fmt: skip


def played(name: str, bars: Bars, **params) -> tuple[EventStrategy, Rehearsal]:
    cls = load_strategy(name)
    strategy, stage = cls(cls.Params(**params)), Rehearsal(bars)
    for row in range(len(bars)):
        stage.show(row, strategy)
    return strategy, stage


class Clairvoyant(EventStrategy):
    """Knows the bars from elsewhere: the context cannot stop that, the proof must see it."""

    name = "clairvoyant"
    idea = "for a test"

    def on_bar(self, ctx):
        later = min(ctx.index + 3, len(ctx._bars) - 1)
        if ctx._bars.close[later] > ctx.close:
            ctx.buy(1.0)


class Dice(EventStrategy):
    name = "dice"
    idea = "for a test"

    def on_bar(self, ctx):
        if random.random() < 0.5:
            ctx.buy(1.0)


class Failing(EventStrategy):
    name = "failing"
    idea = "for a test"

    def on_bar(self, ctx):
        ctx.buy(1.0 / (5 - ctx.index))


class Nothing(EventStrategy):
    name = "nothing"
    idea = "for a test"

    def on_bar(self, ctx):
        ctx.buy(0.0)


def test_orders_from_the_future_are_found():
    found = prove(Clairvoyant, {"A": BARS}).findings[0]
    assert found.kind is FindingKind.LOOK_AHEAD
    assert "at the bar of 20" in found.words


def test_dice_are_found():
    assert prove(Dice, {"A": BARS}).findings[0].kind is FindingKind.NOT_PURE


@pytest.mark.parametrize(
    ("cls", "words"), [(Failing, r"ZeroDivisionError.*line"), (Nothing, "must be above 0")]
)
def test_a_failing_strategy_is_one_sentence(cls, words):
    with pytest.raises(InputError, match=words):
        prove(cls, {"A": BARS})


def test_history_ends_at_the_bar_just_closed():
    seen = []

    class Watching(EventStrategy):
        name = "watching"
        idea = "for a test"

        def on_bar(self, ctx):
            last = ctx.history(5)
            seen.append(
                (len(last), last.close[-1] == ctx.close, int(last.close_ms[-1]) == ctx.ts_ms)
            )

    rehearse(Watching(Watching.Params()), BARS.upto(8))
    assert seen == [(min(row + 1, 5), True, True) for row in range(8)]


def test_dca_buys_at_its_times_and_takes_profit_on_the_whole():
    _, stage = played(
        "dca", bars_of(100, 100, 100, 100, 90, 90, 120, 120), every_bars=2, share_pct=10,
        take_profit_pct=10, dip_pct=5,
    )  # fmt: skip
    orders = [
        (bar, side, round(qty, 3)) for bar, what, side, qty, *_ in stage.notes if what == "order"
    ]
    assert orders[:3] == [(0, 1, 10.0), (2, 1, 10.0), (4, 1, round(2_000 / 90, 3))]
    assert orders[3][:2] == (6, -1)
    assert stage.position == 0.0


def test_dca_stops_when_full():
    _, stage = played("dca", bars_of(*[100.0] * 30), every_bars=1, max_purchases=5)
    assert len(stage.notes) == 5


def test_grid_buys_low_and_sells_one_step_up():
    _, stage = played(
        "grid", bars_of(100, 98.5, 100.5, 98.5, 100.5), step_pct=1, rungs=3, share_pct=10
    )
    sides = [(bar, what, side) for bar, what, side, *_ in stage.notes if what == "order"]
    assert sides[:3] == [(0, "order", 1)] * 3
    assert (1, "order", -1) in sides
    assert stage.cash > 10_000
    assert stage.position == pytest.approx(0.0)


def test_grid_moves_up_when_flat_and_gives_up_below_its_floor():
    _, up = played("grid", bars_of(100, 103, 103), step_pct=1, rungs=2)
    assert [note[1] for note in up.notes].count("cancel") == 2
    strategy, down = played(
        "grid", bars_of(100, 95, 80, 80, 80), step_pct=1, rungs=3, floor_pct=5, share_pct=5
    )
    assert down.position == 0.0
    assert down.cash < 10_000
    assert strategy.anchor == 80.0


def test_a_grid_keeps_its_books_on_any_path():
    rng = np.random.default_rng(0)
    for _ in itertools.repeat(None, 5):
        path = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 300)))
        _, stage = played("grid", bars_of(*path), step_pct=1.5, rungs=6, floor_pct=10)
        assert stage.position >= -1e-9
        assert len(stage.orders) <= 2 * 6
