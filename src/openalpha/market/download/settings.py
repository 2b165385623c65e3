"""The settings group `download`: where history is fetched from and how politely."""

from dataclasses import dataclass, field

__all__ = ["DownloadSettings"]


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """How history is fetched."""

    workers: int = field(
        default=4,
        metadata={"help": "instruments fetched side by side", "min": 1, "max": 16},
    )
    timeout_s: float = field(
        default=15.0,
        metadata={
            "help": "longest wait for a connection or for the next piece of an answer",
            "unit": "s",
            "min": 0.1,
            "max": 600.0,
        },
    )
    attempts: int = field(
        default=7,
        metadata={"help": "tries of one request before giving up", "min": 1, "max": 50},
    )
    first_wait_s: float = field(
        default=0.5,
        metadata={
            "help": "wait after the first failed try; it doubles with each further one",
            "unit": "s",
            "min": 0.0,
            "max": 60.0,
        },
    )
    requests_per_s: float = field(
        default=50.0,
        metadata={
            "help": "requests a second to one venue, all programs of this home together",
            "unit": "1/s",
            "min": 0.1,
            "max": 1000.0,
        },
    )
    archive_url: str = field(
        default="https://public.bybit.com",
        metadata={"help": "where the venue's daily trade files lie"},
    )
