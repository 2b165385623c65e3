"""What every study's result can do: show itself as a page, on a screen or on paper."""

from abc import ABC, abstractmethod
from pathlib import Path

from openalpha.research.study_page import Page
from openalpha.store.atomic import write_bytes

__all__ = ["STOPPED", "Shown"]

STOPPED = "It was stopped: this is what was done by then."


class Shown(ABC):
    """A result with a page."""

    @abstractmethod
    def page(self) -> Page:
        """Return the page, part by part."""

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
