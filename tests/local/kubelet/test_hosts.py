"""Addresses and names of pods."""

import pytest

from jobflow.local.kubelet.addresses import Addresses
from jobflow.local.kubelet.hosts import Host, hosts_file


class TestAddresses:
    def test_each_pod_has_one_of_its_own_and_keeps_it(self):
        addresses = Addresses(several=True)
        found = {addresses.take(str(number)) for number in range(1000)}
        assert len(found) == 1000
        assert addresses.take("7") == addresses.take("7")
        assert all(address.startswith("127.") and not address.startswith("127.0.") for address in found)
        assert not any(address.endswith((".0", ".255")) for address in found)

    def test_one_that_was_given_back_is_used_again_late(self):
        addresses = Addresses(several=True)
        first = addresses.take("a")
        addresses.give_back("a")
        assert addresses.take("b") != first

    def test_where_the_system_answers_on_one_address_all_pods_share_it(self):
        addresses = Addresses(several=False)
        assert {addresses.take("a"), addresses.take("b")} == {"127.0.0.1"}


@pytest.fixture
def host(pod, container):
    def build(name, address, namespace="ns", **spec):
        built = pod(container(shell="true"), name=name, **spec)
        return Host(
            built if namespace == "ns" else type(built)(**{**as_fields(built), "namespace": namespace}), address
        )

    return build


def as_fields(pod):
    return {name: getattr(pod, name) for name in pod.__struct_fields__}


def names(text):
    """Address by name, as a resolver reads the file: the first line wins."""
    found = {}
    for line in text.splitlines():
        address, *names_ = line.partition("#")[0].split() or [""]
        for name in names_:
            found.setdefault(name, address)
    return found


class TestHostsFile:
    def test_a_pod_finds_itself_its_aliases_and_localhost(self, host):
        own = host("p", "127.1.0.1", host_aliases=[{"ip": "10.0.0.7", "hostnames": ["db", "cache"]}])
        found = names(hosts_file(own, [], "192.168.0.9 printer\n"))
        wanted = {"localhost": "127.0.0.1", "p": "127.1.0.1", "db": "10.0.0.7", "cache": "10.0.0.7"}
        assert wanted.items() <= found.items()
        assert found["printer"] == "192.168.0.9"

    def test_pods_with_a_subdomain_are_found_as_behind_a_headless_service(self, host):
        own = host("master-0", "127.1.0.1", subdomain="train")
        worker = host("worker-0", "127.1.0.2", hostname="w", subdomain="train")
        found = names(hosts_file(own, [own, worker], ""))
        for name in ("w.train", "w.train.ns", "w.train.ns.svc", "w.train.ns.svc.cluster.local"):
            assert found[name] == "127.1.0.2"
        assert found["master-0.train"] == "127.1.0.1"

    def test_other_pods_are_not_found_nor_those_of_other_namespaces(self, host):
        own = host("p", "127.1.0.1")
        others = [host("plain", "127.1.0.2"), host("far", "127.1.0.3", namespace="other", subdomain="train")]
        assert not {"plain", "far.train"} & names(hosts_file(own, others, "")).keys()


@pytest.mark.e2e
async def test_a_running_pod_finds_one_that_came_after_it(node, pod, container):
    shell = "until getent hosts late.train; do sleep 0.05; done"
    early = pod(container(shell=shell), name="early", subdomain="train")
    node.start(early, "127.9.2.1")
    late = pod(container(shell="exec sleep 600"), name="late", subdomain="train")
    node.start(late, "127.9.2.2")
    await node.end(early)
    assert (await node.log(early)).startswith("127.9.2.2")
