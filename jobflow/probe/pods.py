"""Pods of a Job, listed: for Jobs that were made before their pods could be labelled, or that have ended.

In: a PodList question. Out: the Job's pods, or why they could not be listed. The right to list pods is declared where
they are watched (`jobflow.watches`). What is asked of Jobs that have ended is read in `outputs.py` and `exits.py`.
"""

from __future__ import annotations

import msgspec

from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.outputs import OutputsFound, OutputsOf
from jobflow.api.probes import PodList, PodsFound, PodView
from jobflow.kinds import pod
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError
from jobflow.probe.config_maps import read_keys
from jobflow.probe.exits import read_exits
from jobflow.probe.outputs import read_outputs


class Pods:
    """Asks the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._codec = Codec(pod.Pod, pod.view)

    async def pods(self, question: PodList) -> PodsFound:
        """The pods of the Job's present incarnation."""
        found: list[PodView] = []
        try:
            selector = f"{pod.JOB_NAME}={question.job}"
            async for page in self._client.list(pod.RESOURCE, question.namespace, label_selector=selector):
                found += self._codec.page(page).items
        except ApiError as error:
            return PodsFound(problem=f"the pods of Job {question.job} cannot be listed: {error.message}")
        except msgspec.MsgspecError as error:
            return PodsFound(problem=f"the pods of Job {question.job} cannot be read: {error}")
        mine = [view for view in found if view.job_uid in ("", question.job_uid)]
        return PodsFound(tuple(sorted(mine, key=lambda view: view.name)))

    async def keys(self, question: ConfigKeys, before: ConfigFound) -> ConfigFound:
        """What the keys of a ConfigMap say."""
        return await read_keys(self._client, question, before)

    async def exits(self, question: ExitsOf) -> ExitsFound:
        """How the pods of a Job that has failed ended."""
        return await read_exits(self._client, question)

    async def outputs(self, question: OutputsOf) -> OutputsFound:
        """What the Job left for later steps."""
        return await read_outputs(self._client, question)
