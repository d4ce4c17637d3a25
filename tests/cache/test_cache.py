"""What the controller knows, in one place."""

from __future__ import annotations

from jobflow.cache.cache import Cache
from jobflow.testing.builders import child, flow, template


class Listener:
    def __init__(self):
        self.told = []

    def flow_changed(self, old, new):
        self.told.append(("flow", old, new))

    def template_changed(self, old, new):
        self.told.append(("template", old, new))

    def child_changed(self, old, new):
        self.told.append(("child", old, new))

    def pod_changed(self, old, new):
        self.told.append(("pod", old, new))


def test_each_kind_of_change_is_told():
    listener = Listener()
    cache = Cache(listener)
    objects = (flow("f").view(), template("t").view(), child("a", of="f").view())
    for store, obj in zip((cache.flows, cache.templates, cache.children), objects, strict=True):
        store.put(obj)
    assert listener.told == [("flow", None, objects[0]), ("template", None, objects[1]), ("child", None, objects[2])]


def test_another_incarnation_of_a_flow_is_another_object_at_whatever_version():
    listener = Listener()
    cache = Cache(listener)
    first, second = flow("f").view(), flow("f").incarnation("second").view()
    cache.flows.put(first)
    cache.flows.put(second)
    assert listener.told[-1] == ("flow", first, second)
