"""The shell of a page: style, script, chart library and data in one file that works offline."""

import json
import re
import zlib
from base64 import b85decode, b85encode
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from itertools import accumulate, pairwise
from math import gcd
from pathlib import Path
from typing import Any

from openalpha.core.errors import InputError, StorageError

__all__ = ["data_of", "page", "section", "synthetic_banner"]

_PACKAGE = "openalpha.research.report"
_FEW = 16
_MAP_WORKER = re.compile(rb"\.exports='(?:[^'\\]|\\.){100000,}'")


def page(*, title: str, body: str, data: dict[str, Any], footer: str, more: str = "") -> str:
    """Return a whole HTML document.

    Parameters
    ----------
    title : str
        For the browser's tab.
    body : str
        HTML of the content, header included.
    data : dict
        What the script draws; it finds its places by id.
    footer : str
        HTML of the last lines.
    more : str, optional
        Name of a further script among the assets.
    """
    text = json.dumps(_thrifty(data), separators=(",", ":"), allow_nan=False)
    further = f"<script>{_asset(more)}</script>\n" if more else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="OpenAlpha">
<title>{escape(title)}</title>
<style>{_asset("report.css")}</style>
</head>
<body>
<nav class="bar"><span class="mark" aria-hidden="true"></span><b>OpenAlpha</b>
<button id="theme" type="button" aria-label="Switch between light and dark">Dark</button></nav>
<main>{body}</main>
<footer>{footer}</footer>
{_packed("library", _library())}
{_packed("data", text)}
<script>{_asset("unpack.js")}</script>
<script>{_asset("report.js")}</script>
{further}</body>
</html>
"""


def section(title: str, content: str, *, note: str = "", classes: str = "") -> str:
    """Return a titled block; `note` stands beside the title, `content` is HTML."""
    beside = f'<p class="beside">{escape(note)}</p>' if note else ""
    head = f"<header><h2>{title}</h2>{beside}</header>"
    return f'<section class="card {classes}">{head}{content}</section>'


def synthetic_banner(instruments: Iterable[str]) -> str:
    """Return a line that says so when a market is made up, else nothing."""
    if not any(name.startswith("synthetic") for name in instruments):
        return ""
    return '<p class="banner">Synthetic market: made by a generator, not recorded anywhere.</p>'


def data_of(document: str) -> Any:
    """Return what a page's script draws, unpacked again.

    Raises
    ------
    InputError
        If the document is not such a page.
    """
    found = re.search(r'id="data" data-bytes="(\d+)">(.*?)</script>', document)
    if found is None:
        raise InputError("this is not a page of a report: it carries no data")
    coded = found[2].replace(",", "<")
    packed = zlib.decompress(b85decode(coded)[: int(found[1])])
    return json.loads(packed, object_hook=_whole)


def _thrifty(item: Any) -> Any:
    """Write long rows of whole numbers, stamps above all, as their steps: they pack far better."""
    if isinstance(item, dict):
        return {name: _thrifty(part) for name, part in item.items()}
    if not isinstance(item, list | tuple) or not item:
        return item
    if len(item) < _FEW or not all(type(part) is int for part in item):
        return [_thrifty(part) for part in item]
    steps = [after - before for before, after in pairwise(item)]
    unit = gcd(*steps) or 1
    return {"steps": [unit, item[0], *(step // unit for step in steps)]}


def _whole(item: dict[str, Any]) -> Any:
    """Undo `_thrifty`, as `unpack.js` does."""
    if list(item) != ["steps"]:
        return item
    unit, first, *steps = item["steps"]
    return list(accumulate((unit * step for step in steps), initial=first))


@cache
def _library() -> bytes:
    """Return the chart library of the installed plotly package, deflated.

    Without the program of the worker that draws street maps, a text of half a megabyte in it: no
    page has a map.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        path = distribution("plotly").locate_file("plotly/package_data/plotly.min.js")
        return zlib.compress(_MAP_WORKER.sub(b".exports=''", Path(str(path)).read_bytes()), 9)
    except (OSError, PackageNotFoundError):
        raise StorageError(
            "the chart library is missing; reinstall it: pip install --force-reinstall plotly"
        ) from None


def _packed(name: str, content: bytes | str) -> str:
    """Return an element that `unpack.js` reads: deflated bytes in signs that cannot end it.

    Four bytes in five signs: the library is 4.8 MB as it stands, 1.8 MB so.
    """
    if isinstance(content, str):
        content = zlib.compress(content.encode(), 9)
    coded = b85encode(content, pad=True).decode().replace("<", ",")
    return f'<script type="text/plain" id="{name}" data-bytes="{len(content)}">{coded}</script>'


@cache
def _asset(name: str) -> str:
    return (files(_PACKAGE) / "assets" / name).read_text(encoding="utf-8")
