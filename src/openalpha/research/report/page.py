"""The shell of a page: style, script, chart library and data in one file that works offline."""

import json
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from openalpha.core.errors import StorageError

__all__ = ["page", "plotly_script", "section"]

_PACKAGE = "openalpha.research.report"


def page(*, title: str, body: str, data: dict[str, Any], footer: str) -> str:
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
    """
    # "</" would end the script element early, whatever it stands in.
    packed = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
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
<script type="application/json" id="data">{packed}</script>
<script>{plotly_script()}</script>
<script>{_asset("report.js")}</script>
</body>
</html>
"""


def section(title: str, content: str, *, note: str = "", classes: str = "") -> str:
    """Return a titled block; `note` stands beside the title, `content` is HTML."""
    beside = f'<p class="beside">{escape(note)}</p>' if note else ""
    head = f"<header><h2>{title}</h2>{beside}</header>"
    return f'<section class="card {classes}">{head}{content}</section>'


@cache
def plotly_script() -> str:
    """Return the chart library as the installed plotly package carries it.

    Raises
    ------
    StorageError
        If the package is damaged.
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        path = distribution("plotly").locate_file("plotly/package_data/plotly.min.js")
        text = Path(str(path)).read_text(encoding="utf-8")
    except (OSError, PackageNotFoundError):
        raise StorageError(
            "the chart library is missing; reinstall it: pip install --force-reinstall plotly"
        ) from None
    return text.replace("</script", "<\\/script")


@cache
def _asset(name: str) -> str:
    return (files(_PACKAGE) / "assets" / name).read_text(encoding="utf-8")
