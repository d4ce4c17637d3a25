"""References in schemas of built-in kinds."""

from jobflow.local.apiserver.schema.words import item, keyed, obj, ref, referred, resolve, text

DEFINITIONS = {
    "x.Inner": obj("An inner thing.", {"name": text("Its name.")}, required=("name",)),
    "x.Outer": obj("An outer thing.", {"inner": ref("x.Inner", "The one inside.", default={})}),
}


def test_a_reference_becomes_what_it_refers_to_and_keeps_its_own_description():
    resolved = resolve(ref("x.Outer", "Outside."), DEFINITIONS)
    assert resolved["description"] == "Outside."
    assert resolved["properties"]["inner"]["description"] == "The one inside."
    assert resolved["properties"]["inner"]["default"] == {}
    assert resolved["properties"]["inner"]["required"] == ["name"]


def test_items_of_lists_are_resolved():
    resolved = resolve(keyed(item("x.Inner"), "Inner things.", "name"), DEFINITIONS)
    assert resolved["items"]["properties"]["name"] == text("Its name.")
    assert resolved["x-kubernetes-list-map-keys"] == ["name"]


def test_referred():
    assert referred(ref("x.Inner", "One.")) == "x.Inner"
    assert referred({"$ref": "#/components/schemas/x.Inner"}) == "x.Inner"
    assert referred(text("None.")) is None
