"""Bad days of the network, of certificates and of tokens; a controller and an API server as processes.

What is between them is a proxy (proxy.py), for what no server can be made to do.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster.authorities import Authority
from cluster.days import Day
from cluster.installed import Cluster
from cluster.processes import Processes
from cluster.proxy import Proxy

from jobflow.api.resources import SECRET, SERVICE_ACCOUNT
from jobflow.deploy.names import NAMESPACE

pytestmark = [pytest.mark.real, pytest.mark.blocking]

FLOWS = 12
SILENT_SECONDS = 3
STORM_SECONDS = 30.0
BELIEVED_SECONDS = 12.0  # kube-apiserver goes on believing a token for ten
WORKERS, EVENT_LANES, WATCHES = 32, 4, 6  # whatever asks the API server by itself

FLOW_CONTROL = "/apis/flowcontrol.apiserver.k8s.io/v1"
_numbers = itertools.count(1)


@pytest.fixture
def day(cluster: Cluster, processes: Processes) -> Day:
    return Day.begin(cluster, processes)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Callable[..., Proxy]]:
    """Makes proxies in front of the API server."""
    made: list[Proxy] = []

    def make(authority: Authority | None = None) -> Proxy:
        trusted = cluster.plane.certificate.client_context()
        made.append(Proxy(cluster.plane.url, trusted, authority.server_context() if authority else None))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_connections_that_are_reset_again_and_again(day, proxy):
    between = proxy()
    replica = day.controller(day.kubeconfig(between.url))
    day.filled(replica)
    day.diamonds.submit(FLOWS)
    cut = 0
    for _ in range(25):
        cut += between.reset()
        time.sleep(0.3)
    assert cut > 25, "watches and requests were cut"
    day.ends_well(replica)


def test_connections_that_fall_silent_and_stay_open(day, proxy):
    """No FIN, no RST: only patience ends it. 90 s for a watch and 30 s for a request are cut short here."""
    between = proxy()
    patience = (f"--silence={SILENT_SECONDS}", f"--request={SILENT_SECONDS}")
    replica = day.odd_controller(day.kubeconfig(between.url), *patience)
    day.filled(replica)
    day.diamonds.submit(FLOWS)
    day.wait_until(lambda: day.cluster.jobs(day.namespace), replica)
    assert between.silence() > 3, "all watches, and requests"
    day.wait_until(lambda: any("nothing from" in str(line.get("problem")) for line in replica.lines), replica)
    day.ends_well(replica)


class TestCertificates:
    def test_a_new_one_of_the_same_ca_is_nothing(self, day, proxy, tmp_path):
        authority = Authority.create()
        (tmp_path / "ca.crt").write_bytes(authority.pem)
        between = proxy(authority)
        replica = day.controller(self.through(day, between, tmp_path / "ca.crt"))
        day.filled(replica)
        day.diamonds.submit(FLOWS)
        between.show(authority.server_context())
        day.ends_well(replica)
        assert not any("not trusted" in str(line) for line in replica.lines)

    def test_one_of_another_ca_is_told_until_the_file_has_that_ca(self, day, proxy, tmp_path):
        old, new = Authority.create(), Authority.create()
        bundle = tmp_path / "ca.crt"
        bundle.write_bytes(old.pem)
        between = proxy(old)
        replica = day.controller(self.through(day, between, bundle))
        day.filled(replica)
        day.diamonds.submit(FLOWS)
        between.show(new.server_context())
        day.wait_until(lambda: any("is not trusted" in str(line.get("problem")) for line in replica.lines), replica)
        bundle.write_bytes(old.pem + new.pem)
        day.wait_until(lambda: replica.said("credentials renewed"), replica)
        day.ends_well(replica)

    def through(self, day: Day, proxy: Proxy, bundle: Path) -> Path:
        return day.kubeconfig(proxy.url, **{"certificate-authority-data": None, "certificate-authority": str(bundle)})


def test_a_token_that_is_revoked_and_replaced(day, proxy, tmp_path):
    between = proxy()
    first, second = BoundToken.make(day), BoundToken.make(day)
    file = tmp_path / "token"
    file.write_text(first.token)
    replica = day.controller(day.kubeconfig(between.url, {"tokenFile": str(file)}))
    day.filled(replica)
    day.diamonds.submit(FLOWS)
    day.diamonds.succeed(day.processes)

    first.revoke(day.cluster)
    time.sleep(BELIEVED_SECONDS)
    between.reset()  # watches that stand are not asked for tokens again
    day.diamonds.submit(FLOWS)
    day.wait_until(lambda: any("nauthorized" in str(line) for line in replica.lines), replica)
    file.write_text(second.token)
    day.wait_until(lambda: replica.said("credentials renewed"), replica)
    day.ends_well(replica)


class BoundToken:
    """A token of the account that is good for as long as a Secret exists, as a pod's is for as long as the pod does."""

    def __init__(self, secret: str, token: str) -> None:
        self._secret = secret
        self.token = token

    @classmethod
    def make(cls, day: Day) -> BoundToken:
        name = f"bound-{next(_numbers)}"
        made = day.cluster.ask("POST", SECRET.path(NAMESPACE), {"metadata": {"name": name}})
        bound = {"kind": "Secret", "apiVersion": "v1", "name": name, "uid": made["metadata"]["uid"]}
        path = SERVICE_ACCOUNT.path(NAMESPACE, day.account.user.rpartition(":")[2], "token")
        told = day.cluster.ask("POST", path, {"spec": {"expirationSeconds": 3600, "boundObjectRef": bound}})
        return cls(name, told["status"]["token"])

    def revoke(self, cluster: Cluster) -> None:
        cluster.ask("DELETE", SECRET.path(NAMESPACE, self._secret))


def test_a_storm_of_429(day, figure):
    """The API server's own priority and fairness, which gives this account no seats at all for half a minute."""
    replica = day.controller()
    day.filled(replica)
    day.diamonds.submit(FLOWS)
    day.wait_until(lambda: day.cluster.jobs(day.namespace), replica)
    rows, began = [], time.time()
    with no_seats(day):
        day.diamonds.submit(FLOWS)
        time.sleep(STORM_SECONDS)
        rows = [row for row in day.cluster.audit.rows(day.account.user, since=began) if row.code == 429]
    seconds = time.time() - began
    assert rows, "the storm was one"
    figure(f"{len(rows)} requests answered 429 in {seconds:.0f} s, of {2 * FLOWS} flows")
    assert len(rows) / seconds < WORKERS + EVENT_LANES + WATCHES, "each waits for a second at least, as it was told"
    day.ends_well(replica)


class no_seats:  # noqa: N801 -- reads as what it does
    """Nothing of the account is let in."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._name = f"storm-{next(_numbers)}"

    def __enter__(self) -> None:
        name = self._day.account.user.rpartition(":")[2]
        limited = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
        level = {"type": "Limited", "limited": {**limited, "limitResponse": {"type": "Reject"}}}
        who = {"kind": "ServiceAccount", "serviceAccount": {"namespace": NAMESPACE, "name": name}}
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
        schema = {
            "priorityLevelConfiguration": {"name": self._name},
            "matchingPrecedence": 2,
            "rules": [{"subjects": [who], "resourceRules": [everything]}],
        }
        for kind, spec in (("prioritylevelconfigurations", level), ("flowschemas", schema)):
            self._day.cluster.ask("POST", f"{FLOW_CONTROL}/{kind}", {"metadata": {"name": self._name}, "spec": spec})

    def __exit__(self, *error: object) -> None:
        for kind in ("flowschemas", "prioritylevelconfigurations"):
            self._day.cluster.ask("DELETE", f"{FLOW_CONTROL}/{kind}/{self._name}")
