"""Worked examples: events with expected figures, run through the engine and compared exactly."""

from openalpha.books.tax.worked.checking import Verdict, check_example, check_examples
from openalpha.books.tax.worked.reading import known_event_types

__all__ = ["Verdict", "check_example", "check_examples", "known_event_types"]
