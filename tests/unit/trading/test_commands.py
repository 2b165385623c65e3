"""The command port: who may speak, what is understood, and paths longer than a socket's name."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from openalpha.core.errors import InputError, VenueUnavailable
from openalpha.trading.run.commands import Command, CommandPort, send_command


def answered(path: Path, line: bytes) -> dict[str, Any]:
    """Open a port, say a line to it, return its answer and what it took."""
    taken: list[Command] = []
    heard: list[str] = []

    def take(command: Command) -> dict[str, Any]:
        taken.append(command)
        return {"taken": command.verb}

    async def speak() -> bytes:
        port = CommandPort(path, take, heard=lambda command, _: heard.append(command.verb))
        await port.open()
        assert oct(path.stat().st_mode)[-3:] == "600"
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(line + b"\n")
        answer = await reader.readline()
        writer.close()
        await port.close()
        return answer

    answer = json.loads(asyncio.run(speak()))
    assert heard == [one.verb for one in taken if one.verb != "STATUS"]
    return {**answer, "commands": taken}


def test_a_command_is_taken_with_its_reason(tmp_path):
    line = json.dumps(Command("PAUSE", "news").content()).encode()
    found = answered(tmp_path / "port", line)
    assert found["ok"] is True
    assert found["commands"] == [Command("PAUSE", "news")]


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"nonsense", b'{"verb": "SELL", "flatten": false}', b"[1]", b"\xff\xfe"]
)
def test_what_is_no_command_is_answered_and_changes_nothing(tmp_path, line):
    found = answered(tmp_path / "port", line)
    assert found["ok"] is False
    assert found["commands"] == []


def test_a_reason_has_an_end():
    with pytest.raises(InputError, match="shorten it"):
        Command("STOP", "x" * 501)


def test_a_run_that_is_not_led_is_said_to_be_so(tmp_path):
    with pytest.raises(VenueUnavailable, match="nobody answers"):
        send_command(tmp_path / "port", Command("STOP"))


def test_a_socket_left_behind_is_replaced_however_deep_it_lies(tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    path = deep / "port"
    path.touch()
    answers = []

    async def speak() -> None:
        port = CommandPort(path, lambda command: {"taken": command.verb}, heard=lambda *_: None)
        await port.open()
        said = asyncio.to_thread(send_command, path, Command("RESUME"))
        answers.append(await said)
        await port.close()

    asyncio.run(speak())
    assert len(str(path)) > 107, "the system would not take such a name"
    assert answers == [{"ok": True, "taken": "RESUME"}]
    assert not path.exists()
