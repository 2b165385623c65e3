"""The command port of a run: one Unix socket, open to whoever may open the file."""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openalpha.core.errors import InputError, VenueUnavailable

__all__ = ["VERBS", "Command", "CommandPort", "send_command"]

VERBS = ("STOP", "PAUSE", "RESUME", "RESTART", "STATUS", "ORDER", "AMEND", "CANCEL", "CLOSE")
"""What can be said to a run that is led. START is a new process: `openalpha run --resume`."""

_LIMIT = 1 << 22
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asks of a run, and why; `wish` says what of ORDER, AMEND and CANCEL."""

    verb: str
    reason: str = ""
    is_flatten: bool = False
    wish: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what a run does not understand."""
        if self.verb not in VERBS:
            raise InputError(f"'{self.verb}' is no command; there are {', '.join(VERBS)}")
        if len(self.reason) > _LONGEST_REASON:
            raise InputError(f"the reason has more than {_LONGEST_REASON} characters; shorten it")

    def content(self) -> dict[str, Any]:
        """Return the command as JSON can hold it."""
        found = {"verb": self.verb, "reason": self.reason, "flatten": self.is_flatten}
        return found | ({"wish": dict(self.wish)} if self.wish else {})

    @classmethod
    def of(cls, line: bytes) -> "Command":
        """Read a command from a line.

        Raises
        ------
        InputError
            If it is none.
        """
        try:
            content = json.loads(line)
            return cls(
                str(content["verb"]),
                str(content.get("reason", "")),
                bool(content["flatten"]),
                dict(content.get("wish") or {}),
            )
        except (ValueError, KeyError, TypeError):
            raise InputError("a command is one line of JSON with verb, reason, flatten") from None


class CommandPort:
    """Listens at a path of mode 0600; each line is a command, each answer a line.

    Parameters
    ----------
    path : Path
        In the run's folder.
    take : callable
        Is given each command; what it returns is the answer.
    heard : callable
        Told each command that asks for more than the status, and what was answered.
    """

    def __init__(
        self,
        path: Path,
        take: Callable[[Command], Mapping[str, Any]],
        *,
        heard: Callable[[Command, Mapping[str, Any]], object],
    ) -> None:
        self._path, self._take, self._heard = path, take, heard
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen; a socket left behind by a process that died is replaced."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with suppress(FileNotFoundError):
                self._path.unlink()
            mask = os.umask(0o177)
            try:
                _at_short_name(self._path, listener.bind)
            finally:
                os.umask(mask)
        except OSError:
            listener.close()
            raise
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LIMIT)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
        with suppress(FileNotFoundError):
            self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                answer = self._answer(await reader.readline())
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # whoever asked is gone
        finally:
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            command = Command.of(line)
        except InputError as error:
            return {"ok": False, "words": error.message}
        try:
            answer = {"ok": True, **self._take(command)}
        except InputError as error:
            answer = {"ok": False, "words": error.message}
        if command.verb != "STATUS":
            self._heard(command, answer)
        return answer


def send_command(path: Path, command: Command, *, timeout_s: float = 10.0) -> dict[str, Any]:
    """Say a command to the run that listens at a path and return its answer.

    Raises
    ------
    VenueUnavailable
        If nobody listens there or the run does not answer in time.
    InputError
        If the run refuses the command.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        try:
            _at_short_name(path, connection.connect)
            connection.sendall(json.dumps(command.content()).encode() + b"\n")
            parts = []
            while part := connection.recv(1 << 16):
                parts.append(part)
        except (OSError, TimeoutError) as error:
            raise VenueUnavailable(
                f"nobody answers for the run at {path.parent} ({error.strerror or error}); it is "
                "not led now: `openalpha run --resume` starts it again"
            ) from None
    answer: dict[str, Any] = json.loads(b"".join(parts) or b"{}")
    if not answer.get("ok"):
        raise InputError(str(answer.get("words", "the run did not answer")))
    return answer


def _at_short_name(path: Path, act: Callable[[str], object]) -> None:
    """Use a socket's path by way of its folder: the system allows 107 characters only."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
