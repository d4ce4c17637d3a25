"""Variables and arguments as Kubernetes would give them."""

from pathlib import Path

import pytest

from jobflow.local.kubelet.environment import Machine, arguments, expand, variables

KNOWN = {"A": "1", "B": "two"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(A)-$(B)", "1-two"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("100$", "100$"),
    ],
)
def test_references_are_expanded_where_they_are_known(text, expanded):
    assert expand(text, KNOWN) == expanded


def variables_of(pod, container, **env):
    listed = [{"name": name, **source} for name, source in env.items()]
    spec = container(shell="true", env=listed)
    return variables(pod(spec), spec, Machine("/bin", "C"), Path("/home"))


def test_four_variables_of_the_machine_and_the_host_name(pod, container):
    assert variables_of(pod, container) == {
        "PATH": "/bin",
        "HOME": "/home",
        "LANG": "C",
        "TMPDIR": "/home/tmp",
        "HOSTNAME": "p",
    }


def test_a_variable_may_refer_to_those_before_it(pod, container):
    env = variables_of(pod, container, A={"value": "1"}, B={"value": "$(A)$(C)"}, C={"value": "x"})
    assert env["B"] == "1$(C)"


def test_the_container_may_set_what_the_machine_gives(pod, container):
    assert variables_of(pod, container, PATH={"value": "/mine"})["PATH"] == "/mine"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "uid-p"),
        ("metadata.labels['color']", "green"),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", "local"),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod(pod, container, path, value):
    assert variables_of(pod, container, V={"valueFrom": {"fieldRef": {"fieldPath": path}}})["V"] == value


def test_command_and_args_are_one_line_with_references_expanded(container):
    spec = container(command=["echo", "$(A)"], args=["$(B)", "$$"])
    assert arguments(spec, KNOWN) == ("echo", "1", "two", "$")
