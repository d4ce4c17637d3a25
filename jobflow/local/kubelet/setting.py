"""Setting: what the containers of a pod start in.

In: a pod, its files, what the machine offers. Out: the pod's volumes, its /etc/hosts, its way to the API server, made
before its first container starts (`prepare`) and kept up to date while it runs (`renew`); and for each container a
Launch. Raises NotYet for objects that are missing, Unrunnable for what cannot be had here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jobflow.clock import Clock
from jobflow.local.kubelet import environment, payload, probes, volumes
from jobflow.local.kubelet.access import MOUNT_PATH, RENEWED_AFTER, Access, Server
from jobflow.local.kubelet.claims import Claims
from jobflow.local.kubelet.containers import Pod, Reporter
from jobflow.local.kubelet.downward import Facts
from jobflow.local.kubelet.environment import Machine
from jobflow.local.kubelet.files import PodFiles
from jobflow.local.kubelet.hosts import Host, hosts_file
from jobflow.local.kubelet.processes import Launch, Processes
from jobflow.local.kubelet.refusals import NotYet
from jobflow.local.kubelet.sources import ObjectName, Objects, Sources
from jobflow.local.kubelet.spec import Container, Volume
from jobflow.local.kubelet.supervisor.mounts import Mount
from jobflow.local.kubelet.volumes import Place

HOSTS_PATH = "/etc/hosts"
LEAST_RENEWAL_SECONDS = 60.0  # also when a renewal failed
MACHINE_HOSTS = Path(HOSTS_PATH)
TERMINATION_VARIABLE = "JOBFLOW_TERMINATION_LOG"  # where terminationMessagePath is, when it cannot be mounted


@dataclass(frozen=True, slots=True)
class Ground:
    """What the pods of a machine share."""

    processes: Processes
    clock: Clock
    machine: Machine
    sources: Sources
    claims: Claims
    access: Access
    reporter: Reporter
    neighbours: Callable[[str], Iterable[Host]]  # pods of a namespace that run now
    host_paths: bool = False
    mounts: bool = True

    async def trouble(self) -> str:
        """Why nothing can be mounted; empty where it can."""
        return await self.processes.mount_trouble() if self.mounts else "mounts are switched off"


@dataclass(slots=True)
class Setting:
    """One pod's."""

    facts: Facts
    files: PodFiles
    ground: Ground
    trouble: str = ""  # why nothing can be mounted
    _places: dict[str, Place] = field(default_factory=dict)
    _given: dict[str, str] = field(default_factory=dict)
    _server: Server | None = None
    _has_token: bool = False
    _renew_after: float = 0.0

    @property
    def pod(self) -> Pod:
        """Whose it is."""
        return self.facts.pod

    def check(self) -> None:
        """Raises Unrunnable for what is known to be impossible before anything is made."""
        volumes.check(self.pod.spec, host_paths=self.ground.host_paths)
        for container in self.pod.containers:
            probes.check(container)
            environment.arguments(container, {})

    @property
    def sources(self) -> set[ObjectName]:
        """The objects that its volumes show."""
        return {name for volume in self.pod.spec.volumes for name in payload.sources_of(volume)}

    async def prepare(self) -> None:
        """Make what the containers mount."""
        self.trouble = await self.ground.trouble()
        await asyncio.to_thread(self._make_files)
        self._server = await self.ground.access.server()
        self._given = self._server.variables() if self._server else {}
        await self._admit()
        for volume in self.pod.spec.volumes:
            self._places[volume.name] = await self._make(volume)

    def write_hosts(self) -> None:
        """Write its /etc/hosts with the neighbours of now, in place: it is mounted. Blocks."""
        if not self.files.root.is_dir():
            return
        neighbours = self.ground.neighbours(self.pod.namespace)
        text = hosts_file(Host(self.pod, self.facts.address), neighbours, _machine_hosts())
        self.files.hosts.touch()
        with self.files.hosts.open("r+") as file:  # never empty, as it would be if it was opened to be written anew
            file.write(text)
            file.truncate()

    async def refresh(self) -> None:
        """Show in the volumes what the objects have now; what is missing meanwhile stays as it was."""
        for volume in self.pod.spec.volumes:
            if volumes.has_payload(volume):
                try:
                    await self._make(volume)
                except NotYet:
                    continue

    async def renew(self) -> None:
        """Keep the token valid until cancelled."""
        while self._has_token:
            await self.ground.clock.sleep(self._renew_after)
            await self._admit()
            await self.refresh()

    async def launch(self, container: Container, run: int) -> Launch:
        """How the container is started now."""
        names = environment.sources_of(container)
        known = environment.declared(self.facts, container, await self._objects(names), self._given)
        argv = environment.arguments(container, known)
        machine = self.ground.machine.variables(self.facts, self.files.home)
        own, mounts = await asyncio.to_thread(self._mounts, container, known)
        return Launch(
            argv=argv,
            env={**machine, **own, **known},
            cwd=self.files.home / container.working_dir,  # an absolute workingDir stands for itself
            log=self.files.log(container.name, run),
            mounts=mounts,
            hostname="" if self.pod.spec.host_network else self.pod.hostname,
        )

    def _make_files(self) -> None:
        self.files.create()
        self.write_hosts()

    async def _objects(self, names: set[ObjectName]) -> Objects:
        return {name: await self.ground.sources.data(self.pod.namespace, name) for name in names}

    async def _make(self, volume: Volume) -> Place:
        content, claim = None, None
        if volumes.has_payload(volume):
            objects = await self._objects(payload.sources_of(volume))
            content = payload.payload_of(volume, self.facts, objects, await self._token_for(volume))
        if volume.persistent_volume_claim is not None:
            claim = await self.ground.claims.directory(self.pod.namespace, volume.persistent_volume_claim.claim_name)
        return await asyncio.to_thread(volumes.make, volume, self.files.volumes, content, claim)

    async def _token_for(self, volume: Volume) -> str | None:
        """The token that a projected volume wants."""
        wanted = [each.service_account_token for each in (volume.projected.sources if volume.projected else ())]
        audience = next((each.audience for each in wanted if each is not None), None)
        if audience is None:
            return None
        token = await self.ground.access.token(self.pod, audience)
        return token.text if token else None

    async def _admit(self) -> None:
        """Write token and kubeconfig, where there is a server and the pod wants them."""
        if self._server is None or self.pod.spec.automount_service_account_token is False:
            return
        self._renew_after = LEAST_RENEWAL_SECONDS
        token = await self.ground.access.token(self.pod)
        if token is None:
            return
        files = self._server.files(self.pod.namespace, token.text)
        kubeconfig = self._server.kubeconfig(self.pod, self.files.access / "token")
        await asyncio.to_thread(payload.write, self.files.access, files)
        await asyncio.to_thread(_write_private, self.files.kubeconfig, kubeconfig)
        self._has_token, self._renew_after = True, max(token.seconds * RENEWED_AFTER, LEAST_RENEWAL_SECONDS)
        self._given["KUBECONFIG"] = str(self.files.kubeconfig)

    def _mounts(self, container: Container, known: Mapping[str, str]) -> tuple[dict[str, str], tuple[Mount, ...]]:
        """Where it sees what; variables instead where nothing can be mounted. Blocks."""
        said = self.files.termination(container.name)
        said.parent.mkdir(parents=True, exist_ok=True)
        said.write_bytes(b"")  # of each run anew
        if self.trouble:
            own = volumes.variables_of(container, self._places, known)
            return {**own, TERMINATION_VARIABLE: str(said)}, ()
        mounts = list(volumes.mounts_of(container, self._places, known))
        taken = {mount.target.rstrip("/") for mount in mounts}
        offered = [Mount(str(said), container.termination_message_path), Mount(str(self.files.hosts), HOSTS_PATH)]
        if self._has_token:
            offered.append(Mount(str(self.files.access), MOUNT_PATH, read_only=True))
        mounts += [mount for mount in offered if mount.target not in taken]
        return {}, tuple(mounts)


def _machine_hosts() -> str:
    try:
        return MACHINE_HOSTS.read_text(errors="replace")
    except OSError:
        return ""


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
