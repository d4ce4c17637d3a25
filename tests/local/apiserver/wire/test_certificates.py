"""Certificates: kept, private, renewed in time."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from jobflow.local.apiserver.wire.certificates import Certificate

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def certificate():
    return Certificate.create()


def test_it_names_loopback_in_all_its_forms(certificate):
    parsed = x509.load_pem_x509_certificate(certificate.certificate_pem)
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}


def test_it_is_signed_by_its_ca_and_is_none_itself(certificate):
    parsed = x509.load_pem_x509_certificate(certificate.certificate_pem)
    parsed.verify_directly_issued_by(x509.load_pem_x509_certificate(certificate.ca_pem))
    assert not parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_both_sides_of_tls_can_be_made_of_it(certificate):
    assert certificate.server_context().minimum_version == ssl.TLSVersion.TLSv1_2
    assert certificate.client_context().verify_mode == ssl.CERT_REQUIRED


def test_the_key_is_not_in_its_text(certificate):
    assert "PRIVATE" not in repr(certificate)


def test_it_is_kept_and_its_files_are_private(tmp_path):
    first = Certificate.kept_in(tmp_path)
    assert Certificate.kept_in(tmp_path) == first
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "ca.crt": 0o600,
        "server.crt": 0o600,
        "server.key": 0o600,
    }


@pytest.mark.parametrize(
    ("days", "renewed"),
    [(0, False), (300, False), (340, True), (400, True)],
    ids=["new", "in the middle", "ends within a month", "ended"],
)
def test_it_is_renewed_before_it_ends(tmp_path, days, renewed):
    first = Certificate.kept_in(tmp_path, now=lambda: NOW)
    later = Certificate.kept_in(tmp_path, now=lambda: NOW + timedelta(days=days))
    assert (later != first) == renewed


@pytest.mark.parametrize("file", ["ca.crt", "server.crt", "server.key"])
@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["empty", "garbage", "missing"])
def test_a_spoiled_file_is_replaced_with_all_others(tmp_path, file, content):
    Certificate.kept_in(tmp_path)
    path = tmp_path / file
    path.unlink() if content is None else path.write_bytes(content)
    fresh = Certificate.kept_in(tmp_path)
    assert Certificate.kept_in(tmp_path) == fresh
    fresh.server_context()
