"""TLS over HTTP and gRPC: who may connect, and certificates that are renewed while the service answers."""

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from serving.lifecycle import GRACE_SECONDS
from tests.project import DEV, ROOT, Project, free_port
from tests.serving.authority import Authority, Pair
from tests.serving.rest.test_http import PREDICT
from tests.serving.rpc.over_grpc import infer
from tests.ui.over_http import Script
from tests.ui.pages import page_process

SERVERS, CLIENTS, STRANGERS = (Authority(name) for name in ("servers", "clients", "strangers"))
CALLER, STRANGER = CLIENTS.issue("caller"), STRANGERS.issue("stranger")
REFUSED = (httpx.TransportError, ssl.SSLError, ConnectionError)
RENEWALS = 40


class Secured(NamedTuple):
    """A service with TLS, and where its files lie."""

    client: httpx.Client
    grpc_address: str
    folder: Path

    @property
    def address(self) -> str:
        """Where it listens for HTTP."""
        return f"{self.client.base_url.host}:{self.client.base_url.port}"

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "elsewhere/server.log").read_text()

    def renew(self, name: str) -> None:
        """Have its certificate replaced by one that is issued to `name`."""
        SERVERS.issue(name).into(self.folder / "tls", "server")

    def channel(self, shown: Pair | None) -> grpc.Channel:
        """A new connection of gRPC by a client that shows a certificate, or none."""
        pair = (shown.key, shown.certificate) if shown else (None, None)
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        return grpc.secure_channel(
            self.grpc_address, grpc.ssl_channel_credentials(SERVERS.certificate, *pair), options=options
        )


@contextlib.contextmanager
def secured(
    project: Project, bento: str, folder: Path, client: Pair | None = None, workers: int = 1, **more: str
) -> Iterator[Secured]:
    """`bentoml serve` with a certificate that is issued to "first"; of clients too where `client` shows one."""
    certificate, key = SERVERS.issue("first").into(folder / "tls", "server")
    port = str(free_port())
    variables = {"BOXWOOD_TLS_CERT": str(certificate), "BOXWOOD_TLS_KEY": str(key), "BOXWOOD_GRPC_PORT": port, **more}
    if client is not None:
        (folder / "tls/clients.crt").write_bytes(CLIENTS.certificate)
        variables["BOXWOOD_TLS_CLIENT_CA"] = str(folder / "tls/clients.crt")
    trusted = trust(folder, client)
    variables["BOXWOOD_WORKERS"] = str(workers)
    with project.over_tls(trusted).serve(bento, folder / "elsewhere", DEV, **variables) as connected:
        yield Secured(connected, f"127.0.0.1:{port}", folder)


def trust(folder: Path, shown: Pair | None) -> ssl.SSLContext:
    """What a client trusts and shows."""
    return SERVERS.trusted_by(shown.into(folder / "shown", "client") if shown else None)


def shown_by(address: str, context: ssl.SSLContext) -> str:
    """The common name of the certificate that a server shows to a new client."""
    host, _, port = address.partition(":")
    context.set_alpn_protocols(["h2", "http/1.1"])  # gRPC's handshake needs the first
    with (
        socket.create_connection((host, int(port)), timeout=30) as connection,
        context.wrap_socket(connection, server_hostname=host) as secure,
    ):
        seen = secure.getpeercert(binary_form=True)
        assert seen is not None
        [name] = x509.load_der_x509_certificate(seen).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(name.value)


@pytest.fixture(scope="module")
def mutual(trained: Project, bento: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A service of two workers that demands a certificate of its clients, too."""
    with secured(trained, bento, tmp_path_factory.mktemp("mutual"), CALLER, workers=2) as service:
        yield service


def test_a_client_with_a_certificate_is_answered(mutual: Secured, row: dict[str, Any]) -> None:
    answer = mutual.client.post(PREDICT, json={"instances": [row]})
    assert answer.status_code == 200
    with mutual.channel(CALLER) as channel:
        assert infer(channel, [row]).model_version == answer.json()["model_version"]


@pytest.mark.parametrize("shown", [None, STRANGER], ids=["nothing", "a stranger's"])
def test_a_client_without_one_is_refused(
    mutual: Secured, tmp_path: Path, row: dict[str, Any], shown: Pair | None
) -> None:
    with (
        httpx.Client(verify=trust(tmp_path, shown), base_url=mutual.client.base_url) as client,
        pytest.raises(REFUSED),
    ):
        client.get("/readyz")
    with mutual.channel(shown) as channel, pytest.raises(grpc.RpcError) as caught:
        infer(channel, [row])
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_who_speaks_no_tls_gets_no_answer(mutual: Secured, row: dict[str, Any]) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://{mutual.address}/readyz")
    with grpc.insecure_channel(mutual.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        infer(channel, [row])
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_versions_of_tls_before_1_2_are_refused(mutual: Secured, tmp_path: Path) -> None:
    for address in (mutual.address, mutual.grpc_address):
        context = trust(tmp_path, CALLER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(REFUSED, match=r"(?i)protocol|version|alert|eof|reset"):
            shown_by(address, context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert shown_by(address, context)


def test_renewed_certificates_are_shown_to_who_comes_next(mutual: Secured, tmp_path: Path) -> None:
    context = trust(tmp_path, CALLER)
    for name in ("second", "third"):
        mutual.renew(name)
        seen = {shown_by(address, context) for _ in range(20) for address in (mutual.address, mutual.grpc_address)}
        assert seen == {name}
    assert mutual.client.get("/readyz").status_code == 200  # a connection from before the renewals


def test_a_certificate_that_is_not_of_the_key_changes_nothing(mutual: Secured, tmp_path: Path) -> None:
    mutual.renew("whole")
    context, certificate = trust(tmp_path, CALLER), mutual.folder / "tls/server.crt"
    addresses = [mutual.address, mutual.grpc_address]
    assert [shown_by(address, context) for address in addresses] == ["whole", "whole"]
    before, half = certificate.read_bytes(), SERVERS.issue("half").certificate
    for content in (half, half[:100], b"", None):
        certificate.unlink() if content is None else certificate.write_bytes(content)
        # the other worker may have had no handshake since the last renewal
        assert "half" not in {shown_by(address, context) for address in addresses * 4}
    assert "certificates not renewed" in mutual.log
    certificate.write_bytes(before)
    assert {shown_by(address, context) for address in addresses * 4} == {"whole"}


def test_no_answer_is_lost_while_certificates_are_renewed(mutual: Secured, tmp_path: Path, row: dict[str, Any]) -> None:
    context, body, over = trust(tmp_path, CALLER), {"instances": [row]}, Event()

    def over_http() -> int:
        answered = 0
        while not over.is_set() or not answered:
            with httpx.Client(verify=context, base_url=mutual.client.base_url, timeout=60) as client:
                assert [client.post(PREDICT, json=body).status_code for _ in range(3)] == [200] * 3
            answered += 3
        return answered

    def over_grpc() -> int:
        answered = 0
        while not over.is_set() or not answered:
            with mutual.channel(CALLER) as channel:
                for _ in range(3):
                    assert infer(channel, [row]).model_name == "flights"
            answered += 3
        return answered

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for ask in (over_http, over_http, over_grpc, over_grpc)]
        try:
            for number in range(RENEWALS):
                mutual.renew(f"under-load-{number}")
                for address in (mutual.address, mutual.grpc_address):
                    assert shown_by(address, context) == f"under-load-{number}"
        finally:
            over.set()
        assert all(asked.result() for asked in asking)


def test_clients_of_an_authority_that_is_replaced_connect_no_more(
    mutual: Secured, tmp_path: Path, row: dict[str, Any]
) -> None:
    context = trust(tmp_path, CALLER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # the session is there once the handshake is over
    host, _, port = mutual.address.partition(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as connection,
        context.wrap_socket(connection, server_hostname=host) as secure,
    ):
        session = secure.session
    (mutual.folder / "tls/clients.crt").write_bytes(STRANGERS.certificate)
    try:
        with pytest.raises(REFUSED), socket.create_connection((host, int(port)), timeout=30) as connection:
            context.wrap_socket(connection, server_hostname=host, session=session).recv(1)
        with mutual.channel(CALLER) as channel, pytest.raises(grpc.RpcError):
            infer(channel, [row])
        with mutual.channel(STRANGER) as channel:
            assert infer(channel, [row]).model_name == "flights"
    finally:
        (mutual.folder / "tls/clients.crt").write_bytes(CLIENTS.certificate)


@pytest.mark.slow
def test_the_page_trusts_an_authority_and_shows_a_certificate(
    mutual: Secured, tmp_path: Path, row: dict[str, Any]
) -> None:
    (tmp_path / "servers.crt").write_bytes(SERVERS.certificate)
    (tmp_path / "page.pem").write_bytes(CALLER.key + CALLER.certificate)
    options = ("--api-ca", str(tmp_path / "servers.crt"), "--api-cert", str(tmp_path / "page.pem"))
    with (
        page_process(str(mutual.client.base_url), tmp_path, *options) as url,
        httpx.Client(base_url=url, timeout=60) as page,
    ):
        [said] = mutual.client.post(PREDICT, json={"instances": [row]}).json()["predictions"]
        assert f'data-value="{said["prediction"]}"' in Script(page).tell("predict", "click")[0]
    with (
        pytest.raises(AssertionError, match="cannot be used: "),
        page_process(str(mutual.client.base_url), tmp_path, "--api-ca", str(tmp_path / "missing")),
    ):
        pass


def probed(**environment: str) -> int:
    """What the image's probe says."""
    command = [sys.executable, "-I", "-S", str(ROOT / "serving/probe.py")]
    return subprocess.run(command, env=environment, check=False).returncode


def test_a_probe_in_the_container_needs_no_certificate(mutual: Secured) -> None:
    port, authority = mutual.address.partition(":")[2], "clients.crt"
    mutual_there = {"BOXWOOD_TLS_CERT": "server.crt", "BOXWOOD_TLS_CLIENT_CA": authority}
    assert probed(PORT=port, **mutual_there) == 0
    assert probed(PORT=str(free_port()), **mutual_there) == 1
    assert probed(PORT=port) == 1


@pytest.mark.slow
def test_a_worker_alone_has_tls_too_and_takes_up_a_swapped_link(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    def mounted(name: str) -> None:
        """As Kubernetes changes a mounted secret: the files are links through a folder's link, which is swapped."""
        SERVERS.issue(name).into(tmp_path / name, "server")
        (tmp_path / "link").symlink_to(name)
        (tmp_path / "link").replace(tmp_path / "data")

    mounted("first")
    files = {
        "BOXWOOD_TLS_CERT": str(tmp_path / "data/server.crt"),
        "BOXWOOD_TLS_KEY": str(tmp_path / "data/server.key"),
    }
    with trained.over_tls(trust(tmp_path, None)).start_alone(bento, **files) as (client, process):
        address = f"127.0.0.1:{client.base_url.port}"
        assert shown_by(address, trust(tmp_path, None)) == "first"
        assert client.post(PREDICT, json={"instances": [row]}).status_code == 200
        mounted("second")
        assert shown_by(address, trust(tmp_path, None)) == "second"
        assert probed(PORT=str(client.base_url.port), **files) == 0
        page = client.get("/", headers={"accept": "text/html"})
        assert page.headers["strict-transport-security"].startswith("max-age=")
        process.terminate()
        assert process.wait(GRACE_SECONDS + 5) == 0


def test_beside_grpc_http_is_plain_for_the_machine_itself(
    trained: Project, bento: str, tmp_path: Path, row: dict[str, Any]
) -> None:
    certificate, key = SERVERS.issue("first").into(tmp_path, "server")
    port = str(free_port())
    files = {"BOXWOOD_TLS_CERT": str(certificate), "BOXWOOD_TLS_KEY": str(key)}
    with trained.start_alone(bento, grpc_port=port, **files) as (client, _):
        assert client.get("/readyz").status_code == 200
        with Secured(client, f"127.0.0.1:{port}", tmp_path).channel(None) as channel:
            assert infer(channel, [row]).model_name == "flights"
        assert probed(BOXWOOD_TRANSPORT="grpc", BOXWOOD_HTTP_PORT=str(client.base_url.port), **files) == 0


def test_files_that_cannot_be_used_end_the_start_with_a_sentence(trained: Project, bento: str, tmp_path: Path) -> None:
    certificate, _ = SERVERS.issue("first").into(tmp_path, "server")
    _, other = SERVERS.issue("second").into(tmp_path, "other")
    command = ("bentoml", "serve", bento, "--port", str(free_port()))
    files = {"BOXWOOD_TLS_CERT": str(certificate), "BOXWOOD_GRPC_PORT": "0"}
    printed = trained.run(*command, fails=True, **files, BOXWOOD_TLS_KEY=str(other))
    assert "Not starting: TLS cannot be served with BOXWOOD_TLS_CERT=" in printed
    assert "Traceback" not in printed
    printed = trained.run(*command, fails=True, **files)
    assert "Not starting: TLS needs a certificate and its key" in printed
