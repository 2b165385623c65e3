"""The one border of the command line: errors become one sentence and an exit code here."""


def run() -> None:
    """Run the command line; replaced by the real one in the next change."""
