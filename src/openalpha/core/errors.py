"""The error tree, grouped by what the caller must do.

    OpenAlphaError
    ├── InputError          a person must edit what they gave
    │   ├── ConfigError     ... a setting
    │   └── UnknownName     ... a name (instrument, strategy, run) that does not exist
    ├── DataError           stop the run: the data cannot be trusted or does not fit
    │   └── LookAheadError  ... a strategy that sees the future
    ├── OrderError          drop this order
    │   └── InvalidTransition
    ├── VenueUnavailable    retry with back-off
    │   └── NotSent         ... nothing was sent: nobody was there to take it
    ├── VenueRefused        do not retry
    ├── StorageError        the disk or the database failed; nothing was half written
    └── LedgerError         halt trading

Ordinary refusals (risk, minimum order) are values with a `Reason`, never exceptions.
Each message is one sentence: what, where, what to do. Errors are shown to people as they are.
"""

__all__ = [
    "ConfigError",
    "DataError",
    "InputError",
    "InvalidTransition",
    "LedgerError",
    "LookAheadError",
    "NotSent",
    "OpenAlphaError",
    "OrderError",
    "StorageError",
    "UnknownName",
    "VenueRefused",
    "VenueUnavailable",
]


class OpenAlphaError(Exception):
    """Root of every error a person may see.

    Parameters
    ----------
    message : str
        One sentence: what is wrong, where, and what to do about it.
    where : str
        File, row, key or bar the message speaks of; empty when the message says it all.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


class InputError(OpenAlphaError):
    """What the user gave cannot be used as it is: edit it and try again."""


class ConfigError(InputError):
    """A setting is missing, misspelt or out of range."""


class UnknownName(InputError):
    """An instrument, strategy, run or setting of that name does not exist."""


class DataError(OpenAlphaError):
    """The data is not fit for the run: stop."""


class LookAheadError(DataError):
    """A strategy or feature depends on bars it could not have seen."""


class OrderError(OpenAlphaError):
    """This order cannot be placed; others may."""


class InvalidTransition(OrderError):
    """An order event that its status does not allow."""


class VenueUnavailable(OpenAlphaError):
    """The venue or the network did not answer: retry with back-off."""


class NotSent(VenueUnavailable):
    """No connection was made: whatever was to be sent was not, and may be sent again."""


class VenueRefused(OpenAlphaError):
    """The venue said no: do not retry the same request."""


class StorageError(OpenAlphaError):
    """The disk or database failed. What was being written is not there; what was there still is."""


class LedgerError(OpenAlphaError):
    """The books do not add up: halt trading."""
