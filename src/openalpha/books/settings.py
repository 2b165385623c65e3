"""Settings of the books."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from openalpha.core.errors import ConfigError

__all__ = ["BooksSettings"]


@dataclass(frozen=True, slots=True)
class BooksSettings:
    """Where the books are kept, and whose they are."""

    database_url: str = field(
        default="",
        metadata={
            "help": "address of a PostgreSQL database, postgresql://USER@HOST/NAME; empty keeps "
            "the books in a file of the home. The password comes from PGPASSWORD or ~/.pgpass",
        },
    )
    entity: str = field(
        default="me",
        metadata={"help": "whose books are written: a short name for a person, trust or company"},
    )

    def __post_init__(self) -> None:
        """Refuse a password in the address: settings are shown and kept with runs."""
        try:
            has_password = urlsplit(self.database_url).password is not None
        except ValueError:
            has_password = False
        if has_password:
            raise ConfigError(
                "books.database_url holds a password; take it out and give it by PGPASSWORD or "
                "~/.pgpass"
            )
        if not self.entity.strip() or "/" in self.entity:
            raise ConfigError(
                f"books.entity was '{self.entity}', expected a name without a slash such as me"
            )
