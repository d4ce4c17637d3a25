"""The wheel, as the image runs it: by nobody in particular, on a root that cannot be written, without a shell.

What the Dockerfile does is done here without Docker: a wheel is built, installed with the pinned dependencies in an
environment that has nothing else, and its entry point started with the Deployment's own arguments, by the image's user,
who has no home and no name on this machine and may write to TMPDIR alone. It then takes a flow to its end on a real API
server, with the rights that are installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster.installed import Cluster, wait_until
from cluster.processes import START_SECONDS, Processes, Replica
from envtest.control_plane import Program, end_with_parent

import jobflow
from jobflow.deploy.workload import ARGUMENTS, USER
from jobflow.testing.builders import flow, template

pytestmark = [pytest.mark.real, pytest.mark.blocking]

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 900  # some thirty packages, from the cache of pip or from the registry
FLOW_SECONDS = 120.0
NO_REGISTRY = re.compile(r"NewConnectionError|name resolution|Max retries|ConnectionError|Network is unreachable")


@dataclass
class Image:
    """What would be in the image: an environment that its user cannot write to; and the one directory he can."""

    environment: Path
    tmp: Path

    @property
    def program(self) -> str:
        return str(self.environment / "bin" / "jobflow")

    @property
    def variables(self) -> dict[str, str]:
        """As the Dockerfile sets them; Docker gives `/` as home to users without one."""
        path = str(self.environment / "bin")
        return {
            "PATH": path,
            "HOME": "/",
            "TMPDIR": str(self.tmp),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program, by the image's user, in a directory that he cannot write to."""
        return subprocess.run(
            command, env=self.variables, cwd="/", user=USER, group=USER, extra_groups=[], capture_output=True, text=True
        )


def pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], capture_output=True, text=True, timeout=INSTALL_SECONDS
    )
    if done.returncode and NO_REGISTRY.search(done.stderr):
        pytest.skip("no package registry to install the wheel's dependencies from")
    assert done.returncode == 0, done.stderr


def interpreter() -> str:
    """A Python of which another user than root can see the files."""
    candidates = [str(Path(sys.executable).resolve()), "/usr/local/bin/python3", "/usr/bin/python3"]
    wanted = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    for path in filter(os.path.exists, candidates):
        with suppress(PermissionError):
            found = subprocess.run([path, "-c", wanted], user=USER, group=USER, extra_groups=[], cwd="/")
            if found.returncode == 0:
                return path
    pytest.skip(f"no Python that other users can run: {', '.join(candidates)}")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    if os.geteuid() != 0:
        pytest.skip("only root can start a program as another user")
    # Not below pytest's own directory, into which other users cannot look.
    place = Path(tempfile.mkdtemp(prefix="jobflow-image-"))
    try:
        place.chmod(0o755)
        python = interpreter()
        environment, wheels, tmp = place / "opt", place / "wheels", place / "tmp"
        pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
        (wheel,) = wheels.glob("*.whl")
        subprocess.run([python, "-m", "venv", "--without-pip", str(environment)], check=True, capture_output=True)
        into = ("--python", str(environment / "bin" / "python"), "install", "--quiet", "--no-warn-script-location")
        pip(*into, "--constraint", str(ROOT / "constraints.txt"), str(wheel))
        tmp.mkdir(mode=0o700)
        os.chown(tmp, USER, USER)
        yield Image(environment, tmp)
    finally:
        shutil.rmtree(place)


def files(directory: Path) -> set[Path]:
    return set(directory.rglob("*"))


def test_the_user_of_the_image_can_write_nowhere_but_to_tmpdir(image):
    tries = "\n".join(
        f"try: open({str(path / 'try')!r}, 'w'); print({str(path)!r})\nexcept OSError: pass"
        for path in (
            Path("/"),
            image.environment,
            next(image.environment.rglob("jobflow/__init__.py")).parent,
            image.tmp,
        )
    )
    done = image.run(str(image.environment / "bin" / "python"), "-c", tries)
    assert (done.stdout.splitlines(), done.stderr) == ([str(image.tmp)], "")
    (image.tmp / "try").unlink()


def test_it_is_this_version_and_brings_its_own_dependencies(image):
    done = image.run(image.program, "--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"jobflow {jobflow.__version__}"), done.stderr
    where = image.run(
        str(image.environment / "bin" / "python"),
        "-c",
        "import jobflow, aiohttp; print(jobflow.__file__, aiohttp.__file__)",
    )
    assert all(str(image.environment) in path for path in where.stdout.split()), where.stdout + where.stderr


def test_the_controller_takes_a_flow_to_its_end(image, cluster: Cluster, processes: Processes):
    namespace, account = cluster.namespace("wheel"), cluster.account("wheel")
    kubeconfig = image.tmp / "kubeconfig"  # in a pod it is the service account's files
    shutil.copy(account.kubeconfig, kubeconfig)
    os.chown(kubeconfig, USER, USER)
    kubeconfig.chmod(0o400)
    before = files(image.environment)
    player = processes.player(cluster.plane.kubeconfig)
    replica = started(image, processes, "--kubeconfig", str(kubeconfig))
    cluster.templates(namespace, [template(step).task("main") for step in "abc"])
    cluster.submit(namespace, [flow("f").step("a").step("b", after="a").step("c", after="b")])
    processes.wait_until(lambda: cluster.all_in("Succeed", 1, namespace), FLOW_SECONDS, replica.program.told)
    assert replica.leads
    assert replica.get("/readyz")[0] == 200
    assert player.ran == {f"{namespace}/f-{step}": 1 for step in "abc"}
    assert replica.stop() == 0, replica.program.told()
    assert replica.said("lease released")
    assert files(image.environment) == before
    assert not [line for line in replica.lines if line["level"] in ("error", "critical")]


def started(image: Image, processes: Processes, *options: str) -> Replica:
    """The image's entry point with the Deployment's arguments; the port is any that is free."""
    arguments = ["--metrics-address=127.0.0.1:0" if word.startswith("--metrics") else word for word in ARGUMENTS]
    log = processes.directory / "image.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [image.program, *arguments, *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=image.variables,
            cwd="/",
            user=USER,
            group=USER,
            extra_groups=[],
            umask=0o077,
            start_new_session=True,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
    replica = Replica(Program("image", process, log))
    processes.started.append(replica)
    wait_until(lambda: bool(replica.said("cache filled")), START_SECONDS, replica.program.told)
    return replica


def test_the_dockerfile_does_the_same():
    text = (ROOT / "Dockerfile").read_text()
    assert f"USER {USER}:{USER}" in text
    assert 'ENTRYPOINT ["jobflow"]' in text, "no shell between the kubelet's signals and the controller"
    assert "PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1" in text
    assert re.search(r'pip install .*-c constraints.txt "\."', text)
