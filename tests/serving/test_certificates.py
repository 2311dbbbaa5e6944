"""The files of TLS: what is refused at the start, and in which words."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from serving import tls
from serving.settings import Settings
from tests.serving.authority import Authority
from validation.errors import SettingsError

AUTHORITY = Authority("servers")


def settings(folder: Path, **files: str) -> Settings:
    return Settings.from_environment(
        {f"BOXWOOD_TLS_{name.upper()}": str(folder / file) for name, file in files.items()}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a certificate and its key, and some that are wrong."""
    AUTHORITY.issue("server").into(tmp_path, "server")
    AUTHORITY.issue("other").into(tmp_path, "other")
    key = serialization.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "locked.key").write_bytes(key.private_bytes(pem, private, secret))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "latin").write_bytes(b"\xe4")
    return tmp_path


def test_without_files_there_is_no_tls() -> None:
    assert tls.of(Settings()) is None
    assert tls.for_bentoml(Settings()) == {}


@pytest.mark.parametrize(
    "files",
    [
        {"cert": "server.crt", "key": "missing"},
        {"cert": "missing", "key": "server.key"},
        {"cert": "server.crt", "key": "other.key"},
        {"cert": "server.crt", "key": "locked.key"},
        {"cert": "empty", "key": "server.key"},
        {"cert": "server.key", "key": "server.crt"},
        {"cert": ".", "key": "server.key"},
        {"cert": "server.crt", "key": "server.key", "client_ca": "missing"},
        {"cert": "server.crt", "key": "server.key", "client_ca": "empty"},
        {"cert": "server.crt", "key": "server.key", "client_ca": "latin"},
        {"cert": "server.crt", "key": "server.key", "client_ca": "server.key"},
    ],
    ids=str,
)
def test_files_that_cannot_be_used_are_named(folder: Path, files: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="TLS cannot be served with BOXWOOD_TLS_CERT=") as caught:
        tls.of(settings(folder, **files))
    assert ("BOXWOOD_TLS_CLIENT_CA" in str(caught.value)) == ("client_ca" in files)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("files", [{"cert": "a"}, {"key": "a"}, {"client_ca": "a"}, {"key": "a", "client_ca": "a"}])
def test_a_certificate_and_its_key_belong_together(folder: Path, files: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="TLS needs a certificate and its key"):
        settings(folder, **files)


def test_what_is_read_again_is_what_lies_there(folder: Path) -> None:
    certificates = tls.of(settings(folder, cert="server.crt", key="server.key", client_ca="other.crt"))
    assert certificates is not None
    first = certificates.current
    assert certificates.current is first
    AUTHORITY.issue("renewed").into(folder, "server")
    second = certificates.current
    assert second is not first
    assert second.chain == (folder / "server.crt").read_bytes()
    (folder / "server.key").write_bytes(b"")
    assert certificates.current is second
    assert certificates.current is second
