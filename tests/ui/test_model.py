"""Model, the choice of a model, and what the page says while the service is away, in a real browser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.project import free_port
from tests.ui.pages import page_process
from tests.ui.test_ask import agrees
from tests.ui.visitor import Api, Visitor, value, values
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("model", ["flights", "churn", "houses"])
def test_a_model_is_described_as_the_service_does(visitor: Visitor, api: Api, model: str) -> None:
    said = api.model(model)
    shown = visitor.open(model).tab("Model")
    for name, figures in said["metrics"]["scores"].items():
        line = (
            shown.get_by_role("region", name="Metrics")
            .get_by_role("row")
            .filter(has=visitor.page.get_by_role("rowheader", name=name, exact=True))
        )
        scores = [figure for figure in figures.values() if isinstance(figure, dict)]
        expect(line.locator("[data-value]")).to_have_count(len(scores))
        assert [value(each) for each in line.locator("[data-value]").all()] == [score["value"] for score in scores]
    importance = said["metrics"]["importance"]["columns"]
    bars = shown.locator(".bars tbody tr")
    assert {bar.get_by_role("rowheader").inner_text(): value(bar.locator("[data-value]")) for bar in bars.all()} == {
        name.replace("_", " "): moved for name, moved in importance.items()
    }
    chain = shown.locator(".chain")
    for link in ("data_sha256", "model", "bento", "mlflow_run_id"):
        expect(chain).to_contain_text(str(said["lineage"][link]))
    expect(shown).to_contain_text(said["verdict"]["sentence"])
    card = shown.get_by_role("button", name="Model card")
    card.click()
    title = api.client.get(f"/v1/models/{model}/card", headers={"accept": "text/markdown"}).text.splitlines()[0]
    expect(shown.get_by_role("heading", name=title.removeprefix("# "))).to_be_visible()


def test_the_last_verdict_is_shown_as_the_service_has_it(visitor: Visitor, api: Api) -> None:
    said = api.client.get("/v1/models/flights/watch").json()
    shown = visitor.open("flights").tab("Watch")
    expect(shown.locator(".verdict.alarm")).to_contain_text(said["sentence"])
    for finding in said["findings"]:
        expect(shown.locator(".findings")).to_contain_text(finding["sentence"])
    expect(shown.locator(".traffic .day")).to_have_count(len(said["days"]))
    bars = shown.locator(".bars .effect")
    assert values(bars) == [column["psi"] for column in said["columns"]]
    [measure] = said["performance"]
    figures = shown.get_by_role("region", name="Performance").locator("[data-value]")
    assert values(figures) == [measure[of]["value"] for of in ("before", "estimated", "true")]


def test_a_visitor_chooses_among_models(visitor: Visitor, api: Api) -> None:
    visitor.open("churn")
    expect(visitor.page.get_by_role("radio", name="churn")).to_be_checked()
    visitor.page.get_by_role("radio", name="flights").check()
    expect(visitor.field("origin")).to_be_visible()
    expect(visitor.field("tenure")).to_have_count(0)
    [said] = api.predict("flights", api.example("flights"))
    agrees(visitor.predict(), said, api.model("flights")["version"])
    visitor.page.get_by_role("radio", name="churn").check()
    expect(visitor.field("tenure")).to_be_visible()
    [said] = api.predict("churn", api.example("churn"))
    agrees(visitor.predict(), said, api.model("churn")["version"])


def test_a_service_that_is_away_gets_a_sentence(
    new_visitor: Callable[..., Visitor], wire: Wire, api: Api, tmp_path: Path
) -> None:
    port = free_port()
    with page_process(f"http://127.0.0.1:{port}", tmp_path) as url:
        visitor = new_visitor(f"{url}/")
        visitor.page.goto(f"{url}/?model=churn")
        away = "The service does not answer just now."
        by_itself = f"{away} This page asks again every 5 seconds."
        expect(visitor.page.get_by_role("alert")).to_have_text(by_itself)
        again = visitor.page.get_by_role("button", name="Try again")
        for _ in range(5):  # as impatient people do
            again.click()
        expect(visitor.page.get_by_role("alert")).to_have_text(by_itself)
        with wire.listening(port):  # without a click
            [said] = api.predict("churn", api.example("churn"))
            agrees(visitor.predict(), said, api.model("churn")["version"])
        for name in ("Why", "What if", "Compare", "Watch", "Model"):
            expect(visitor.tab(name).get_by_role("alert")).to_have_text(away)
        visitor.tab("Ask")
        visitor.predict_button.click()
        expect(visitor.shown.get_by_role("alert").filter(visible=True)).to_have_text(by_itself)
        with wire.listening(port):  # without a click
            agrees(visitor.answer, said, api.model("churn")["version"])
            expect(visitor.shown.get_by_role("alert").filter(visible=True)).to_have_count(0)
        visitor.leave()
