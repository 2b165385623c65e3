"""The one list of commands: name, file, and the line `openalpha --help` shows for it.

The lines stand here, not in the files, so that showing the help imports none of them.
Each module holds `app`, a `typer.Typer` with the group's commands.
"""

from typing import NamedTuple

__all__ = ["COMMANDS", "Entry"]


class Entry(NamedTuple):
    """One first-level command: its name, module, line in the help, and the help's panel for it."""

    name: str
    module: str
    summary: str
    panel: str


_RESEARCH = "Find and test"
_TRADING = "Trade"
_BOOKS = "Books and tax"
_HOUSE = "This installation"

COMMANDS = (
    Entry(
        "demo",
        "openalpha.cli.demo",
        "Test the built-in strategies on a synthetic market.",
        _RESEARCH,
    ),
    Entry(
        "data",
        "openalpha.cli.data",
        "Import, download, check, list and make market history.",
        _RESEARCH,
    ),
    Entry(
        "strategy", "openalpha.cli.strategy", "List, show, start and check strategies.", _RESEARCH
    ),
    Entry(
        "backtest",
        "openalpha.cli.backtest",
        "Test a strategy on history, every cost counted.",
        _RESEARCH,
    ),
    Entry(
        "sweep",
        "openalpha.cli.sweep",
        "Try many configurations of a strategy, all counted.",
        _RESEARCH,
    ),
    Entry(
        "walkforward",
        "openalpha.cli.walkforward",
        "Optimise, test on what follows, move on.",
        _RESEARCH,
    ),
    Entry(
        "montecarlo",
        "openalpha.cli.montecarlo",
        "Ask how else a backtest could have gone.",
        _RESEARCH,
    ),
    Entry(
        "stress", "openalpha.cli.stress", "Lead a strategy through crises and shocks.", _RESEARCH
    ),
    Entry("compare", "openalpha.cli.compare", "Show several backtests side by side.", _RESEARCH),
    Entry("runs", "openalpha.cli.runs", "List runs; stop, pause, resume, restart them.", _RESEARCH),
    Entry(
        "rerun", "openalpha.cli.rerun", "Make a backtest again and compare to the byte.", _RESEARCH
    ),
    Entry("why", "openalpha.cli.why", "Say why a run did what it did.", _RESEARCH),
    Entry(
        "trials",
        "openalpha.cli.trials",
        "Show and verify the ledger of everything tried.",
        _RESEARCH,
    ),
    Entry("run", "openalpha.cli.run", "Lead strategies on a live or replayed market.", _TRADING),
    Entry("status", "openalpha.cli.status", "Show what every run does now.", _TRADING),
    Entry("positions", "openalpha.cli.positions", "Show what every run holds.", _TRADING),
    Entry("orders", "openalpha.cli.orders", "Show every order that is open.", _TRADING),
    Entry("order", "openalpha.cli.order", "Buy, sell, change, cancel by hand on a run.", _TRADING),
    Entry("fills", "openalpha.cli.fills", "Show the last executions of every run.", _TRADING),
    Entry(
        "balance", "openalpha.cli.balance", "Show what the books hold, in USD and AUD.", _TRADING
    ),
    Entry(
        "replay", "openalpha.cli.replay", "Replay a run's tape and compare to the byte.", _TRADING
    ),
    Entry(
        "execution",
        "openalpha.cli.execution",
        "How well orders were carried out: times and slippage.",
        _TRADING,
    ),
    Entry(
        "incidents", "openalpha.cli.incidents", "What a person should look at and settle.", _TRADING
    ),
    Entry(
        "stop",
        "openalpha.cli.stop",
        "Emergency stop: cancel all orders, close all positions.",
        _TRADING,
    ),
    Entry("wipe", "openalpha.cli.wipe", "Close an environment and put its runs away.", _TRADING),
    Entry("unlock", "openalpha.cli.unlock", "Let a stopped environment trade again.", _TRADING),
    Entry(
        "guardian",
        "openalpha.cli.guardian",
        "Watch a trader; close when it dies or breaks.",
        _TRADING,
    ),
    Entry("arm", "openalpha.cli.arm", "Arm live trading, with a second factor.", _TRADING),
    Entry("keys", "openalpha.cli.keys", "Keep exchange keys, encrypted and never shown.", _TRADING),
    Entry(
        "alerts",
        "openalpha.cli.alerts",
        "Test who is told when something needs a person.",
        _TRADING,
    ),
    Entry(
        "twin",
        "openalpha.cli.twin",
        "Serve a synthetic exchange that speaks Bybit's protocol.",
        _TRADING,
    ),
    Entry("ledger", "openalpha.cli.ledger", "Show, prove, export and correct the books.", _BOOKS),
    Entry("tax", "openalpha.cli.tax", "Australian tax: imports, reports, plans, archive.", _BOOKS),
    Entry("rates", "openalpha.cli.rates", "Import and show published rates in AUD.", _BOOKS),
    Entry("config", "openalpha.cli.config", "Write, show and check the settings.", _HOUSE),
    Entry("audit", "openalpha.cli.audit", "Who did what to trading, when and why.", _HOUSE),
    Entry(
        "backup", "openalpha.cli.backup", "Back up what cannot be made again; restore it.", _HOUSE
    ),
    Entry(
        "doctor",
        "openalpha.cli.doctor",
        "Check this machine, the home folder and the cache.",
        _HOUSE,
    ),
    Entry("home", "openalpha.cli.home", "Look after the home folder.", _HOUSE),
    Entry(
        "kernel",
        "openalpha.cli.kernel",
        "Compile the simulated venue ahead of its first use.",
        _HOUSE,
    ),
    Entry("version", "openalpha.cli.version", "Print the version.", _HOUSE),
)
