"""Three classes in a real browser: each of them is explained, and charts speak of the predicted one."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.ui.test_ask import OTHER
from tests.ui.test_why import add_up, effects
from tests.ui.visitor import Api, Visitor, value, values
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser
CLASSES = ("low", "middle", "high")


def logit(explained: Mapping[str, Any]) -> float:
    """What an explanation's parts add up to."""
    return float(explained["base_value"] + math.fsum(explained["contributions"].values()))


def choose(visitor: Visitor, label: str) -> None:
    """Choose the class to explain."""
    chooser = visitor.page.get_by_label("Class to explain")
    chooser.fill(label)
    chooser.press("Enter")


def test_bounds_of_classes_stand_beside_them_with_their_unit(visitor: Visitor, api: Api) -> None:
    bound = [f"{api.model('houses')['classes'][place]['low']:,.0f}" for place in (1, 2)]
    lines = visitor.open("houses").predict().get_by_role("listitem")
    spans = [f"below {bound[0]} TRY", f"from {bound[0]} to {bound[1]} TRY", f"from {bound[1]} TRY on"]
    expect(lines.locator(".value")).to_have_text(spans)


def test_why_explains_the_prediction_and_then_any_class(visitor: Visitor, api: Api) -> None:
    row = api.example("houses") | OTHER["houses"]
    [said] = api.explain("houses", row, classes=["*"])
    visitor.open("houses").fill(OTHER["houses"])
    shown = visitor.tab("Why")
    expect(visitor.page.get_by_label("Class to explain")).to_have_value(said["prediction"])
    for explained in (said | {"label": said["prediction"]}, *said["classes"]):
        label = explained["label"]
        choose(visitor, label)
        no = "" if label == said["prediction"] else "not "
        expect(shown.get_by_role("heading", level=2).first).to_have_text(f"Why the prediction is {no}{label}")
        parts, last = effects(shown)
        add_up(parts, list(explained["contributions"].values()))
        assert last == pytest.approx(logit(explained), rel=1e-9)
        expect(shown.locator(".sentence")).to_contain_text(f"The logit of {label} is ")
        share = f"{100 * said['probabilities'][label]:.1f} %"
        expect(shown.locator(".hint")).to_contain_text(f"makes a probability of {share}")
    visitor.tab("Ask")
    visitor.fill(api.example("houses"))
    [said] = api.explain("houses", api.example("houses"))
    visitor.tab("Why")
    expect(visitor.page.get_by_label("Class to explain")).to_have_value(said["prediction"])


@pytest.mark.parametrize("name", ["district", "area"])
def test_what_if_follows_the_class_that_is_predicted_now(visitor: Visitor, api: Api, wire: Wire, name: str) -> None:
    row = api.example("houses")
    [now] = api.predict("houses", row)
    with wire.asks():
        visitor.open("houses").tab("What if")
    with wire.asks() as views:
        chooser = visitor.page.get_by_label("Column to vary")
        chooser.fill(name)
        chooser.press("Enter")
        expect(visitor.shown.locator("caption, figcaption").first).to_contain_text(f" {name}")
    [view] = views
    caption = visitor.shown.locator("caption, figcaption").first
    expect(caption).to_contain_text(f"Probability of {now['prediction']}, which is the prediction now")
    shares = [said["probabilities"][now["prediction"]] for said in view.said["predictions"]]
    table = visitor.shown.locator(".curve ~ details" if name == "area" else ".bars")
    assert values(table.locator("tbody td[data-value]")) == shares
    assert value(table.locator("tr.now td[data-value]")) == now["probabilities"][now["prediction"]]


def test_compare_follows_the_second_rows_class_through_both(visitor: Visitor, api: Api) -> None:
    first, second = api.example("houses"), api.example("houses") | OTHER["houses"]
    visitor.open("houses").fill(OTHER["houses"])
    shown = visitor.tab("Compare")
    expect(shown.locator(".differs")).to_have_count(len(OTHER["houses"]))
    label = api.predict("houses", second)[0]["prediction"]
    assert label != api.predict("houses", first)[0]["prediction"]
    before, after = (said["classes"][0] for said in api.explain("houses", first, second, classes=[label]))
    parts, last = effects(shown)
    moves = [after["contributions"][name] - before["contributions"][name] for name in first]
    add_up(parts, [move for move in moves if move])
    assert last == pytest.approx(logit(after), rel=1e-9)
    expect(shown.locator(".waterfall caption")).to_contain_text(f"Logit of {label}")


def test_the_model_shows_which_classes_it_takes_for_which(visitor: Visitor, api: Api) -> None:
    metrics = api.model("houses")["metrics"]
    shown = visitor.open("houses").tab("Model")
    lines = shown.get_by_role("region", name="Confusion matrix").locator("tbody tr")
    expect(lines).to_have_count(len(CLASSES))
    counts = [[int(cell) for cell in line.locator("td").all_inner_texts()] for line in lines.all()]
    report, sets = metrics["classes"], metrics["sets"]
    assert counts == report["confusion"]
    macro_f1 = metrics["scores"]["model"]["macro_f1"]
    calibrated = report["after"]["ece"]["value"]
    said = [sets["covered"]["value"], sets["mean_size"], calibrated, report["accuracy"]["value"], macro_f1["value"]]
    assert values(shown.locator("p [data-value]")) == said
