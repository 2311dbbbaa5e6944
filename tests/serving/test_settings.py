"""Settings from the environment, and which models a service holds."""

import json
import socket
from pathlib import Path

import pytest

from model import receipts
from serving import pins, port
from serving.settings import Settings
from validation.errors import SettingsError

NO_PLACES = (
    ":", ":0", ":65536", ":x", ": 80", ":80/x", ":٣", "page.example", "//page.example", "ftp://page.example", "http://",
    "http:///x", "http://:80", "http://a:b", "http://a:99999", "http://a:0", "http://[::1", "http://a b", "http://a\nb",
    "http://a\r\nset-cookie: b=c", "http://ä", "javascript:alert(1)", "https:page.example", " http://a", "/ui",
)  # fmt: skip


def test_defaults_and_overrides() -> None:
    assert Settings.from_environment({"PATH": "/bin", "BOXWOOD_DATA": "/x"}) == Settings()
    assert Settings.from_environment({"BOXWOOD_MAX_ROWS": "5"}).max_rows == 5
    assert Settings.from_environment({"BOXWOOD_BATCHING": "0"}).batching == 0
    for place in ("", ":1", ":65535", "https://page.example/x?y=z", "http://[::1]:7860"):
        assert Settings.from_environment({"BOXWOOD_UI": place}).ui == place


def service_links(service: str) -> dict[str, str]:
    """What Kubernetes puts into pods for a Service with the ports `http` and 9090/UDP."""
    address = "10.96.0.11"
    links = {
        "SERVICE_HOST": address,
        "SERVICE_PORT": "3000",
        "SERVICE_PORT_HTTP": "3000",
        "PORT": f"tcp://{address}:3000",
    }
    for number, protocol in ((3000, "tcp"), (9090, "udp")):
        port = f"PORT_{number}_{protocol.upper()}"
        links |= {port: f"{protocol}://{address}:{number}", f"{port}_PROTO": protocol}
        links |= {f"{port}_PORT": str(number), f"{port}_ADDR": address}
    return {f"{service}_{name}": value for name, value in links.items()}


@pytest.mark.parametrize("service", ["BOXWOOD", "BOXWOOD_UI", "BOXWOOD_GRPC", "BOXWOOD_SERVICE", "BOXWOOD_2"])
def test_what_kubernetes_says_of_a_service_is_no_setting(service: str) -> None:
    links = service_links(service)
    assert Settings.from_environment(links | {"BOXWOOD_MAX_ROWS": "5", "BOXWOOD_UI": ":7860"}).max_rows == 5
    with pytest.raises(SettingsError, match=f"{service}_PROT is not a setting"):
        Settings.from_environment(links | {f"{service}_PROT": "3000"})
    for misspelt in ("BOXWOOD_GRCP_PORT", "BOXWOOD_SERVICE_HOST", "BOXWOOD_PORT"):
        with pytest.raises(SettingsError, match=f"{misspelt} is not a setting"):
            Settings.from_environment({misspelt: "3000"})


def test_a_setting_that_has_the_name_of_a_link_is_still_a_setting() -> None:
    links = service_links("BOXWOOD_GRPC")
    assert Settings.from_environment(links).grpc_port == 50_051
    assert Settings.from_environment(links | {"BOXWOOD_GRPC_PORT": "5"}).grpc_port == 5


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("BOXWOOD_MAX_ROW", "5", "BOXWOOD_MAX_ROW is not a setting. There are: BOXWOOD_MAX_BODY_BYTES"),
        ("BOXWOOD_MAX_ROWS", "many", "BOXWOOD_MAX_ROWS is 'many'; it takes a whole number"),
        ("BOXWOOD_MAX_ROWS", "0", "from 1 to 2147483647"),
        ("BOXWOOD_MAX_ROWS", "-1", "from 1 to"),
        ("BOXWOOD_MAX_ROWS", "1" * 5_000, "from 1 to"),
        ("BOXWOOD_MAX_BODY_BYTES", "4294967296", "from 1 to 2147483647"),
        ("BOXWOOD_MAX_REQUEST_SECONDS", "86401", "from 1 to 86400"),
        ("BOXWOOD_GRPC_PORT", "70000", "BOXWOOD_GRPC_PORT is '70000'; it takes a whole number from 0 to 65535"),
        ("BOXWOOD_BATCHING", "7", "from 0 to 1"),
        ("BOXWOOD_TRANSPORT", "grcp", "BOXWOOD_TRANSPORT is 'grcp'; it takes one of: http, grpc"),
        ("BOXWOOD_UI", "7860", "BOXWOOD_UI is '7860'; it takes the URL of the page"),
        *(("BOXWOOD_UI", place, "or its port if it is on the same host") for place in NO_PLACES),
    ],
)
def test_nonsense_is_refused(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Settings.from_environment({variable: value})


def test_addresses_of_both_families_are_looked_at() -> None:
    assert port.address("127.0.0.1", 80) == "127.0.0.1:80"
    assert port.address("::1", 80) == "[::1]:80"
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        number = taken.getsockname()[1]
        refused = port.refusal("::1", number, "PORT")
        assert refused is not None
        assert refused.startswith(f"Nothing can listen on [::1]:{number}: Address already in use")
    assert port.refusal("::1", number, "PORT") is None
    assert "nowhere.invalid" in str(port.refusal("nowhere.invalid", 80, "PORT"))


def receipt(folder: Path, name: str, version: str) -> None:
    path = folder / receipts.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"tag": f"{name}:{version}"}))


def test_packaged_models_are_pinned_by_their_receipts(tmp_path: Path) -> None:
    receipt(tmp_path, "flights", "0" * 16)
    receipt(tmp_path, "churn", "1" * 16)
    assert pins.tags("", tmp_path) == ["churn:" + "1" * 16, "flights:" + "0" * 16]
    assert pins.tags(" flights:" + "2" * 16 + ",", tmp_path) == ["flights:" + "2" * 16]


@pytest.mark.parametrize("tag", ["flights", "flights:latest", "flights:abc", "../x:0123456789abcdef"])
def test_only_exact_tags_are_served(tmp_path: Path, tag: str) -> None:
    with pytest.raises(SettingsError, match="is not an exact tag"):
        pins.tags(tag, tmp_path)


def test_something_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make train"):
        pins.tags("", tmp_path)
