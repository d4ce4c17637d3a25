"""Settings: where a value comes from, and what is said of one that cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobflow.cli.main import app
from jobflow.config import Settings, SettingsError, flag, key, load, variable
from jobflow.obs.log import LogFormat

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `(--[\w-]+)` \| `(JOBFLOW_\w+)` \| `(\w+)` \|([^|]*)\|[^|]+\|$", re.MULTILINE)


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "jobflow.yaml"
        path.write_text(text)
        return path

    return write


def test_nothing_given_is_the_defaults():
    assert load({}, {}) == Settings()


@pytest.mark.parametrize(
    ("told", "flags", "environment", "text", "expect"),
    [
        ("the file", {}, {}, "workers: 5", 5),
        ("the environment before the file", {}, {"JOBFLOW_WORKERS": "6"}, "workers: 5", 6),
        ("a flag before both", {"workers": 7}, {"JOBFLOW_WORKERS": "6"}, "workers: 5", 7),
        ("a flag that was not given is none", {"workers": None}, {"JOBFLOW_WORKERS": "6"}, "workers: 5", 6),
        ("an empty variable is none", {}, {"JOBFLOW_WORKERS": ""}, "workers: 5", 5),
        ("an empty key is none", {}, {}, "workers:", 32),
        ("an empty file is none", {}, {}, "# nothing", 32),
    ],
)
def test_the_first_that_has_it_wins(file, told, flags, environment, text, expect):
    assert load(flags, environment, file(text)).workers == expect, told


def test_every_kind_of_value_from_the_environment():
    environment = {
        "JOBFLOW_NAMESPACES": "a, b",
        "JOBFLOW_LEADER_ELECT": "true",
        "JOBFLOW_LEASE_SECONDS": "30",
        "JOBFLOW_LOG_FORMAT": "json",
        "JOBFLOW_METRICS_ADDRESS": "127.0.0.1:0",
    }
    settings = load({}, environment)
    assert settings.namespaces == ("a", "b")
    assert settings.leader_elect is True
    assert settings.lease_seconds == 30
    assert settings.log_format is LogFormat.JSON
    assert settings.metrics_address == "127.0.0.1:0"


def test_every_kind_of_value_from_a_file(file):
    settings = load({}, {}, file("namespaces: [a, b]\nleaderElect: yes\nleaseName: x\nlogLevel: debug\n"))
    assert (settings.namespaces, settings.leader_elect, settings.lease_name) == (("a", "b"), True, "x")


def test_cluster_templates_are_off_and_switched_on_in_each_way(file):
    assert not Settings().enable_cluster_templates
    assert load({"enable_cluster_templates": True}, {}).enable_cluster_templates
    assert load({}, {"JOBFLOW_ENABLE_CLUSTER_TEMPLATES": "true"}).enable_cluster_templates
    assert load({}, {}, file("enableClusterTemplates: true")).enable_cluster_templates


def test_a_switch_can_be_taken_back(file):
    assert load({"leader_elect": False}, {"JOBFLOW_LEADER_ELECT": "1"}).leader_elect is False


def test_variables_that_kubernetes_makes_for_a_service_are_left_alone():
    made = {
        "JOBFLOW_PORT": "tcp://10.0.0.1:8080",
        "JOBFLOW_SERVICE_HOST": "10.0.0.1",
        "JOBFLOW_SERVICE_PORT": "8080",
        "JOBFLOW_METRICS_PORT": "tcp://10.0.0.1:8080",
        "JOBFLOW_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    }
    assert load({}, made) == Settings()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_no_setting_is_called_as_a_variable_that_kubernetes_makes(field):
    assert not re.search(r"(^|_)(port|service|tcp|udp)(_|$)", field)


@pytest.mark.parametrize(
    ("told", "flags", "environment", "text", "expect"),
    [
        ("a flag", {"workers": 0}, {}, "", ["--workers", "0", "greater than or equal to 1"]),
        ("a variable", {}, {"JOBFLOW_WORKERS": "many"}, "", ["$JOBFLOW_WORKERS", "'many'", "integer"]),
        ("the file", {}, {}, "leaseSeconds: 3", ["leaseSeconds in ", "jobflow.yaml", "3", "6"]),
        ("an address", {"metrics_address": "x"}, {}, "", ["--metrics-address", "'x'", "host:port"]),
        ("a word", {}, {"JOBFLOW_LOG_LEVEL": "loud"}, "", ["$JOBFLOW_LOG_LEVEL", "'loud'", "'debug'"]),
        (
            "a switch beside what excludes it",
            {"namespaces": ("a",)},
            {},
            "enableClusterTemplates: true",
            ["enableClusterTemplates in ", "True", "some namespaces only"],
        ),
        ("a typo", {}, {}, "leaderelect: true", ["jobflow.yaml", "'leaderelect'", 'did you mean "leaderElect"']),
        ("a list of settings", {}, {}, "- a", ["jobflow.yaml", "mapping"]),
        ("no YAML", {}, {}, "a: [", ["jobflow.yaml", "not YAML"]),
        ("several", {"workers": 0}, {"JOBFLOW_LOG_LEVEL": "loud"}, "", ["--workers", "$JOBFLOW_LOG_LEVEL"]),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_where_it_came_from(file, told, flags, environment, text, expect):
    with pytest.raises(SettingsError) as error:
        load(flags, environment, file(text))
    assert [part for part in expect if part not in str(error.value)] == [], f"{told}: {error.value}"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nope\.yaml: No such file"):
        load({}, {}, tmp_path / "nope.yaml")


def test_docs_list_exactly_the_settings():
    text = (ROOT / "docs/operations.md").read_text()
    defaults = {match[1]: match[4].strip(" `") for match in ROW.finditer(text)}
    assert {match.groups()[:3] for match in ROW.finditer(text)} == {
        (flag(field), variable(field), key(field)) for field in Settings.model_fields
    }
    for field, info in Settings.model_fields.items():
        default = "" if info.default in (None, ()) else str(info.default)
        assert defaults[flag(field)].lower() == default.lower(), field


def test_every_setting_has_a_flag():
    help_text = CliRunner().invoke(app, ["controller", "--help"], terminal_width=200).output
    assert [field for field in Settings.model_fields if flag(field) not in help_text] == []


@pytest.mark.parametrize(
    ("words", "environment", "expect"),
    [
        (["--workers", "0"], {}, "--workers: 0 cannot be used"),
        ([], {"JOBFLOW_LEASE_SECONDS": "x"}, "$JOBFLOW_LEASE_SECONDS: 'x' cannot be used"),
        (["--config", "/nope.yaml"], {}, "/nope.yaml: No such file"),
        ([], {"JOBFLOW_CONFIG": "/nope.yaml"}, "/nope.yaml: No such file"),
    ],
)
def test_the_verb_ends_with_one_line_and_exit_code_2(words, environment, expect):
    result = CliRunner().invoke(app, ["controller", *words], env=environment)
    assert result.exit_code == 2
    assert expect in result.output
    assert "Traceback" not in result.output
