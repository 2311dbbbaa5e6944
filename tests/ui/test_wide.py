"""Sixty columns, a slow line and an outage: the button stays in sight, and the page comes, and comes back."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest
import yaml
from playwright.sync_api import Route, expect

from tests.project import Project, free_port
from tests.ui.pages import page_process
from tests.ui.visitor import Api, Visitor
from tests.ui.wire import Wire
from training.__main__ import STAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ROWS, CITIES, KINDS, READINGS = 1_200, 85, 15, 43
BYTES = 600_000
"""What comes in three seconds on a line of 200 kB/s."""


def write_table(path: Path) -> None:
    """Write sixty columns, of which the last two say most about the price."""
    chance = random.Random(4)  # noqa: S311 no secret
    rows = []
    for _ in range(ROWS):
        row: dict[str, object] = {f"reading_{place}": round(chance.gauss(100, 20), 2) for place in range(READINGS)}
        row |= {f"kind_{place}": chance.choice("abcd") for place in range(KINDS)}
        city, rooms = chance.randrange(CITIES), chance.randint(1, 9)
        price = 4 * city + 40 * rooms + chance.gauss(0, 20)
        rows.append(row | {"city": f"City {city:02}", "rooms": rooms, "price": round(price)})
    pd.DataFrame(rows).to_csv(path, index=False)


@pytest.fixture(scope="module")
def wide(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service of a drafted problem of sixty columns."""
    folder = tmp_path_factory.mktemp("wide")
    project = Project(trained.copy(folder / "project").folder, own_code=True)
    write_table(project.folder / "wide.csv")
    project.training("draft wide --data=wide.csv --target=price")
    params = project.folder / "params.yaml"
    document = yaml.safe_load(params.read_text())
    short = {"train": {"rounds": 60, "booster": {"num_threads": 1}}, "evaluate": {"resamples": 50, "folds": 0}}
    params.write_text(yaml.safe_dump(document | {"wide": short}))
    project.stages("source --data wide.csv", *STAGES, problem="wide")
    bento = project.build("--arg", f"models={project.receipt(problem='wide')['tag']}")
    with project.serve(bento, folder / "service") as client:
        yield client


@pytest.fixture(scope="module")
def wide_url(wide: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where its page is."""
    with page_process(str(wide.base_url).rstrip("/"), tmp_path_factory.mktemp("page")) as url:
        yield f"{url}/"


def test_the_button_stays_in_sight_and_what_matters_comes_first(
    new_visitor: Callable[..., Visitor], wide: httpx.Client, wide_url: str
) -> None:
    importance = Api(wide).model("wide")["metrics"]["importance"]["columns"]
    for size in ({"width": 1200, "height": 700}, {"width": 360, "height": 740}):
        visitor = new_visitor(wide_url, viewport=size).open("wide")
        columns = visitor.page.locator("[data-column]")
        expect(columns).to_have_count(60)
        assert columns.first.get_attribute("data-column") == max(importance, key=lambda name: importance[name])
        expect(columns.filter(visible=True)).to_have_count(12)
        expect(visitor.field("city").locator("option[value]:checked")).to_have_text(Api(wide).example("wide")["city"])
        visitor.page.get_by_text("48 more fields").click()
        columns.last.scroll_into_view_if_needed()
        expect(visitor.predict_button).to_be_in_viewport(ratio=1)
        visitor.predict_button.click()
        expect(visitor.answer.locator(".prediction")).to_be_in_viewport()


def test_what_is_wrong_in_a_folded_field_unfolds_it(new_visitor: Callable[..., Visitor], wide_url: str) -> None:
    visitor = new_visitor(wide_url).open("wide")
    folded = visitor.page.locator(".more [data-column^=reading] input").last
    visitor.page.get_by_text("48 more fields").click()
    folded.fill("far")
    visitor.page.get_by_text("48 more fields").click()
    expect(folded).to_be_hidden()
    visitor.predict_button.click()
    expect(folded).to_be_focused()
    expect(visitor.page.locator(".field-error").filter(visible=True)).to_have_text("'far' is not a number")


def test_a_slow_line_shows_a_sentence_at_once_and_brings_little(
    new_visitor: Callable[..., Visitor], wide_url: str
) -> None:
    visitor = new_visitor(wide_url)
    held: list[Route] = []
    may_go: list[bool] = []
    visitor.page.route("**/assets/*.js", lambda route: route.continue_() if may_go else held.append(route))
    visitor.page.goto(wide_url, wait_until="commit")
    expect(visitor.page.get_by_text("loading the form")).to_be_visible()
    may_go.append(True)
    for route in held:
        route.continue_()
    expect(visitor.predict_button).to_be_visible()
    expect(visitor.page.get_by_text("loading the form")).to_be_hidden()
    other = new_visitor(wide_url)
    came: list[float] = []
    network = other.page.context.new_cdp_session(other.page)
    network.on("Network.loadingFinished", lambda event: came.append(event["encodedDataLength"]))
    network.send("Network.enable")
    other.open("wide")
    assert 0 < sum(came) < BYTES


def test_a_page_that_was_away_comes_back_with_its_row(
    new_visitor: Callable[..., Visitor], wide: httpx.Client, tmp_path: Path
) -> None:
    with Wire(str(wide.base_url).rstrip("/")).listening(free_port()) as api:
        port = free_port()
        with page_process(api, tmp_path, port=port) as url:
            visitor = new_visitor(f"{url}/").open("wide")
            visitor.fill({"rooms": 7})
            expect(visitor.predict()).to_be_visible()
            shown = visitor.answer.locator(".prediction").inner_text()
        visitor.predict_button.click()
        with page_process(api, tmp_path, port=port):  # and nobody reloads it
            visitor.page.wait_for_event("load", timeout=60_000)
            expect(visitor.field("rooms").locator("input")).to_have_value("7")
            expect(visitor.answer.locator(".prediction")).to_have_text(shown, use_inner_text=True)
            visitor.wrong.clear()  # the browser says in its console that the page was away
            visitor.leave()
