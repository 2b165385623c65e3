"""The one list of commands: name, file, and the line `openalpha --help` shows for it.

The lines stand here, not in the files, so that showing the help imports none of them.
Each module holds `app`, a `typer.Typer` with the group's commands.
"""

from typing import NamedTuple

__all__ = ["COMMANDS", "Entry"]


class Entry(NamedTuple):
    """One first-level command: its name, the module it lives in, its line in the help."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Entry("demo", "openalpha.cli.demo", "Test the built-in strategies on a synthetic market."),
    Entry("backtest", "openalpha.cli.backtest", "Test a strategy on history, every cost counted."),
    Entry("run", "openalpha.cli.run", "Lead strategies on a live or replayed market."),
    Entry("runs", "openalpha.cli.runs", "List runs; stop, pause, resume, restart them."),
    Entry("status", "openalpha.cli.status", "Show what every run does now."),
    Entry("positions", "openalpha.cli.positions", "Show what every run holds."),
    Entry("orders", "openalpha.cli.orders", "Show every order that is open."),
    Entry("fills", "openalpha.cli.fills", "Show the last executions of every run."),
    Entry("balance", "openalpha.cli.balance", "Show what the books hold, in USD and AUD."),
    Entry("incidents", "openalpha.cli.incidents", "What a person should look at and settle."),
    Entry("why", "openalpha.cli.why", "Say why a run did what it did."),
    Entry("compare", "openalpha.cli.compare", "Show several backtests side by side."),
    Entry("rerun", "openalpha.cli.rerun", "Make a backtest again and compare to the byte."),
    Entry("replay", "openalpha.cli.replay", "Replay a run's tape and compare to the byte."),
    Entry("sweep", "openalpha.cli.sweep", "Try many configurations of a strategy, all counted."),
    Entry("walkforward", "openalpha.cli.walkforward", "Optimise, test on what follows, move on."),
    Entry("montecarlo", "openalpha.cli.montecarlo", "Ask how else a backtest could have gone."),
    Entry("stress", "openalpha.cli.stress", "Lead a strategy through crises and shocks."),
    Entry("trials", "openalpha.cli.trials", "Show and verify the ledger of everything tried."),
    Entry("data", "openalpha.cli.data", "Import, download, check, list and make market history."),
    Entry("ledger", "openalpha.cli.ledger", "Show, prove, export and correct the books."),
    Entry("tax", "openalpha.cli.tax", "Australian tax: imports, reports, plans, archive."),
    Entry("rates", "openalpha.cli.rates", "Import and show published rates in AUD."),
    Entry("strategy", "openalpha.cli.strategy", "List, show, start and check strategies."),
    Entry("twin", "openalpha.cli.twin", "Serve a synthetic exchange that speaks Bybit's protocol."),
    Entry("keys", "openalpha.cli.keys", "Keep exchange keys, encrypted and never shown."),
    Entry("stop", "openalpha.cli.stop", "Emergency stop: cancel all orders, close all positions."),
    Entry("unlock", "openalpha.cli.unlock", "Let a stopped environment trade again."),
    Entry("arm", "openalpha.cli.arm", "Arm live trading, with a second factor."),
    Entry("alerts", "openalpha.cli.alerts", "Test who is told when something needs a person."),
    Entry("guardian", "openalpha.cli.guardian", "Watch a trader; close when it dies or breaks."),
    Entry("backup", "openalpha.cli.backup", "Back up what cannot be made again; restore it."),
    Entry("config", "openalpha.cli.config", "Write, show and check the settings."),
    Entry("doctor", "openalpha.cli.doctor", "Check this machine, the home folder and the cache."),
    Entry("home", "openalpha.cli.home", "Look after the home folder."),
    Entry("kernel", "openalpha.cli.kernel", "Compile the simulated venue ahead of its first use."),
    Entry("version", "openalpha.cli.version", "Print the version."),
)
