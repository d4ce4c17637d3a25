"""The museum's showcase: a scenario is played with its faults, and every oracle looks at what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from jobflow.testing.faults import parse_plan
from jobflow.testing.history import Commit, History, is_controller, phase_of
from jobflow.testing.oracles import judge
from jobflow.testing.scenarios import Scenario
from jobflow.testing.world import play


class Exhibit:
    """A scenario without faults, and as often as wanted with some."""

    def __init__(self, scene: Scenario) -> None:
        self.scene = scene
        self.undisturbed = play(scene)
        assert judge(self.undisturbed, self.undisturbed) == []

    def with_faults(self, plan: str) -> History:
        """Played with faults; all oracles are content."""
        history = play(self.scene, parse_plan(plan))
        assert history.injected, f"no fault of {plan} took effect"
        assert [str(violation) for violation in judge(history, self.undisturbed)] == [], history.timeline()
        return history

    def commit(self, kind: str, name: str, phase: str) -> Commit:
        """The commit, undisturbed, in which an object came to a phase."""
        return next(
            commit
            for commit in self.undisturbed.commits
            if (commit.kind, commit.name) == (kind, name)
            and phase_of(commit.after) == phase
            and phase_of(commit.before) != phase
        )

    def writes(self, end_of_path: str) -> Iterator[int]:
        """Numbers of the controller's writes, undisturbed, to paths that end so."""
        return (call.write for call in self.undisturbed.calls if call.write and call.path.endswith(end_of_path))


@pytest.fixture
def exhibit() -> Callable[[Scenario], Exhibit]:
    return Exhibit


@pytest.fixture
def creates() -> Callable[[History], list[str]]:
    """Names of the Jobs that the controller created, in their order."""
    return lambda history: [
        commit.name for commit in history.of("Job") if is_controller(commit.who) and commit.before is None
    ]


@pytest.fixture
def final() -> Callable[[History, str], dict]:
    """The status of a flow as it was before the world was taken down."""

    def status(history: History, name: str) -> dict:
        (body,) = (body for (kind, _, found), body in history.objects().items() if (kind, found) == ("JobFlow", name))
        return body["status"]

    return status
