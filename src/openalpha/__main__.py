"""Lets `python -m openalpha` do what the `openalpha` command does."""

from openalpha.cli import main

if __name__ == "__main__":
    main()
