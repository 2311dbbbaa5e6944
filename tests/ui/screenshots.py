"""python -m tests.ui.screenshots URL FOLDER: pictures of a running page, a tab each, for docs/img."""

import contextlib
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Locator, expect

from problems import base
from tests.ui.conftest import CHROMIUM, chromium
from tests.ui.test_changing import number_to_reach
from tests.ui.visitor import Visitor

WIDE = {"width": 1200, "height": 760}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 760}, "has_touch": True, "is_mobile": True}


def main(url: str, folder: str) -> str | None:
    """Take the pictures; returns why there are none."""
    if CHROMIUM is None:
        return "There is no Chromium: make browser-tools"
    try:
        httpx.get(f"{url}/livez").raise_for_status()
    except httpx.HTTPError as error:
        return f"No page answers at {url}: {error}. Start one with `make serve`, in another terminal."
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        with _visitor(browser, url, viewport=WIDE) as visitor:
            _tabs(visitor, target)
        with _visitor(browser, url, viewport=WIDE, color_scheme="dark") as visitor:
            _take(visitor, target / "dark.png", visitor.tab("Why").locator(".waterfall"))
        with _visitor(browser, url, **PHONE) as visitor:
            _take(visitor, target / "phone.png", visitor.tab("What if").locator(".curve"))
    return None


def _tabs(visitor: Visitor, target: Path) -> None:
    page = visitor.page
    _take(visitor, target / "ask.png", visitor.predict())
    _take(visitor, target / "why.png", visitor.tab("Why").locator(".waterfall"))
    _take(visitor, target / "what-if.png", visitor.tab("What if").locator(".curve"))
    visitor.tab("Change")
    offered = number_to_reach(visitor).input_value()
    page.get_by_label("at least").check()
    expect(number_to_reach(visitor)).not_to_have_value(offered)
    page.get_by_role("button", name="Find changes").click()
    _take(visitor, target / "change.png", visitor.shown.locator(".way").first, full=True)
    visitor.tab("Ask")
    page.get_by_role("button", name="Another", exact=True).click()
    visitor.settle()
    _take(visitor, target / "compare.png", visitor.tab("Compare").locator(".waterfall"), full=True)
    visitor.tab("Many")
    page.locator("#upload input[type=file]").set_input_files(
        {"name": "fares.csv", "mimeType": "text/csv", "buffer": _table()}
    )
    page.get_by_role("button", name="Predict all rows").click()
    _take(visitor, target / "many.png", page.locator("#download"), full=True)
    _take(visitor, target / "model.png", visitor.tab("Model").locator(".chain"), full=True)
    _take(visitor, target / "watch.png", visitor.tab("Watch").locator("section.watch"), full=True)


def _table() -> bytes:
    """Some fares, one of them with a mistake."""
    example = base.load("flights").contract.example()
    cabins = ("economic", "premium", "firstClass", "busines")
    rows = [{**example, "cabin": cabin, "duration_hours": hours} for hours in (1.5, 2.5, 3.5) for cabin in cabins[:3]]
    text = io.StringIO()
    table = csv.DictWriter(text, list(example))
    table.writeheader()
    table.writerows([*rows, {**example, "cabin": cabins[-1]}])
    return text.getvalue().encode()


@contextlib.contextmanager
def _visitor(browser: Browser, url: str, **habits: Any) -> Iterator[Visitor]:
    context = browser.new_context(**habits)
    yield Visitor(context, f"{url}/").open()
    context.close()


def _take(visitor: Visitor, path: Path, seen: Locator, *, full: bool = False) -> None:
    """A picture, once something is to be seen; `full`: of all of the page, however long."""
    expect(seen).to_be_visible()
    visitor.settle()
    visitor.page.screenshot(path=path, full_page=full)
    print(f"screenshots: {path}")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
