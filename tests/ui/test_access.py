"""The page for everybody: axe-core's rules, the keyboard alone, a phone, and dark mode."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Locator, expect

from tests.ui.test_ask import agrees
from tests.ui.test_many import upload
from tests.ui.visitor import TABS, Api, Visitor

pytestmark = pytest.mark.browser
AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
_SERIOUS = """
async () => (await axe.run()).violations
  .filter(found => ['serious', 'critical'].includes(found.impact))
  .flatMap(found => found.nodes.map(node => [found.id, node.html]))
"""
GRADIO: dict[tuple[str, str], str] = {
    ("label-content-name-mismatch", "upload-container"): "its name is 'Click to upload', its text 'Drop File Here'",
}
"""What is serious in Gradio's own components: rule and class of the element, and why."""
_BACKGROUND = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
_CUT = """
() => [...document.querySelectorAll('main table')].filter(each => each.checkVisibility())
  .filter(each => each.getBoundingClientRect().right > innerWidth && !each.closest('[role=region][tabindex="0"]'))
  .map(each => each.outerHTML.slice(0, 200))
"""
"""Tables that go on beyond the screen, and do not scroll by themselves."""
_CONTROLS = "main :is(button, input, select, summary, [role=tab]):not([tabindex='-1'])"
_FOCUSED = """
() => { const at = document.activeElement;
  return at.getAttribute('aria-label') ?? (at.closest('label') ?? at.labels?.[0] ?? at).textContent.trim(); }
"""
FOUND: dict[str, str] = {
    "Ask": ".answer",
    "Why": ".why",
    "What if": ".what-if",
    "Compare": ".compare",
    "Many": ".preview",
    "Watch": ".watch",
    "Model": ".model",
}
"""What stands in each tab once it is there."""


MADE_WRONG: dict[str, dict[str, Any]] = {"flights": {"date": None}, "churn": {"tenure": None}, "houses": {"area": None}}
WARNED: dict[str, dict[str, Any]] = {
    "flights": {"agency": "Nobody", "date": "2023-05-12"},
    "churn": {"tenure": 5},
    "houses": {"area": 1_000},
}


def each_state(visitor: Visitor, api: Api, model: str) -> Iterator[None]:
    """Bring everything that the page can show to the screen, one after the other, errors and warnings included."""
    yield
    visitor.fill(MADE_WRONG[model])
    visitor.predict_button.click()
    expect(visitor.shown.locator(".field-error").filter(visible=True)).to_be_visible()
    yield
    visitor.fill(WARNED[model])
    expect(visitor.predict()).to_be_visible()
    yield
    for name, place in FOUND.items():
        shown = visitor.tab(name)
        if name == "Many":
            yield
            table = pd.DataFrame([api.example(model)] * 3).astype(str)
            table.loc[1, list(MADE_WRONG[model])] = "none"
            upload(visitor, "rows.csv", table.to_csv(index=False).encode())
            visitor.page.get_by_role("button", name="Predict all rows").click()
        if name == "Model":
            open_folded(shown)
        for details in shown.locator(f":is({place}, .overall) summary").all():
            details.click()
        expect(shown.locator(place)).to_be_visible()
        yield


def open_folded(shown: Locator) -> None:
    """Open what the Model tab asks for only then."""
    for title, place in (("How it answers over all values", ".overall"), ("Model card", ".pictures")):
        shown.get_by_role("button", name=title).click()
        expect(shown.locator(place)).to_be_visible()


def serious(visitor: Visitor) -> set[tuple[str, str]]:
    """Rules that are broken now and where; those of GRADIO as they stand there."""
    found = set()
    for rule, html in visitor.page.evaluate(_SERIOUS):
        known = {(name, part) for name, part in GRADIO if name == rule and part in html}
        found |= known or {(rule, html)}
    return found


@pytest.mark.parametrize("model", list(WARNED))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(new_visitor: Callable[..., Visitor], api: Api, model: str, scheme: str) -> None:
    visitor = new_visitor(color_scheme=scheme).open(model)
    visitor.page.evaluate(AXE.read_text())  # and not as a tag, which the page's policy forbids
    found: set[tuple[str, str]] = set()
    for _ in each_state(visitor, api, model):
        visitor.settle()
        found |= serious(visitor)
    assert found == set(GRADIO)
    [red, green, blue] = visitor.page.evaluate(_BACKGROUND)
    assert max(red, green, blue) < 60 if scheme == "dark" else min(red, green, blue) > 195


@pytest.mark.parametrize("model", list(WARNED))
def test_a_phone_shows_everything_without_scrolling_aside(
    new_visitor: Callable[..., Visitor], api: Api, model: str
) -> None:
    width = 360
    phone = {
        "viewport": {"width": width, "height": 740},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    }
    visitor = new_visitor(**phone).open(model)
    for name in TABS:
        expect(visitor.page.get_by_role("tab", name=name, exact=True)).to_be_in_viewport(ratio=1)
    for _ in each_state(visitor, api, model):
        assert visitor.page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
        assert visitor.page.evaluate(_CUT) == []
        for control in visitor.page.locator(_CONTROLS).filter(visible=True).all():
            control.scroll_into_view_if_needed()
            box = control.bounding_box()
            assert box is not None
            assert -1 < box["x"] <= box["x"] + box["width"] < width + 1, control.evaluate("it => it.outerHTML")


def test_the_keyboard_alone_is_enough(visitor: Visitor, api: Api) -> None:
    visitor.open("flights")
    press = visitor.page.keyboard.press
    reach(visitor, "destination")
    visitor.page.keyboard.type("Brasilia")
    expect(visitor.field("destination").get_by_role("combobox")).to_have_value("Brasilia (DF)")
    reach(visitor, "economic")
    press("ArrowRight")
    press("ArrowRight")
    reach(visitor, "Predict", "Shift+Tab")
    press("Enter")
    [said] = api.predict("flights", api.example("flights") | {"destination": "Brasilia (DF)", "cabin": "premium"})
    agrees(visitor.answer, said, api.model("flights")["version"])
    assert "cabin=premium" in visitor.page.url
    reach(visitor, "Ask", "Shift+Tab")
    for name, place in FOUND.items():
        if name != "Ask":
            reach(visitor, name)
            press("Enter")
        expect(visitor.page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
        if name != "Many":
            expect(visitor.shown.locator(place)).to_be_visible()


def test_the_button_is_at_most_fifteen_stops_away(visitor: Visitor, api: Api) -> None:
    visitor.open("churn")
    visitor.page.evaluate("document.activeElement.blur()")
    assert reach(visitor, "Predict") <= 15
    reach(visitor, "tenure (months)")
    visitor.page.keyboard.type("30")
    visitor.page.keyboard.press("Enter")  # wherever somebody is
    [said] = api.predict("churn", api.example("churn") | {"tenure": 30})
    agrees(visitor.answer, said, api.model("churn")["version"])


def reach(visitor: Visitor, name: str, key: str = "Tab") -> int:
    """Press a key until something of that name has the focus, which can be seen; how often it was pressed."""
    for presses in range(1, 60):
        visitor.page.keyboard.press(key)
        if visitor.page.evaluate(_FOCUSED) == name:
            return presses
    raise AssertionError(f"{key} does not lead to {name}")
