"""Steps of the schema, oldest first in `versions`, and how a database is led through them.

There is no `env.py`: the steps run on a connection we hold, so that they lie in one transaction and
two programs that start at once do not both make the schema.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openalpha.store.database import Database

__all__ = ["FOLDER", "upgrade"]

FOLDER = Path(__file__).parent
_LOCK = 7_235_419_001  # a number of our own: PostgreSQL's advisory locks have no names


def upgrade(database: "Database") -> None:
    """Bring a database to the newest schema, all steps in one transaction.

    Raises
    ------
    StorageError
        If a step fails; the schema is then as it was.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: object, context: object) -> object:
        del context
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type]

    with database.writing() as connection:
        if database.is_postgresql:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        with EnvironmentContext(config, script, fn=steps, destination_rev="head") as environment:
            environment.configure(connection=connection)
            environment.run_migrations()
