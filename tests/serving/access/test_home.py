"""The page at / of a server that wants keys: what it says to whom, and a key that is typed in."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.serving.access import made
from tests.serving.access.conftest import Guarded, Opened
from tests.serving.rest.test_http import problem
from tests.serving.rest.test_pages import BROWSER
from tests.ui.conftest import chromium

SECRETS = ("flights", "Fare", "cabin", "RMSE")
"""Words of what is served."""


def test_a_browser_without_a_key_is_asked_for_one(guarded: Guarded) -> None:
    refused = guarded.client.get("/", headers=BROWSER)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="boxwood"'
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in refused.headers["content-security-policy"]
    assert '<label for="key">API key</label>' in refused.text
    assert not [word for word in SECRETS if word in refused.text]
    for script in ("home.css", "home.js"):
        assert guarded.client.get(f"/static_content/{script}").status_code == 200
    wrong = guarded.client.get("/", headers=BROWSER | made.bearer("x"))
    assert (wrong.status_code, wrong.text) == (401, refused.text)
    problem(guarded.client.get("/"), 401)


def test_a_key_opens_it(guarded: Guarded) -> None:
    shown = guarded.client.get("/", headers=BROWSER | made.bearer(guarded.keys["all"]))
    assert shown.status_code == 200
    assert not [word for word in SECRETS if word not in shown.text]
    other = guarded.client.get("/", headers=BROWSER | made.bearer(guarded.keys["elsewhere"]))
    assert "may not ask the model 'flights'" in problem(other, 403)["detail"]


def test_open_docs_say_what_is_served_and_not_how_good_it_is(opened: Opened) -> None:
    client = opened.client
    shown = client.get("/", headers=BROWSER)
    assert shown.status_code == 200
    assert '<label for="key">API key</label>' in shown.text
    assert "Fare of a flight" in shown.text
    for untold in ("RMSE", "Training saw", "FlyingDrops"):
        assert untold not in shown.text
        assert untold not in client.get("/docs.json").text
    assert client.get("/docs", headers=BROWSER).status_code == 200


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a fresh browser in which no script may fail."""
    wrong: list[str] = []
    with chromium() as browser:
        visited = browser.new_page()
        visited.on("pageerror", lambda error: wrong.append(str(error)))
        yield visited
    assert not wrong


@pytest.mark.browser
def test_a_typed_key_opens_the_page_and_asks(guarded: Guarded, page: Page) -> None:
    page.goto(str(guarded.client.base_url))
    expect(page.get_by_role("heading")).to_have_text("Boxwood")
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_have_text("The service does not know this key.")
    page.get_by_label("API key").fill(guarded.keys["elsewhere"])
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("may not ask the model 'flights'")
    page.get_by_label("API key").fill(guarded.keys["all"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fare of a flight")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".prediction")).to_contain_text("USD")
    assert stored(page) == [{}, {}, ""]
    assert guarded.keys["all"] not in page.url
    assert guarded.keys["all"] not in page.content()
    page.get_by_text("The same request with curl").click()
    expect(page.locator("#curl")).to_contain_text('-H "authorization: Bearer $KEY"')
    page.reload()
    expect(page.get_by_label("API key")).to_have_value("")


@pytest.mark.browser
def test_where_docs_are_open_only_asking_wants_the_key(opened: Opened, page: Page) -> None:
    page.goto(str(opened.client.base_url))
    page.get_by_label("agency").fill("CloudFy")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#answer")).to_contain_text("This service answers known callers only.")
    page.get_by_label("API key").fill(opened.key)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".prediction")).to_contain_text("USD")


def stored(page: Page) -> list[object]:
    """What a page left in its browser: both storages, and cookies."""
    return json.loads(page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])"))  # type: ignore[no-any-return]
