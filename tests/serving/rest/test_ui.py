"""The way from the service to its page, whatever the caller says it asked for."""

import asyncio
import urllib.parse
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.rest.ui import PATH, ToPage
from serving.settings import Settings
from tests.serving.rest.test_http import problem

HOSTS = (
    st.from_regex(r"\A[A-Za-z0-9_.-]{1,60}\Z") | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map("[{}]".format)
)


def asked(place: str, *hosts: bytes, server: tuple[str, int] = ("127.0.0.1", 3000)) -> httpx.Response:
    """One request with these Host headers to a service with this setting."""
    settings = Settings.from_environment({"BOXWOOD_UI": place})
    scope = {
        "type": "http", "method": "GET", "path": PATH, "server": server, "headers": [(b"host", host) for host in hosts]
    }  # fmt: skip
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(ToPage(settings.ui)(scope, send, send))  # type: ignore[arg-type]
    start, body = sent
    return httpx.Response(start["status"], headers=start["headers"], content=body["body"])


@pytest.mark.parametrize("place", ["https://page.example/x", "http://page.example", "http://[::1]:7860/a?b=c#d"])
@pytest.mark.parametrize("host", [b"box:3000", b"\r\nset-cookie: a=b"])
def test_a_page_elsewhere_does_not_depend_on_the_host(place: str, host: bytes) -> None:
    response = asked(place, host)
    assert (response.status_code, response.headers["location"]) == (307, place)
    assert place in response.text


@given(host=HOSTS, port=st.sampled_from(["", ":", ":3000", ":443"]))
def test_a_page_beside_the_service_is_on_the_host_that_was_asked(host: str, port: str) -> None:
    response = asked(":7860", f"{host}{port}".encode())
    assert (response.status_code, response.headers["location"]) == (307, f"http://{host}:7860")


@pytest.mark.parametrize(
    ("server", "expected"), [(("10.0.0.7", 80), "http://10.0.0.7:7860"), (("::1", 3000), "http://[::1]:7860")]
)
def test_a_caller_that_names_no_host_is_sent_to_the_address_it_reached(server: tuple[str, int], expected: str) -> None:
    assert asked(":7860", server=server).headers["location"] == expected


@pytest.mark.parametrize(
    "host",
    [
        b"", b" ", b":3000", b"a b", b"a/b", b"a@b", b"a:b", b"a?b", b"a#b", b"a\\b", b"a%0d%0ab", b"a\r\nx: y", b"a\n",
        b"\xff", b"[::1", b"::1", b"[g]", b"[]", b"a" * 300, b"a:1:2", b"<script>",
    ],
)  # fmt: skip
def test_what_is_no_host_is_refused(host: bytes) -> None:
    assert "which is no host" in problem(asked(":7860", host), 400)["detail"]


@given(host=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_a_host_decides_about_nothing_but_the_host(host: bytes) -> None:
    response = asked(":7860", host)
    assert set(response.headers) <= {"content-type", "content-length", "location"}
    if response.status_code == 400:
        return
    place = response.headers["location"]
    parts = urllib.parse.urlsplit(place)
    assert place.isascii()
    assert place.isprintable()
    assert (parts.scheme, parts.path, parts.query, parts.fragment, parts.username) == ("http", "", "", "", None)
    assert place.endswith(":7860")


def test_without_a_page_it_is_said_how_to_start_one(client: httpx.Client) -> None:
    detail = problem(client.get(PATH), 404)["detail"]
    assert "`make ui`" in detail
    assert "BOXWOOD_UI" in detail
