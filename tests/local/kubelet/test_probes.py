"""Probes: real servers in pods, asked at the pod's own address."""

import asyncio
import sys

import pytest

from jobflow.local.kubelet.probes import Doctor, Outcome

PATIENCE_SECONDS = 20

# Listens on the pod's address; answers 200 to /ok and 500 to all else; /end makes it answer 500 from then on.
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    broken = False
    def do_GET(self):
        if self.path == "/end":
            Handler.broken = True
        good = self.path == "/ok" and not Handler.broken and self.headers["X-Probe"] in (None, "yes")
        self.send_response(200 if good else 500)
        self.end_headers()
http.server.HTTPServer((os.environ["IP"], 8099), Handler).serve_forever()
"""
ADDRESS = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


@pytest.fixture
def server(container):
    """A container that serves on port 8099 of its pod, with these probes."""

    def build(**spec):
        ports = [{"name": "web", "containerPort": 8099}]
        return container(command=[sys.executable, "-c", SERVER], env=[ADDRESS], ports=ports, **spec)

    return build


def probe(seconds=1, failures=3, **action):
    return {"periodSeconds": seconds, "failureThreshold": failures, **action}


def http(path, **more):
    return {"httpGet": {"path": path, "port": "web", **more}}


def ready(state):
    return state.containers[0].ready


@pytest.mark.e2e
class TestReadiness:
    @pytest.mark.parametrize(
        "action",
        [
            http("/ok"),
            http("ok", httpHeaders=[{"name": "X-Probe", "value": "yes"}]),
            {"tcpSocket": {"port": 8099}},
            {"exec": {"command": ["test", "-d", "."]}},
        ],
        ids=["httpGet", "with a header", "tcpSocket", "exec"],
    )
    async def test_a_container_is_ready_once_its_probe_passes(self, node, pod, server, action):
        p = pod(server(readinessProbe=probe(**action)))
        node.start(p, "127.9.0.1")
        await node.until(p, ready)
        assert not ready(node.told["p"][0])

    async def test_one_whose_probe_fails_is_not_and_goes_on(self, node, pod, server):
        p = pod(server(readinessProbe=probe(**http("/bad"))))
        node.start(p, "127.9.0.2")
        message = await node.warned(p, "Unhealthy", "statuscode: 500")
        assert message.startswith("Readiness probe of container main failed: ")
        assert not any(ready(state) for state in node.told["p"])

    async def test_one_that_ceases_to_be_well_is_not_ready_any_more(self, node, pod, server):
        p = pod(server(readinessProbe=probe(failures=1, **http("/ok"))))
        node.start(p, "127.9.0.3")
        await node.until(p, ready)
        _, writer = await asyncio.open_connection("127.9.0.3", 8099)
        writer.write(b"GET /end HTTP/1.0\r\n\r\n")
        await writer.drain()
        writer.close()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while ready(node.told["p"][-1]):
                await asyncio.sleep(0.05)

    async def test_several_pods_listen_on_the_same_port_each_at_its_address(self, node, pod, server):
        pods = [pod(server(readinessProbe=probe(**http("/ok"))), name=f"p{number}") for number in (1, 2)]
        for number, each in enumerate(pods):
            node.start(each, f"127.9.1.{number + 1}")
        for each in pods:
            await node.until(each, ready)
        [message] = [message for each in pods for reason, message in node.warnings[each.name] if reason == "PortClash"]
        assert "containerPort 8099/TCP (also of pod ns/p" in message


@pytest.mark.e2e
class TestLiveness:
    async def test_a_container_that_is_not_well_is_started_again(self, node, pod, container, tmp_path):
        marker = tmp_path / "well"
        marker.touch()
        shell = f"rm {marker}; trap 'touch {marker}; exit 3' TERM; while :; do sleep 0.05; done"
        alive = probe(failures=1, exec={"command": ["test", "-e", str(marker)]})
        p = pod(container(shell=shell, livenessProbe=alive), restart="OnFailure")
        node.start(p)
        state = await node.until(p, lambda state: state.containers[0].restarts == 1)
        assert state.containers[0].before.exit_code == 3
        assert await node.warned(p, "Killing", "failed liveness probe")

    async def test_a_command_that_takes_too_long_has_failed(self, node, pod, container):
        alive = probe(failures=1, exec={"command": ["sleep", "60"]})
        p = pod(container(shell="exec sleep 600", livenessProbe=alive))
        state = await node.run(p)
        assert state.containers[0].now.signal == 15
        assert await node.warned(p, "Unhealthy", 'command "sleep" timed out after 1s')

    async def test_the_words_of_a_command_are_expanded_with_what_the_container_itself_sets(self, node, pod, container):
        """As Kubernetes does: `$$` is `$`, and a variable whose value comes from elsewhere is empty here."""
        env = [
            {"name": "WORD", "value": "well"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ]
        script = """test "$0 $1 $2" = 'well $(WORD) $(NO)' && test -z "$3" """
        asked = probe(
            exec={"command": ["sh", "-c", script.replace("$", "$$"), "$(WORD)", "$$(WORD)", "$(NO)", "$(IP)"]}
        )
        p = pod(container(shell="exec sleep 600", env=env, readinessProbe=asked))
        node.start(p, "127.9.2.1")
        await node.until(p, ready)

    async def test_the_others_are_not_asked_before_it_has_started(self, node, pod, container, tmp_path):
        gate = tmp_path / "gate"
        started = probe(failures=30, exec={"command": ["test", "-e", str(gate)]})
        alive = probe(failures=1, exec={"command": ["test", "-e", str(gate)]})
        shell = f"sleep 1.5; touch {gate}; sleep 1.5"
        state = await node.run(pod(container(shell=shell, startupProbe=started, livenessProbe=alive)))
        assert state.containers[0].now.exit_code == 0

    async def test_one_that_never_starts_is_ended(self, node, pod, container):
        started = probe(failures=2, exec={"command": ["false"]})
        p = pod(container(shell="exec sleep 600", startupProbe=started))
        await node.run(p)
        assert await node.warned(p, "Killing", "failed startup probe")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"grpc": {"port": 1}}, "container main: readinessProbe: grpc is not available"),
        ({}, "readinessProbe: one of httpGet, tcpSocket and exec is required"),
        ({"tcpSocket": {"port": "none"}}, 'the container has no port named "none"'),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name(node, pod, container, given, told):
    state = await node.run(pod(container(shell="true", readinessProbe=given)))
    assert state.reason == "CreateContainerConfigError"
    assert told in state.message


class Scripted:
    """A container whose probes answer from a list, each answer for one period."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.story = []

    async def answer(self, command, probe, timeout):
        return Outcome(self.answers.pop(0) if self.answers else True)

    def started(self):
        self.story.append("started")

    def is_ready(self, ready):
        self.story.append("ready" if ready else "not ready")

    def unwell(self, probe, message):
        self.story.append("unwell")


class LoopClock:
    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("successes", "failures", "answers", "story"),
    [
        (1, 3, [True], ["started", "ready"]),
        (2, 3, [True, False, True, True], ["started", "unwell", "ready"]),
        (1, 2, [True, False, True, False, False, True], ["started", "ready", *["unwell"] * 3, "not ready", "ready"]),
    ],
    ids=["one success", "two in a row", "two failures in a row"],
)
async def test_thresholds_count_in_a_row(container, successes, failures, answers, story):
    asked = probe(failures=failures, exec={"command": ["x"]}) | {"successThreshold": successes}
    patient = Scripted(*answers)
    doctor = Doctor(container(shell="true", readinessProbe=asked), "127.0.0.1", patient.answer, LoopClock())
    work = asyncio.create_task(doctor.watch(patient))
    await asyncio.sleep(len(answers) + 0.5)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert patient.story == story
