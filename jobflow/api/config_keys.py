"""What a flow's parameters want to know of a ConfigMap, and what it says.

In: nothing. Out: the question that a plan wants asked, and its answer. Values are not part of what is printed of an
answer: they are users' data, and logs are read by others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jobflow.api.parameters import ConfigMapKeyRef, Parameter


@dataclass(frozen=True, slots=True)
class ConfigKeys:
    """What do these keys of a ConfigMap say?

    The flow's UID is part of the question: each flow keeps what it has read first, and the next one reads anew.
    `required` are those that are waited for; all others are what they are when the ConfigMap is first read.
    """

    namespace: str
    flow_uid: str
    config_map: str
    keys: tuple[str, ...]
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ConfigFound:
    """What is known by now: values by key, None for one that is absent; `problem` is why a key is not in it yet."""

    values: tuple[tuple[str, str | None], ...] = field(default=(), repr=False)
    problem: str = ""

    def knows(self, key: str) -> bool:
        """Whether it is settled what the key says."""
        return any(known == key for known, _ in self.values)

    def value(self, key: str) -> str | None:
        """What the key says."""
        return dict(self.values).get(key)


def question(namespace: str, flow_uid: str, config_map: str, parameters: Iterable[Parameter]) -> ConfigKeys:
    """All that the parameters of a flow want to know of one ConfigMap, so that it is read once."""
    wanted = [(parameter, ref) for parameter in parameters if (ref := reference(parameter)) and ref.name == config_map]
    keys = tuple(sorted({ref.key for _, ref in wanted}))
    required = frozenset(ref.key for parameter, ref in wanted if parameter.value is None and not ref.optional)
    return ConfigKeys(namespace, flow_uid, config_map, keys, required)


def reference(parameter: Parameter) -> ConfigMapKeyRef | None:
    """Where its value is read, if it is."""
    return parameter.value_from.config_map_key_ref if parameter.value_from else None
