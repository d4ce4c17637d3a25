"""partitionPolicy of a task: which part of the task a pod is in.

In: a task and the index of a pod. Out: the partition's number as a label's value, or "" for a task without partitions.
Volcano's scheduler places a partition as a whole; here there is one node, and what is left of it is RestartPartition.
"""

from __future__ import annotations

from jobflow.local.volcano.objects import TaskSpec


def partition_of(task: TaskSpec, index: int) -> str:
    """`index` divided by the size of a partition."""
    parts = task.partition_policy
    return str(index // parts.partition_size) if parts and parts.partition_size else ""
