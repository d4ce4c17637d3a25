"""The loop: take a key, snapshot, reconcile, act, done. Read this first.

    API server --watch--> kube --> cache --> work (queue) --> here --> reconcile (pure) --> act --> API server

In: keys from the queue, as many at once as there are workers, each key in one hand at a time. Out: writes to the API
server, and the key back on the queue when time, a failure or something learned asks for it. What changes in the
cluster puts keys on the queue by `jobflow.work.route`; nothing polls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from jobflow.act.flow import FlowActor
from jobflow.act.outcome import Again, Done, Outcome, Retry
from jobflow.act.reread import AGAIN_SECONDS, is_worth_a_look, reread
from jobflow.act.status import write_status
from jobflow.api.metadata import ObjectMeta, ObjectReference
from jobflow.api.names import owner_text
from jobflow.api.probes import Question
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, Key
from jobflow.cache.cache import Cache
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError, Conflict, NotFound
from jobflow.kube.fenced import NotLeader
from jobflow.obs.measures import Measures
from jobflow.reconcile.events import WARNING
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.pause import uses
from jobflow.reconcile.plan import Plan
from jobflow.reconcile.snapshot import Flow, Snapshot
from jobflow.reconcile.stored import stored
from jobflow.reconcile.template import reconcile_cluster_template, reconcile_template
from jobflow.snapshots import Absent, Behind, Snapshots, Taken, Unreadable, Unseen
from jobflow.work.interests import Interests
from jobflow.work.queue import QueueClosed, WorkQueue

INTERNAL_ERROR = "InternalError"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Controller:
    """Workers over one queue."""

    client: Client
    cache: Cache
    queue: WorkQueue[Key]
    interests: Interests
    snapshots: Snapshots
    actor: FlowActor
    measures: Measures = field(default_factory=Measures)
    planned: Callable[[Flow, Plan], None] = lambda flow, plan: None  # told of each plan before it is carried out
    reconcile: Callable[[Snapshot], Plan] = reconcile_flow
    ask: Callable[[Key, frozenset[Question]], None] = lambda key, questions: None  # what its probes want to know

    async def work(self) -> None:
        """One worker: handle keys until the queue is closed."""
        while True:
            try:
                key = await self.queue.get()
            except QueueClosed:
                return
            try:
                with structlog.contextvars.bound_contextvars(kind=key.kind, flow=f"{key.namespace}/{key.name}"):
                    started = self.actor.clock.monotonic()
                    outcome = await self._handle(key)
                    self._settle(key, outcome)
                self.measures.reconciled(key.kind, _result(outcome), self.actor.clock.monotonic() - started)
            finally:
                self.queue.done(key)

    async def _handle(self, key: Key) -> Outcome:
        try:
            return await (self._flow(key) if key.kind == JOB_FLOW.kind else self._template(key))
        except NotFound as error:
            log.debug("gone while it was handled", error=error.message)
            return Retry(error)
        except Conflict as error:
            log.debug("somebody wrote first", error=error.message)
            return Retry(error)
        except NotLeader as error:
            log.debug("not written", error=error.message)
            return Retry(error)
        except ApiError as error:
            log.warning("the API server did not do it", error=error.message, status=error.status)
            return Retry(error, error.retry_after or 0.0)
        except Exception as error:  # a bug of ours must not cost the key, nor the worker
            log.exception("reconcile failed")
            self._tell_bug(key, error)
            return Retry(error)

    def _tell_bug(self, key: Key, error: Exception) -> None:
        """Why nothing happens, for whoever looks at the flow; not the error's words, which may quote users' values."""
        flow = self.cache.flows.get((key.namespace, key.name)) if key.kind == JOB_FLOW.kind else None
        if flow is not None:
            about = ObjectReference(JOB_FLOW, flow.namespace, flow.name, flow.uid)
            said = f"a bug in jobflow stops this flow ({type(error).__name__}); the controller's log has more"
            self.actor.recorder.emit(about, WARNING, INTERNAL_ERROR, said)

    async def _flow(self, key: Key) -> Outcome:
        await self._reread(key)
        match self.snapshots.take(key):
            case Taken(snapshot, memory):
                plan = self.reconcile(snapshot)
                self.interests.set(key, plan.awaits)
                self.ask(key, plan.questions)
                self.planned(snapshot.flow, plan)
                return await self.actor.execute(snapshot.flow, plan, memory)
            case Behind(seconds):
                return Done(seconds)
            case Unseen(problem):
                log.debug("left alone until it can be seen again", problem=problem)
                return Done()
            case Unreadable(problem):
                log.error("left alone: what it has run is not known", problem=problem)
                return Done()
            case Absent():
                self.interests.set(key, frozenset())
                self.ask(key, frozenset())
                return Done()

    async def _template(self, key: Key) -> Outcome:
        await self._reread(key)
        template = self.cache.templates_in(key.namespace).get((key.namespace, key.name))
        if template is None or self.snapshots.hidden(key):
            return Done()
        kind = template.resource
        missing = self.cache.installed.missing(kind)
        if template.lost or uses(template.spec, missing):
            return Done()  # a write, though of its status, would make the API server drop them from what is stored
        children = self.cache.children.of_template(owner_text(key.namespace, key.name))
        if kind == CLUSTER_JOB_TEMPLATE:
            status = reconcile_cluster_template(children)
        else:
            status = reconcile_template(child for child in children if child.namespace == key.namespace)
        if status != template.status and stored(status, missing) != stored(template.status, missing):
            identity = ObjectMeta(template.name, template.namespace, template.uid, template.resource_version)
            written = await write_status(self.client, kind, identity, status)
            self.cache.installed.saw_answer(kind, status, written.status)
        return Done()

    async def _reread(self, key: Key) -> None:
        """What was read without fields that the CRD has again; now, and once more later where that was too early."""
        await reread(self.client, self.cache, key)
        if is_worth_a_look(self.cache, key):
            self.queue.add_after(key, AGAIN_SECONDS)

    def _settle(self, key: Key, outcome: Outcome) -> None:
        match outcome:
            case Done(again_in, tell_in):
                self.queue.forget(key)
                if again_in is not None:
                    self.queue.add_after(key, again_in)
                if tell_in is not None:
                    self.queue.add_news_after(key, tell_in)
            case Again():
                self.queue.add(key)
            case Retry(error, at_least):
                seconds = self.queue.retry(key, at_least)
                log.debug("will be tried again", seconds=round(seconds, 2), error=str(error))


def _result(outcome: Outcome) -> str:
    """As metrics call it."""
    match outcome:
        case Done():
            return "done"
        case Again():
            return "again"
        case Retry():
            return "retry"
