"""The home folder: created with its layout number, migrated from an older one, never guessed."""

from pathlib import Path

import pytest

from openalpha.core.errors import ConfigError, StorageError
from openalpha.settings import LAYOUT_VERSION, migrate_home, prepare_home, read_home
from openalpha.settings.home import HomeStatus


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """Return a home as layout 0 left it."""
    home = tmp_path / "old"
    (home / "data" / "bybit_linear").mkdir(parents=True)
    (home / "data" / "bybit_linear" / "bars.parquet").write_bytes(b"bars")
    (home / "config.toml").write_text("# mine\n", "utf-8")
    return home


def contents(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file()
    }


def test_a_new_home_carries_its_layout_number(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    assert read_home(home).status is HomeStatus.MISSING
    prepare_home(home)
    assert contents(home) == {"LAYOUT": f"{LAYOUT_VERSION}\n".encode()}
    assert prepare_home(home) == home
    assert migrate_home(home) == []


def test_an_older_home_is_refused_until_it_is_migrated(old_home: Path) -> None:
    before = contents(old_home)
    with pytest.raises(ConfigError, match="run `openalpha home migrate` once"):
        prepare_home(old_home)
    assert contents(old_home) == before
    said = migrate_home(old_home)
    assert said == [
        "renamed config.toml to openalpha.toml",
        "renamed data to lake",
        "layout 0 is now layout 1",
    ]
    assert contents(old_home) == {
        "LAYOUT": b"1\n",
        "openalpha.toml": b"# mine\n",
        "lake/bybit_linear/bars.parquet": b"bars",
    }
    assert prepare_home(old_home) == old_home


def test_a_migration_killed_half_way_is_finished_by_the_next(old_home: Path) -> None:
    (old_home / "config.toml").rename(old_home / "openalpha.toml")
    assert migrate_home(old_home) == ["renamed data to lake", "layout 0 is now layout 1"]


def test_a_migration_never_writes_over_anything(old_home: Path) -> None:
    (old_home / "lake").mkdir()
    (old_home / "lake" / "newer.parquet").write_bytes(b"newer")
    with pytest.raises(ConfigError, match="has both data and lake"):
        migrate_home(old_home)
    assert contents(old_home)["lake/newer.parquet"] == b"newer"
    assert contents(old_home)["data/bybit_linear/bars.parquet"] == b"bars"
    assert "LAYOUT" not in contents(old_home)


@pytest.mark.parametrize("act", [prepare_home, migrate_home])
def test_a_newer_home_is_refused_in_one_sentence(tmp_path: Path, act: object) -> None:
    (tmp_path / "LAYOUT").write_text(f"{LAYOUT_VERSION + 1}\n", "utf-8")
    assert callable(act)
    with pytest.raises(ConfigError, match="newer than the 1 this program knows") as caught:
        act(tmp_path)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {"LAYOUT": b"2\n"}


def test_a_spoilt_layout_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "LAYOUT").write_text("one", "utf-8")
    with pytest.raises(ConfigError, match="holds 'one', expected a number"):
        read_home(tmp_path)


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file, not a folder"):
        prepare_home(tmp_path / "file")


def test_a_home_that_cannot_be_made_is_the_outside_worlds_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be read"):
        prepare_home(tmp_path / "file" / "below")
