"""The one border of the command line: errors become one sentence and an exit code here.

Exit codes: 0 fine, 1 the user's input, 2 usage, 3 our fault (a report file is written and named),
4 a check ran and failed, 5 the outside world (venue, network, disk), 130 stopped by Ctrl-C,
141 the reader of our output went away. No traceback is ever shown.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from openalpha.cli.lazy import LazyGroup
from openalpha.core.errors import (
    DataError,
    InputError,
    OpenAlphaError,
    OrderError,
    StorageError,
    VenueRefused,
    VenueUnavailable,
)

__all__ = ["CHECK_FAILED", "execute", "root_command", "run"]

FINE, INPUT, USAGE, OUR_FAULT, CHECK_FAILED, OUTSIDE = range(6)
STOPPED = 130
READER_GONE = 141

# First match wins. What is not listed (LedgerError, any bug) is our fault.
_CODES: tuple[tuple[type[OpenAlphaError], int], ...] = (
    (InputError, INPUT),
    (DataError, INPUT),
    (OrderError, INPUT),
    (VenueUnavailable, OUTSIDE),
    (VenueRefused, OUTSIDE),
    (StorageError, OUTSIDE),
)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Execute the command line and end the process with its exit code."""
    code = execute(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = READER_GONE
    if code == READER_GONE:
        # The interpreter flushes once more while it ends; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def root_command() -> LazyGroup:
    """Return the root of all commands, with shell completion."""
    app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)

    @app.callback()
    def openalpha() -> None:
        """Find trading ideas, test them honestly, trade them under limits that hold."""

    command = typer.main.get_command(app)
    assert isinstance(command, LazyGroup)
    return command


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; say what went wrong in one sentence."""
    try:
        result = root_command().main(
            args=list(arguments), prog_name="openalpha", standalone_mode=False
        )
        code = result if isinstance(result, int) else FINE
        if code == STOPPED:
            _say("stopped; what was finished is kept, nothing is half written")
        return code
    except (KeyboardInterrupt, typer.Abort):
        _say("stopped; what was finished is kept, nothing is half written")
        return STOPPED
    except SystemExit as end:
        # Typer and Rich end the process like this when the reader of a pipe is gone.
        if isinstance(end.__context__, BrokenPipeError):
            return READER_GONE
        return end.code if isinstance(end.code, int) else OUR_FAULT
    except Exception as error:  # noqa: BLE001 - this is the border: nothing passes it
        return _explain(error, arguments)


def _explain(error: Exception, arguments: Sequence[str]) -> int:
    if isinstance(error, BrokenPipeError):
        return READER_GONE
    if isinstance(error, typer.TyperException):
        _say(_usage_sentence(error))
        return USAGE
    for kind, code in _CODES:
        if isinstance(error, kind):
            _say(str(error))
            return code
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        _say(f"{named}{error.strerror or error}")
        return OUTSIDE
    if isinstance(error, MemoryError):
        _say("this machine has not enough memory for that; take fewer bars, instruments or workers")
        return OUTSIDE
    return _report(error, arguments)


def _usage_sentence(error: typer.TyperException) -> str:
    # Without a command the help was shown as the message itself.
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "openalpha"
    return f"{_ended(error.format_message())} `{command} --help` shows what it takes."


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def _report(error: Exception, arguments: Sequence[str]) -> int:
    from openalpha.cli.report_file import write_report

    sentence = "something in OpenAlpha broke; this is our fault, not your input"
    try:
        path = write_report(error, arguments)
    except OSError as failure:
        _say(f"{sentence}; a report could not be written ({failure.strerror}): {error!r}")
    else:
        _say(f"{sentence}. The details are in {path}; please send us that file.")
    return OUR_FAULT


def _say(sentence: str) -> None:
    if not sentence:
        return
    try:
        label = "\033[1;31merror:\033[0m" if _is_coloured() else "error:"
        sys.stderr.write(f"{label} {sentence}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        return


def _is_coloured() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
