"""Job plugins: what `spec.plugins` of a Job adds to its pods, one plugin a file.

In: a pod about to be created, as a dict, and whose it is. Out: the pod changed in place. A Job that names a
plugin that is not in PLUGINS is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobflow.local.volcano.objects import Job, TaskSpec
from jobflow.local.volcano.plugins import env

PodPlugin = Callable[[Job, TaskSpec, int, dict[str, Any]], None]

PLUGINS: dict[str, PodPlugin] = {
    "env": env.add_index,
}
