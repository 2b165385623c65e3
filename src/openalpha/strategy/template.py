"""The files `openalpha strategy new` writes: short, complete, and they run as they are."""

from typing import Literal

from openalpha.core.errors import InputError

__all__ = ["KINDS", "TemplateKind", "render_template"]

TemplateKind = Literal["signal", "portfolio", "event"]
KINDS: tuple[TemplateKind, ...] = ("signal", "portfolio", "event")

_SIGNAL = '''"""@TITLE@: what it does, in one sentence."""

import numpy as np

from openalpha.strategy import Bars, ExitParams, Param, SignalStrategy
from openalpha.strategy import indicators as ta


class @CLASS@(SignalStrategy):
    """Long while the price is above its average and that average rises."""

    name = "@NAME@"
    idea = "Why this should earn money, in one sentence."

    class Params(ExitParams):
        """Every parameter has a range and a unit; exits such as stop_pct come with ExitParams."""

        period: int = Param(50, ge=2, le=1000, unit="bars", help="Window of the average.")

    def warm_up_bars(self, params):
        """Return the bars needed before the first decision."""
        return params.period + 1

    def target(self, bars: Bars, params):
        """Return the wanted position for every bar, -1 to 1, decided at the bar's close."""
        average = ta.sma(bars.close, period=params.period)
        rising = np.diff(average, prepend=np.nan) > 0
        return np.where((bars.close > average) & rising, 1.0, 0.0)
'''

_PORTFOLIO = '''"""@TITLE@: what it does, in one sentence."""

import numpy as np

from openalpha.strategy import ExitParams, Param, PortfolioStrategy
from openalpha.strategy import indicators as ta


class @CLASS@(PortfolioStrategy):
    """Hold the strongest of several instruments."""

    name = "@NAME@"
    idea = "Why this should earn money, in one sentence."

    class Params(ExitParams):
        """Every parameter has a range and a unit."""

        lookback: int = Param(96, ge=2, le=5000, unit="bars", help="Window of the return.")

    def warm_up_bars(self, params):
        """Return the bars needed before the first decision."""
        return params.lookback + 1

    def targets(self, bars, params):
        """Return a column for every instrument; their sizes add up to 1 at most."""
        strength = {
            key: np.nan_to_num(ta.log_return(part.close, period=params.lookback))
            for key, part in bars.items()
        }
        best = np.maximum.reduce(list(strength.values()))
        winners = {key: (value == best) & (value > 0) for key, value in strength.items()}
        count = np.maximum(np.sum(list(winners.values()), axis=0), 1)
        return {key: wins / count for key, wins in winners.items()}
'''

_EVENT = '''"""@TITLE@: what it does, in one sentence."""

from openalpha.strategy import Context, EventStrategy, Param, StrategyParams


class @CLASS@(EventStrategy):
    """Buy a dip by a limit order, sell it back at a profit or after a while."""

    name = "@NAME@"
    idea = "Why this should earn money, in one sentence."

    class Params(StrategyParams):
        """Every parameter has a range and a unit."""

        dip_pct: float = Param(1.0, ge=0.05, le=50, unit="%", help="Bid this far below the close.")
        profit_pct: float = Param(1.0, ge=0.05, le=50, unit="%", help="Sell this far above entry.")
        share_pct: float = Param(10.0, ge=0.1, le=100, unit="% of equity", help="Size of a bid.")

    def on_bar(self, ctx: Context) -> None:
        """Replace the open orders at every close: an exit while holding, a bid while flat."""
        for order in ctx.orders:
            ctx.cancel(order.id)
        if ctx.position > 0:
            goal = ctx.entry_price * (1 + self.params.profit_pct / 100)
            ctx.sell(ctx.position, limit=goal, reduce_only=True)
        else:
            bid = ctx.close * (1 - self.params.dip_pct / 100)
            ctx.buy(ctx.equity * self.params.share_pct / 100 / bid, limit=bid)
'''

_TEMPLATES: dict[str, str] = {"signal": _SIGNAL, "portfolio": _PORTFOLIO, "event": _EVENT}


def render_template(name: str, kind: str = "signal") -> str:
    """Return the text of a new strategy file.

    Parameters
    ----------
    name : str
        Lower-case words joined by underscores; the strategy's name and the file's.
    kind : str
        One of `KINDS`.

    Raises
    ------
    InputError
        If the name or kind cannot be used.

    Examples
    --------
    >>> render_template("my_idea").splitlines()[0]
    '\"\"\"My idea: what it does, in one sentence.\"\"\"'
    """
    if kind not in _TEMPLATES:
        raise InputError(f"'{kind}' is no kind of strategy; choose {', '.join(KINDS)}")
    if not name.isidentifier() or name != name.lower() or name.startswith("_"):
        raise InputError(
            f"'{name}' cannot name a strategy; write lower-case words joined by _, e.g. my_idea"
        )
    title = name.replace("_", " ").capitalize()
    class_name = "".join(word.capitalize() for word in name.split("_") if word)
    text = _TEMPLATES[kind]
    for mark, value in (("@TITLE@", title), ("@CLASS@", class_name), ("@NAME@", name)):
        text = text.replace(mark, value)
    return text
