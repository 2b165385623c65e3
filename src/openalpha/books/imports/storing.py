"""Keeps imported records in the books' database: each once, whatever file says it how often."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from openalpha.books.imports.reading import ReadFile
from openalpha.books.imports.records import Record, from_text, to_text
from openalpha.books.tables import (
    TAX_DECLARATIONS,
    TAX_FILES,
    TAX_RECORDS,
    TAX_SETTLEMENTS,
    and_,
    func,
    select,
)
from openalpha.core.clock import Clock
from openalpha.core.errors import InputError
from openalpha.store.database import Connection, Database, insert_rows
from openalpha.store.decimals import decimal_text

__all__ = ["Added", "Imports", "Settlement", "SourceFile", "WAYS"]

WAYS = ("own", "buy", "sell", "income", "gift", "split", "lost", "personal", "ignore")
"""What an open item may be settled as."""


class SourceFile(NamedTuple):
    """A file to be kept: its name, its hash, and the zone its bare times were read in."""

    name: str
    sha256: str
    zone: str


class Added(NamedTuple):
    """What an import did: records that are new, and those that were there."""

    new: int
    known: int
    was_known_file: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a person says an open item was.

    Parameters
    ----------
    way : str
        One of `WAYS`: own (moved between own wallets), buy, sell, income, gift, split, lost,
        personal, ignore.
    aud : Decimal or None
        Its value in AUD; None takes the rates' word.
    reason : str
        Why; kept and shown.
    """

    way: str
    aud: Decimal | None
    reason: str


@dataclass(frozen=True, slots=True)
class Imports:
    """The imported histories of every entity in one database.

    Parameters
    ----------
    database : Database
    clock : Clock
        Tells when a file was imported.
    """

    database: Database
    clock: Clock

    def add(self, entity: str, source: SourceFile, *, found: ReadFile, replace: bool) -> Added:
        """Store what a file says, as far as it is new.

        Parameters
        ----------
        replace : bool
            Set aside what this very file brought before (read with another zone or mapping); it
            stays among the entity's declarations.

        Raises
        ------
        InputError
            If the file was imported before in another way, and `replace` is not set.
        """
        with self.database.writing() as connection:
            file_id, is_known = self._file(connection, entity, source, found, replace=replace)
            have = {
                row.key
                for row in connection.execute(
                    select(TAX_RECORDS.c.key).where(TAX_RECORDS.c.entity == entity)
                )
            }
            fresh = {record.key: record for record in found.records if record.key not in have}
            rows = [
                (entity, key, file_id, record.line, record.ts_ms, to_text(record))
                for key, record in fresh.items()
            ]
            if rows:
                insert_rows(connection, TAX_RECORDS, rows=rows)
        return Added(len(rows), len(found.records) - len(rows), is_known)

    def _file(
        self,
        connection: Connection,
        entity: str,
        source: SourceFile,
        found: ReadFile,
        *,
        replace: bool,
    ) -> tuple[int, bool]:
        is_same = and_(TAX_FILES.c.entity == entity, TAX_FILES.c.sha256 == source.sha256)
        row = connection.execute(TAX_FILES.select().where(is_same)).first()
        if row is None:
            number = connection.execute(select(func.coalesce(func.max(TAX_FILES.c.id), 0))).scalar()
            file_id = int(number or 0) + 1
            values = (source.sha256, source.name, found.family, source.zone, found.rows)
            rows = [(file_id, entity, *values, self.clock.now_ms())]
            insert_rows(connection, TAX_FILES, rows=rows)
            return file_id, False
        if (row.family, row.zone) == (found.family, source.zone):
            return int(row.id), True
        if not replace:
            raise InputError(
                f"{source.name} was imported before as {row.family}, times in {row.zone}; now it "
                f"is {found.family} in {source.zone}: --replace reads it anew"
            )
        self._set_aside(connection, entity, row)
        changed = {"family": found.family, "zone": source.zone}
        connection.execute(TAX_FILES.update().where(TAX_FILES.c.id == row.id).values(changed))
        return int(row.id), False

    def _set_aside(self, connection: Connection, entity: str, file: Any) -> None:
        """Move what a file said, read in another way, to the entity's words: nothing is lost."""
        query = TAX_RECORDS.select().where(TAX_RECORDS.c.file_id == file.id)
        rows = [[r.key, r.line, r.ts_ms, r.said] for r in connection.execute(query)]
        said = {"name": file.name, "family": file.family, "zone": file.zone, "records": rows}
        last = connection.execute(
            select(func.coalesce(func.max(TAX_DECLARATIONS.c.seq), 0)).where(
                TAX_DECLARATIONS.c.entity == entity
            )
        ).scalar()
        topic = f"replaced {file.sha256}"
        word = (entity, int(last or 0) + 1, topic, json.dumps(said), self.clock.now_ms())
        insert_rows(connection, TAX_DECLARATIONS, rows=[word])
        connection.execute(TAX_RECORDS.delete().where(TAX_RECORDS.c.file_id == file.id))

    def records(self, entity: str) -> list[Record]:
        """Return every record of an entity, in no order that means anything."""
        with self.database.reading() as connection:
            names = {row.id: row.name for row in connection.execute(TAX_FILES.select())}
            rows = connection.execute(TAX_RECORDS.select().where(TAX_RECORDS.c.entity == entity))
            return [
                from_text(row.said, key=row.key, file=names[row.file_id], line=row.line)
                for row in rows
            ]

    def files(self, entity: str) -> list[Mapping[str, Any]]:
        """Return the files of an entity, oldest import first, as the tables' own columns."""
        with self.database.reading() as connection:
            query = TAX_FILES.select().where(TAX_FILES.c.entity == entity)
            rows = connection.execute(query.order_by(TAX_FILES.c.id))
            return [dict(row._mapping) for row in rows]

    def settle(self, entity: str, key: str, *, settlement: Settlement) -> None:
        """Say what an open item was; a later word on the same key replaces this one."""
        aud = None if settlement.aud is None else decimal_text(settlement.aud)
        said = json.dumps({"way": settlement.way, "aud": aud, "reason": settlement.reason})
        with self.database.writing() as connection:
            last = connection.execute(
                select(func.coalesce(func.max(TAX_SETTLEMENTS.c.seq), 0)).where(
                    TAX_SETTLEMENTS.c.entity == entity
                )
            ).scalar()
            rows = [(entity, int(last or 0) + 1, key, said, self.clock.now_ms())]
            insert_rows(connection, TAX_SETTLEMENTS, rows=rows)

    def settlements(self, entity: str) -> dict[str, Settlement]:
        """Return the last word on every key that was settled."""
        query = TAX_SETTLEMENTS.select().where(TAX_SETTLEMENTS.c.entity == entity)
        with self.database.reading() as connection:
            rows = list(connection.execute(query.order_by(TAX_SETTLEMENTS.c.seq)))
        found = {}
        for row in rows:
            said = json.loads(row.said)
            aud = None if said["aud"] is None else Decimal(said["aud"])
            found[row.key] = Settlement(said["way"], aud, said["reason"])
        return found
