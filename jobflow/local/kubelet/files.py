"""Where the files of pods are: a working directory each, gone with the pod, and logs, which stay.

In: the runtime's directory, a pod's namespace, name and uid. Out: paths, laid out as kubelets lay out
/var/log/pods: `logs/<namespace>_<name>_<uid>/<container>/<run>.log`, `pods/<uid>/` for HOME and
`pods/<uid>/tmp` for TMPDIR.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PodFiles:
    """The places of one pod."""

    home: Path
    logs: Path

    def create(self) -> None:
        """Make its working directory."""
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Remove its working directory; the logs stay."""
        shutil.rmtree(self.home, ignore_errors=True)

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
        """Remove working directories that a runtime which was killed could not."""
        shutil.rmtree(self.directory / "pods", ignore_errors=True)
