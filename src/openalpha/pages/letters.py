"""Which letters paper can show: the fonts every reader of PDF has built in are Latin ones."""

from collections.abc import Iterable
from functools import lru_cache
from unicodedata import decomposition, normalize

__all__ = ["safe", "unwritable"]


def safe(text: str) -> str:
    """Return text in the characters the built-in fonts have.

    A letter with a mark they lack loses the mark; what has no Latin letter is a question mark.

    Examples
    --------
    >>> safe("Nguyễn, Žofie, 安全")
    'Nguyên, Žofie, ??'
    """
    if text.isascii():
        return text
    return "".join(map(_written, normalize("NFC", text)))


def unwritable(texts: Iterable[str]) -> str:
    """Return the characters of texts that paper shows as question marks, each once."""
    odd = {letter for text in texts if not text.isascii() for letter in normalize("NFC", text)}
    return "".join(sorted(letter for letter in odd if _written(letter) == "?" != letter))


@lru_cache(maxsize=4096)
def _written(letter: str) -> str:
    while True:
        try:
            return letter.encode("cp1252").decode("cp1252")
        except UnicodeEncodeError:
            parts = decomposition(letter).split()
            if not parts or parts[0].startswith("<") or not chr(int(parts[0], 16)).isalpha():
                return "?"
            letter = chr(int(parts[0], 16))
