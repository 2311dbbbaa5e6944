"""The model card as the service shows it: on a phone, on a laptop, and on paper."""

import httpx
import pytest
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
_CUT = """
() => [...document.querySelectorAll('.wide')].filter(each => each.scrollWidth > each.clientWidth + 1).length
"""
_ON_PAPER = """
parts => [[...new Set(parts.map(each => getComputedStyle(each).breakInside))],
          Math.max(...parts.map(each => each.getBoundingClientRect().height))]
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_tables_scroll_and_not_the_page(service: httpx.Client, browser: Browser, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844})
    for model in ("flights", "churn", "houses"):
        page.goto(f"{service.base_url}/v1/models/{model}/card")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        tables = page.get_by_role("region")
        assert tables.count() == page.locator("table").count() > 3
        assert all(table.get_attribute("tabindex") == "0" for table in tables.all())
        labels = [table.get_attribute("aria-label") for table in tables.all()]
        assert len(set(labels)) == len(labels)
        if width == 390:
            assert page.evaluate(_CUT) > 0, "no table is wider than a phone, so nothing was tested"
    page.close()


def test_paper_is_white_and_cuts_nothing(service: httpx.Client, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 680, "height": 960}, color_scheme="dark")  # A4 within its margins
    page.goto(f"{service.base_url}/v1/models/flights/card")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") == 680
    for part in ("tr", "img"):
        breaks, tallest = page.locator(part).evaluate_all(_ON_PAPER)
        assert breaks == ["avoid"], part
        assert tallest < 960, f"a page is not high enough for each {part}"
    page.close()
