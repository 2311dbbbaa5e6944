"""The site in a browser: from a file, below a path, in the dark, for everybody."""

import functools
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.conftest import chromium
from tests.ui.test_access import _SERIOUS, AXE

pytestmark = pytest.mark.browser
SHOWN = (
    "index.html",
    "guide.html",
    "tutorial/your-own-table.html",
    "how-to/own-problem.html",
    "how-to/cloud-run.html",
    "reference/settings.html",
    "reference/commands.html",
    "explanation/architecture.html",
    "explanation/calibration.html",
    "decisions/index.html",
    "project/CONTRIBUTING.html",
    "files/params.yaml.html",
)
"""A page of each kind: the start, links, code, wide tables, long lists, pictures, and a file."""
REFUSED = re.compile(r"how-to/reading-a-refusal\.html")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the module: see tests/ui/conftest.py."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def below_a_path(site: Path) -> Iterator[str]:
    """The site as a host has it below a path of its own."""

    class Quiet(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix("/some/path"))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/some/path/"
        server.shutdown()


def search(page: Page, words: str, first: re.Pattern[str]) -> None:
    """Look for words, and go to the first page that is found once its address is as it should be."""
    page.get_by_role("button", name="Search").first.click()
    field = page.get_by_role("combobox", name="Search")
    field.press_sequentially(words)
    expect(field).to_have_value(words)
    expect(page.get_by_role("option").first).to_have_attribute("href", first)
    field.press("Enter")
    page.wait_for_url(first)


@pytest.mark.parametrize("where", ["file", "path"])
def test_the_site_is_read_and_searched_without_another_host(
    browser: Browser, site: Path, below_a_path: str, where: str
) -> None:
    start = f"{site.as_uri()}/" if where == "file" else below_a_path
    context = browser.new_context()
    asked: list[str] = []
    wrong: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    page = context.new_page()
    for path in SHOWN:
        page.goto(start + path, wait_until="networkidle")
    page.goto(f"{start}index.html", wait_until="networkidle")
    search(page, "quarantine", re.compile("quarantine"))  # which the address names, to mark it on the page
    expect(page.locator("h1")).to_be_visible()
    context.close()
    assert not [url for url in asked if not url.startswith((start.removesuffix("some/path/"), "data:", "blob:"))]
    assert not wrong


@pytest.mark.parametrize(
    "words", ["refused", "why was my model refused", "Why was this model refused?", "champion kept", "not promoted"]
)
def test_who_asks_why_it_was_refused_finds_the_answer_first(browser: Browser, below_a_path: str, words: str) -> None:
    page = browser.new_page()
    page.goto(below_a_path, wait_until="networkidle")
    search(page, words, REFUSED)
    expect(page.get_by_text("python -m training registry show flights challenger")).to_be_visible()
    page.close()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("mlflow server", "how-to/mlflow-server"),
        ("dvc remote", "how-to/dvc-remotes"),
        ("cloud run", "how-to/(cloud-run|container)"),
        ("calibration", "explanation/calibration"),
        ("typescript", "how-to/typed-client"),
        ("api keys", "how-to/keys"),
        ("how do I watch drift", "how-to/drift"),
        ("how do I retrain", "how-to/retrain-promote-rollback"),
        ("train on a cluster", "how-to/train-on-a-cluster"),
    ],
)
def test_what_people_look_for_is_found_first(browser: Browser, below_a_path: str, words: str, first: str) -> None:
    page = browser.new_page()
    page.goto(below_a_path, wait_until="networkidle")
    search(page, words, re.compile(first))
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, below_a_path: str, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    for path in SHOWN:
        page.goto(below_a_path + path, wait_until="networkidle")
        page.add_script_tag(path=AXE)
        assert page.evaluate(_SERIOUS) == [], path
    context.close()


def test_a_phone_scrolls_tables_and_pictures_and_not_the_page(browser: Browser, below_a_path: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page = context.new_page()
    for path in SHOWN:
        page.goto(below_a_path + path, wait_until="networkidle")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    context.close()
