"""Keys of a ConfigMap, read once: the values of a flow's parameters.

In: a ConfigKeys question, and what is known of it already. Out: what is known now. What was read before stays as it
was: a ConfigMap that is changed while a flow runs changes nothing of that flow. Nothing of it is logged.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from jobflow.api.access import Rule
from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.resources import CONFIG_MAP
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, NotFound

ACCESS = (Rule(CONFIG_MAP, ("get",)),)


class _ConfigMap(Struct, frozen=True):
    data: dict[str, str] | None = None
    binaryData: dict[str, str] | None = None


async def read_keys(client: Client, question: ConfigKeys, before: ConfigFound) -> ConfigFound:
    """What the keys say. Does not raise."""
    name = question.config_map
    known = dict(before.values)
    try:
        read = msgspec.json.decode(await client.get(CONFIG_MAP, question.namespace, name), type=_ConfigMap)
    except NotFound:
        return _found(question, known, _ConfigMap(), f"there is no ConfigMap {name} in namespace {question.namespace}")
    except ApiError as error:
        return ConfigFound(before.values, f"ConfigMap {name} cannot be read: {error.message}")
    except msgspec.MsgspecError as error:
        return ConfigFound(before.values, f"ConfigMap {name} cannot be read: {error}")
    lacking = [key for key in question.keys if key in question.required and key not in (read.data or {})]
    binary = [key for key in lacking if key in (read.binaryData or {})]
    if binary:
        said = f"ConfigMap {name} has {binary[0]} in binaryData; a value is a text in data"
        return _found(question, known, read, said)
    has = f"; it has {', '.join(sorted(read.data))}" if read.data else "; it is empty"
    return _found(question, known, read, f"ConfigMap {name} has no key {lacking[0]}{has}" if lacking else "")


def _found(question: ConfigKeys, known: dict[str, str | None], read: _ConfigMap, problem: str) -> ConfigFound:
    """What was known, what is there now, and that the rest is absent; save what is waited for."""
    data = read.data or {}
    for key in question.keys:
        if key not in known and (key in data or key not in question.required):
            known[key] = data.get(key)
    settled = all(key in known for key in question.keys)
    return ConfigFound(tuple(sorted(known.items())), "" if settled else problem)
