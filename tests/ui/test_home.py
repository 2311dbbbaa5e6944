"""The service's own page at / in a real browser: the form, its answers, and everybody who uses it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.pages import proxy
from tests.ui.test_access import AXE, serious
from tests.ui.test_ask import HOSTILE, OTHER
from tests.ui.visitor import Api, Visitor

pytestmark = pytest.mark.browser
PREFIX = "/models/boxwood"
WRONG: dict[str, dict[str, str]] = {"flights": {"date": ""}, "churn": {"tenure": "many"}, "houses": {"area": "-1"}}
FAR: dict[str, dict[str, str]] = {
    "flights": {"distance_km": "19000"}, "churn": {"tenure": "900"}, "houses": {"area": "9000"}
}  # fmt: skip


class Home:
    """Somebody who looks at the page of a model."""

    def __init__(self, visitor: Visitor, url: str) -> None:
        self.visitor = visitor
        self.page: Page = visitor.page
        self._url = url

    def open(self, model: str) -> "Home":
        self.page.goto(f"{self._url}?model={model}")
        expect(self.page.locator("#main")).to_have_attribute("data-place", model)
        return self

    def field(self, name: str) -> Locator:
        return self.page.locator(f"[data-column={name}] :is(input, select)")

    def fill(self, row: dict[str, Any]) -> None:
        for name, entry in row.items():
            field = self.field(name)
            text = str(entry).lower() if isinstance(entry, bool) else str(entry)
            if field.evaluate("it => it.tagName") == "SELECT":
                field.select_option(text)
            else:
                field.fill(text)

    def predict(self) -> Locator:
        self.page.get_by_role("button", name="Predict").click()
        return self.page.locator("#answer")


@pytest.fixture
def home(service: httpx.Client, new_visitor: Callable[..., Visitor]) -> Callable[..., Home]:
    """Makes visitors of the service's page; nothing may go wrong and no other host may be asked."""

    def make(url: str = f"{str(service.base_url).rstrip('/')}/", **habits: Any) -> Home:
        visitor = new_visitor(url, **habits)
        visitor.wrong = Refusals()
        return Home(visitor, url)

    return make


class Refusals(list[str]):
    """What goes wrong, without the line that a browser writes for every answer of 404 and 422."""

    def append(self, text: str) -> None:
        if not re.search("status of (404|422)", text):
            super().append(text)


def agrees(answer: Locator, said: dict[str, Any]) -> None:
    """What is on screen is what the service says to everybody, to the bit."""
    expect(answer.locator(".prediction")).to_have_attribute("data-value", str(said["prediction"]))
    for name, share in said.get("probabilities", {}).items():
        expect(answer.get_by_label(f"Probability of {name}", exact=True)).to_have_attribute("value", str(share))
    if "prediction_set" in said:
        expect(answer.locator(".set")).to_contain_text(", ".join(said["prediction_set"]["labels"]))
    if "interval" in said:
        expect(answer.locator(".interval")).to_contain_text(f"{said['interval']['low']:,.2f} to ")


@pytest.mark.parametrize("model", list(OTHER))
def test_a_row_gets_the_answer_of_the_service(home: Callable[..., Home], api: Api, model: str) -> None:
    visitor, row = home().open(model), api.example(model)
    for changes, purpose in ({}, "exploring"), (OTHER[model], None):
        visitor.fill(changes)
        row |= changes
        [said] = api.predict(model, row)
        with visitor.page.expect_request(f"**/{model}:predict") as sent:
            answer = visitor.predict()
        agrees(answer, said)
        assert sent.value.headers.get("x-boxwood-purpose") == purpose, "the row that it begins with is no case"
        expect(visitor.page.locator("#answer")).to_contain_text(api.model(model)["version"])
    expect(visitor.page.locator("#answer .stale")).to_have_count(len(said["warnings"]))


@pytest.mark.parametrize("model", list(OTHER))
def test_errors_stand_beside_their_fields_and_warnings_below_answers(home: Callable[..., Home], model: str) -> None:
    visitor = home().open(model)
    expect(visitor.predict().locator(".prediction")).to_be_visible()
    visitor.fill(WRONG[model])
    expect(visitor.page.locator("#answer .stale")).to_contain_text("has changed since")
    [name] = WRONG[model]
    expect(visitor.predict()).to_have_text("Please mend the marked fields.")
    expect(visitor.field(name)).to_be_focused()
    expect(visitor.field(name)).to_have_attribute("aria-invalid", "true")
    expect(visitor.page.locator(".error:not(:empty)")).to_have_count(1)
    if WRONG[model][name] == "":
        expect(visitor.page.locator(f"#f-{name}-error")).to_have_text("This has to be filled in.")
    [other] = FAR[model]
    usual = visitor.field(other).get_attribute("value")
    visitor.fill({name: visitor.field(name).get_attribute("value")})
    expect(visitor.page.locator(".error:not(:empty)")).to_have_count(0)
    visitor.fill(FAR[model])
    answer = visitor.predict()
    if model != "churn":  # whose months have a bound
        expect(answer).to_contain_text("far outside of what training saw")
        expect(answer).not_to_contain_text("have the ")
    visitor.fill({other: usual})
    expect(visitor.predict()).to_contain_text("have the ")


def test_hostile_texts_are_shown_as_they_are(home: Callable[..., Home], service: httpx.Client) -> None:
    visitor = home().open("flights")
    visitor.page.goto(f"{service.base_url}?model={HOSTILE.replace('&', '%26').replace('#', '%23')}")
    expect(visitor.page.get_by_role("alert")).to_contain_text("<script>alert(1)</script>")
    visitor.field("agency").evaluate("(it, text) => it.add(new Option(text, text, true, true))", HOSTILE)
    expect(visitor.predict().locator(".stale")).to_contain_text("<script>")
    assert not visitor.page.locator("#main :is(img, script)").count()


def test_the_chooser_leads_to_each_model(home: Callable[..., Home]) -> None:
    visitor = home().open("flights")
    for name in ("churn", "houses", "flights"):
        visitor.page.get_by_role("navigation", name="Models").get_by_role("link", name=name).click()
        expect(visitor.page.locator("[aria-current=page]")).to_have_text(name)
        expect(visitor.predict().locator(".prediction")).to_be_visible()


def test_the_command_line_asks_the_same(home: Callable[..., Home], service: httpx.Client) -> None:
    visitor = home().open("flights")
    visitor.fill({"cabin": "premium"})
    visitor.page.get_by_text("The same request with curl").click()
    command = visitor.page.locator("#curl")
    expect(command).to_contain_text(f"curl '{service.base_url}/v1/models/flights:predict' -H".replace("//v1", "/v1"))
    expect(command).to_contain_text('"cabin":"premium"')


def test_it_works_below_a_path(home: Callable[..., Home], service: httpx.Client, api: Api, tmp_path: Path) -> None:
    address = str(service.base_url).rstrip("/")
    with proxy(address, PREFIX, tmp_path, says_so=False) as url:
        visitor = home(url).open("churn")
        [said] = api.predict("churn", api.example("churn"))
        agrees(visitor.predict(), said)
        visitor.page.get_by_role("link", name="Model card").click()
        expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
        for path in ("docs", "docs/"):
            visitor.page.goto(f"{url}{path}")
            expect(visitor.page.get_by_text("/v1/models/churn:predict").first).to_be_visible()
            expect(
                visitor.page.get_by_text("are refused").or_(visitor.page.get_by_text("problem details"))
            ).to_be_visible()
        visitor.page.close()


@pytest.mark.parametrize("model", list(OTHER))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(home: Callable[..., Home], model: str, scheme: str) -> None:
    visitor = home(color_scheme=scheme).open(model)
    visitor.page.evaluate(AXE.read_text())
    for _ in states(visitor, model):
        assert serious(visitor.visitor) == set()


def states(visitor: Home, model: str) -> Iterator[None]:
    """Bring everything that the page can show to the screen."""
    yield
    visitor.page.get_by_text("The same request with curl").click()
    expect(visitor.predict().locator(".prediction")).to_be_visible()
    yield
    visitor.fill(WRONG[model])
    yield
    expect(visitor.predict()).to_contain_text("mend")
    yield


@pytest.mark.parametrize("model", list(OTHER))
def test_a_phone_shows_everything_without_scrolling_aside(home: Callable[..., Home], model: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    visitor = home(**phone).open(model)
    for _ in states(visitor, model):
        assert visitor.page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]


def test_the_keyboard_alone_is_enough(home: Callable[..., Home], api: Api) -> None:
    visitor = home().open("flights")
    visitor.field("origin").focus()
    for _ in range(20):
        if visitor.page.evaluate("document.activeElement.tagName") == "BUTTON":
            break
        visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    [said] = api.predict("flights", api.example("flights"))
    agrees(visitor.page.locator("#answer"), said)
    visitor.field("duration_hours").fill("2")
    visitor.page.keyboard.press("Enter")
    [said] = api.predict("flights", api.example("flights") | {"duration_hours": 2})
    agrees(visitor.page.locator("#answer"), said)
