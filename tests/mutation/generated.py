"""Generated mutants: what a mutation tool makes of reconcile/, cache/ and work/, and how much of it is caught.

In: how many, and a seed. Out: a Report. mutmut makes the mutants and runs the mirrored unit tests on them (it forks a
process that has everything imported, and runs only tests that reach the mutated function: several a second). What is
left is put into a copy, one after the other, and meets the property tests and a slice of the simulation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from random import Random
from typing import Any

from copies import BrokenTable, Copies, copies, environment, replace_file, run

FOLDERS = ("reconcile", "cache", "work")
PROPERTIES = {"reconcile": ("tests/reconcile/test_properties.py",)}  # seconds long, so they come late
HISTORIES = 40  # one in three hundred of the sweep, and the eight undisturbed runs
SEED = 2
SURVIVED, NOT_TESTED = 0, 33  # mutmut's words for a mutant's tests: all passed; none reaches it
CONFIGURATION = """\
[mutmut]
source_paths=jobflow/
only_mutate=
{mutated}
pytest_add_cli_args_test_selection=
{tests}
pytest_add_cli_args={late}
also_copy=
    manifests
    examples
    tests
timeout_multiplier=3
use_git_change_detection=false
"""


@dataclass
class Report:
    """What became of the mutants that were drawn."""

    made: int = 0
    drawn: int = 0
    killed: Counter[str] = field(default_factory=Counter)  # by what
    survivors: list[tuple[str, str]] = field(default_factory=list)  # name, change

    @property
    def score(self) -> float:
        """Of all that were drawn, the part that was killed."""
        return self.killed.total() / self.drawn if self.drawn else 0.0

    def text(self) -> str:
        """As lines; each survivor with its change."""
        by = ", ".join(f"{count} by {what}" for what, count in self.killed.most_common())
        lines = [f"SURVIVED {name}\n{change}" for name, change in self.survivors]
        return "\n".join([*lines, f"{self.killed.total()} of {self.drawn} killed, {self.score:.1%} ({by})"])


def check_generated(count: int, seed: int) -> Report:
    """Draw `count` of the mutants that mutmut makes, and try them."""
    with copies() as place, place.of() as copy:
        _configure(copy)
        names = _names(copy)
        drawn = sorted(Random(seed).sample(names, min(count, len(names))))
        report = Report(made=len(names), drawn=len(drawn))
        exit_codes = _unit_tests(copy, drawn)
        left = [name for name in drawn if exit_codes[name] in (SURVIVED, NOT_TESTED)]
        report.killed["the mirrored unit tests"] = len(drawn) - len(left)
        print(f"{len(names)} mutants made, {len(drawn)} drawn, {len(left)} left by the unit tests", flush=True)
        for name in left:
            _late(place, copy, name, report)
    return report


def _configure(copy: Path) -> None:
    text = CONFIGURATION.format(
        mutated="\n".join(f"    jobflow/{folder}/*" for folder in FOLDERS),
        tests="\n".join(f"    tests/{folder}" for folder in FOLDERS),
        late=" ".join(f"--ignore={test}" for tests in PROPERTIES.values() for test in tests),
    )
    (copy / "setup.cfg").write_text(text)


def _names(copy: Path) -> list[str]:
    """Every mutant that mutmut makes of the folders, as it calls them."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    names = []
    with chdir(copy):  # where mutmut looks for its configuration
        for file in sorted(file for folder in FOLDERS for file in Path("jobflow", folder).glob("*.py")):
            module = ".".join(file.with_suffix("").parts)
            made = mutate_file_contents(str(file), file.read_text()).mutant_names
            names += [f"{module}.{name}" for name in made]
    return names


def _unit_tests(copy: Path, names: list[str]) -> dict[str, int]:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
    done = subprocess.run(command, cwd=copy, env=environment(copy), capture_output=True, text=True, check=False)
    codes: dict[str, int | None] = {}
    for folder in FOLDERS:
        for meta in (copy / "mutants" / "jobflow" / folder).glob("*.meta"):
            codes |= json.loads(meta.read_text())["exit_code_by_key"]
    if missing := [name for name in names if codes.get(name) is None]:
        said = f"{done.stdout[-1500:]}{done.stderr[-1500:]}"
        raise BrokenTable(f"mutmut said nothing of {len(missing)} mutants, the first is {missing[0]}:\n{said}")
    return {name: int(codes[name] or 0) for name in names}


def _late(place: Copies, made_in: Path, name: str, report: Report) -> None:
    """Property tests and simulation, in a copy of its own."""

    file = Path(*name.split(".")[:3]).with_suffix(".py")
    mutated, change = _mutated(made_in, file, name)
    with place.of() as copy:
        replace_file(copy / file, mutated)
        tests = PROPERTIES.get(file.parts[1])
        if tests and run(copy, "tests", *tests).killed_by:
            report.killed["property tests"] += 1
        elif run(copy, "hunt", str(HISTORIES), str(SEED)).killed_by:
            report.killed["simulation"] += 1
        else:
            report.survivors.append((name, change))


def _mutated(made_in: Path, file: Path, name: str) -> tuple[str, str]:
    """The file with the mutant in it, and what that changes. (mutmut's `apply` takes no heed of the class.)"""
    import libcst
    from mutmut.mutation.diff_apply import read_functions_from_index, read_mutant_function, read_mutants_module

    with chdir(made_in):
        both = read_functions_from_index(name, file)
        mutant = both[1] if both else read_mutant_function(read_mutants_module(file), name)
    *owner, function = name.split(".")[-1].rpartition("__mutmut_")[0].removeprefix("x_").removeprefix("xǁ").split("ǁ")
    text = (made_in / file).read_text()
    module = libcst.parse_module(text)
    body = module.body
    for class_name in owner:
        body = _named(body, class_name, libcst.ClassDef).body.body
    original = _named(body, function, libcst.FunctionDef)
    mutated = module.deep_replace(original, mutant.with_changes(name=original.name)).code
    diff = unified_diff(text.splitlines(), mutated.splitlines(), lineterm="", n=0)
    return mutated, "\n".join(line for line in diff if not line.startswith(("+++", "---", "@@")))


def _named(body: Sequence[Any], name: str, kind: type) -> Any:
    return next(node for node in body if isinstance(node, kind) and node.name.value == name)
