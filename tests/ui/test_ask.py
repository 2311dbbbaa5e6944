"""Ask: the form, the prediction, and errors below their fields, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.visitor import Api, Visitor, value
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser
OTHER: dict[str, dict[str, Any]] = {
    "flights": {
        "origin": "Brasilia (DF)",
        "destination": "Florianopolis (SC)",
        "cabin": "firstClass",
        "agency": "Rainbow",
        "duration_hours": 1.26,
        "distance_km": 500.5,
        "date": "2022-02-28",
    },
    "churn": {
        "gender": "Male",
        "partner": False,
        "tenure": 61,
        "internet": "DSL",
        "contract": "Two year",
        "payment": "Mailed check",
        "monthly_charges": 19.85,
        "total_charges": 1200.5,
    },
    "houses": {"district": "Bebek", "area": 120.5, "rooms": 5, "wlan": True},
}
"""Values for widgets of every kind."""
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}'"&"""


def agrees(answer: Locator, said: dict[str, Any], version: str) -> None:
    """What is on screen is what the service says, to the bit."""
    shown = answer.locator(".prediction [data-value]")
    expect(shown).to_have_attribute("data-value", str(said["prediction"]))
    if "interval" in said:
        low, high = answer.locator(".interval [data-value]").all()
        assert (value(low), value(high)) == (said["interval"]["low"], said["interval"]["high"])
        promised = f"{100 * said['interval']['coverage']:g} %" in answer.locator(".interval").inner_text()
        assert promised == (not said["warnings"])
    for name, share in said.get("probabilities", {}).items():
        line = answer.get_by_role("listitem").filter(has=answer.page.get_by_text(name, exact=True))
        expect(line.locator("[data-value]")).to_have_attribute("data-value", str(share))
    if "probabilities" in said:
        of_two = len(said["probabilities"]) == 2
        share = list(said["probabilities"].values())[-1] if of_two else said["probabilities"][said["prediction"]]
        expect(answer.locator(".prediction")).to_contain_text(f"{100 * share:.1f} %")
    if "prediction_set" in said:
        labels = " or ".join(", ".join(said["prediction_set"]["labels"]).rsplit(", ", 1))
        expect(answer.locator(".set")).to_have_text(f"Prediction set: {labels}, with 90 % coverage")
    expect(answer).to_contain_text(version)
    expect(answer).to_contain_text(" ms")


@pytest.mark.parametrize("model", list(OTHER))
def test_a_filled_form_gets_the_answer_of_the_service(visitor: Visitor, api: Api, model: str) -> None:
    row = api.example(model)
    visitor.open(model)
    for changes in ({}, OTHER[model]):
        visitor.fill(changes)
        row |= changes
        [said] = api.predict(model, row)
        agrees(visitor.predict(), said, api.model(model)["version"])


def test_a_choice_is_made_by_finger(new_visitor: Callable[..., Visitor], api: Api) -> None:
    visitor = new_visitor(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740}).open("flights")
    visitor.field("cabin").get_by_role("radio", name="premium").tap()
    visitor.field("origin").locator("select").select_option("Natal (RN)")  # the phone's own list
    visitor.predict_button.tap()
    [said] = api.predict("flights", api.example("flights") | {"origin": "Natal (RN)", "cabin": "premium"})
    agrees(visitor.answer, said, api.model("flights")["version"])


def test_numbers_are_sent_as_they_were_typed(visitor: Visitor, api: Api) -> None:
    visitor.open("flights")
    duration = visitor.field("duration_hours")
    expect(duration.locator(".field-help")).to_contain_text("n training mostly")
    for typed, wrong in (
        ("-5", "-5 is below the minimum of 0 h"),
        ("", "A value is needed."),
        ("1,200", "'1,200' is not a number"),
    ):
        visitor.fill({"duration_hours": typed})
        visitor.predict_button.click()
        expect(duration.get_by_role("alert")).to_have_text(wrong)
        expect(duration.locator("input")).to_have_value(typed)
        expect(duration.locator("input")).to_have_attribute("aria-invalid", "true")
        expect(duration.locator("input")).to_be_focused()
        expect(visitor.shown.locator(".problem")).to_contain_text("at these fields: duration hours")
    duration.locator("input").fill("1.76")
    duration.locator("input").press("Enter")
    [said] = api.predict("flights", api.example("flights") | {"duration_hours": 1.76})
    agrees(visitor.answer, said, api.model("flights")["version"])
    expect(duration.locator("input")).not_to_have_attribute("aria-invalid", "true")


def test_an_answer_to_a_form_that_has_changed_since_is_marked_at_once(visitor: Visitor, wire: Wire) -> None:
    visitor.open("churn").predict()
    note = visitor.page.get_by_role("status").filter(has_text="The form has changed since: press Predict.")
    expect(visitor.answer).to_be_visible()
    expect(note).to_have_count(0)
    tenure = visitor.field("tenure").locator("input")
    tenure.fill("57")
    expect(note).to_be_visible()
    assert visitor.answer.evaluate("it => getComputedStyle(it).opacity < 1")
    for name in ("Why", "What if", "Compare"):
        expect(visitor.tab(name).locator(".reads, .hint").first).to_contain_text("under Ask")
    visitor.tab("Ask")
    tenure.fill("5")  # as it was
    expect(note).to_have_count(0)
    tenure.fill("57")
    with wire.asks() as asked:
        visitor.predict_button.click()
    assert asked[0].purpose is None, "a form that was filled in is a case"
    expect(note).to_have_count(0)
    assert visitor.answer.evaluate("it => getComputedStyle(it).opacity") == "1"


@pytest.mark.parametrize("model", list(OTHER))
def test_examples_work_at_one_click(visitor: Visitor, wire: Wire, model: str) -> None:
    visitor.open(model)
    seen = []
    for name in ("Another", "A third one", "Example"):
        with wire.asks() as asked:
            visitor.page.get_by_role("button", name=name, exact=True).click()
        agrees(visitor.answer, asked[0].said["predictions"][0], asked[0].said["model_version"])
        with wire.asks() as again:  # the form shows that row
            visitor.predict()
        assert again[0].rows == asked[0].rows
        assert again[0].purpose == asked[0].purpose == "exploring", "an example is no case"
        seen.append(str(asked[0].rows))
    assert len(set(seen)) == 3


def test_errors_stand_below_their_fields_until_they_are_mended(visitor: Visitor, api: Api) -> None:
    visitor.open("churn")
    [said] = api.predict("churn", api.example("churn"))
    agrees(visitor.predict(), said, said_version := api.model("churn")["version"])
    visitor.fill({"tenure": None})
    visitor.predict_button.click()
    error = visitor.page.locator(".field-error").filter(visible=True)
    expect(error).to_have_count(1)
    expect(visitor.field("tenure").get_by_role("alert")).to_have_text("A value is needed.")
    expect(visitor.answer).to_have_count(0)
    visitor.fill({"tenure": -1, "monthly_charges": -2})
    visitor.predict_button.click()
    expect(error).to_have_count(2)
    expect(visitor.field("monthly_charges").get_by_role("alert")).to_be_visible()
    visitor.fill({"tenure": 5, "monthly_charges": 74.4, "total_charges": None})
    [said] = api.predict("churn", api.example("churn") | {"total_charges": None})
    agrees(visitor.predict(), said, said_version)
    expect(error).to_have_count(0)
    expect(visitor.page.get_by_role("alert")).to_have_count(0)


def test_what_training_never_saw_gets_a_warning_or_the_names_that_it_saw(visitor: Visitor, api: Api) -> None:
    visitor.open("flights")
    visitor.fill({"agency": "CloudFi", "distance_km": 19_000})
    [said] = api.predict("flights", api.example("flights") | {"agency": "CloudFi", "distance_km": 19_000})
    agrees(visitor.predict(), said, api.model("flights")["version"])
    assert len(said["warnings"]) == 2
    warnings = [warning.replace("distance_km:", "distance km:") for warning in said["warnings"]]
    expect(visitor.answer.get_by_role("status")).to_have_text(warnings)
    expect(visitor.tab("Why").get_by_role("note")).to_have_text(warnings)
    visitor.tab("Ask")
    visitor.fill({"agency": "CloudFy", "distance_km": 675.15, "date": None})
    visitor.predict_button.click()
    expect(visitor.field("date").get_by_role("alert")).to_be_visible()
    visitor.fill({"date": "2023-05-12"})
    [said] = api.predict("flights", api.example("flights"))
    agrees(visitor.predict(), said, api.model("flights")["version"])
    expect(visitor.answer.get_by_role("status")).to_have_count(0)


def test_hostile_texts_are_shown_as_they_are(visitor: Visitor, api: Api) -> None:
    visitor.open("flights")
    visitor.fill({"agency": HOSTILE})
    [said] = api.predict("flights", api.example("flights") | {"agency": HOSTILE})
    agrees(visitor.predict(), said, api.model("flights")["version"])
    expect(visitor.answer.get_by_role("status")).to_have_text(said["warnings"])
    expect(visitor.tab("Why").locator(".why")).to_contain_text(HOSTILE)
    expect(visitor.tab("Compare").get_by_role("row").filter(has_text="agency").first).to_contain_text(HOSTILE)
    visitor.tab("What if")
    visitor.page.get_by_label("Column to vary").fill("agency")
    visitor.page.keyboard.press("Enter")
    expect(visitor.shown.locator("tr.now")).to_contain_text(HOSTILE)
    assert not visitor.page.locator("[role=tabpanel] section img, [role=tabpanel] section script").count()
