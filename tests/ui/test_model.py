"""Model, the choice of a model, and what the page says while the service is away, in a real browser."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.project import free_port
from tests.ui.pages import page_process
from tests.ui.test_ask import agrees
from tests.ui.visitor import TABS, Api, Visitor, value, values
from tests.ui.wire import Wire
from ui import dependence, texts
from ui.described import Model

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
    bars = shown.locator(".importance tbody tr")
    assert {bar.get_by_role("rowheader").inner_text(): value(bar.locator("[data-value]")) for bar in bars.all()} == {
        api.title(model, name): moved for name, moved in importance.items()
    }
    chain = shown.locator(".chain")
    for link in ("data_sha256", "model", "bento", "mlflow_run_id"):
        expect(chain.locator(f"code[title='{said['lineage'][link]}']")).to_be_visible()
    expect(shown).to_contain_text(said["verdict"]["sentence"])
    beats = said["metrics"]["beats_lookup"]
    standing = "It beats a lookup of group means" if beats else "It does not beat a lookup of group means"
    expect(shown.locator(".standing")).to_contain_text(standing)


@pytest.mark.parametrize("model", ["flights", "churn", "houses"])
def test_the_card_is_shown_with_its_pictures(visitor: Visitor, api: Api, model: str) -> None:
    shown = visitor.open(model).tab("Model")
    shown.get_by_role("button", name="Model card").click()
    page, text = (
        api.client.get(f"/v1/models/{model}/card", headers={"accept": media}).text
        for media in ("text/html", "text/markdown")
    )
    expect(shown.get_by_role("heading", name=text.splitlines()[0].removeprefix("# "))).to_be_visible()
    pictures = shown.locator(".pictures img")
    expect(pictures).to_have_count(page.count("<img"))
    assert all(picture.evaluate("it => it.decode().then(() => it.naturalWidth)") for picture in pictures.all())


def test_the_card_can_be_read_on_a_phone_and_its_tables_scroll_by_keyboard(
    new_visitor: Callable[..., Visitor],
) -> None:
    shown = new_visitor(viewport={"width": 390, "height": 844}).open("flights").tab("Model")
    shown.get_by_role("button", name="Model card").click()
    tables = shown.locator("#card").get_by_role("region")
    expect(tables.first).to_be_visible()
    for cell in shown.locator("#card td").filter(has_text=re.compile(r"\S{4}")).all():
        box = cell.bounding_box()
        assert box is not None
        assert box["width"] > 50, cell.inner_text()  # a letter a line has 20
    columns = tables.filter(has_text="raw header")
    columns.focus()
    shown.page.keyboard.press("ArrowRight")
    shown.page.wait_for_function("it => it.scrollLeft > 0", arg=columns.element_handle())


def test_a_hash_is_short_and_copied_whole(new_visitor: Callable[..., Visitor], api: Api) -> None:
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"]).open("flights")
    digest = api.model("flights")["lineage"]["data_sha256"]
    shown = visitor.tab("Model")
    expect(shown.locator(".chain")).to_contain_text(f"{digest[:12]}…")
    expect(shown.locator(".chain")).not_to_contain_text(digest)
    shown.get_by_role("button", name="Copy table (sha256)").click()
    expect(shown.locator(".copied")).to_have_text("Copied.")
    assert visitor.page.evaluate("navigator.clipboard.readText()") == digest


def test_parts_of_the_test_rows_are_sorted_by_a_heading(visitor: Visitor, api: Api) -> None:
    slices = api.model("churn")["metrics"]["slices"]
    region = visitor.open("churn").tab("Model").get_by_role("region", name="Slices")
    losses = sorted(each["scores"]["log_loss"]["value"] for each in slices)
    figures = region.locator("[data-value]")
    expect(figures).to_have_count(len(losses))
    assert values(figures) == losses[::-1]
    region.get_by_role("button", name="log loss").click()
    expect(region.get_by_role("columnheader", name="log loss")).to_have_attribute("aria-sort", "ascending")
    assert values(figures) == losses
    region.get_by_role("button", name="Rows").press("Enter")
    rows = [int(each.inner_text().replace(",", "")) for each in region.locator("tbody tr td:nth-child(4)").all()]
    assert rows == sorted((each["rows"] for each in slices), reverse=True)


@pytest.mark.parametrize("model", ["flights", "churn", "houses"])
def test_predictions_are_held_against_what_was_true(visitor: Visitor, api: Api, model: str) -> None:
    bins = api.model(model)["metrics"]["reliability"]
    shown = visitor.open(model).tab("Model")
    expect(shown.locator(".reliability .point")).to_have_count(len(bins["rows"]))
    shown.get_by_text("The groups as a table").click()
    table = shown.get_by_role("region", name="Groups by prediction")
    assert values(table.locator("th[data-value]")) == bins["predicted"]
    assert values(table.locator("td[data-value]")) == bins["actual"]


def shows(part: Locator, curve: Mapping[str, Any], place: int, wrong: float = 1, missed: float = 3) -> None:
    """What stands there is what the counts at a place say."""
    tp, fp, tn, fn = counts = [curve[name][place] for name in ("tp", "fp", "tn", "fn")]
    rows = sum(counts)
    expect(part.get_by_label("Threshold", exact=True)).to_have_attribute(
        "aria-valuetext", texts.percent(curve["thresholds"][place])
    )
    assert [value(part.locator(f"[data-of={name}]")) for name in ("tp", "fp", "tn", "fn")] == counts
    shares = {
        "precision": tp / (tp + fp) if tp + fp else None,
        "recall": tp / (tp + fn),
        "accuracy": (tp + tn) / rows,
        "answered": (tp + fp) / rows,
    }
    costs = {"cost": fp * wrong + fn * missed, "cost_of_none": (tp + fn) * missed, "cost_of_all": (tn + fp) * wrong}
    for name, figure in {**shares, **{name: cost / rows for name, cost in costs.items()}}.items():
        shown = part.locator(f"[data-of={name}]")
        if figure is None:
            expect(shown).to_have_text("–")
        else:
            assert value(shown) == pytest.approx(figure)
            assert float(shown.inner_text().removesuffix(" %")) == pytest.approx(
                figure * 100 if name in shares else figure, rel=0.01, abs=0.06
            )


def test_the_threshold_is_moved_and_costs_are_tried(new_visitor: Callable[..., Visitor], api: Api) -> None:
    visitor = new_visitor(viewport={"width": 390, "height": 844}).open("churn")
    decision = api.model("churn")["metrics"]["decision"]
    curve, thresholds = decision["curve"], decision["curve"]["thresholds"]
    own = thresholds.index(decision["threshold"])
    near = min(range(len(thresholds)), key=lambda place: abs(thresholds[place] - 0.61))
    part = visitor.tab("Model").locator(".deciding")
    slider, typed, status = part.get_by_role("slider"), part.get_by_label("Threshold in %"), part.get_by_role("status")
    expect(status).to_have_text("This is the model's threshold.")
    shows(part, curve, own)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    slider.press("ArrowRight")
    shows(part, curve, own + 1)
    expect(typed).to_have_value(f"{100 * thresholds[own + 1]:.4g}")
    expect(status).to_contain_text("at the model's threshold.")
    slider.press("End")
    shows(part, curve, len(thresholds) - 1)
    typed.fill("61")
    shows(part, curve, near)
    typed.blur()
    expect(typed).to_have_value(f"{100 * thresholds[near]:.4g}")
    part.get_by_label("A missed “Yes” costs").fill("9")
    shows(part, curve, near, missed=9)
    expect(part.locator("[data-of=stated]")).to_have_text("10.0 %")
    stated = part.get_by_text("costs: {false_positive: 1, false_negative: 9}")
    expect(stated).to_be_visible()
    for refused in ("0", "-1", ""):
        part.get_by_label("A wrong “Yes” costs").fill(refused)
        expect(part.locator("[data-of=cost]")).to_have_text("–")
        expect(part.locator("[data-of=stated]")).to_be_hidden()
    part.get_by_label("A wrong “Yes” costs").fill("2.5")
    expect(part.locator("[data-of=stated]")).to_be_visible()
    part.get_by_role("button", name="Back to the model's threshold").click()
    shows(part, curve, own, wrong=2.5, missed=9)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") == 390
    assert not asked


@pytest.mark.parametrize("model", ["flights", "churn", "houses"])
def test_the_dependence_on_each_column_is_that_of_the_service(
    visitor: Visitor, api: Api, wire: Wire, model: str
) -> None:
    shown = visitor.open(model).tab("Model")
    with wire.asks() as asked:
        shown.get_by_role("button", name="How it answers over all values").click()
    assert asked[0].purpose == "exploring"
    found = shown.locator(".overall")
    expect(found).to_contain_text("The rows are made up.")
    plan = dependence.plan(Model.model_validate(api.model(model)))
    said = api.predict(model, *plan.rows)
    labels = list(said[0].get("probabilities", ()))
    if len(labels) > 2:
        shown.get_by_label("Class", exact=True).fill(labels[0])
        shown.get_by_label("Class", exact=True).press("Enter")
        expect(found).to_contain_text(f"Probability of {labels[0]}")
    of = None if not labels else labels[0] if len(labels) > 2 else labels[-1]
    curves, pairs = plan.read([each["prediction"] if of is None else each["probabilities"][of] for each in said])
    found.get_by_text("The charts as tables").click()
    for curve in curves:
        table = found.get_by_role("region", name=f"Table of {curve.column.title}", exact=True)
        assert values(table.locator("[data-value]")) == pytest.approx([point.mean for point in curve.points])
    together = found.get_by_role("region", name="Pairs").locator("tr td:nth-child(2)")
    assert values(together) == pytest.approx([pair.size for pair in pairs])


def test_a_simulated_table_is_said_on_every_tab(visitor: Visitor) -> None:
    visitor.open("flights")
    for name in TABS:
        visitor.tab(name)
        expect(visitor.page.get_by_text("Trained on a simulated table: the numbers are an example.")).to_be_visible()
    visitor.open("churn")
    expect(visitor.page.get_by_text("Trained on a simulated table")).to_have_count(0)


def test_the_last_verdict_is_shown_as_the_service_has_it(visitor: Visitor, api: Api) -> None:
    said = api.client.get("/v1/models/flights/watch").json()
    shown = visitor.open("flights").tab("Watch")
    expect(shown.locator(".verdict.alarm")).to_contain_text(said["sentence"])
    for finding in said["findings"]:
        expect(shown.locator(".findings").first).to_contain_text(finding["sentence"].replace("`", ""))
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
