"""The front door: the `openalpha` command. It parses, calls the layers below and prints.

One file a command group, listed in `registry`; a group's file is imported only when one of its
commands runs. Errors become a sentence and an exit code in `border`, nowhere else.
"""

__all__ = ["main"]


def main() -> None:
    """Run the `openalpha` command on `sys.argv` and exit with its code."""
    try:
        from openalpha.cli.border import run
    except KeyboardInterrupt:  # Ctrl-C before the border stands
        raise SystemExit(130) from None
    run()
