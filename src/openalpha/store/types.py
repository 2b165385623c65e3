"""Column types that keep what they are given, whatever the database is."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Dialect, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from openalpha.store.decimals import decimal_text

__all__ = ["ExactDecimal"]


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal of any size, exact: NUMERIC on PostgreSQL, plain text on SQLite.

    SQLite has no decimal type: its NUMERIC is a float for whatever a float can come near to. So
    amounts are never compared or added up by SQL, only by Python.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type this database uses."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(asdecimal=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Hand a value to the driver."""
        if value is None or dialect.name == "postgresql":
            return value
        return decimal_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        """Take a value from the driver."""
        return None if value is None else Decimal(value)
