"""Claims: PersistentVolumeClaims are directories, which outlive the pods that use them.

In: a watch of claims. Out: each is Bound as soon as it is seen, with all it asked for, and has a directory of its
own, which is removed when the claim is deleted and no pod has it mounted any more. Sizes and access modes are not
enforced.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import Resource
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError, NotFound
from jobflow.kube.reflector import Reflector
from jobflow.local.kubelet.refusals import NotYet

CLAIM = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")

log = structlog.get_logger(__name__)

ClaimKey = tuple[str, str]  # namespace, name


class Claims(Protocol):
    """Who has the directories of claims."""

    async def run(self, changed: Callable[[str], None]) -> None:
        """Bind claims, until cancelled; `changed` is told the namespace of each."""

    async def directory(self, namespace: str, name: str) -> Path:
        """The directory of a claim, which may have to be made. Raises NotYet where there is no such claim."""

    def use(self, namespace: str, names: set[str], times: int) -> None:
        """A pod that mounts these claims has come (1) or gone (-1)."""


class NoClaims:
    """A machine without an API server."""

    async def run(self, changed: Callable[[str], None]) -> None:
        """Nothing ever changes."""
        await asyncio.Event().wait()

    async def directory(self, namespace: str, name: str) -> Path:
        """There is none."""
        raise NotYet(f'persistentvolumeclaim "{name}" not found')

    def use(self, namespace: str, names: set[str], times: int) -> None:
        """Nothing is kept."""


class _Spec(msgspec.Struct, frozen=True, gc=False):
    accessModes: tuple[str, ...] = ()
    resources: dict[str, dict[str, Any]] = {}


class _Status(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""


class _Claim(msgspec.Struct, frozen=True, gc=False):
    """A claim, as far as it has to be bound."""

    metadata: ObjectMeta
    spec: _Spec = _Spec()
    status: _Status = _Status()

    @property
    def key(self) -> ClaimKey:
        return self.metadata.namespace, self.metadata.name


class ApiClaims:
    """Claims of an API server, and their directories below `root`."""

    def __init__(self, client: Client, clock: Clock, root: Path) -> None:
        self._client = client
        self._clock = clock
        self._root = root
        self._unbound: asyncio.Queue[_Claim] = asyncio.Queue()
        self._used: Counter[ClaimKey] = Counter()
        self._ownerless: dict[ClaimKey, Path] = {}  # directories of claims that are gone, while pods use them
        self._removals: set[asyncio.Task[None]] = set()

    async def run(self, changed: Callable[[str], None]) -> None:
        """Watch and bind."""

        def told(old: _Claim | None, new: _Claim | None) -> None:
            if new is not None and not new.status.phase.startswith("Bound"):
                self._unbound.put_nowait(new)
            if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
                self._gone(old)
            one = new or old
            assert one is not None
            changed(one.metadata.namespace)

        store: Store[ClaimKey, _Claim] = Store(lambda one: one.key, told)
        reflector = Reflector(self._client, self._clock, CLAIM, Codec(_Claim, lambda one: one), store)
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run(), name="claims reflector")
            while True:
                await self._bind(await self._unbound.get())

    async def directory(self, namespace: str, name: str) -> Path:
        """Where the claim's files are."""
        try:
            body = await self._client.get(CLAIM, namespace, name)
        except NotFound as missing:
            raise NotYet(f'persistentvolumeclaim "{name}" not found') from missing
        return self._path(msgspec.json.decode(body, type=_Claim))

    def use(self, namespace: str, names: set[str], times: int) -> None:
        """Count who uses what; the last one to leave a claim that is gone takes its files along."""
        for name in names:
            key = (namespace, name)
            self._used[key] += times
            if self._used[key] <= 0:
                del self._used[key]
                if path := self._ownerless.pop(key, None):
                    self._remove(path)

    def _path(self, claim: _Claim) -> Path:
        return self._root / claim.metadata.namespace / f"{claim.metadata.name}_{claim.metadata.uid}"

    def _gone(self, claim: _Claim) -> None:
        if self._used[claim.key] > 0:
            self._ownerless[claim.key] = self._path(claim)
        else:
            self._remove(self._path(claim))

    def _remove(self, path: Path) -> None:
        task = asyncio.create_task(asyncio.to_thread(shutil.rmtree, path, ignore_errors=True), name=f"remove {path}")
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def _bind(self, claim: _Claim) -> None:
        meta = claim.metadata
        status = {
            "phase": "Bound",
            "accessModes": list(claim.spec.accessModes),
            "capacity": claim.spec.resources.get("requests", {}),
        }
        body = {"metadata": {"uid": meta.uid}, "status": status}
        try:
            await self._client.patch(CLAIM, meta.namespace, meta.name, body, subresource="status")
        except NotFound:
            return
        except ApiError as error:
            log.warning("claim not bound", claim="/".join(claim.key), error=error.message)
