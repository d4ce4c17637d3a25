"""Job plugins: what `spec.plugins` of a Job adds to its pods and beside them, one plugin a file.

In: a pod about to be created, as a dict, and whose it is; a Job that starts. Out: the pod changed in place; the objects
that the Job needs. A Job that names a plugin that is not in PLUGINS is refused. Plugins are asked in the order of this
table, whatever the order in the Job, so that the same Job always gives the same pods (in Volcano it is a matter of
chance).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobflow.local.volcano.objects import Job, TaskSpec
from jobflow.local.volcano.plugins import env, hcclrank, mpi, pytorch, ray, ssh, svc, tensorflow
from jobflow.local.volcano.plugins.flags import Flags, Value, parse_flags
from jobflow.local.volcano.plugins.placement import Body, Placement

Needs = Callable[[Job, dict[str, Value]], list[Body]]


def _nothing(job: Job, flags: dict[str, Value]) -> list[Body]:
    return []


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin. `computes` says that making its objects takes a while."""

    flags: Flags
    on_pod: Callable[[Placement], None]
    objects: Needs = _nothing
    computes: bool = False


PLUGINS: dict[str, Plugin] = {
    "env": Plugin(env.FLAGS, env.on_pod),
    "svc": Plugin(svc.FLAGS, svc.on_pod, svc.objects),
    "ssh": Plugin(ssh.FLAGS, ssh.on_pod, ssh.objects, computes=True),
    "pytorch": Plugin(pytorch.FLAGS, pytorch.on_pod),
    "tensorflow": Plugin(tensorflow.FLAGS, tensorflow.on_pod),
    "mpi": Plugin(mpi.FLAGS, mpi.on_pod),
    "ray": Plugin(ray.FLAGS, ray.on_pod, ray.objects),
    "hcclrank": Plugin(hcclrank.FLAGS, hcclrank.on_pod),
}
NEEDED_BY = {"svc": ("tensorflow", "mpi", "pytorch", "ray"), "ssh": ("mpi",)}  # admission adds them


def plugins_of(job: Job) -> Iterator[tuple[str, Plugin, dict[str, Value]]]:
    """The plugins that the Job names, each with the values of its flags."""
    for name, plugin in PLUGINS.items():
        if name in job.spec.plugins:
            yield name, plugin, parse_flags(job.spec.plugins[name], plugin.flags)[0]


def change_pod(job: Job, task: TaskSpec, index: int, pod: Body) -> None:
    """Let all plugins of the Job change a pod of it."""
    for _, plugin, flags in plugins_of(job):
        plugin.on_pod(Placement(job, task, index, pod, flags))


def flag_warnings(plugins: dict[str, list[str]]) -> list[str]:
    """What of the plugins' arguments is left out."""
    return [
        f"spec.plugins.{name}: {problem}"
        for name, words in plugins.items()
        if name in PLUGINS
        for problem in parse_flags(words, PLUGINS[name].flags)[1]
    ]
