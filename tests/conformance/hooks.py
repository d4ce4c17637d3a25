"""Hooks: an admission webhook of the test's own, which both servers call over TLS.

In: what it shall answer, by the last part of the path it is asked at. Out: what it was asked, in normal form.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from jobflow.local.apiserver.wire.certificates import Certificate

Body = dict[str, Any]
Answer = Callable[[Body], Any]


@dataclass
class Hook:
    """One HTTPS server. `answers` gives the response to a request, by the path."""

    url: str
    ca: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Body] = field(default_factory=list)

    def client(self, path: str) -> Body:
        """The clientConfig that leads to an answer."""
        return {"url": f"{self.url}/{path}", "caBundle": self.ca}

    async def answer(self, incoming: web.Request) -> web.StreamResponse:
        """Answer a review as the test says."""
        review = await incoming.json()
        request = review["request"]
        self.asked.append(request)
        given = self.answers[incoming.path.strip("/")](request)
        if asyncio.iscoroutine(given):
            given = await given
        if isinstance(given, web.StreamResponse):
            return given
        told = {"apiVersion": review["apiVersion"], "kind": "AdmissionReview"}
        return web.json_response({**told, "response": {"uid": request["uid"], **given}})


def allow(**more: Any) -> Answer:
    """Say yes."""
    return lambda request: {"allowed": True, **more}


def deny(**status: Any) -> Answer:
    """Say no."""
    return lambda request: {"allowed": False, **({"status": status} if status else {})}


def change(*operations: Body) -> Answer:
    """Say yes, with a JSON patch."""
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return lambda request: {"allowed": True, "patchType": "JSONPatch", "patch": patch}


@asynccontextmanager
async def hook() -> AsyncIterator[Hook]:
    """A hook that listens on loopback."""
    certificate = await asyncio.to_thread(Certificate.create)
    application = web.Application()
    made = Hook("", base64.b64encode(certificate.ca_pem).decode())
    application.router.add_post("/{path:.*}", made.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        context = await asyncio.to_thread(certificate.server_context)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        made.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()
