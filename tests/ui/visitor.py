"""Somebody who looks at the page with a browser."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request, expect

TABS = ("Ask", "Why", "What if", "Change", "Compare", "Many", "Watch", "Model")


@contextlib.contextmanager
def visitors(browser: Browser, **usual: Any) -> Iterator[Callable[..., "Visitor"]]:
    """Makes visitors of an address with a browser of their own each; nothing may go wrong in any.

    Args:
        browser: of all of them.
        usual: what their contexts are made with, unless they say otherwise.
    """
    contexts: list[BrowserContext] = []
    made: list[Visitor] = []

    def make(url: str, **habits: Any) -> Visitor:
        contexts.append(browser.new_context(**{**usual, **habits}))
        made.append(Visitor(contexts[-1], url))
        return made[-1]

    yield make
    for context in contexts:
        context.close()
    assert not [wrong for visitor in made for wrong in visitor.wrong]


class Visitor:
    """A fresh browser window, and what a person does in it.

    Attributes:
        page: Playwright's.
        wrong: what must not happen on any page: errors in the console, dialogs, and requests to where
            the page is not.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.wrong: list[str] = []
        self._url = url
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._watched)
        self.page.on("dialog", self._asked)

    def open(self, model: str = "flights") -> "Visitor":
        """Open the page at a model, and wait for its form."""
        self.page.goto(f"{self._url}?model={model}")
        expect(self.page.get_by_text(re.compile(f"Model {model}, version"))).to_be_visible()
        expect(self.predict_button).to_be_enabled()
        return self

    def leave(self) -> None:
        """Close the browser, before the page ends."""
        self.page.context.close()

    @property
    def predict_button(self) -> Locator:
        return self.page.get_by_role("button", name="Predict", exact=True)

    @property
    def answer(self) -> Locator:
        """What was predicted last, under Ask."""
        return self.page.locator(".answer")

    @property
    def shown(self) -> Locator:
        """The tab that is open."""
        return self.page.get_by_role("tabpanel").filter(visible=True)

    def tab(self, name: str) -> Locator:
        """Open a tab."""
        self.page.get_by_role("tab", name=name, exact=True).click()
        expect(self.page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
        return self.shown

    def settle(self) -> None:
        """Wait until nothing fades any more."""
        expect(self.page.locator(".pending")).to_have_count(0)
        self.page.wait_for_function("document.getAnimations().every(it => !(it instanceof CSSTransition))")

    def field(self, name: str) -> Locator:
        """The place of a column in the form."""
        return self.page.locator(f".field[data-column={name}]")

    def fill(self, row: Mapping[str, Any]) -> None:
        """Fill fields as their widgets want it."""
        for name, value in row.items():
            field = self.field(name)
            expect(field).to_have_count(1)
            if field.locator("select").count():
                self._choose(field, str(value))
            elif field.get_by_role("radio").count():
                field.get_by_role("radio", name=str(value), exact=True).check()
            elif field.get_by_role("checkbox").count():
                field.get_by_role("checkbox").set_checked(value)
            else:
                entry = field.locator("input")
                entry.fill("" if value is None else str(value))
                entry.blur()

    def _choose(self, field: Locator, value: str) -> None:
        """Choose from a list, or type what is not in it."""
        known = field.locator("option:not([data-other])").evaluate_all("all => all.map(one => one.value)")
        if value in known:
            field.locator("select").select_option(value)
            return
        field.locator("select").select_option(label="Another name …")
        field.locator(".other").fill(value)
        field.locator(".other").blur()

    def go(self, address: str) -> "Visitor":
        """Open another address of the page, as it is."""
        self.page.goto(address)
        return self

    def predict(self) -> Locator:
        """Press Predict; the answer that stands there already may be the one before."""
        self.predict_button.click()
        return self.answer

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.wrong.append(f"console: {message.text} {message.location}")

    def _asked(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _watched(self, request: Request) -> None:
        asked, page = urlsplit(request.url), urlsplit(self._url)
        if asked.scheme in ("http", "https", "ws") and (
            asked.netloc != page.netloc or not asked.path.startswith(page.path)
        ):
            self.wrong.append(f"request: {request.url}")


def value(locator: Locator) -> float:
    """The exact number that an element shows."""
    return float(locator.get_attribute("data-value") or "nan")


def values(locator: Locator) -> list[float]:
    """The same of many elements."""
    return [value(element) for element in locator.all()]


class Api:
    """What the service answers to everybody else."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def model(self, name: str) -> Any:
        return self.client.get(f"/v1/models/{name}").json()

    def title(self, name: str, column: str) -> str:
        """What people call a column of a model."""
        [found] = [each for each in self.model(name)["contract"] if each["name"] == column]
        return str(found.get("title", column.replace("_", " ")))

    def example(self, name: str) -> dict[str, Any]:
        """The contract's example."""
        columns = self.model(name)["contract"]
        return {column["name"]: column["example"] for column in columns if column["role"] in ("feature", "time")}

    def predict(self, name: str, *rows: Mapping[str, Any]) -> list[Any]:
        return self._ask(name, "predict", rows)["predictions"]  # type: ignore[no-any-return]

    def explain(self, name: str, *rows: Mapping[str, Any], classes: Sequence[str] = ()) -> list[Any]:
        return self._ask(name, "explain", rows, classes=classes)["explanations"]  # type: ignore[no-any-return]

    def _ask(self, name: str, verb: str, rows: tuple[Mapping[str, Any], ...], **wanted: Any) -> Any:
        answer = self.client.post(f"/v1/models/{name}:{verb}", json={"instances": rows, **wanted})
        assert answer.status_code == 200, answer.text
        return answer.json()
