"""Reviewer: gathers the facts that a question needs, and asks for the verdict.

In: a Question. Out: a Verdict. What bears on nothing is not looked up; large objects are judged on a thread, so that
health and other questions are answered meanwhile. Where the requester's rights cannot be found out, the answer is no
(503: try again): a flow is no way round them.
"""

from __future__ import annotations

import asyncio

from jobflow.kube.errors import ApiError
from jobflow.webhook import deletions, reviews
from jobflow.webhook.access import Access, wishes
from jobflow.webhook.flows import TemplateName, template_names
from jobflow.webhook.known import Known
from jobflow.webhook.reviews import DELETE, FLOWS, Facts
from jobflow.webhook.verdict import Denied, Verdict
from jobflow.webhook.wire import Question

LARGE_BYTES = 32 * 1024  # of a body: what takes more than a few milliseconds to judge
TOO_DEEP = Denied("the object is nested too deeply to be judged; flatten it", "depth")


class Reviewer:
    """Answers questions about one cluster."""

    def __init__(self, known: Known, access: Access, *, protect_running: bool = False) -> None:
        self._known = known
        self._access = access
        self._protect_running = protect_running

    async def review(self, path: str, question: Question, size: int) -> Verdict:
        """The verdict on a question of `size` bytes that came in at `path`."""
        facts = await self._facts(path, question) if reviews.needs_facts(path, question) else Facts()
        try:
            if size > LARGE_BYTES:
                return await asyncio.to_thread(reviews.review, path, question, facts)
            return reviews.review(path, question, facts)
        except RecursionError:
            return TOO_DEEP

    async def _facts(self, path: str, question: Question) -> Facts:
        if question.operation == DELETE:
            return await (self._of_flow_deletion if path == FLOWS else self._of_template_deletion)(question)
        names = list(template_names((question.object or {}).get("spec")))
        forbidden = unknown = ""
        try:
            forbidden = await self._access.refusal(question.userInfo, wishes(question.namespace, names))
        except ApiError as error:
            unknown = (
                f'whether user "{question.userInfo.username}" may create what this flow runs could not be found out: '
                f"{error.message}; try again"
            )
        templates = await self._known.templates(question.namespace, names)
        return Facts(templates=templates, forbidden=forbidden, unknown=unknown)

    async def _of_flow_deletion(self, question: Question) -> Facts:
        if not self._protect_running or not deletions.is_unfinished(question.oldObject):
            return Facts()
        return Facts(protect_running=True, namespace_ends=await self._namespace_ends(question.namespace))

    async def _of_template_deletion(self, question: Question) -> Facts:
        template = TemplateName(question.object_name, cluster=not question.namespace)
        try:
            users = await self._known.users(question.namespace, template)
        except ApiError:
            return Facts()  # nobody is kept from deleting because the API server is slow to tell
        return Facts(users=users, namespace_ends=bool(users) and await self._namespace_ends(question.namespace))

    async def _namespace_ends(self, namespace: str) -> bool:
        """A namespace that cannot be read may be on its way out: then nothing is held up."""
        if not namespace:
            return False
        try:
            return await self._known.namespace_ends(namespace)
        except ApiError:
            return True
