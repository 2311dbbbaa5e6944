"""Signatures: whose a bundle is, and that everything else is refused before it is read."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from model import bundle, signatures, signing
from model.signatures import SIGNATURE, Trusted
from tests.project import ROOT, Project
from validation.errors import BundleError, SettingsError


@pytest.fixture
def folder(trained: Project, tmp_path: Path) -> Path:
    """A copy of the trained project's bundle."""
    return Path(shutil.copytree(trained.folder / "data/flights/bundle", tmp_path / "bundle"))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the pairs of an owner and of a stranger; the owner's public key alone is in `trusted`."""
    (tmp_path / "trusted").mkdir()
    for name in ("owner", "stranger"):
        assert signing.main(["keys", str(tmp_path / f"{name}.pem"), str(tmp_path / f"{name}.pub.pem")]) == 0
    shutil.copy(tmp_path / "owner.pub.pem", tmp_path / "trusted")
    return tmp_path


@pytest.mark.parametrize("there", ["private.pem", "public.pem"])
def test_a_pair_is_made_whole_or_not_at_all(tmp_path: Path, there: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / there).write_text("of somebody")
    command = ["keys", str(tmp_path / "private.pem"), str(tmp_path / "public.pem")]
    assert signing.main(command) == 1
    assert "File exists" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "of somebody"}
    assert signing.main(["keys", str(tmp_path / "one.pem"), str(tmp_path / "one.pem")]) == 1
    assert not (tmp_path / "one.pem").exists()


def test_a_signed_bundle_is_read_and_has_the_version_that_it_had(folder: Path, keys: Path) -> None:
    before = bundle.read(folder).manifest
    signatures.sign(folder, keys / "owner.pem", bundle.MANIFEST)
    assert (folder / SIGNATURE).stat().st_size == 64
    for trusted in (f"{keys}/trusted", f"{keys}/owner.pub.pem", f"{keys}/stranger.pub.pem, {keys}/trusted"):
        assert bundle.read(folder, Trusted(trusted)).manifest == before
    assert bundle.read(folder).manifest == before  # nobody has to demand it


def test_a_bundle_without_a_trusted_signature_is_refused(folder: Path, keys: Path) -> None:
    trusted = Trusted(str(keys / "trusted"))
    with pytest.raises(BundleError, match=r"is not signed .* BOXWOOD_TRUSTED_KEYS demands it"):
        bundle.read(folder, trusted)
    signatures.sign(folder, keys / "stranger.pem", bundle.MANIFEST)
    with pytest.raises(BundleError, match="is signed by none of the 1 keys"):
        bundle.read(folder, trusted)
    for content in (b"", b"\0" * 64, (folder / bundle.MANIFEST).read_bytes()):
        (folder / SIGNATURE).write_bytes(content)
        with pytest.raises(BundleError, match="is signed by none"):
            bundle.read(folder, trusted)


def test_what_was_signed_cannot_be_changed(folder: Path, keys: Path) -> None:
    trusted = Trusted(str(keys / "trusted"))
    signatures.sign(folder, keys / "owner.pem", bundle.MANIFEST)
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.name != SIGNATURE}
    for path, content in kept.items():
        path.write_bytes(content + b" ")
        with pytest.raises(BundleError, match=r"is signed by none|does not match"):
            bundle.read(folder, trusted)
        path.write_bytes(content)
    opened = bundle.read(folder, trusted)
    files = bundle.contents(folder, opened.manifest)
    # whoever has no key can still write a whole bundle with right hashes
    bundle.write(folder, bundle.make_manifest(opened.model, [0.0], files), files)
    bundle.read(folder)
    with pytest.raises(BundleError, match="is signed by none"):
        bundle.read(folder, trusted)


def test_nothing_is_parsed_before_the_signature_is_right(folder: Path, keys: Path) -> None:
    (folder / bundle.MANIFEST).write_text("[" * 100_000)
    with pytest.raises(BundleError, match="is not signed"):
        bundle.read(folder, Trusted(str(keys / "trusted")))


def test_openssl_makes_and_checks_the_same(folder: Path, keys: Path) -> None:
    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("genpkey", "-algorithm", "ed25519", "-out", keys / "other.pem")
    openssl("pkey", "-in", keys / "other.pem", "-pubout", "-out", keys / "other.pub.pem")
    manifest = ("-rawin", "-in", bundle.MANIFEST)
    openssl("pkeyutl", "-sign", "-inkey", keys / "other.pem", *manifest, "-out", SIGNATURE)
    bundle.read(folder, Trusted(str(keys / "other.pub.pem")))
    signatures.sign(folder, keys / "owner.pem", bundle.MANIFEST)
    openssl("pkeyutl", "-verify", "-pubin", "-inkey", keys / "owner.pub.pem", *manifest, "-sigfile", SIGNATURE)


def test_keys_that_cannot_be_used_are_named(keys: Path) -> None:
    pem, spki = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (keys / "curve.pem").write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(pem, spki))
    (keys / "empty").mkdir()
    for named, told in (
        (keys / "missing.pem", "is no public key in PEM: .*No such file"),
        (keys / "owner.pem", "is no public key in PEM"),
        (keys / "curve.pem", "is a public key, but not of Ed25519"),
        (keys / "empty", r"which has no \*\.pem: nothing would start"),
    ):
        with pytest.raises(SettingsError, match=told):
            signatures.trusted(str(named))
    assert signatures.trusted("") is None


def test_private_keys_that_cannot_be_used_are_named(folder: Path, keys: Path) -> None:
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked, plain = serialization.BestAvailableEncryption(b"secret"), serialization.NoEncryption()
    (keys / "locked.pem").write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(pem, pkcs8, locked))
    (keys / "curve.pem").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, plain))
    for name in ("missing.pem", "owner.pub.pem", "locked.pem", "curve.pem"):
        with pytest.raises(SettingsError, match=f"{name} is .* nothing is signed"):
            signatures.sign(folder, keys / name, bundle.MANIFEST)
    assert not (folder / SIGNATURE).exists()


def test_the_commands_sign_and_check(folder: Path, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trusted = str(keys / "trusted")
    assert signing.main(["verify", trusted, str(folder)]) == 1
    assert "is not signed" in capsys.readouterr().err
    assert signing.main(["sign", str(keys / "owner.pem"), str(folder)]) == 0
    assert signing.main(["verify", trusted, str(folder)]) == 0
    assert "is whole, and signed by a trusted key" in capsys.readouterr().out
    assert signing.main(["keys", str(keys / "owner.pem"), str(keys / "new.pem")]) == 1
    assert "File exists" in capsys.readouterr().err
    assert (keys / "owner.pem").stat().st_mode & 0o777 == 0o600
    (folder / bundle.GOLDEN).write_text("{}")
    assert signing.main(["sign", str(keys / "owner.pem"), str(folder)]) == 1
    assert "does not match" in capsys.readouterr().err


def test_nothing_of_it_is_imported_where_no_key_is_named(folder: Path) -> None:
    program = (
        "import sys, pathlib, serving.application, serving.lifecycle; from model import bundle, signatures;"
        "bundle.read(pathlib.Path(sys.argv[1]), signatures.trusted(''));"
        "sys.exit('cryptography' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], cwd=ROOT, check=True)
