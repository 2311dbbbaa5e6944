"""Every HTML page of the service: what a browser is told beside it, and that it works under that."""

import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.project import Project
from tests.serving.rest.test_http import PREDICT

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = {"/", "/docs", "/v1/models/flights/card"}
"""The paths that have a page for browsers."""
TOLD = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def paths(client: httpx.Client) -> list[str]:
    """All paths of the description that are read, of the one model, and some that are not there."""
    described = client.get("/docs.json").json()["paths"]
    reads = [path for path, operations in described.items() if "get" in operations]
    return [*reads, "/ui", "/nothing", "/v1/nothing", "/v2/nothing", "/static_content/nothing", "/index.html"]


def test_every_page_tells_browsers_what_they_may_do(client: httpx.Client, paths: list[str]) -> None:
    found = set()
    for path in paths:
        answer = client.get(path, headers=BROWSER)
        if answer.headers.get("content-type", "").startswith("text/html"):
            found.add(re.sub("/versions/[^/]+", "", path))
            assert TOLD.items() <= dict(answer.headers).items(), path
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; ")
            assert policy.endswith("; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
            assert "script-src 'self';" in policy or "script-src" not in policy
            assert "geolocation=()" in answer.headers["permissions-policy"]
            assert "strict-transport-security" not in answer.headers  # this is plain HTTP
    assert found == PAGES


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1/nothing", "/v1/models/trains:predict", "/static_content/x"])
def test_no_answer_says_what_serves_it(client: httpx.Client, path: str) -> None:
    for answer in (client.get(path, headers=BROWSER), client.post(path), client.request("BREW", path)):
        assert not {"server", "x-powered-by"} & set(answer.headers)
        assert not re.search("(?i)bentoml|uvicorn|starlette|python/|traceback", answer.text), answer.text


def test_no_error_says_what_serves_it(client: httpx.Client, row: dict[str, Any]) -> None:
    bodies = [b"{", b"[]", b"\xff", b'{"instances": [{}]}', b'{"instances": 1e999}']
    for answer in [client.post(PREDICT, content=body, headers={"content-type": "application/json"}) for body in bodies]:
        assert 400 <= answer.status_code < 500
        assert "server" not in answer.headers
        assert not re.search("(?i)bentoml|uvicorn|starlette|msgspec|python|traceback", answer.text), answer.text


@pytest.mark.browser
def test_the_description_works_under_its_policy(client: httpx.Client, trained: Project, tmp_path: Path) -> None:
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{client.base_url}/docs")
        page.get_by_text("/v1/models/flights:predict").first.click()
        page.get_by_role("button", name="Try it out").first.click()
        page.get_by_role("button", name="Execute").first.click()
        page.get_by_text("model_version").first.wait_for()
        page.goto(f"{client.base_url}/v1/models/flights/card")
        page.get_by_role("heading").first.wait_for()
        browser.close()
    assert not [text for text in wrong if "404" not in text]  # browsers ask for an icon by themselves
