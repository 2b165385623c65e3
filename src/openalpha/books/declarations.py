"""Keeps what an entity declares (who it is, its choices) word after word, none ever changed."""

from dataclasses import dataclass
from typing import NamedTuple

from openalpha.books.tables import TAX_DECLARATIONS, and_, select
from openalpha.core.clock import Clock
from openalpha.store.database import Database, insert_rows

__all__ = ["PROFILE", "Declaration", "Declarations"]

PROFILE = "profile"
"""The topic under which an entity's file is kept, as it was given."""


class Declaration(NamedTuple):
    """One word: its number, what it speaks of, what it says, when it was said (UTC ms)."""

    seq: int
    topic: str
    said: str
    recorded_ms: int


@dataclass(frozen=True, slots=True)
class Declarations:
    """The declarations of every entity in one database.

    Parameters
    ----------
    database : Database
    clock : Clock
        Tells when something was declared: a resolution's deadline is judged by its date, and
        beside it stands when these books first heard of it.
    """

    database: Database
    clock: Clock

    def declare(self, entity: str, topic: str, *, said: str) -> bool:
        """Keep a word, unless it is the last one on its topic already.

        Returns
        -------
        bool
            Whether it was new.
        """
        with self.database.writing() as connection:
            query = TAX_DECLARATIONS.select().where(TAX_DECLARATIONS.c.entity == entity)
            rows = list(connection.execute(query.order_by(TAX_DECLARATIONS.c.seq)))
            same = [row.said for row in rows if row.topic == topic]
            if same and same[-1] == said:
                return False
            number = int(rows[-1].seq) + 1 if rows else 1
            row = (entity, number, topic, said, self.clock.now_ms())
            insert_rows(connection, TAX_DECLARATIONS, rows=[row])
        return True

    def last(self, entity: str, topic: str) -> Declaration | None:
        """Return the last word on a topic; None where nothing was said."""
        said = self.history(entity, topic)
        return said[-1] if said else None

    def history(self, entity: str, topic: str) -> list[Declaration]:
        """Return every word on a topic, oldest first."""
        which = and_(TAX_DECLARATIONS.c.entity == entity, TAX_DECLARATIONS.c.topic == topic)
        query = TAX_DECLARATIONS.select().where(which).order_by(TAX_DECLARATIONS.c.seq)
        with self.database.reading() as connection:
            return [
                Declaration(row.seq, row.topic, row.said, row.recorded_ms)
                for row in connection.execute(query)
            ]

    def entities(self, topic: str = PROFILE) -> list[str]:
        """Return the names of entities that declared something on a topic, sorted."""
        query = select(TAX_DECLARATIONS.c.entity).where(TAX_DECLARATIONS.c.topic == topic)
        with self.database.reading() as connection:
            return sorted({row.entity for row in connection.execute(query)})
