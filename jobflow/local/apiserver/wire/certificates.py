"""Certificates: a CA of this server's own, and the certificate it shows on loopback.

In: a directory that keeps them, or none. Out: a Certificate with the PEMs, and the TLS context made of them. Keys never
leave the directory (0600); the CA's is thrown away after it has signed once, so nothing else can be signed with it.
"""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jobflow.local.apiserver.wire.private_files import write_private

VALID = timedelta(days=365)
RENEWED_BEFORE_END = timedelta(days=30)  # so that a server that runs for weeks does not expire under its users
CLOCK_SKEW = timedelta(hours=1)
NAMES = ("localhost", "kubernetes", "kubernetes.default.svc")
ADDRESSES = ("127.0.0.1", "::1")

_FILES = {"ca_pem": "ca.crt", "certificate_pem": "server.crt", "key_pem": "server.key"}


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Certificate:
    """A server's certificate with its key, and the CA that vouches for it. All PEM."""

    ca_pem: bytes
    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "Certificate(...)"  # the key is not for logs

    @classmethod
    def create(cls, now: Callable[[], datetime] = _wall_clock) -> Certificate:
        """A new CA and a server certificate for loopback."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca_name = _name("jobflow embedded API server CA")
        ca = (
            _builder(ca_name, ca_name, ca_key.public_key(), now())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        key = ec.generate_private_key(ec.SECP256R1())
        addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
        certificate = (
            _builder(_name("jobflow embedded API server"), ca_name, key.public_key(), now())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([*(x509.DNSName(name) for name in NAMES), *addresses]), critical=False
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        return cls(
            ca_pem=ca.public_bytes(serialization.Encoding.PEM),
            certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
            key_pem=key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )

    @classmethod
    def kept_in(cls, directory: Path, now: Callable[[], datetime] = _wall_clock) -> Certificate:
        """The certificate in a directory; a new one where there is none, or where it ends soon. Blocks."""
        found = cls._read(directory)
        if found is not None and found._good_at(now()):
            return found
        made = cls.create(now)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for field, file in _FILES.items():
            write_private(directory / file, getattr(made, field))
        return made

    @classmethod
    def _read(cls, directory: Path) -> Certificate | None:
        try:
            return cls(**{field: (directory / file).read_bytes() for field, file in _FILES.items()})
        except FileNotFoundError:
            return None

    def _good_at(self, moment: datetime) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate_pem)
            ca = x509.load_pem_x509_certificate(self.ca_pem)
            certificate.verify_directly_issued_by(ca)
            key = serialization.load_pem_private_key(self.key_pem, password=None)
        except Exception:  # half-written, edited, of another CA: whatever it is, a new one is made
            return False
        matches = key.public_key() == certificate.public_key()
        return matches and certificate.not_valid_after_utc - moment > RENEWED_BEFORE_END

    def server_context(self) -> ssl.SSLContext:
        """The TLS side of the server. Blocks: the ssl module reads keys from files only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.TemporaryDirectory(prefix="jobflow-") as directory:
            chain, key = Path(directory) / "chain", Path(directory) / "key"
            write_private(chain, self.certificate_pem)
            write_private(key, self.key_pem)
            context.load_cert_chain(chain, key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """The TLS side of a client that trusts this server and no other."""
        return ssl.create_default_context(cadata=self.ca_pem.decode())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
