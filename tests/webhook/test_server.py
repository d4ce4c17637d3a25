"""The server on loopback, with real TLS: what is answered, what is refused, and a rotation under load."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from jobflow.clock import SystemClock
from jobflow.obs.address import Address
from jobflow.obs.health import AddressTakenError
from jobflow.webhook.authority import Lifetimes, due
from jobflow.webhook.metrics import WebhookMetrics
from jobflow.webhook.reviews import FLOWS, Facts, review
from jobflow.webhook.server import Limits, serve
from jobflow.webhook.shown import Shown

NAMES = ("localhost", "127.0.0.1")
JSON = {"Content-Type": "application/json"}
RESOURCE = {"group": "flow.volcano.sh", "version": "v1alpha1", "resource": "jobflows"}


def question(*steps, padding=0):
    spec = {"flows": [{"name": name} for name in steps]}
    obj = {"kind": "JobFlow", "metadata": {"name": "f", "annotations": {"p": "x" * padding}}, "spec": spec}
    request = {"uid": "u", "resource": RESOURCE, "operation": "CREATE", "namespace": "ns", "object": obj}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


GOOD = question("a")


class Rules:
    """The rules without a cluster; `wait` holds reviews back, `fail` is a bug."""

    def __init__(self):
        self.wait = asyncio.Event()
        self.wait.set()
        self.held = 0
        self.fail = False

    async def review(self, path, question, size):
        self.held += 1
        await self.wait.wait()
        self.held -= 1
        if self.fail:
            raise ZeroDivisionError
        return review(path, question, Facts())


class Served:
    def __init__(self, port, shown, kept, rules, metrics):
        self.port, self.shown, self.kept, self.rules, self.metrics = port, shown, kept, rules, metrics

    def trust(self, *authorities):
        return ssl.create_default_context(cadata=b"".join(authorities or [self.kept.authorities]).decode())

    async def post(self, body, path=FLOWS, headers=JSON, context=None, method="POST"):
        connector = aiohttp.TCPConnector(ssl=context or self.trust(), force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(20)) as session:
            url = f"https://127.0.0.1:{self.port}{path}"
            async with session.request(method, url, data=body, headers=headers) as answer:
                return answer.status, await answer.text()

    async def raw(self, sent):
        """Bytes as they are; what comes back, until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trust())
        writer.write(sent)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()


def made():
    return due(None, NAMES, datetime.now(UTC), Lifetimes())


@asynccontextmanager
async def serving(**limits):
    kept, shown, rules, metrics = await asyncio.to_thread(made), Shown(), Rules(), WebhookMetrics()
    await shown.show(kept.certificate, kept.key)
    address = Address("127.0.0.1", 0)
    options = {"clock": SystemClock(), "metrics": metrics, "limits": Limits(**limits)}
    async with serve(address, shown.listening, rules, **options) as port:
        yield Served(port, shown, kept, rules, metrics)


@pytest.fixture
async def served():
    async with serving(body_bytes=20_000, body_seconds=0.5) as server:
        yield server


async def test_a_review_is_answered(served):
    status, text = await served.post(GOOD)
    assert (status, json.loads(text)["response"]) == (200, {"uid": "u", "allowed": True})
    _, text = await served.post(question("a", "a"))
    assert json.loads(text)["response"]["allowed"] is False
    told = served.metrics.text().decode()
    assert 'jobflow_admission_reviews_total{kind="JobFlow",operation="CREATE",result="denied"} 1.0' in told
    assert 'jobflow_admission_refusals_total{kind="JobFlow",rule="flows.name"} 1.0' in told


@pytest.mark.parametrize(
    ("sent", "more", "status", "said"),
    [
        pytest.param(GOOD, {"path": "/"}, 404, "reviews are answered at /jobflows/validate", id="path"),
        pytest.param(None, {"method": "GET"}, 405, "sent with POST", id="method"),
        pytest.param(GOOD, {"headers": {"Content-Type": "text/plain"}}, 415, "content type is text/plain", id="type"),
        pytest.param(GOOD, {"headers": {**JSON, "Content-Encoding": "gzip"}}, 415, "not read", id="gzip"),
        pytest.param(question("a", padding=30_000), {}, 413, "larger than 20000 bytes", id="huge"),
        pytest.param(b"{", {}, 400, "truncated", id="truncated JSON"),
        pytest.param(b"\xff\x00", {}, 400, "this is no AdmissionReview", id="bytes"),
        pytest.param(GOOD.replace(b"k8s.io/v1", b"k8s.io/v1beta1"), {}, 400, "v1beta1", id="version"),
    ],
)
async def test_what_is_no_question_gets_a_clear_refusal(served, sent, more, status, said):
    found, text = await served.post(sent, **more)
    assert found == status
    assert said in text
    assert text.count("\n") == 1
    assert f'jobflow_admission_bad_requests_total{{code="{status}"}} 1.0' in served.metrics.text().decode()
    assert (await served.post(GOOD))[0] == 200


async def chunks(count):
    for _ in range(count):
        yield b"x" * 5000


async def test_a_body_without_a_length_is_read_only_so_far(served):
    assert (await served.post(chunks(10)))[0] == 413


async def test_a_body_that_does_not_come_is_not_waited_for(served):
    head = f"POST {FLOWS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    assert b" 408 " in await served.raw(head.encode())


async def test_a_header_that_does_not_end_is_let_go():
    async with serving(idle_seconds=0.5) as served:
        assert await served.raw(b"POST / HTTP/1.1\r\nX-Slow: ") == b""


async def test_a_connection_too_many_is_closed():
    async with serving(connections=2) as served:
        held = [await asyncio.open_connection("127.0.0.1", served.port, ssl=served.trust()) for _ in range(2)]
        assert await served.raw(b"") == b""
        for _, writer in held:
            writer.close()


async def test_too_many_reviews_at_once_are_sent_away_and_may_come_again():
    async with serving(bodies=2, wait_seconds=0.2) as served:
        served.rules.wait.clear()
        held = [asyncio.create_task(served.post(GOOD)) for _ in range(2)]
        while served.rules.held < 2:
            await asyncio.sleep(0.01)
        assert (await served.post(GOOD))[0] == 429
        served.rules.wait.set()
        assert [status for status, _ in await asyncio.gather(*held)] == [200, 200]
        assert (await served.post(GOOD))[0] == 200


async def test_a_bug_is_an_answer_too(served):
    served.rules.fail = True
    assert (await served.post(GOOD))[0] == 500
    served.rules.fail = False
    assert (await served.post(GOOD))[0] == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
async def test_tls_before_1_2_is_not_spoken(served):
    context = served.trust()
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(aiohttp.ClientConnectorError):
        await served.post(GOOD, context=context)


async def test_plain_http_is_no_tls(served):
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert b"200" not in await asyncio.wait_for(reader.read(), 20)
    writer.close()


async def test_a_rotation_refuses_no_request(served):
    other = await asyncio.to_thread(made)
    both = served.trust(served.kept.authorities, other.authorities)
    answered, over = [], False

    async def ask():
        while not over:
            status, _ = await served.post(GOOD, context=both)
            answered.append((status, served.shown.certificate))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
        for kept in (other, served.kept) * 3:
            before = len(answered)
            while len(answered) < before + 8:
                await asyncio.sleep(0.01)
            await served.shown.show(kept.certificate, kept.key)
        over = True
    assert {status for status, _ in answered} == {200}
    assert {certificate for _, certificate in answered} == {other.certificate, served.kept.certificate}
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await served.post(GOOD, context=served.trust(other.authorities))  # the last shown is the first again


async def test_a_port_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        shown, kept = Shown(), await asyncio.to_thread(made)
        await shown.show(kept.certificate, kept.key)
        address = Address("127.0.0.1", taken.getsockname()[1])
        options = {"clock": SystemClock(), "metrics": WebhookMetrics()}
        with pytest.raises(AddressTakenError):
            async with serve(address, shown.listening, Rules(), **options):
                pass
