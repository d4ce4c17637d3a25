"""Flags of a plugin: what follows its name in `spec.plugins`.

In: the list of words, and which flags the plugin has with their defaults. Out: their values, and what could not be
read. Written as Go's `flag` package reads them: `--port=1`, `-port 1`, and `--on` for a switch. Volcano leaves out
what it cannot read and says so only in its log; here it is a warning to whoever creates the Job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = str | int | bool
Flags = Mapping[str, Value]  # each with its default, whose type is the flag's

_SWITCHES = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


def parse_flags(words: Sequence[str], flags: Flags) -> tuple[dict[str, Value], list[str]]:
    """The value of each flag, and a sentence for each word that was left out."""
    values: dict[str, Value] = dict(flags)
    problems: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, text = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in flags:
            known = ", ".join(f"--{flag}" for flag in flags) or "none"
            problems.append(f'"{word}" is not a flag of this plugin and is left out; its flags: {known}')
            continue
        if isinstance(flags[name], bool) and not equals:
            text = "true"
        elif not equals:
            if not left:
                problems.append(f'"{word}" has no value and is left out')
                continue
            text = left.pop(0)
        try:
            values[name] = _read(text, flags[name])
        except ValueError:
            wanted = "true or false" if isinstance(flags[name], bool) else "a whole number"
            problems.append(f'"{text}" of {word} is not {wanted} and is left out')
    return values, problems


def _read(text: str, default: Value) -> Value:
    if isinstance(default, bool):
        if text.lower() not in _SWITCHES:
            raise ValueError
        return _SWITCHES[text.lower()]
    return int(text) if isinstance(default, int) else text
