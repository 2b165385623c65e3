"""How a result is shown: in the terminal and as one self-contained HTML page."""

from openalpha.research.report.compare import compare_html, print_comparison
from openalpha.research.report.html import report_html
from openalpha.research.report.terminal import print_report

__all__ = ["compare_html", "print_comparison", "print_report", "report_html"]
