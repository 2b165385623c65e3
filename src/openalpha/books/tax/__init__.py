"""Australian tax: parcels, capital gains, income and the labels of a return, from neutral events.

Pure: no file, no clock, no network; rules follow the date of the event, never today's law. The one
place that reads files is `tables`, the dated rates beside this package.
"""

from openalpha.books.tax.assessment import Assessment, CarryIn, YearResult, assess
from openalpha.books.tax.entity import Entity, Method, Policy, Refused, Treatment
from openalpha.books.tax.gains import BoundaryValue, Law

__all__ = [
    "Assessment",
    "BoundaryValue",
    "CarryIn",
    "Entity",
    "Law",
    "Method",
    "Policy",
    "Refused",
    "Treatment",
    "YearResult",
    "assess",
]
