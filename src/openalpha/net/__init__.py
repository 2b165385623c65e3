"""How we talk: the HTTP port, patience, the shared rate budget, the venue's clock."""

from openalpha.net.broker import RateBroker, Use
from openalpha.net.budget import Priority, RateBudget, RateLimit
from openalpha.net.offset import Offset, OffsetClock, measure_offset
from openalpha.net.patience import Objection, Patience, PatientTransport, judge_status
from openalpha.net.transport import (
    HttpTransport,
    MemoryTransport,
    Request,
    Response,
    Transport,
    host_of,
)
from openalpha.net.windows import WindowBudget, WindowLimit

__all__ = [
    "HttpTransport",
    "MemoryTransport",
    "Objection",
    "Offset",
    "OffsetClock",
    "Patience",
    "PatientTransport",
    "Priority",
    "RateBroker",
    "RateBudget",
    "RateLimit",
    "Request",
    "Response",
    "Transport",
    "Use",
    "WindowBudget",
    "WindowLimit",
    "host_of",
    "judge_status",
    "measure_offset",
]
