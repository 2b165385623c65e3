"""Where alerts go."""

from dataclasses import dataclass, field

from pydantic import SecretStr

__all__ = ["AlertSettings"]


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Who is told when something needs a person."""

    urls: SecretStr = field(
        default=SecretStr(""),
        metadata={
            "help": "Apprise addresses separated by blanks, as tgram://TOKEN/CHAT mailto://…; "
            "better in OPENALPHA_ALERTS__URLS than in a file",
        },
    )
    least: str = field(
        default="warning",
        metadata={
            "help": "least severity that is sent",
            "choices": ("info", "warning", "critical"),
        },
    )
    repeat_s: int = field(
        default=300,
        metadata={
            "help": "time in which the same words are sent once only",
            "unit": "s",
            "min": 0,
        },
    )
