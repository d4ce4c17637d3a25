"""What a plain YAML scalar means to Kubernetes.

In: the text of a scalar, and its tag if it has one. Out: the JSON value that kubectl makes of it. kubectl
reads YAML through sigs.k8s.io/yaml, whose rules are neither YAML 1.1 nor 1.2: `yes`, `on` and even `y` are
booleans, `010` is eight, `1_000` a thousand, but `1:30` and `2024-01-01` are strings. Every rule here was
compared with what `kubectl label --local -o json` gives. The value must be the same, or a file would mean one
thing to `jobflow run` and another to `kubectl apply`.
"""

from __future__ import annotations

import base64
import binascii
import re

Scalar = str | int | float | bool | None

PLAIN_TAG = "tag:jobflow,plain"  # what the composer gives to a scalar that is neither quoted nor tagged
_CORE = "tag:yaml.org,2002:"
STRING_TAGS = (f"{_CORE}str", "!")

_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LARGEST = 2**63 - 1  # beyond these kubectl reads a float, which loses the last digits
_SMALLEST = -(2**63)
_EXACT = 2**53  # floats hold every whole number up to here


def plain(text: str) -> Scalar:
    """The value of a scalar without quotes. Raises ValueError for what JSON cannot say (`.inf`, `.nan`)."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "") if text[0] != "." else text
    if _INTEGER.fullmatch(digits):
        number = _whole(digits)
        if _SMALLEST <= number <= _LARGEST:
            return number
    if _FLOAT.fullmatch(digits):
        return _number(digits, text)
    if _SPECIAL_FLOAT.fullmatch(text):
        raise ValueError(f"{text} cannot be written in JSON, which Kubernetes stores")
    return text


def tagged(text: str, tag: str, quoted: bool) -> Scalar:
    """The value of a scalar with an explicit tag; tags of one's own are left out of account, as kubectl does.

    Raises ValueError where the text is not of the tag's type.
    """
    if tag in STRING_TAGS:
        return text
    kind = tag.removeprefix(_CORE)
    if kind == tag or kind == "timestamp":
        return text
    if kind == "binary":
        try:
            return base64.b64decode(text, validate=False).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("!!binary wants base64 of text") from error
    value = plain(text)
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "null": value is None,
    }
    if not fits.get(kind, True):
        raise ValueError(f'"{text}" is not of the type that its tag !!{kind} says')
    return text if quoted and kind not in fits else value


def key(value: Scalar) -> str:
    """A mapping's key as JSON has it: a string, whatever the scalar was. Raises ValueError for null."""
    if value is None:
        raise ValueError("a key cannot be null")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _whole(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    bare = digits.lstrip("+-").lower()
    if bare.startswith("0o"):
        return sign * int(bare[2:], 8)
    if len(bare) > 1 and bare[0] == "0" and bare[1].isdigit():
        return sign * int(bare, 8)
    return sign * int(bare, 0)


def _number(digits: str, text: str) -> Scalar:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        return text
    if number.is_integer() and abs(number) < _EXACT:
        return int(number)  # JSON does not tell 3.0 from 3
    return number
