"""Gates: might a step start, by what its spec asks for and by how the Jobs of others had ended by then?

In: a history, the world before a commit. Out: what the step should have waited for, in words; "" where nothing. What a
Job came to counts when it has ended; that a step without a Job was skipped, or is lost, counts when it is committed. A
failure counts once the last Job that the step ever had has ended: an attempt after which another comes is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cel

from jobflow.testing.history import Body, History
from jobflow.testing.oracles.asked import groups, steps_of
from jobflow.testing.oracles.reading import SETTLED, Life, Node, World, records, whole

# What a phase of targetsWithStatus asks for: phases that a target may stand at.
WANTED: Mapping[str, frozenset[str]] = {
    "Pending": frozenset({"Pending", "Running", "Succeeded", "Failed"}),
    "Running": frozenset({"Running", "Succeeded"}),
    "Succeeded": frozenset({"Succeeded"}),
    "Completed": frozenset({"Succeeded"}),
    "Failed": frozenset({"Failed"}),
    "Skipped": frozenset({"Skipped"}),
    "Unreachable": frozenset({"Unreachable"}),
}

ENDED_WELL = frozenset({"Succeeded", "Completed"})


class Gates:
    """Asks for the gates of one history."""

    def __init__(self, history: History) -> None:
        self._end = whole(history)

    def waits_for(self, world: World, flow_uid: str, name: str) -> str:
        """What the step should have waited for; "" where it might start."""
        flow = world.flows.get(flow_uid, {})
        steps = steps_of(flow)
        step = steps.get(name, {})
        text = (step.get("dependsOn") or {}).get("expression")
        if text:
            facts = self._facts(world, flow_uid)
            return "" if cel.evaluate(text, facts) is True else f"its expression holds ({facts['steps']})"
        found = [self._group(world, flow_uid, group, steps) for group in groups(step)]
        return "" if any(not told for told in found) else "; or ".join(found)

    def _group(self, world: World, flow_uid: str, group: Body, steps: Mapping[str, Body]) -> str:
        stands = {name: self.phase(world, flow_uid, name) for name in group.get("targets") or ()}
        good = {name for name, phase in stands.items() if _is_good(phase, steps.get(name, {}))}
        told = []
        if group.get("strategy") == "Any":
            told += [f"one of {', '.join(stands)} succeeded"] if stands and not good else []
        else:
            told += [f"step {name} succeeded" for name in stands if name not in good and stands[name] != "Skipped"]
            told += ["one of its targets succeeded"] if stands and not good and not told else []
        for item in group.get("targetsWithStatus") or ():
            phase = self.phase(world, flow_uid, item["name"])
            borne = item["phase"] in ENDED_WELL and _is_good(phase, steps.get(item["name"], {}))
            if phase not in WANTED[item["phase"]] and not borne:
                told.append(f"step {item['name']} was {item['phase']}")
        return " and ".join(told)

    def phase(self, world: World, flow_uid: str, name: str) -> str:
        """Where a step stands, as far as anybody could know."""
        committed = _committed(world, flow_uid, name)
        if committed in SETTLED:
            return committed
        node = Node(flow_uid, name, "")
        lives, fate = world.of_node(node), _committed(self._end, flow_uid, name)
        if any(life.result == "Completed" for life in lives):
            return "Succeeded"
        if not lives:
            return "Waiting"
        ended = all(life.result or life.gone for life in lives) and len(lives) == len(self._end.of_node(node))
        if fate == "Failed" and ended:
            return "Failed"
        return _live_phase(lives[-1])

    def _facts(self, world: World, flow_uid: str) -> dict[str, Any]:
        flow = world.flows.get(flow_uid, {})
        told = records(flow)
        return {
            "steps": {
                name: {
                    "phase": self.phase(world, flow_uid, name),
                    "attempt": told.get(name, {}).get("attempt", 0),
                    "outputs": {one["name"]: one.get("value") for one in told.get(name, {}).get("outputs") or ()},
                }
                for name in steps_of(flow)
            },
            "params": {one["name"]: one.get("value") for one in (flow.get("spec") or {}).get("parameters") or ()},
        }


def _committed(world: World, flow_uid: str, name: str) -> str:
    return str(records(world.flows.get(flow_uid)).get(name, {}).get("phase") or "")


def _is_good(phase: str, step: Body) -> bool:
    return phase == "Succeeded" or (phase == "Failed" and bool(step.get("continueOnFail")))


def _live_phase(life: Life) -> str:
    return "Waiting" if life.result or life.gone else "Running" if life.running is not None else "Pending"
