"""What would change the answer, in a real browser: ways that hold, and the truth where there are none."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.test_access import AXE, serious
from tests.ui.test_ask import agrees
from tests.ui.visitor import Api, Visitor
from tests.ui.wire import Asked, Wire

pytestmark = pytest.mark.browser


def find(visitor: Visitor) -> Locator:
    """Press the button; the ways that are shown once the service has said its last word."""
    visitor.page.get_by_role("button", name="Find changes").click()
    expect(visitor.shown.locator(".change .sentence")).to_be_visible()
    return visitor.shown.locator(".way")


def opened(visitor: Visitor, wire: Wire, number: int) -> Asked:
    """Open a way under Ask; what the page then asked."""
    with wire.asks() as asked:
        visitor.page.get_by_role("button", name=f"Open way {number} under Ask").click()
    expect(visitor.page.get_by_role("tab", name="Ask", exact=True)).to_have_attribute("aria-selected", "true")
    return asked[0]


def number_to_reach(visitor: Visitor) -> Locator:
    """The field of the number, once one is offered."""
    field = visitor.page.get_by_label("Number to reach")
    expect(field).not_to_have_value(re.compile("^0?$"))
    return field


def changed(row: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {name for name in row if row[name] != other[name]}


@pytest.mark.parametrize("model", ["churn", "houses"])
def test_each_way_leads_to_another_class_and_opens_under_ask(
    visitor: Visitor, api: Api, wire: Wire, model: str
) -> None:
    row = api.example(model)
    [now] = api.predict(model, row)
    visitor.open(model).tab("Change")
    ways = find(visitor).count()
    assert 2 <= ways <= 3
    seen = []
    for number in range(1, ways + 1):
        visitor.tab("Change")
        told = visitor.shown.locator(".way").nth(number - 1)
        moves = told.get_by_role("listitem").filter(has=visitor.page.locator(".after"))
        columns = moves.locator("b:first-child").all_inner_texts()
        asked = opened(visitor, wire, number)
        [said] = asked.said["predictions"]
        assert said["prediction"] != now["prediction"]
        assert {api.title(model, name) for name in changed(row, asked.rows[0])} == set(columns)
        agrees(visitor.answer, said, api.model(model)["version"])
        seen.append(frozenset(columns))
    assert len(set(seen)) == ways


def test_a_number_is_offered_and_another_is_reached(visitor: Visitor, api: Api, wire: Wire) -> None:
    row = api.example("flights")
    [now] = api.predict("flights", row)
    visitor.open("flights").tab("Change")
    offered = float(number_to_reach(visitor).input_value())
    assert offered == pytest.approx(now["interval"]["low"], abs=2)
    visitor.page.get_by_label("at least").check()
    expect(number_to_reach(visitor)).not_to_have_value(f"{offered:g}")
    number_to_reach(visitor).fill("1500")
    find(visitor)
    expect(visitor.shown.locator(".change .sentence")).to_contain_text("at least 1,500 USD")
    [said] = opened(visitor, wire, 1).said["predictions"]
    assert said["prediction"] >= 1500


def test_only_allowed_columns_change(visitor: Visitor, api: Api, wire: Wire) -> None:
    visitor.open("flights").tab("Change")
    expect(visitor.page.get_by_label("date", exact=True).last).not_to_be_checked()
    visitor.page.get_by_label("at least").check()
    visitor.shown.get_by_label("duration hours", exact=True).uncheck()
    ways = find(visitor)
    expect(ways.first).to_be_visible()
    for text in ways.all_inner_texts():
        assert "duration hours" not in text
    assert changed(api.example("flights"), opened(visitor, wire, 1).rows[0]) <= {
        "origin",
        "destination",
        "cabin",
        "agency",
    }


def test_it_says_so_where_nothing_changes_the_answer(visitor: Visitor) -> None:
    visitor.open("flights").tab("Change")
    number_to_reach(visitor).fill("1")
    expect(find(visitor)).to_have_count(0)
    expect(visitor.shown.locator(".nothing")).to_contain_text("none got that")
    number_to_reach(visitor).fill("100000")
    find(visitor)
    expect(visitor.shown.locator(".change")).to_contain_text("The answer is that already")
    for box in visitor.shown.get_by_role("checkbox").all():
        box.uncheck()
    visitor.page.get_by_role("button", name="Find changes").click()
    expect(visitor.shown.get_by_role("alert")).to_have_text("Let at least one column change.")


def test_a_row_that_is_refused_is_mended_under_ask(visitor: Visitor) -> None:
    visitor.open("churn").fill({"tenure": None})
    visitor.tab("Change")
    visitor.page.get_by_role("button", name="Find changes").click()
    expect(visitor.shown.get_by_role("alert")).to_contain_text("Mend it under Ask")
    expect(visitor.shown.locator(".way")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("model", ["flights", "churn"])
def test_axe_finds_nothing_serious_in_ways_and_pairs(new_visitor: Any, model: str, scheme: str) -> None:
    visitor = new_visitor(color_scheme=scheme).open(model)
    visitor.page.evaluate(AXE.read_text())
    for _ in states(visitor):
        visitor.settle()
        assert not serious(visitor)


@pytest.mark.parametrize("model", ["flights", "churn"])
def test_a_phone_shows_ways_and_pairs_without_scrolling_aside(new_visitor: Any, model: str) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    visitor = new_visitor(**phone).open(model)
    for _ in states(visitor):
        assert visitor.page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]


def states(visitor: Visitor) -> Iterator[None]:
    """What was found, that nothing was found, and two columns together."""
    visitor.tab("Change")
    if number := visitor.page.get_by_label("Number to reach").filter(visible=True).count():
        number_to_reach(visitor)
    expect(find(visitor).first).to_be_visible()
    yield
    if number:
        number_to_reach(visitor).fill("1")
        expect(find(visitor)).to_have_count(0)
        yield
    visitor.tab("What if")
    visitor.page.get_by_label("Together with").fill("date" if number else "tenure")
    visitor.page.get_by_label("Together with").press("Enter")
    expect(visitor.shown.locator(".heat")).to_be_visible()
    yield
