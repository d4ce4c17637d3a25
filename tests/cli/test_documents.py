"""Loading: which objects files hold, where each field is written, and what is said of text that is no YAML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobflow.cli.documents import Finding, Position, Severity, load_documents
from jobflow.cli.yaml_nodes import MAX_DEPTH, TextError, read_documents

unhurried = settings(deadline=None)  # timings belong to the benchmarks

FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata:
  name: train
  labels: {volcano.sh/team: ml}
spec:
  flows:
  - name: prep
  - name: fit
    dependsOn:
      targets: [prep, "two"]
"""


@pytest.fixture
def load(tmp_path):
    def load(text, name="f.yaml"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_documents([str(tmp_path / name)])

    return load


def told(loaded):
    """Findings without the folder they are in."""
    return [f"{finding}".rpartition("/")[2] for finding in loaded.findings]


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("", 1, 1),
        ("kind", 2, 1),
        ("metadata.name", 4, 3),
        ("metadata.labels.volcano.sh/team", 5, 12),
        ('metadata.labels["volcano.sh/team"]', 5, 12),
        ("metadata.labels[volcano.sh/team]", 5, 12),
        ("spec.flows", 7, 3),
        ("spec.flows[0]", 8, 5),
        ("spec.flows[0].name", 8, 5),
        ("spec.flows[1].dependsOn.targets", 11, 7),
        ("spec.flows[1].dependsOn.targets[0]", 11, 17),
        ("spec.flows[1].dependsOn.targets[1]", 11, 23),
    ],
)
def test_every_field_knows_its_line_and_column(load, path, line, column):
    (document,) = load(FLOW)
    assert document.position(path) == Position(line, column)


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("status.phase", ""),
        ("spec.jobRetainPolicy", "spec"),
        ("spec.flows[0].dependsOn.targets[3]", "spec.flows[0]"),
        ("spec.flows[1].dependsOn.targets[9]", "spec.flows[1].dependsOn.targets"),
        ("spec.flows[7].name", "spec.flows"),
        ("metadata.name.first", "metadata.name"),
        ("metadata[0]", "metadata"),
    ],
)
def test_a_field_that_is_absent_has_its_nearest_parents_place(load, path, parent):
    (document,) = load(FLOW)
    assert document.position(path) == document.position(parent)


def test_a_scalar_is_also_known_as_it_was_written(load):
    (document,) = load("a: on\nb: {c: 010}\n")
    assert document.data == {"a": True, "b": {"c": 8}}
    assert (document.text("a"), document.text("b.c"), document.text("b"), document.text("x")) == (
        "on",
        "010",
        None,
        None,
    )


def test_a_file_may_hold_several_documents_and_empty_ones(load):
    loaded = load("---\n# only a comment\n---\na: 1\n---\n---\nb: 2\n...\n")
    assert [document.data for document in loaded] == [{"a": 1}, {"b": 2}]
    assert [document.position("b").line for document in loaded] == [4, 7]
    assert loaded.findings == []


def test_json_is_read_with_places_too(load):
    (document,) = load('{\n\t"kind": "JobFlow",\n\t"spec": {"flows": []}\n}\n', "f.json")
    assert document.data == {"kind": "JobFlow", "spec": {"flows": []}}
    assert document.position("spec.flows") == Position(3, 11)


def test_a_folder_gives_its_files_and_those_below_in_order(tmp_path):
    for name in ("b.yaml", "a/z.yml", "a/y.json", "c.txt", ".hidden/x.yaml", ".d.yaml", "c/d/e.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'{{"from": "{name}"}}')
    loaded = load_documents([str(tmp_path)])
    assert [document.data["from"] for document in loaded] == ["a/y.json", "a/z.yml", "b.yaml", "c/d/e.yaml"]
    assert loaded.documents[0].source == str(tmp_path / "a/y.json")


def test_sources_are_read_in_the_order_given(tmp_path):
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / name).write_text(f"from: {name}")
    loaded = load_documents([str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml")])
    assert [document.data["from"] for document in loaded] == ["b.yaml", "a.yaml"]


def test_lists_as_kubectl_writes_them_are_their_items(load):
    loaded = load("kind: List\napiVersion: v1\nitems:\n- {kind: JobFlow, metadata: {name: a}}\n- kind: JobTemplate\n")
    assert [document.data["kind"] for document in loaded] == ["JobFlow", "JobTemplate"]
    assert loaded.documents[0].position("metadata.name") == Position(4, 30)


def test_items_of_a_typed_list_need_not_say_their_kind(load):
    (document,) = load("kind: JobFlowList\napiVersion: flow.volcano.sh/v1alpha1\nitems: [{metadata: {name: a}}]\n")
    assert (document.data["kind"], document.data["apiVersion"]) == ("JobFlow", "flow.volcano.sh/v1alpha1")


def test_a_merged_field_is_at_its_anchor(load):
    (document,) = load("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n")
    assert document.data == {"a": {"b": 1}, "c": {"d": 2, "b": 1}}
    assert document.position("c.b") == Position(1, 8)


def test_an_alias_gives_a_value_of_its_own(load):
    (document,) = load("a: &x {b: [1]}\nc: *x\n")
    document.data["c"]["b"].append(2)
    assert document.data["a"] == {"b": [1]}


TEXTS = {
    "a tab": ("a:\n\tb: 1\n", "f.yaml:2:1: error: a tab indents this line; YAML wants spaces"),
    "a tab after spaces": ("a:\n  \tb: 1\n", "f.yaml:2:3: error: a tab indents this line; YAML wants spaces"),
    "one space too few": (
        "a:\n  b: 1\n c: 2\n",
        "f.yaml:3:2: error: this does not belong to the mapping that begins in line 1; check the indentation",
    ),
    "a colon in a value": (
        "a: b: c\n",
        'f.yaml:1:5: error: a ": " is not expected here; put the value in quotes, or indent the line as its neighbours',
    ),
    "an open bracket": (
        "a: [1, 2\nb: 3\n",
        'f.yaml:2:2: error: the list opened with "[" in line 1 is not closed, or lacks a comma',
    ),
    "an open brace": (
        "x: 1\na: {b: 1\n",
        'f.yaml:3:1: error: the mapping opened with "{" in line 2 is not closed, or lacks a comma',
    ),
    "an open quote": ("x: 1\na: 'b\n", "f.yaml:2:4: error: the quote that opens here is never closed"),
    "an unknown escape": (
        'a: "\\q"\n',
        "f.yaml:1:5: error: a backslash in double quotes begins an escape, and this is none; "
        "use single quotes, or write \\\\",
    ),
    "an at sign": ("a: @x\n", 'f.yaml:1:4: error: a value cannot begin with "@"; put it in quotes'),
    "a back quote": ("a: `x`\n", 'f.yaml:1:4: error: a value cannot begin with "`"; put it in quotes'),
    "a key without colon": (
        "a: 1\nb\nc: 2\n",
        'f.yaml:2:1: error: this is neither "key: value" nor part of the text above; '
        "check the colon and the indentation",
    ),
    "a key among items": (
        "- a\nb: 1\n",
        'f.yaml:2:1: error: this is not an item of the list that begins in line 1; begin it with "-", '
        "or check the indentation",
    ),
    "an item among keys": (
        "a: 1\n- b\n",
        "f.yaml:2:1: error: this does not belong to the mapping that begins in line 1; check the indentation",
    ),
    "an alias of nothing": ("a: *x\n", "f.yaml:1:4: error: *x stands for &x, which is not written above it"),
    "an alias from another document": (
        "a: &x 1\n---\na: *x\n",
        "f.yaml:3:4: error: *x stands for &x, which is not written above it",
    ),
    "an alias of itself": (
        "a: &x\n  b: *x\n",
        "f.yaml:2:6: error: *x stands for something that it is itself a part of",
    ),
    "a merge of no mapping": (
        "a: {<<: 1}\n",
        "f.yaml:1:9: error: << merges mappings: give it a mapping, or a list of mappings",
    ),
    "a control character": ("a: \x01\n", "f.yaml:1:4: error: the character U+0001 is not allowed in YAML"),
    "a null key": ("~: 1\n", "f.yaml:1:1: error: a key cannot be null"),
    "a key that is a list": (
        "[a]: 1\n",
        "f.yaml:1:1: error: a key must be a word or a number, not a mapping or a list",
    ),
    "infinity": ("a: .inf\n", "f.yaml:1:4: error: .inf cannot be written in JSON, which Kubernetes stores"),
    "a wrong tag": ("a: !!int x\n", 'f.yaml:1:4: error: "x" is not of the type that its tag !!int says'),
    "a key given twice": ("a: 1\nb: 2\na: 3\n", 'f.yaml:3:1: error: "a" is given twice; the first is in line 1'),
    "a key given twice inside": (
        "a:\n  b: 1\n  b: 2\n",
        'f.yaml:3:3: error: "b" is given twice; the first is in line 2',
    ),
    "a text": ("hello\n", "f.yaml:1:1: error: a document must be a mapping with apiVersion, kind and metadata"),
    "a list": ("- a: 1\n", "f.yaml:1:1: error: a document must be a mapping with apiVersion, kind and metadata"),
    "nothing": ("# nothing\n", "f.yaml: warning: nothing is in it"),
    "a list without items": (
        "kind: List\nitems: {}\n",
        "f.yaml:2:1: error: the items of a List must be a list of objects",
    ),
    "an item that is none": (
        "kind: List\nitems: [a]\n",
        "f.yaml:2:9: error: an item of a List must be an object with apiVersion, kind and metadata",
    ),
    "Latin-1": (b"a: 1\nb: \xe9\n", "f.yaml:2:1: error: byte 0xe9 is not UTF-8; save the file as UTF-8"),
    "too deep": ("[" * 100_000, f"f.yaml:1:{MAX_DEPTH + 1}: error: this is nested more than {MAX_DEPTH} levels deep"),
}


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=TEXTS)
def test_what_is_wrong_with_a_text_is_told_with_its_place(load, text, message):
    assert told(load(text)) == [message]


def test_aliases_that_multiply_without_bound_are_refused(load):
    rows = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [
        f"{name}: &{name} [{', '.join(['*' + before] * 10)}]" for before, name in zip("abcdefg", "bcdefgh", strict=True)
    ]
    (message,) = told(load("\n".join(rows)))
    assert message == "f.yaml:5:36: error: aliases stand for more than 100000 values in this file"


def test_documents_before_a_broken_one_are_kept(load):
    loaded = load("a: 1\n---\nb: 2\n---\nc: [\n")
    assert [document.data for document in loaded] == [{"a": 1}, {"b": 2}]
    assert len(loaded.findings) == 1


def test_a_key_given_twice_keeps_the_last_value_as_kubectl_does(load):
    (document,) = load("a: 1\na: 2\n")
    assert document.data == {"a": 2}


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(load):
    (document,) = load(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n")
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert document.position("b.c") == Position(3, 3)


def test_a_file_that_is_not_there(tmp_path):
    loaded = load_documents([str(tmp_path / "none.yaml")])
    assert told(loaded) == ["none.yaml: error: there is no such file or folder"]


def test_a_folder_without_files(tmp_path):
    loaded = load_documents([str(tmp_path)])
    assert told(loaded) == [f"{tmp_path.name}: error: this folder has no *.yaml, *.yml or *.json files"]


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (Finding("f.yaml", 3, 5, Severity.ERROR, "spec.flows[0]", "wrong"), "f.yaml:3:5: error: spec.flows[0]: wrong"),
        (Finding("f.yaml", 3, 5, Severity.WARNING, "", "odd"), "f.yaml:3:5: warning: odd"),
        (Finding("f.yaml", 0, 0, Severity.ERROR, "", "gone"), "f.yaml: error: gone"),
    ],
)
def test_a_finding_reads_as_a_compilers_does(finding, text):
    assert str(finding) == text


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Z"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcyn~019.", min_size=1, max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@unhurried
@given(st.dictionaries(st.text("abc", min_size=1), values, min_size=1))
def test_what_pyyaml_writes_is_read_back(data):
    import yaml

    class Quoting(yaml.SafeDumper):
        """Quotes every string: PyYAML leaves `y` and `0o7` bare, which are no strings to kubectl."""

    Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
    (node,) = read_documents(yaml.dump(data, Dumper=Quoting), lambda position, message: pytest.fail(message))
    assert node.value == data


@unhurried
@given(st.text(st.sampled_from("ab:-?[]{}\"'&*!|>%@`,#~ \n\t<0"), max_size=40))
def test_no_text_makes_it_fail_otherwise_than_with_a_place(text):
    try:
        list(read_documents(text, lambda position, message: None))
    except TextError as error:
        told = error.position.line, error.message
    else:
        told = 1, "read"
    assert told[0] >= 1
    assert told[1]
