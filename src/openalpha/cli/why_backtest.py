"""What `openalpha why` says of a backtest."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openalpha.cli.conventions import Screen
from openalpha.core.errors import InputError
from openalpha.core.messages import Environment

if TYPE_CHECKING:
    from openalpha.research.explaining import Decision, Journal
    from openalpha.store.runs import StoredRun

__all__ = ["show_backtest"]


def show_backtest(
    screen: Screen,
    stored: "StoredRun",
    *,
    at_ms: int | None = None,
    other: "StoredRun | None" = None,
    is_first: bool = False,
    limit: int = 20,
) -> None:
    """Show the decisions of a moment, the first missed trade, where two runs part, or the last."""
    from openalpha.research.explaining import Journal

    journal = Journal(stored)
    answer: dict[str, Any] = {"schema": "openalpha.why/1", "run": stored.id}
    if other is not None:
        answer |= _against(screen, journal, other)
    elif is_first:
        missed = journal.first_missed()
        _show(screen, [] if missed is None else [missed])
        if missed is None:
            screen.show("It got every trade it wanted: nothing was refused.")
        answer |= {"first_missed": missed}
    elif at_ms is not None:
        found = journal.at(journal.row_at(at_ms))
        _show(screen, found)
        answer |= {"decisions": found}
    else:
        found = journal.mattering(limit)
        _show(screen, found)
        counts = journal.counts()
        for words, count in counts.items():
            screen.show(f"{count:>8,} × {words}")
        answer |= {"decisions": found, "counts": counts}
    screen.result(answer)


def _against(screen: Screen, journal: "Journal", other: "StoredRun") -> dict[str, Any]:
    from openalpha.research.explaining import Journal, first_difference
    from openalpha.research.reproduction import changes

    if other.environment is not Environment.BACKTEST:
        raise InputError(f"run {other.id} was led live; two backtests can be compared so")
    made_of = changes(journal.record, other.record)
    for change in made_of:
        here, there = change.then or "not there", change.now or "not there"
        screen.show(f"{change.kind}: {change.what}: {here}, against {there}")
    apart = first_difference(journal, Journal(other))
    if apart is None:
        screen.show("Both decided, ordered and filled the same on the bars they share.")
    else:
        screen.show(f"They part at {apart.time} on {apart.instrument}, gate: {apart.gate}")
        screen.show(f"  {journal.run.id}: {apart.one}")
        screen.show(f"  {other.id}: {apart.other}")
    return {"against": other.id, "made_from": made_of, "first_difference": apart}


def _show(screen: Screen, found: "Sequence[Decision]") -> None:
    for item in found:
        screen.show(f"{item.time}  {item.instrument}  gate: {item.gate}")
        screen.show(f"  {item.in_words}")
        screen.show(f"  held before it {item.held:g}, equity {item.equity:,.2f}")
