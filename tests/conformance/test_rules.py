"""Rules in CEL: what x-kubernetes-validations of a CRD let pass, and what they say where they do not."""

from __future__ import annotations

import itertools

import pytest
from conformance.kinds import CRDS
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import APPLY_PATCH, MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

_groups = (f"rules{number}.example.com" for number in itertools.count(1))
TEXT, NUMBER = {"type": "string", "maxLength": 64}, {"type": "integer"}
LIST = {"type": "array", "maxItems": 9}


def rule(text, **more):
    return {"rule": text, **more}


def ruled(schema, *rules):
    return {**schema, "x-kubernetes-validations": list(rules)}


def definition(group, fields, *rules, root=()):
    spec = (
        ruled({"type": "object", "properties": fields}, *rules) if rules else {"type": "object", "properties": fields}
    )
    schema = {"type": "object", "properties": {"spec": spec, "status": {"type": "object", "properties": {"n": NUMBER}}}}
    schema = ruled(schema, *root) if root else schema
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"ruled.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "ruled", "kind": "Ruled"},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }


class Things:
    """A kind with rules, on both servers."""

    def __init__(self, both, group):
        self.both, self.group, self.path = both, group, f"/apis/{group}/v1/namespaces/NS/ruled"

    def body(self, spec, name="a", **metadata):
        metadata = {"name": name, **metadata}
        return {"apiVersion": f"{self.group}/v1", "kind": "Ruled", "metadata": metadata, "spec": spec}

    async def create(self, spec, name="a", **metadata):
        await self.both.send("POST", self.path, self.body(spec, name, **metadata))

    async def change(self, spec, name="a", subresource=""):
        await self.both.send("PATCH", f"{self.path}/{name}{subresource}", {"spec": spec}, MERGE_PATCH)


async def things(both, fields, *rules, root=()):
    group = next(_groups)
    await both.send("POST", CRDS, definition(group, fields, *rules, root=root))
    await both.agree(f"/apis/{group}/v1/namespaces/NS/ruled", lambda status, _: status == 200)
    return Things(both, group)


async def test_messages_reasons_and_fields(both):
    made = await things(
        both,
        {"min": NUMBER, "max": NUMBER, "name": TEXT},
        rule("self.min <= self.max"),
        rule("self.min > 0", message="min must be positive"),
        rule(
            "self.max < 10", messageExpression="self.max > 50 ? 'far too big' : 'too big'", reason="FieldValueForbidden"
        ),
        rule("!has(self.name) || self.name != 'x'", fieldPath=".name", reason="FieldValueDuplicate"),
        rule("!has(self.name) || self.name != 'y'", fieldPath=".name", reason="FieldValueRequired", message="not y"),
    )
    await made.create({"min": 1, "max": 2})
    await made.create({"min": 3, "max": 2}, "b")
    await made.create({"min": 0, "max": 11, "name": "x"}, "b")
    await made.create({"min": 1, "max": 2, "name": "y"}, "b")
    await made.create({"min": "x", "max": 2}, "b")
    await made.change({"min": -1})
    await made.change({"max": 20})


async def test_rules_on_values_items_and_keys(both):
    made = await things(
        both,
        {
            "word": ruled(TEXT, rule("self.startsWith('a')"), rule("self.size() < 4", message="too long")),
            "number": ruled(NUMBER, rule("self % 2 == 0", message="must be even")),
            "flag": ruled({"type": "boolean"}, rule("self")),
            "list": ruled({**LIST, "items": ruled(TEXT, rule("self != 'x'"))}, rule("self.all(one, one.size() > 0)")),
            "map": {"type": "object", "maxProperties": 5, "additionalProperties": ruled(NUMBER, rule("self > 0"))},
            "keys": ruled(
                {"type": "object", "maxProperties": 5, "additionalProperties": NUMBER},
                rule("self.all(key, key.matches('^[a-z]+$'))"),
            ),
        },
    )
    await made.create({"word": "äbc"})
    await made.create({"word": "aäü"}, "b")
    await made.create({"word": "abcdef", "number": 3, "flag": False})
    await made.create({"list": ["x", ""], "map": {"a": 0, "b": 1}, "keys": {"A": 1}})
    await made.create({"list": ["y"], "map": {"a": 1}, "keys": {"a": 1}, "number": 2, "flag": True})


async def test_what_may_not_change(both):
    named = {
        **LIST,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": TEXT, "size": ruled(NUMBER, rule("self >= oldSelf", message="may only grow"))},
        },
    }
    made = await things(
        both,
        {
            "frozen": ruled(TEXT, rule("self == oldSelf", message="frozen is frozen")),
            "list": ruled({**LIST, "items": TEXT}, rule("self == oldSelf")),
            "set": ruled({**LIST, "items": TEXT, "x-kubernetes-list-type": "set"}, rule("self == oldSelf")),
            "named": named,
            "once": ruled(NUMBER, rule("!oldSelf.hasValue() || self > oldSelf.value()", optionalOldSelf=True)),
        },
    )
    spec = {"frozen": "a", "list": ["a", "b"], "set": ["a", "b"], "named": [{"name": "x", "size": 3}], "once": 1}
    await made.create(spec)
    await made.change({"frozen": "b"})
    await made.change({"list": ["b", "a"]})
    await made.change({"set": ["b", "a"]})
    await made.change({"named": [{"name": "y", "size": 1}, {"name": "x", "size": 2}]})
    await made.change({"named": [{"name": "y", "size": 1}, {"name": "x", "size": 4}]})
    await made.change({"once": 0})
    await made.change({"once": 2})
    await made.change({"frozen": None})
    await made.change({"frozen": "c"})


async def test_what_was_wrong_before_and_has_not_changed_is_a_warning(both):
    group = next(_groups)
    fields = {"a": TEXT, "b": TEXT}
    crd = definition(group, fields)
    await both.send("POST", CRDS, crd)
    await both.agree(f"/apis/{group}/v1/namespaces/NS/ruled", lambda status, _: status == 200)
    made = Things(both, group)
    await made.create({"a": "old", "b": "x"})
    fields = {"a": ruled(TEXT, rule("self != 'old'", message="old is out")), "b": TEXT}
    spec = {"versions": definition(group, fields)["spec"]["versions"]}
    await both.send("PATCH", f"{CRDS}/ruled.{group}", {"spec": spec}, MERGE_PATCH)
    probe = made.body({"a": "old"}, "probe")

    def refused(seen):
        return probe

    for side in both.sides:  # the new schema is served a moment after the answer
        await both.until(side, "POST", made.path, refused, lambda status, _: status == 422, dryRun="All")
    await made.change({"b": "y"})
    await made.change({"a": "older"})
    await made.change({"a": "old"})
    await made.create({"a": "old"}, "b")


async def test_rules_of_the_whole_object(both):
    made = await things(
        both,
        {"size": NUMBER},
        root=[
            rule("self.metadata.name.startsWith('a')", message="names begin with a"),
            rule("!has(self.status) || self.status.n <= self.spec.size", message="status beyond spec"),
        ],
    )
    await made.create({"size": 1}, "a")
    await made.create({"size": 1}, "b")
    await both.send("PATCH", f"{made.path}/a/status", {"status": {"n": 2}}, MERGE_PATCH)
    await both.send("PATCH", f"{made.path}/a/status", {"status": {"n": 1}}, MERGE_PATCH)
    await both.send("PATCH", f"{made.path}/a", made.body({"size": 0}), APPLY_PATCH, fieldManager="me", force="true")


FUNCTIONS = [
    ("self.lowerAscii() == 'abc'", "ABC"),
    ("self.split(',').size() == 2", "a,b"),
    ("self.substring(1, 2) == 'b' && self.indexOf('c') == 2", "abc"),
    ("self.replace('a', 'b') == 'bb' && self.trim() == 'ab'", "ab"),
    ("![2, 1].isSorted() && self in ['a', 'b']", "a"),
    ("isQuantity(self) && quantity(self).isGreaterThan(quantity('1Gi'))", "2Gi"),
    ("isURL(self) && url(self).getHost() == 'a.b:80'", "http://a.b:80/c"),
    ("self.find('[0-9]+') == '12' && self.findAll('[0-9]').size() == 2", "a12"),
    ("duration(self) > duration('59s')", "1m"),
    ("timestamp(self) < timestamp('2030-01-01T00:00:00Z')", "2024-01-01T00:00:00Z"),
    ("self == 'a' ? true : false", "a"),
    ("[1, 2, 3].sum() == 6 && [1, 2].max() == 2 && self != ''", "a"),
    ("'%s!'.format([self]) == 'a!'", "a"),
]


@pytest.mark.parametrize(("text", "value"), FUNCTIONS, ids=[row[0] for row in FUNCTIONS])
async def test_functions(both, text, value):
    made = await things(both, {"word": ruled(TEXT, rule(text, message="no"))})
    await made.create({"word": value})
    await made.create({"word": "9"}, "b")


async def test_times_durations_and_escaped_names(both):
    made = await things(
        both,
        {
            "when": {"type": "string", "format": "date-time"},
            "long": {"type": "string", "format": "duration"},
            "ratio": {"type": "number"},
            "namespace": TEXT,
            "a-b": TEXT,
        },
        rule("!has(self.when) || self.when > timestamp('2024-01-01T00:00:00Z')", message="too early"),
        rule("!has(self.long) || self.long < duration('1h')", message="too long"),
        rule("!has(self.ratio) || self.ratio < 1.5", message="too much"),
        rule("!has(self.__namespace__) || self.__namespace__ == 'x'", message="not x"),
        rule("!has(self.a__dash__b) || self.a__dash__b == 'x'", message="not x either"),
    )
    good = {"when": "2025-01-01T00:00:00Z", "long": "30m", "ratio": 1, "namespace": "x", "a-b": "x"}
    await made.create(good)
    await made.create({"when": "2023-01-01T00:00:00Z", "long": "90m", "ratio": 2, "namespace": "y", "a-b": "y"}, "b")


@pytest.mark.parametrize("text", ["self.", "self ==", "", "  "])
async def test_rules_that_cannot_be_compiled(both, text):
    crd = definition(next(_groups), {"a": TEXT}, rule(text))
    await both.send("POST", CRDS, crd)


async def test_a_rule_that_runs_into_an_error(both):
    made = await things(both, {"list": {**LIST, "items": NUMBER}, "n": NUMBER}, rule("self.list[self.n] > 0"))
    await made.create({"list": [1], "n": 0})
    await made.create({"list": [1], "n": 3}, "b")
    await made.create({"list": [1]}, "b")
