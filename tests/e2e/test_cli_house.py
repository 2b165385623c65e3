"""The commands that look after the house: version, config, home, doctor."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest


def openalpha(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openalpha", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def as_json(*arguments: str) -> Any:
    return json.loads(openalpha(*arguments, "--json", "-").stdout)


def test_init_writes_once_and_force_replaces(home: Path) -> None:
    assert openalpha("config", "init").returncode == 0
    file = home / "openalpha.toml"
    tomllib.loads(file.read_text("utf-8"))
    file.write_text("# mine\n", "utf-8")
    refused = openalpha("config", "init")
    assert (refused.returncode, file.read_text("utf-8")) == (1, "# mine\n")
    assert "--force replaces it" in refused.stderr
    assert openalpha("config", "init", "--force").returncode == 0
    assert file.read_text("utf-8") != "# mine\n"


def test_show_names_each_source(home: Path) -> None:
    shown = as_json("config", "show")
    assert shown["schema"] == "openalpha.config/1"
    assert shown["home"] == str(home)
    rows = {row["key"]: row for row in shown["settings"]}
    assert rows["home.path"]["source"] == "environment"


@pytest.mark.usefixtures("home")
def test_check_exits_4_and_lists_every_fault() -> None:
    assert openalpha("config", "check").returncode == 0
    done = openalpha("config", "check", "--set", "a.b=1", "--set", "c.d=1", "--json", "-")
    assert done.returncode == 4
    found = json.loads(done.stdout)
    assert found["is_fine"] is False
    assert "a.b" in found["fault"]
    assert "c.d" in found["fault"]


def test_migrate_brings_an_old_home_forward(home: Path) -> None:
    (home / "data").mkdir(parents=True)
    (home / "config.toml").write_text("", "utf-8")
    assert as_json("home", "migrate")["done"][-1] == "layout 0 is now layout 1"
    assert as_json("home", "migrate")["done"] == []
    (home / "LAYOUT").write_text("99\n", "utf-8")
    refused = openalpha("home", "migrate")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1


def test_doctor_is_content_with_this_machine(home: Path) -> None:
    found = as_json("doctor")
    assert found["is_fine"] is True, found
    assert {"python", "packages", "processor", "clock", "disk", "home", "settings"} <= {
        check["name"] for check in found["checks"]
    }
    assert not home.exists(), "a check changes nothing"


def test_doctor_exits_4_when_a_check_fails(home: Path) -> None:
    home.mkdir()
    (home / "LAYOUT").write_text("99\n", "utf-8")
    (home / "openalpha.toml").write_text("[nonsense]\nx = 1\n", "utf-8")
    done = openalpha("doctor", "--json", "-")
    assert done.returncode == 4
    failed = {check["name"] for check in json.loads(done.stdout)["checks"] if not check["is_fine"]}
    assert failed == {"home", "settings"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_doctor_sees_a_home_that_cannot_be_written(home: Path) -> None:
    home.mkdir(mode=0o500)
    assert openalpha("doctor").returncode == 4
