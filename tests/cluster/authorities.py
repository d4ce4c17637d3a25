"""Authorities: CAs that sign as many certificates for loopback as a test wants."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = timedelta(days=1)
SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """A CA: its certificate, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls) -> Authority:
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("a CA of the tests")
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        usage = {"key_cert_sign": True, "crl_sign": True}
        unused = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        never = dict.fromkeys((*unused, "encipher_only", "decipher_only"), False)
        built = (
            _builder(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(**usage, **never), critical=True)
            .add_extension(own, critical=False)
        )
        return cls(built.sign(key, hashes.SHA256()), key)

    @property
    def pem(self) -> bytes:
        """For a CA bundle."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def server_context(self) -> ssl.SSLContext:
        """The server's side, with another certificate each time."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        built = _builder(_name("a server"), self.certificate.subject, key.public_key())
        signed = (
            built.add_extension(loopback, critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as chain:
            Path(chain.name).write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
            context.load_cert_chain(chain.name)
        return context


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
