"""Why, What if and Compare in a real browser: each number is the service's."""

import math
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.test_ask import OTHER
from tests.ui.visitor import Api, Visitor, value, values
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser
MODELS = pytest.mark.parametrize("model", ["flights", "churn"])
VARIED = {"flights": ("cabin", "agency", "duration_hours", "date"), "churn": ("contract", "partner", "total_charges")}
CURVED = {"duration_hours", "date", "total_charges"}


def scored(said: dict[str, Any], score: float) -> float:
    """What a score in the space of an explanation is on screen."""
    return score if said["space"] == "value" else 1 / (1 + math.exp(-score))


def predicted(said: dict[str, Any]) -> float:
    """What the page shows of an answer in charts: the number, or the probability of the last class."""
    return float(list(said["probabilities"].values())[-1] if "probabilities" in said else said["prediction"])


def effects(shown: Locator) -> tuple[list[float], float]:
    """The parts in a waterfall, and where it ends."""
    found = values(shown.locator(".waterfall tbody tr .effect[data-value]"))
    return found[:-1], found[-1]


def add_up(parts: list[float], contributions: list[float]) -> None:
    """The greatest parts are shown as they are, all others as their sum."""
    contributions = sorted(contributions, key=abs, reverse=True)
    if len(parts) == len(contributions):
        assert parts == contributions
    else:
        assert parts[:-1] == contributions[: len(parts) - 1]
        assert parts[-1] == pytest.approx(math.fsum(contributions[len(parts) - 1 :]), abs=1e-9)


@MODELS
def test_why_shows_what_the_service_explains(visitor: Visitor, api: Api, model: str) -> None:
    visitor.open(model)
    row = api.example(model)
    for changes in ({}, OTHER[model]):
        visitor.tab("Ask")
        visitor.fill(changes)
        row |= changes
        [said], [answer] = api.explain(model, row), api.predict(model, row)
        shown = visitor.tab("Why")
        end = scored(said, said["base_value"] + math.fsum(said["contributions"].values()))
        expect(shown.get_by_role("row", name="This row")).to_contain_text(text_of(end, said))
        parts, last = effects(shown)
        add_up(parts, list(said["contributions"].values()))
        assert last == pytest.approx(predicted(answer), rel=1e-9)
        greatest = sorted(said["contributions"], key=lambda name: -abs(said["contributions"][name]))[:3]
        sentence = shown.locator(".sentence").inner_text()
        assert text_of(end, said) in sentence
        for name in greatest:
            assert api.title(model, name) in sentence


def text_of(shown: float, said: dict[str, Any]) -> str:
    return f"{shown:,.2f}" if said["space"] == "value" else f"{100 * shown:.1f} %"


@MODELS
def test_what_if_varies_a_column_in_one_request(visitor: Visitor, api: Api, wire: Wire, model: str) -> None:
    visitor.open(model)
    row = api.example(model)
    with wire.asks():
        visitor.tab("What if")
    asked = len(wire.asked)
    for name in VARIED[model]:
        with wire.asks() as views:
            chooser = visitor.page.get_by_label("Column to vary")
            chooser.fill(api.title(model, name))
            chooser.press("Enter")
        [view] = views
        assert all(each | {name: row[name]} == row for each in view.rows)
        said = api.predict(model, *view.rows)
        expect(visitor.shown.locator("caption, figcaption").first).to_contain_text(api.title(model, name))
        table = visitor.shown.locator(".curve ~ details" if name in CURVED else ".bars")
        answered = list(zip(view.rows, map(predicted, said), strict=True))
        assert values(table.locator("tbody td[data-value]")) == [
            answer for each, answer in answered if name not in CURVED or each[name] is not None
        ]
        [now] = [answer for each, answer in answered if each == row]
        assert value(table.locator("tr.now td[data-value]")) == now
        if name in CURVED:
            expect(visitor.shown.locator(".point")).to_have_count(1)
            assert len(view.rows) > 40
    assert len(wire.asked) == asked + len(VARIED[model])


@MODELS
def test_compare_leads_from_one_row_to_the_other(visitor: Visitor, api: Api, model: str) -> None:
    visitor.open(model)
    row = api.example(model)
    first = row | dict(list(OTHER[model].items())[:2])
    visitor.fill(dict(list(OTHER[model].items())[:2]))
    visitor.tab("Compare")
    visitor.page.get_by_role("button", name="Keep the form's row").click()
    shown = visitor.shown
    expect(shown.locator(".differs")).to_have_count(0)
    visitor.tab("Ask")
    second = row | OTHER[model]
    visitor.fill(OTHER[model])
    visitor.tab("Compare")
    changed = [name for name in row if first[name] != second[name]]
    expect(shown.locator(".differs")).to_have_count(len(changed))
    answers = api.predict(model, first, second)
    shown_answers = shown.locator(".answers .prediction [data-value]").all()
    assert [each.get_attribute("data-value") for each in shown_answers] == [str(said["prediction"]) for said in answers]
    one, two = api.explain(model, first, second)
    moves = [two["contributions"][name] - one["contributions"][name] for name in row]
    parts, last = effects(shown)
    add_up(parts, [move for move in moves if move])
    assert last == pytest.approx(predicted(answers[1]), rel=1e-9)
    start = one["base_value"] + math.fsum(one["contributions"].values())
    assert scored(two, start + math.fsum(parts)) == pytest.approx(last, rel=1e-9)
