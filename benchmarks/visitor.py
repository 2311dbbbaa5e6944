"""A visitor of the demo page in a browser, timed by a script in the page."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.options import PAGE_PORT

PROGRAM = "chromium"
_VARIED = "Class of travel"
"""The field whose choices are selected in turn; fares depend on it."""
_LONGEST, _LONGEST_TABLE = 60, 1_800
"""The timeouts in seconds of one answer, and of a large table that is explained on a busy machine."""
_CLOCK = """
// what is in the document stands on the screen once the frame is over that follows
const painted = () => new Promise(resolve => requestAnimationFrame(() => {
  const after = new MessageChannel();
  after.port1.onmessage = () => resolve(performance.now());
  after.port2.postMessage(null);
}));
const until = (holds, seconds, what) => new Promise((resolve, reject) => {
  const observer = new MutationObserver(() => holds() && (observer.disconnect(), resolve()));
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(() => reject(new Error(`no ${what} within ${seconds} s`)), 1000 * seconds);
}).then(painted);
const usable = () => {
  const button = document.querySelector('#predict'), field = document.querySelector('#form :is(input, select)');
  return [button, field].every(one => one !== null && !one.disabled && one.offsetParent !== null);
};
window.usable = until(usable, 60, 'form');
window.expectAnswer = ([button, answer, seconds]) => {
  const values = () => [...document.querySelectorAll(`${answer} [data-value]`)].map(one => one.dataset.value).join();
  const before = values();
  let clicked;
  const note = event => { clicked = event.timeStamp; };
  document.querySelector(button).addEventListener('click', note, {once: true, capture: true});
  window.waiting = true;
  window.answer = until(() => values() && values() !== before, seconds, `new ${answer}`)
    .then(now => now - clicked).finally(() => { window.waiting = false; });
};
"""


class Visit(NamedTuple):
    """A visit with an empty cache, in seconds after the page was requested."""

    paint: float
    """The first contentful paint."""
    usable: float
    """The form is painted, and its button is enabled."""


class Visitor:
    """A window of the browser in which the page is open."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._clicks = 0
        page.add_init_script(_CLOCK)
        page.goto(f"http://127.0.0.1:{PAGE_PORT}/")
        usable = page.evaluate("window.usable")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        self.visit = Visit(paint / 1e3, usable / 1e3)

    def predict(self) -> float:
        """Change a value and click on Predict; returns the seconds from the click until the new answer is painted."""
        choices = self._page.locator(".field").filter(has_text=_VARIED).get_by_role("radio").all()
        choices[self._clicks % len(choices)].check()
        self._clicks += 1
        self._click("#predict", ".answer", _LONGEST)
        return self.answered()

    def upload(self, table: Path, *, reasons: bool) -> float:
        """Upload a table under Many; returns the seconds until its button is enabled."""
        self._page.get_by_role("tab", name="Many").click()
        self._page.get_by_label("With reasons").set_checked(reasons)
        started = time.perf_counter()
        self._page.locator("#upload input[type=file]").set_input_files(table)
        self._page.wait_for_function("!document.querySelector('#predict-all').disabled")
        return time.perf_counter() - started

    def predict_all(self) -> None:
        """Click on the button below the table, without waiting for the answer."""
        self._click("#predict-all", ".preview", _LONGEST_TABLE)

    @property
    def waits(self) -> bool:
        """Whether the answer to the last click is still missing."""
        return bool(self._page.evaluate("window.waiting"))

    def answered(self) -> float:
        """Wait for the answer; returns the seconds from the click until it was painted."""
        return float(self._page.evaluate("window.answer")) / 1e3

    def text(self, selector: str) -> str:
        """The text of an element."""
        return self._page.locator(selector).inner_text()

    def pause(self, seconds: float) -> None:
        """Wait for so many seconds."""
        self._page.wait_for_timeout(1e3 * seconds)

    def _click(self, button: str, answer: str, seconds: int) -> None:
        self._page.evaluate("window.expectAnswer", [button, answer, seconds])
        self._page.locator(button).click()


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # there is none for root
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which(PROGRAM), args=arguments)
        yield started
        started.close()


@contextmanager
def visitor(chromium: Browser) -> Iterator[Visitor]:
    """The page in a context of its own, with an empty cache."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    yield Visitor(context.new_page())
    context.close()
