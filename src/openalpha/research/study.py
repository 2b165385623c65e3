"""What every study's result can do: show itself as JSON, on a screen or on paper."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from openalpha.research.strict_json import strict_json
from openalpha.research.study_page import Page
from openalpha.store.atomic import write_bytes

__all__ = ["STOPPED", "Shown"]

STOPPED = "It was stopped: this is what was done by then."


class Shown(ABC):
    """A result with a document and a page."""

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Return the result as JSON can hold it."""

    @abstractmethod
    def page(self) -> Page:
        """Return the page, part by part."""

    def to_json(self) -> str:
        """Return the document as JSON text; NaN and infinity are null."""
        return strict_json(self.document())

    def to_html(self, path: Path | str) -> Path:
        """Write the report as one self-contained page.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        write_bytes(Path(path), self.page().html().encode())
        return Path(path)

    def to_pdf(self, path: Path | str) -> Path:
        """Write the report as PDF.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.study_paper import study_pdf

        write_bytes(Path(path), study_pdf(self.page()))
        return Path(path)
