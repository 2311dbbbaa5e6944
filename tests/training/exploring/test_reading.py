"""The page of `make eda` in a browser: for everybody, in the dark, on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser

from tests.project import ROOT
from tests.training.exploring.test_eda import fares, written
from tests.ui.conftest import chromium
from tests.ui.test_access import _BACKGROUND, _SERIOUS, AXE
from training.exploring import eda

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(params=["flights", "classes", "refused"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pages with numbers, with shares of classes, and with a quarantine and no splits."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    if request.param == "classes":
        size = np.random.default_rng(0).uniform(0, 3, 400)
        animals = pd.DataFrame(
            {"size": size, "breed": np.array(["cat", "dog", "a_rather_long_name_of_a_breed"])[size.astype(int)]}
        )
        return eda.main("animals", written(animals), "breed").resolve().as_uri()
    table = fares() if request.param == "flights" else fares(price="much")
    return eda.main("flights", written(table)).resolve().as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> None:
    context = browser.new_context(color_scheme=scheme)
    shown = context.new_page()
    shown.goto(url)
    shown.evaluate(AXE.read_text())  # and not as a tag, which the page's policy forbids
    assert shown.evaluate(_SERIOUS) == []
    [red, green, blue] = shown.evaluate(_BACKGROUND)
    assert max(red, green, blue) < 60 if scheme == "dark" else min(red, green, blue) > 195
    context.close()


def test_a_phone_scrolls_tables_and_not_the_page(browser: Browser, url: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    shown = context.new_page()
    shown.goto(url)
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
