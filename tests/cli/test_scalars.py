"""Plain scalars mean what kubectl makes of them; the rows were taken from `kubectl label --local -o json`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobflow.cli.yaml_nodes import TextError, read_documents

KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
REFUSED = "refused"

ROWS = {
    "true": True, "True": True, "TRUE": True, "tRue": "tRue", "false": False,
    "yes": True, "Yes": True, "no": False, "on": True, "On": True, "OFF": False, "y": True, "N": False,
    "null": None, "~": None, "Null": None, "nuLL": "nuLL", "": None,
    "1": 1, "-5": -5, "+7": 7, "0": 0, "-0": 0, "010": 8, "0777": 511, "0o17": 15, "0o8": "0o8", "08": 8,
    "0x1F": 31, "0X1f": 31, "-0x1F": -31, "0x": "0x", "0b11": 3, "0b2": "0b2", "1_000": 1000, "1_0.5": 10.5,
    "9223372036854775807": 9223372036854775807, "99999999999999999999": 1e20,
    "1.5": 1.5, ".5": 0.5, "+.5": 0.5, "5.": 5, "3.0": 3, "1e3": 1000, "1E+3": 1000, "1e-3": 0.001, "1.5e": "1.5e",
    "1e400": "1e400", "._5": "._5", ".inf": REFUSED, ".nan": REFUSED, "+.inf": REFUSED,
    "1:30": "1:30", "190:20:30": "190:20:30", "2024-01-01": "2024-01-01",
    "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z", "=": "=", "<<": "<<",
    "'yes'": "yes", '"1"': "1", "'<<'": "<<",
    "!!str 12": "12", '!!int "3"': 3, "!!float 3": 3, "!!bool yes": True, "!!binary aGk=": "hi", "!foo bar": "bar",
    "!!timestamp 2024-01-01": "2024-01-01", '!!int "x"': REFUSED, "!!null x": REFUSED, "!!binary /w==": REFUSED,
    "{1: a, 1.5: b, on: c, 010: d}": {"1": "a", "1.5": "b", "true": "c", "8": "d"},
    "{~: a}": REFUSED, "{[1]: 2}": REFUSED, "{? a}": {"a": None},
    "{<<: {a: 1, b: 2}, a: 5}": {"a": 5, "b": 2},
    "{a: 5, <<: {a: 1, b: 2}}": {"a": 1, "b": 2},
    "{<<: [{a: 1}, {a: 2, c: 3}], c: 4}": {"a": 1, "c": 4},
    '{"<<": {a: 1}}': {"<<": {"a": 1}},
    "[&a {b: 1}, *a]": [{"b": 1}, {"b": 1}],
    "*x": REFUSED, "&x [*x]": REFUSED,
}  # fmt: skip


def text_with(written):
    return f"apiVersion: v1\nkind: Foo\nmetadata: {{name: x}}\nzz: {written}\n"


@pytest.mark.parametrize("written", ROWS)
def test_the_value_of_what_is_written(written):
    expected = ROWS[written]
    if expected == REFUSED:
        with pytest.raises(TextError):
            list(read_documents(text_with(written), lambda position, message: None))
        return
    (document,) = read_documents(text_with(written), lambda position, message: None)
    assert document.value["zz"] == expected
    assert json.dumps(document.value["zz"], sort_keys=True) == json.dumps(expected, sort_keys=True)


@pytest.mark.e2e
@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
def test_the_rows_are_what_kubectl_says(tmp_path):
    kept = {
        str(index): written for index, written in enumerate(ROWS) if ROWS[written] != REFUSED and "&" not in written
    }
    lines = "".join(f'  "{index}": {written}\n' for index, written in kept.items())
    file = tmp_path / "rows.yaml"
    file.write_text(f"apiVersion: v1\nkind: Foo\nmetadata: {{name: x}}\nrows:\n{lines}")
    command = [str(KUBECTL), "label", "--local", "-f", str(file), "a=b", "-o", "json"]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["rows"]
    assert rows == {index: ROWS[written] for index, written in kept.items()}
