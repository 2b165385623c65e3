"""The three socket families of the twin: public, private and trade, apart from any network."""

from openalpha.venue.twin.sockets.hub import Hub
from openalpha.venue.twin.sockets.session import Session

__all__ = ["Hub", "Session"]
