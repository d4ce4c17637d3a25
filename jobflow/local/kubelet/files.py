"""Where the files of pods are: directories of their own, gone with the pod, and logs, which stay.

In: the runtime's directory, a pod's namespace, name and uid. Out: paths. Logs lie as in the /var/log/pods of
kubelets: `logs/<namespace>_<name>_<uid>/<container>/<run>.log`. `pods/<uid>/` has `home` for HOME, `home/tmp` for
TMPDIR, `volumes`, `hosts`, `serviceaccount`, and for each container what it writes for `terminationMessagePath`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PodFiles:
    """The places of one pod."""

    root: Path
    logs: Path

    @property
    def home(self) -> Path:
        """Its working directory."""
        return self.root / "home"

    @property
    def volumes(self) -> Path:
        """A directory a volume."""
        return self.root / "volumes"

    @property
    def hosts(self) -> Path:
        """Its /etc/hosts."""
        return self.root / "hosts"

    @property
    def access(self) -> Path:
        """Token and certificate for the API server."""
        return self.root / "serviceaccount"

    @property
    def kubeconfig(self) -> Path:
        """The same, for kubectl."""
        return self.root / "kubeconfig"

    def create(self) -> None:
        """Make its working directory."""
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)
        self.volumes.mkdir(exist_ok=True)

    def remove(self) -> None:
        """Remove all but the logs."""
        shutil.rmtree(self.root, ignore_errors=True)

    def termination(self, container: str) -> Path:
        """What a container says at its end."""
        return self.root / "termination" / container

    def probe_log(self, container: str, probe: str) -> Path:
        """What a probe's command printed last."""
        return self.root / "probes" / container / probe

    def log(self, container: str, run: int) -> Path:
        """The log of a container's run; run 0 is the first, each restart is another."""
        return self.logs / container / f"{run}.log"

    def newest(self, container: str) -> Path | None:
        """The log of its newest run."""
        runs = sorted((self.logs / container).glob("*.log"), key=lambda path: int(path.stem))
        return runs[-1] if runs else None


@dataclass(frozen=True, slots=True)
class Layout:
    """The directory of a runtime."""

    directory: Path

    def of(self, namespace: str, name: str, uid: str) -> PodFiles:
        """The places of a pod."""
        logs = self.directory / "logs" / f"{namespace}_{name}_{uid}"
        return PodFiles(self.directory / "pods" / uid, logs)

    def newest(self, namespace: str, name: str) -> PodFiles | None:
        """The places of the newest pod of this name, which may be gone."""
        found = (self.directory / "logs").glob(f"{namespace}_{name}_*")
        newest = max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
        return self.of(namespace, name, newest.name.rpartition("_")[2]) if newest else None

    def remove_leftovers(self) -> None:
        """Remove directories of pods that a runtime which was killed could not."""
        shutil.rmtree(self.directory / "pods", ignore_errors=True)
