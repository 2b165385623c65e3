"""The tax report of one income year: one model, and what shows it on paper, screen and sheet.

`build_report` is pure: it takes the events, the choices and what is open, and returns frozen rows.
A renderer only lays them out; no figure is worked out in one. They return text or bytes.
"""

from openalpha.books.report.build import build_report
from openalpha.books.report.facts import Facts, Origin
from openalpha.books.report.model import TaxReport

__all__ = ["Facts", "Origin", "TaxReport", "build_report"]
