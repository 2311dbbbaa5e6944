"""Signatures: who vouches for a bundle. Hashes show that one was damaged, and not whose it is.

A signature lies beside the manifest and covers its bytes, and the manifest has the sha256 of every other file. It is
Ed25519 (RFC 8032), 64 bytes and nothing else, as OpenSSL makes and checks it too. A bundle's version stays what it was.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from validation.errors import BundleError, SettingsError

if TYPE_CHECKING:  # imported where it is needed: most services and trainings have no use for it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "manifest.sig"
SIGNING_KEY, TRUSTED_KEYS = "BOXWOOD_SIGNING_KEY", "BOXWOOD_TRUSTED_KEYS"
"""The environment variables with the private key of who registers, and with the public keys that a reader trusts."""
_SUFFIX = ".pem"


class Trusted:
    """Public keys, one of which must have signed a bundle."""

    def __init__(self, named: str) -> None:
        """Read the keys: files, or folders of *.pem, with commas between them; raises SettingsError."""
        self._keys = [_public(file) for place in named.split(",") if place.strip() for file in _files(place.strip())]

    def demand(self, directory: Path, manifest: bytes) -> None:
        """Raise BundleError unless one of the keys signed these bytes of the manifest in a bundle's directory."""
        from cryptography.exceptions import InvalidSignature

        try:
            signature = (directory / SIGNATURE).read_bytes()
        except OSError as error:
            raise BundleError(
                f"{directory} is not signed ({SIGNATURE}: {error.strerror}), and {TRUSTED_KEYS} demands it. "
                f"If it is yours, sign it: `python -m model.signing sign KEY {directory}`."
            ) from error
        for key in self._keys:
            try:
                key.verify(signature, manifest)
            except InvalidSignature:
                continue
            return
        raise BundleError(
            f"{directory} is signed by none of the {len(self._keys)} keys of {TRUSTED_KEYS}, or was changed after it "
            "was signed. Do not serve it before you know where it comes from."
        )


def trusted(named: str) -> Trusted | None:
    """The keys that `TRUSTED_KEYS` names; None if it is empty. Raises SettingsError."""
    return Trusted(named) if named else None


def trusted_here() -> Trusted | None:
    """The same of this process's environment."""
    return trusted(os.environ.get(TRUSTED_KEYS, ""))


def sign(directory: Path, key: Path, manifest: str) -> None:
    """Sign the file `manifest` of a bundle; raises SettingsError for a key that is none, and OSError."""
    signature = _private(key).sign((directory / manifest).read_bytes())
    part = directory / f"{SIGNATURE}.part"
    part.write_bytes(signature)
    part.replace(directory / SIGNATURE)


def write_pair(private: Path, public: Path) -> None:
    """Make a new pair of keys; the private one is for its owner's eyes only.

    Raises:
        OSError: one of the files is there already, or cannot be written; then neither is made.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key, pem = Ed25519PrivateKey.generate(), serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    contents = (
        (private, 0o600, secret),
        (public, 0o644, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)),
    )
    made: list[Path] = []
    try:
        for file, mode, _ in contents:
            file.touch(mode, exist_ok=False)  # before it has content
            made.append(file)
        for file, _, content in contents:
            file.write_bytes(content)
    except OSError:
        for file in made:
            file.unlink(missing_ok=True)
        raise


def _files(place: str) -> Iterator[Path]:
    path = Path(place)
    if not path.is_dir():
        yield path
        return
    files = sorted(path.glob(f"*{_SUFFIX}"))
    if not files:
        raise SettingsError(f"{TRUSTED_KEYS} names the folder {place}, which has no *{_SUFFIX}: nothing would start.")
    yield from files


def _public(file: Path) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{TRUSTED_KEYS} names {file}, which is no public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{TRUSTED_KEYS} names {file}, which is a public key, but not of Ed25519.")
    return key


def _private(file: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:  # TypeError: it has a password
        raise SettingsError(
            f"{file} is no private key in PEM without a password, so nothing is signed: {error}"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{file} is a private key, but not of Ed25519, so nothing is signed.")
    return key
