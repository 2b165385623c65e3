"""The result of a backtest: everything a person, a report or another program asks of a run."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from openalpha.core.errors import InputError
from openalpha.research.judged import JudgedRun
from openalpha.store.atomic import write_bytes
from openalpha.store.runs import RunStore, StoredRun, new_run_id

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["BacktestResult"]


class BacktestResult(JudgedRun):
    """A finished run with its figures and what to believe of it, ready to be shown and kept.

    Parameters
    ----------
    run : FinishedRun
        What the engine handed over.
    context : RunContext
        What the run was made from.
    """

    def __repr__(self) -> str:
        names = ", ".join(self.context.histories)
        return f"BacktestResult({self.context.strategy} on {names}: {self.verdict.headline})"

    def document(self) -> dict[str, Any]:
        """Return the result as the documented, versioned JSON document (see `schema`)."""
        from openalpha.research.document import result_document

        return result_document(self)

    def to_json(self, path: Path | str | None = None) -> str:
        """Return the document as JSON text, and write it to a file if one is named.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        text = json.dumps(self.document(), ensure_ascii=False, allow_nan=False)
        if path is not None:
            write_bytes(Path(path), text.encode())
        return text

    def to_csv(self, folder: Path | str) -> tuple[Path, ...]:
        """Write fills, equity, orders, round trips and metrics as CSV files into a folder.

        Raises
        ------
        StorageError
            If they cannot be written.
        """
        written = []
        for name, frame in self._frames().items():
            path = Path(folder) / f"{name}.csv"
            write_bytes(path, frame.write_csv().encode())
            written.append(path)
        return tuple(written)

    def to_html(self, path: Path | str) -> Path:
        """Write the report as one self-contained HTML file.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.report import report_html

        write_bytes(Path(path), report_html(self).encode())
        return Path(path)

    def to_pdf(self, path: Path | str) -> Path:
        """Write the report as PDF.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        from openalpha.research.report.pdf import report_pdf

        write_bytes(Path(path), report_pdf(self))
        return Path(path)

    def show(self, console: "Console | None" = None) -> None:
        """Print the report to the terminal."""
        from openalpha.research.report import print_report

        print_report(self, console)

    def save(self, home: Path | str | None = None) -> StoredRun:
        """Write the run folder: record, result, fills, equity, orders, round trips, journal.

        Parameters
        ----------
        home : Path, optional
            The home to write to; the run's own where none is given.

        Raises
        ------
        InputError
            If there is no home.
        StorageError
            If it cannot be written; then nothing of it is there.
        """
        from openalpha.research.document import summary_document

        where = self.context.home if home is None else Path(home)
        if where is None:
            raise InputError("there is no home to save to; pass one: result.save(home)")
        content = (self.context.strategy, self.record["settings_hash"], json.dumps(self.record))
        run_id = new_run_id(self.context.created_ms, *content)
        return RunStore(where).write(
            self.context.environment,
            run_id,
            record=self.record,
            documents={"result": self.document(), "summary": summary_document(self)},
            frames=self._frames(),
        )

    def _frames(self) -> dict[str, pl.DataFrame]:
        names = list(self.metrics)
        frames = {
            "fills": self.fills,
            "equity": self.equity,
            "orders": self.orders,
            "round_trips": self.round_trips,
            "effects": self.run.effects.to_frame(),
            "metrics": pl.DataFrame({"metric": names, "value": list(self.metrics.values())}),
        }
        if self.run.journal is not None:
            codes = self.run.journal.reshape(len(self.run.ts_ms), -1)
            columns = {
                name: codes[:, at].astype(np.int32)
                for at, name in enumerate(self.context.histories)
            }
            frames["journal"] = pl.DataFrame({"ts_ms": self.run.ts_ms, **columns})
        return frames
