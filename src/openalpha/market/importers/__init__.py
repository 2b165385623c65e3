"""Reads other people's files: recognises layouts, checks every row, and fills the lake."""

from openalpha.market.importers.run import FileResult, ImportReport, Stated, import_paths

__all__ = ["FileResult", "ImportReport", "Stated", "import_paths"]
