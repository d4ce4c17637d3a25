"""Certificates: made once however many replicas start, renewed before they end, and a CA replaced without a gap."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509

from jobflow.api.resources import SECRET
from jobflow.testing.clock import FixedClock
from jobflow.webhook.authority import Lifetimes, due, expires, issuers, trusted, vouching
from jobflow.webhook.keeper import CONFIGURATION, Keeper, Place
from jobflow.webhook.shown import NotUsable, Shown

NAMES = ("hook.ns.svc", "127.0.0.1")
START = datetime(2026, 1, 1, tzinfo=UTC)
LIVES = Lifetimes()
DAY = timedelta(days=1)


def at(kept, when):
    return due(kept, NAMES, when, LIVES)


class TestWhatIsDue:
    def test_the_first_time_everything_is_made(self):
        kept = at(None, START)
        [authority] = trusted(kept.authorities)
        assert issuers(kept.certificate, kept.authorities) == [authority]
        names = x509.load_pem_x509_certificate(kept.certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        assert {str(name.value) for name in names.value} == set(NAMES)
        assert repr(kept) == "Kept(...)"

    def test_nothing_is_due_while_all_is_well(self):
        kept = at(None, START)
        assert at(kept, START + 59 * DAY) is kept

    def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left(self):
        kept = at(None, START)
        renewed = at(kept, START + 61 * DAY)
        assert renewed.authorities == kept.authorities
        assert expires(renewed.certificate) == START + 151 * DAY

    def test_another_name_takes_another_certificate(self):
        kept = at(None, START)
        renamed = due(kept, ("other.ns.svc",), START, LIVES)
        assert renamed.certificate != kept.certificate
        assert renamed.authorities == kept.authorities

    def test_a_ca_is_replaced_in_steps_of_which_none_leaves_a_gap(self):
        kept = at(None, START)
        later = START + timedelta(days=2434)
        for days in range(60, 2434, 60):
            kept = at(kept, START + days * DAY)
        [old] = trusted(kept.authorities)
        both = at(kept, later)
        new, still = trusted(both.authorities)
        assert still == old
        assert both.certificate == kept.certificate
        assert at(both, later + timedelta(seconds=60)).certificate == kept.certificate
        changed = at(both, later + timedelta(seconds=100))
        assert issuers(changed.certificate, changed.authorities) == [new]
        assert at(changed, later + timedelta(minutes=59)) == changed
        assert trusted(at(changed, later + timedelta(hours=1)).authorities) == [new]

    @pytest.mark.parametrize("field", ["authorities", "authority_key", "certificate", "key"])
    @pytest.mark.parametrize("value", [b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
    def test_what_was_spoiled_is_made_anew(self, field, value):
        kept = at(None, START)
        spoiled = replace(kept, **{field: value})
        mended = at(spoiled, START)
        assert issuers(mended.certificate, mended.authorities)
        assert at(mended, START) is mended

    def test_what_has_ended_is_made_anew(self):
        kept = at(None, START)
        mended = at(kept, START + 4000 * DAY)
        assert expires(mended.certificate) > START + 4000 * DAY

    def test_after_a_replacement_at_one_stroke_both_cas_are_trusted_for_an_hour(self):
        before, kept = at(None, START), at(None, START + DAY)
        told = vouching(kept, before.authorities, START + DAY, LIVES)
        assert trusted(told) == [*trusted(kept.authorities), *trusted(before.authorities)]
        assert vouching(kept, told, START + DAY + timedelta(hours=1), LIVES) == kept.authorities


PLACE = Place("jobflow-system", "certs", "jobflow-webhook", NAMES)


async def bundles(cluster):
    body = msgspec.json.decode(await cluster.get(CONFIGURATION, None, "jobflow-webhook"))
    return {base64.b64decode(hook["clientConfig"]["caBundle"]) for hook in body["webhooks"]}


class TestKeeping:
    """Keepers on the embedded API server; their clock is set by the test."""

    @pytest.fixture
    def clock(self):
        return FixedClock()

    def keeper(self, cluster, clock):
        shown = Shown()
        return Keeper(cluster, clock, PLACE, shown, LIVES), shown

    async def test_two_replicas_that_start_at_once_have_one_ca(self, cluster, clock):
        replicas = [self.keeper(cluster, clock) for _ in range(4)]
        await asyncio.gather(*(keeper.round() for keeper, _ in replicas))
        assert len({shown.certificate for _, shown in replicas}) == 1
        [bundle] = await bundles(cluster)
        assert len(trusted(bundle)) == 1
        assert issuers(replicas[0][1].certificate, bundle)

    async def test_a_replica_is_ready_when_api_servers_have_heard(self, cluster):
        clock = FixedClock()
        keeper, _ = self.keeper(cluster, clock)
        assert keeper.unready == ["certificate: not there yet"]
        await keeper.round()
        assert keeper.unready == ["certificate: API servers have yet to hear of its CA"]
        clock.advance(3)
        assert keeper.unready == []

    async def test_only_the_ca_bundle_of_the_configuration_is_changed(self, cluster, clock):
        before = msgspec.json.decode(await cluster.get(CONFIGURATION, None, "jobflow-webhook"))
        await self.keeper(cluster, clock)[0].round()
        after = msgspec.json.decode(await cluster.get(CONFIGURATION, None, "jobflow-webhook"))
        for hook in after["webhooks"]:
            del hook["clientConfig"]["caBundle"]
        assert after["webhooks"] == before["webhooks"]

    async def test_the_ca_is_put_back_when_somebody_takes_it_away(self, cluster, clock):
        keeper, shown = self.keeper(cluster, clock)
        await keeper.round()
        body = msgspec.json.decode(await cluster.get(CONFIGURATION, None, "jobflow-webhook"))
        for hook in body["webhooks"]:
            del hook["clientConfig"]["caBundle"]
        await cluster.replace(CONFIGURATION, None, "jobflow-webhook", body)
        await keeper.round()
        [bundle] = await bundles(cluster)
        assert issuers(shown.certificate, bundle)

    async def test_when_the_secret_is_gone_the_old_certificate_is_shown_until_the_new_ca_is_known(self, cluster):
        clock = FixedClock()
        keeper, shown = self.keeper(cluster, clock)
        await keeper.round()
        first = shown.certificate
        await cluster.delete(SECRET, "jobflow-system", "certs")
        clock.advance(60)
        await keeper.round()
        assert shown.certificate == first
        [bundle] = await bundles(cluster)
        assert len(trusted(bundle)) == 2
        assert issuers(first, bundle)
        clock.advance(91)
        await keeper.round()
        assert shown.certificate != first
        clock.advance(3600)
        await keeper.round()
        [bundle] = await bundles(cluster)
        assert issuers(first, bundle) == []
        assert issuers(shown.certificate, bundle)

    async def test_a_renewed_certificate_of_the_same_ca_is_shown_at_once(self, cluster):
        clock = FixedClock()
        keeper, shown = self.keeper(cluster, clock)
        await keeper.round()
        first = shown.certificate
        clock.advance(61 * 86400)
        await keeper.round()
        assert shown.certificate != first
        assert expires(shown.certificate) > expires(first)


async def test_what_cannot_be_shown_leaves_what_is_shown(server):
    shown = Shown()
    kept = at(None, datetime.now(UTC))
    await shown.show(kept.certificate, kept.key)
    with pytest.raises(NotUsable):
        await shown.show(b"no certificate", kept.key)
    with pytest.raises(NotUsable):
        await shown.show(kept.certificate, at(None, datetime.now(UTC)).key)
    assert shown.certificate == kept.certificate
    assert isinstance(shown.listening, ssl.SSLContext)
