"""Authority: a CA of our own and the certificate that it vouches for; and when which is due. Pure, but for new keys.

In: what is kept, and the time. Out: what should be kept. Several replicas may do this at once: whoever writes first is
right, and the others read again, so that nothing here depends on who it is.

A certificate is renewed when two thirds of its life are over. A CA is replaced in steps that leave no moment at which
an API server meets a certificate that it does not trust: the new CA is added to those that are trusted, then, when
every API server has heard of it, the next certificate is of the new CA, and when every replica shows that one the old
CA goes. How long ago a CA came to be, its certificate says itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SKEW = timedelta(hours=1)  # clocks of API servers that are behind ours
COMMON_NAME = "jobflow webhook CA"


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what counts."""

    authority: timedelta = timedelta(days=3650)
    certificate: timedelta = timedelta(days=90)
    settle: timedelta = timedelta(seconds=90)  # until every API server has heard of a CA
    overlap: timedelta = timedelta(hours=1)  # until every replica shows a certificate of the new CA


@dataclass(frozen=True, slots=True)
class Kept:
    """What replicas share. All PEM; `authorities` newest first, and only the newest one's key is kept."""

    authorities: bytes
    authority_key: bytes
    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Kept(...)"  # the keys are not for logs


def due(kept: Kept | None, names: Sequence[str], now: datetime, lifetimes: Lifetimes) -> Kept:
    """What should be kept now: the very same where nothing is due."""
    if kept is None or not _usable(kept, now):
        return _new(names, now, lifetimes)
    authorities = trusted(kept.authorities)
    newest = authorities[0]
    if _is_old(newest, now):
        added = _new(names, now, lifetimes)
        return replace(kept, authorities=added.authorities + _pem(authorities), authority_key=added.authority_key)
    certificate = x509.load_pem_x509_certificate(kept.certificate)
    of_newest = _is_of(certificate, newest)
    settled = len(authorities) == 1 or now - born(newest) >= lifetimes.settle
    if _is_old(certificate, now) or _names_of(certificate) != set(names) or (not of_newest and settled):
        return _issued(kept, names, now, lifetimes) if of_newest or settled else kept
    if len(authorities) > 1 and of_newest and now - born(newest) >= lifetimes.overlap:
        return replace(kept, authorities=_pem(authorities[:1]))
    return kept


def vouching(kept: Kept, told: bytes, now: datetime, lifetimes: Lifetimes) -> bytes:
    """The CAs that API servers should trust, as PEM; `told` is what they trust now.

    Where the CA was replaced at one stroke (its Secret is gone), those of before count until every replica has changed.
    """
    authorities = trusted(kept.authorities)
    if now - born(authorities[0]) < lifetimes.overlap:
        known = {fingerprint(one) for one in authorities}
        authorities += [one for one in trusted(told) if fingerprint(one) not in known and _is_valid(one, now)]
    return _pem(authorities)


def issuers(certificate: bytes, authorities: bytes) -> list[x509.Certificate]:
    """Those of the CAs that have signed the certificate."""
    signed = x509.load_pem_x509_certificate(certificate)
    return [one for one in trusted(authorities) if _is_of(signed, one)]


def trusted(pem: bytes) -> list[x509.Certificate]:
    """The CAs of a bundle; none where it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        return []


def born(authority: x509.Certificate) -> datetime:
    """When it was made."""
    return authority.not_valid_before_utc + SKEW


def expires(certificate: bytes) -> datetime:
    """When a certificate ends."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def _new(names: Sequence[str], now: datetime, lifetimes: Lifetimes) -> Kept:
    """A new CA, and a certificate that it has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Of its own: where two CAs have one name, some verifiers try only the first of them.
    name = _name(f"{COMMON_NAME} {x509.random_serial_number() & 0xFFFFFFFF:08x}")
    authority = (
        _builder(name, name, key.public_key(), now, lifetimes.authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _issued(Kept(_pem([authority]), _key_pem(key), b"", b""), names, now, lifetimes)


def _issued(kept: Kept, names: Sequence[str], now: datetime, lifetimes: Lifetimes) -> Kept:
    """The same with a new certificate of the newest CA."""
    authority = trusted(kept.authorities)[0]
    authority_key = serialization.load_pem_private_key(kept.authority_key, password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(names[0][:64]), authority.subject, key.public_key(), now, lifetimes.certificate)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return replace(kept, certificate=_pem([certificate]), key=_key_pem(key))


def _usable(kept: Kept, now: datetime) -> bool:
    """Whether what is kept belongs together and counts now; whoever has edited it, and however."""
    try:
        authorities = x509.load_pem_x509_certificates(kept.authorities)
        certificate = x509.load_pem_x509_certificate(kept.certificate)
        keys = [serialization.load_pem_private_key(pem, password=None) for pem in (kept.authority_key, kept.key)]
    except (ValueError, TypeError):
        return False
    belong = [key.public_key() for key in keys] == [authorities[0].public_key(), certificate.public_key()]
    elliptic = isinstance(keys[0], ec.EllipticCurvePrivateKey)
    valid = all(_is_valid(one, now) for one in (authorities[0], certificate))
    return belong and elliptic and valid and any(_is_of(certificate, one) for one in authorities)


def _is_of(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def _is_old(certificate: x509.Certificate, now: datetime) -> bool:
    life = certificate.not_valid_after_utc - born(certificate)
    return now >= born(certificate) + life * 2 / 3


def _names_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def fingerprint(certificate: x509.Certificate) -> bytes:
    """By which a certificate is known again."""
    return certificate.fingerprint(hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificates: Iterable[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKeyTypes, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    never = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = dict.fromkeys((*never, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=signs, crl_sign=signs, **usage)
