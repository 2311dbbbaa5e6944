"""What the page tells browsers beside its HTML."""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.project import free_port
from tests.ui.pages import page_process
from ui import headers
from ui.headers import Guarded, is_frame_ancestors

PORTAL = "https://portal.example"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A page of a service that is not there, which may be shown in a frame of a portal."""
    nobody = f"http://127.0.0.1:{free_port()}"
    with (
        page_process(nobody, tmp_path_factory.mktemp("page"), "--frame-ancestors", PORTAL) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/?__theme=dark", "/nothing", "/gradio_api/info", "/config", "/theme.css", "/livez", "/api/"]
)
def test_every_html_comes_with_its_policy(page: httpx.Client, path: str) -> None:
    answer = page.get(path)
    assert "server" not in answer.headers
    html = answer.headers["content-type"].startswith("text/html")
    assert html == path.startswith(("/?", "/nothing", "/api/")) or path == "/" or not html
    if html:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == PORTAL
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", answer.text, re.DOTALL)
        hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts}
        assert set(policy["script-src"].split()) == {"'self'", "'unsafe-eval'", *hashes}


def test_a_page_is_framed_by_nobody_and_files_of_visitors_get_no_rights() -> None:
    guarded = Guarded(lambda *_: None)  # type: ignore[arg-type]
    told = guarded.told("/", b"<script>a</script>")
    assert told["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in told["content-security-policy"]
    assert guarded.told("/gradio_api/file=x.html", b"<script>a</script>")["content-security-policy"] == (
        "default-src 'none'; sandbox; frame-ancestors 'none'"
    )


def test_frames_are_allowed_to_origins_only() -> None:
    for text in ("'none'", "'self'", PORTAL, f"{PORTAL} https://*.example:8443", "http://[::1]:80"):
        assert is_frame_ancestors(text)
    for text in (
        "",
        "none",
        "*",
        f"{PORTAL}; script-src *",
        f"{PORTAL},",
        f"{PORTAL}/path",
        "https://a\nx: y",
        "data:",
    ):
        assert not is_frame_ancestors(text)
    assert headers.NOWHERE == "'none'"


def test_the_process_refuses_what_is_no_origin(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="it takes origins like https"),
        page_process("http://127.0.0.1:1", tmp_path, "--frame-ancestors", "*; script-src *"),
    ):
        pass
