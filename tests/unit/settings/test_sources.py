"""Where settings come from, which source wins, and what each says when it is wrong."""

from pathlib import Path

import pytest

from openalpha.core.errors import ConfigError
from openalpha.settings import Source, find_home, load_settings, render_template


def test_defaults_need_nothing(tmp_path: Path) -> None:
    loaded = load_settings(environ={"OPENALPHA_HOME": str(tmp_path)})
    assert loaded.file is None
    assert loaded.home == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_each_source_overrules_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[home]\npath = "from-file"\n', "utf-8")
    environ = {"OPENALPHA_HOME__PATH": "from-environment"}
    said = ["home.path=first", "home.path=from-option"]
    assert load_settings(file, environ={}).home.name == "from-file"
    assert load_settings(file, environ=environ).home.name == "from-environment"
    loaded = load_settings(file, said, environ=environ)
    assert loaded.home.name == "from-option"
    assert loaded.sources == {"home.path": Source.OPTION}


def test_the_file_of_a_home_cannot_name_another_home(tmp_path: Path) -> None:
    (tmp_path / "openalpha.toml").write_text('[home]\npath = "elsewhere"\n', "utf-8")
    with pytest.raises(ConfigError, match="use OPENALPHA_HOME or --set"):
        load_settings(environ={"OPENALPHA_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[home", "is not valid TOML"),
        ("path = 'x'", "path stands outside a group"),
        ("[hom]\npath = 'x'", "hom.path is not a setting (did you mean home.path?)"),
        ("[home]\npth = 'x'", "home.pth is not a setting (did you mean home.path?)"),
        ("[home]\npath = 3", "home.path was 3"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(content, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ={})
    assert said in str(caught.value)
    assert "bad.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OPENALPHA_HOM__PATH": "x"}, "OPENALPHA_HOM__PATH: hom.path is not a setting"),
        ({"OPENALPHA_TAKER": "5"}, "OPENALPHA_TAKER is no setting: write OPENALPHA_GROUP__KEY"),
    ],
)
def test_a_bad_variable_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_settings(environ=environ)


def test_variables_of_tests_and_caches_are_no_settings(tmp_path: Path) -> None:
    environ = {"OPENALPHA_HOME": str(tmp_path), "OPENALPHA_TEST_DATA": "x", "PATH": "y"}
    environ["OPENALPHA_KERNEL_CACHE"] = "z"
    assert load_settings(environ=environ).sources == {"home.path": Source.ENVIRONMENT}


def test_faults_of_all_sources_come_together(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[nowhere]\nx = 1\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, ["y.z=1", "nonsense"], environ={"OPENALPHA_A__B": "1"})
    text = str(caught.value)
    assert text.startswith("4 settings cannot be used")
    for part in ("nowhere.x", "y.z", "--set nonsense", "a.b"):
        assert part in text


def test_a_missing_file_given_by_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_settings(tmp_path / "absent.toml", environ={})


def test_a_number_may_be_a_name(tmp_path: Path) -> None:
    assert load_settings(None, ["home.path=2026"], environ={}).home.name == "2026"


def test_the_home_is_found_even_when_other_settings_are_wrong(tmp_path: Path) -> None:
    said = ["no.such=1", f"home.path={tmp_path}"]
    assert find_home(None, said, environ={"OPENALPHA_X": "1"}) == tmp_path


def test_the_template_is_valid_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "openalpha.toml").write_text(render_template(), "utf-8")
    loaded = load_settings(environ={"OPENALPHA_HOME": str(tmp_path)})
    assert loaded.sources == {"home.path": Source.ENVIRONMENT}


def test_the_template_with_every_line_active_gives_the_defaults(tmp_path: Path) -> None:
    lines = []
    for line in render_template().splitlines():
        text = line.removeprefix("# ")
        is_key = line.startswith("# ") and " = " in text and text.split(" = ")[0].isidentifier()
        lines.append(text if is_key else line)
    file = tmp_path / "all.toml"
    file.write_text("\n".join(lines), "utf-8")
    environ = {"OPENALPHA_HOME": str(tmp_path)}
    assert load_settings(file, environ=environ).settings == load_settings(environ=environ).settings
