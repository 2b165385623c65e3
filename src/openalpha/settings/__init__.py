"""How it is set: every package's settings group in one schema, read once at the front door.

Sources, each overruling the one before: defaults, the TOML file, `OPENALPHA_*` variables, and
`--set`. What comes out is frozen; packages receive plain values and never read a file or a
variable themselves.
"""

from openalpha.settings.checking import Source, build_group
from openalpha.settings.groups import Settings
from openalpha.settings.home import (
    LAYOUT_VERSION,
    HomeState,
    default_home,
    migrate_home,
    prepare_home,
    read_home,
)
from openalpha.settings.sources import LoadedSettings, find_home, load_settings
from openalpha.settings.template import render_template

__all__ = [
    "LAYOUT_VERSION",
    "HomeState",
    "LoadedSettings",
    "Settings",
    "Source",
    "build_group",
    "default_home",
    "find_home",
    "load_settings",
    "migrate_home",
    "prepare_home",
    "read_home",
    "render_template",
]
