"""The front door: the `openalpha` command. It parses, calls the layers below and prints."""

__all__ = ["main"]


def main() -> None:
    """Run the `openalpha` command and exit with its code."""
    from openalpha.cli.border import run

    run()
