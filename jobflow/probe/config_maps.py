"""Keys of a ConfigMap, read once: the values of a flow's parameters.

In: a ConfigKeys question, and what is known of it already. Out: what is known now. What was read before stays as it
was: a ConfigMap that is changed while a flow runs changes nothing of that flow. Values are not logged.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from jobflow.api.access import Rule
from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.problems import listed
from jobflow.api.resources import CONFIG_MAP
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, NotFound

ACCESS = (Rule(CONFIG_MAP, ("get",)),)

SHOWN_CHARACTERS = 63  # of each key that is listed; it may have 253, and the list goes into the status


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
        return _absent(question, known, f"there is no ConfigMap {name} in namespace {question.namespace}")
    except ApiError as error:
        return ConfigFound(before.values, f"ConfigMap {name} cannot be read: {error.message}")
    except msgspec.MsgspecError as error:
        return ConfigFound(before.values, f"ConfigMap {name} cannot be read: {error}")
    lacking = [key for key in question.keys if key in question.required and key not in (read.data or {})]
    binary = [key for key in lacking if key in (read.binaryData or {})]
    if binary:
        said = f"ConfigMap {name} has {binary[0]} in binaryData; a value is a text in data"
        return _found(question, known, read, said)
    return _found(question, known, read, f"ConfigMap {name} has no key {lacking[0]}{_has(read)}" if lacking else "")


def _has(read: _ConfigMap) -> str:
    keys = sorted(read.data or ())
    return f"; it has {listed([key[:SHOWN_CHARACTERS] for key in keys])}" if keys else "; it is empty"


def _absent(question: ConfigKeys, known: dict[str, str | None], problem: str) -> ConfigFound:
    """Where the ConfigMap has to come for one key, the others wait with it: it is likely to bring them, too."""
    if question.required <= known.keys():
        return _found(question, known, _ConfigMap(), problem)
    return ConfigFound(tuple(sorted(known.items())), problem)


def _found(question: ConfigKeys, known: dict[str, str | None], read: _ConfigMap, problem: str) -> ConfigFound:
    """What was known, what is there now, and that the rest is absent; save what is waited for."""
    data = read.data or {}
    for key in question.keys:
        if key not in known and (key in data or key not in question.required):
            known[key] = data.get(key)
    settled = all(key in known for key in question.keys)
    return ConfigFound(tuple(sorted(known.items())), "" if settled else problem)
