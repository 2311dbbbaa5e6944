"""A column with thousands of names, in a browser: its field suggests them, and its examples are answered."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.ui.pages import page_process
from tests.ui.visitor import Visitor

pytestmark = pytest.mark.browser


def test_names_are_suggested_and_examples_answered(both: httpx.Client, browser: Browser, tmp_path: Path) -> None:
    with page_process(str(both.base_url).rstrip("/"), tmp_path) as url:
        visitor = Visitor(browser.new_context(), f"{url}/").open("letting")
        field = visitor.field("landlord").locator("input")
        for example in ("Example", "Another", "A third one"):
            visitor.page.get_by_role("button", name=example, exact=True).click()
            expect(visitor.answer).to_be_visible()
            expect(field).to_have_value(re.compile(r"^Agency \d$"))
        expect(visitor.page.get_by_role("alert")).to_have_count(0)
        field.fill("agency")
        suggested = visitor.field("landlord").locator("option")
        expect(suggested).to_have_count(10)
        field.fill("agency 4")
        expect(suggested).to_have_count(1)
        assert suggested.get_attribute("value") == "Agency 4"
        field.fill("<b>Somebody</b> New")
        field.press("Enter")
        expect(visitor.answer.get_by_role("status")).to_contain_text("'<b>Somebody</b> New' was not seen in training")
        assert not visitor.wrong
        visitor.leave()
