"""Settings of reports."""

from dataclasses import dataclass, field

__all__ = ["ReportSettings"]


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """How much a report draws. Figures are never affected: they always use every bar."""

    line_points: int = field(
        default=1_200,
        metadata={
            "help": "most points of a line in a chart; longer series keep each stretch's extremes",
            "unit": "points",
            "min": 200,
            "max": 20_000,
        },
    )
    candles: int = field(
        default=400,
        metadata={
            "help": "most candles in the price chart, for the whole period and for its last part",
            "unit": "candles",
            "min": 50,
            "max": 5_000,
        },
    )
    table_rows: int = field(
        default=120,
        metadata={
            "help": "most round trips listed in the HTML report; the CSV and JSON list all",
            "unit": "rows",
            "min": 0,
            "max": 100_000,
        },
    )
