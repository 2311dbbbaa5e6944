"""Authorities that issue certificates for servers and clients of the tests."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)
HOST = ipaddress.ip_address("127.0.0.1")


class Pair(NamedTuple):
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes

    def into(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write both into files, each by renaming; returns where they are."""
        folder.mkdir(parents=True, exist_ok=True)
        files = folder / f"{name}.crt", folder / f"{name}.key"
        for file, content in zip(files, self, strict=True):
            part = file.with_suffix(".part")
            part.write_bytes(content)
            part.replace(file)
        return files


class Authority:
    """Issues certificates."""

    def __init__(self, name: str) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._number = 0
        self.certificate = self._signed(self._name, self._key.public_key(), authority=True)

    def issue(self, name: str) -> Pair:
        """A certificate of 127.0.0.1 with a common name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        written = key.private_bytes(pem, private, serialization.NoEncryption())
        return Pair(self._signed(subject, key.public_key(), authority=False), written)

    def trusted_by(self, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """What a client trusts that trusts this authority only; `client` is what it shows."""
        context = ssl.create_default_context(cadata=self.certificate.decode())
        if client is not None:
            context.load_cert_chain(*client)
        return context

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        self._number += 1
        builder = (
            x509.CertificateBuilder(self._name, subject, key, self._number, now - _DAY, now + _DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(HOST)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if authority:
            uses = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(uses, critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
