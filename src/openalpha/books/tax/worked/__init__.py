"""Worked examples: events with expected figures, run through the engine and compared exactly."""

from openalpha.books.tax.worked.checking import Verdict, check_example, check_examples
from openalpha.books.tax.worked.events_read import known_event_types
from openalpha.books.tax.worked.figures import known_figures
from openalpha.books.tax.worked.outcome import Outcome, run_example

__all__ = [
    "Outcome",
    "Verdict",
    "check_example",
    "check_examples",
    "known_event_types",
    "known_figures",
    "run_example",
]
