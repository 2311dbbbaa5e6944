"""The page's address: it has the row and the tab, and no server ever sees the row."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.ui.test_ask import agrees
from tests.ui.visitor import Api, Visitor

pytestmark = pytest.mark.browser
ROW = {"contract": "Two year", "partner": False, "tenure": 61}


def test_a_link_brings_the_row_and_the_tab_and_is_told_to_no_server(
    new_visitor: Callable[..., Visitor], api: Api
) -> None:
    one = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    asked: list[str] = []
    one.page.on("request", lambda request: asked.append(f"{request.url} {request.headers.get('referer')}"))
    one.open("churn").fill(ROW)
    one.predict()
    [said] = api.predict("churn", api.example("churn") | ROW)
    agrees(one.answer, said, api.model("churn")["version"])
    expect(one.tab("Why").locator(".why")).to_be_visible()
    one.page.get_by_role("button", name="Copy link").click()
    expect(one.page.get_by_role("button", name="Copied")).to_be_visible()
    link = one.page.evaluate("navigator.clipboard.readText()")
    assert "?model=churn#why&" in link
    assert "tenure=61" in link
    one.page.reload()
    other = new_visitor().go(link)
    for visitor in (one, other):
        expect(visitor.page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
        expect(visitor.shown.locator(".described")).to_contain_text("tenure 61 months")
        visitor.tab("Ask")
        agrees(visitor.answer, said, api.model("churn")["version"])
        expect(visitor.field("contract").get_by_role("radio", name="Two year")).to_be_checked()
    assert asked
    assert not [each for each in asked if "tenure" in each]


def test_back_leads_to_the_row_and_the_tab_before(visitor: Visitor, api: Api) -> None:
    version = api.model("churn")["version"]
    [first, second] = api.predict("churn", api.example("churn"), api.example("churn") | {"tenure": 61})
    agrees(visitor.open("churn").predict(), first, version)
    visitor.fill({"tenure": 61})
    agrees(visitor.predict(), second, version)
    visitor.tab("What if")
    visitor.page.go_back()
    expect(visitor.page.get_by_role("tab", name="Ask")).to_have_attribute("aria-selected", "true")
    agrees(visitor.answer, second, version)
    visitor.page.go_back()
    expect(visitor.field("tenure").locator("input")).to_have_value(str(api.example("churn")["tenure"]))
    agrees(visitor.answer, first, version)
    visitor.page.go_forward()
    expect(visitor.field("tenure").locator("input")).to_have_value("61")
    agrees(visitor.answer, second, version)


def test_another_model_has_another_address_and_back_leads_to_the_one_before(visitor: Visitor) -> None:
    visitor.open("churn").fill({"tenure": 61})
    visitor.page.get_by_role("radio", name="flights").check()
    expect(visitor.field("origin")).to_be_visible()
    assert visitor.page.url.endswith("?model=flights")
    visitor.page.go_back()
    expect(visitor.field("tenure").locator("input")).to_have_value("61")


def test_a_model_that_is_not_there_is_not_replaced_by_another(visitor: Visitor, page_url: str) -> None:
    visitor.go(f"{page_url}?model=nosuch")
    expect(visitor.page.get_by_role("alert")).to_have_text("There is no model 'nosuch' here. Choose another.")
    expect(visitor.predict_button).to_have_count(0)
    visitor.page.get_by_role("radio", name="churn").check()
    expect(visitor.field("tenure")).to_be_visible()
    expect(visitor.page.get_by_role("alert").filter(visible=True)).to_have_count(0)
    visitor.go(f"{page_url}?model=churn&version=gone")
    expect(visitor.page.get_by_role("alert")).to_have_text(
        "The model 'churn' has no version 'gone' here. Choose another."
    )


def test_what_a_link_says_that_cannot_be_is_refused_by_the_service_and_not_mended(
    visitor: Visitor, page_url: str
) -> None:
    visitor.go(f"{page_url}?model=flights#ask&cabin=premium&origin=Nowhere&distance_km=far&nosuch=1")
    expect(visitor.field("origin").get_by_role("alert")).to_contain_text("'Nowhere'")
    expect(visitor.field("distance_km").get_by_role("alert")).to_have_text("'far' is not a number")
    expect(visitor.field("cabin").get_by_role("radio", name="premium")).to_be_checked()
