"""What if, Why and Compare in a real browser: what was faulty about them once."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.test_ask import OTHER
from tests.ui.visitor import Api, Visitor, values
from tests.ui.wire import Wire

pytestmark = pytest.mark.browser
FAR = {"distance_km": 19_000, "agency": "CloudFi"}
PROMISE = re.compile(r"\d %\s*(of such cases|coverage)")
NO_PROMISE = "this one is not like them"


def choose(visitor: Visitor, label: str, name: str) -> Locator:
    """Choose a column under What if; what is shown of it."""
    chooser = visitor.page.get_by_label(label)
    chooser.fill(name)
    chooser.press("Enter")
    expect(visitor.shown.locator("caption, figcaption").first).to_contain_text(re.compile(rf" {name}\b", re.IGNORECASE))
    return visitor.shown.locator(".what-if")


def colour(locator: Locator, of: str) -> str:
    """A computed colour."""
    return str(locator.evaluate(f"element => getComputedStyle(element)['{of}']"))


def test_what_is_not_like_training_is_said_everywhere_and_nothing_is_promised_of_it(visitor: Visitor, api: Api) -> None:
    [said] = api.predict("flights", api.example("flights") | FAR)
    assert len(said["warnings"]) == 2
    warnings = [warning.replace("distance_km", "distance km") for warning in said["warnings"]]
    visitor.open("flights").fill(FAR)
    for tab in ("Why", "What if", "Compare"):
        shown = visitor.tab(tab)
        expect(shown.get_by_role("note")).to_have_text(warnings)
        expect(shown).to_contain_text(NO_PROMISE)
        expect(shown).not_to_contain_text(PROMISE)
    visitor.tab("What if")
    odd = choose(visitor, "Column to vary", "agency").locator("tr", has_text="not like training")
    expect(odd.get_by_role("rowheader")).to_contain_text("CloudFi")  # the names that training saw are like it
    visitor.tab("Ask")
    visitor.fill({"distance_km": 675.15, "agency": "CloudFy"})
    for tab in ("Why", "What if", "Compare"):
        expect(visitor.tab(tab)).not_to_contain_text(NO_PROMISE)
        expect(visitor.shown.get_by_role("note")).to_have_count(0)


def test_an_extreme_value_stands_at_the_edge_of_its_chart(visitor: Visitor) -> None:
    visitor.open("flights").fill({"distance_km": 19_000})
    visitor.tab("What if")
    shown = choose(visitor, "Column to vary", "distance km")
    expect(shown.locator(".point.beyond")).to_have_count(1)
    expect(shown.locator(".sentence")).to_contain_text("beyond the right end of the chart")
    ticks = shown.locator(".x-axis span").all_inner_texts()
    assert ticks == ["500", "1,000", "1,500", "2,000", "2,500"]
    shown = choose(visitor, "Column to vary", "date")
    assert all(re.fullmatch(r"\d{4}(-\d{2})?", tick) for tick in shown.locator(".x-axis span").all_inner_texts())


def test_marks_and_words_say_where_training_rows_are(visitor: Visitor, api: Api) -> None:
    visitor.open("flights").tab("What if")
    shown = choose(visitor, "Column to vary", "duration hours")
    deciles = api.model("flights")["reference"]["columns"]["duration_hours"]["deciles"]
    expect(shown.locator(".rug span")).to_have_count(len(deciles))
    expect(shown.locator(".trained")).to_contain_text(f"between {deciles[1]:g} h and {deciles[9]:g} h")
    share = api.model("flights")["reference"]["columns"]["cabin"]["shares"]["economic"]
    line = choose(visitor, "Column to vary", "cabin").get_by_role("row").filter(has_text="economic")
    expect(line).to_contain_text(f"{100 * share:.1f} % of training rows")


def test_what_goes_together_is_said_and_tried_together(visitor: Visitor, api: Api, wire: Wire) -> None:
    visitor.open("flights").tab("What if")
    tied = choose(visitor, "Column to vary", "distance km").locator(".tied")
    expect(tied.first).to_contain_text("The model hardly looks at distance km")
    expect(tied.last).to_contain_text("vary two columns together")
    with wire.asks() as views:
        shown = choose(visitor, "Together with", "cabin")
    [view] = views
    row = api.example("flights")
    assert {len({each[name] for each in view.rows}) for name in row if name not in ("distance_km", "cabin")} == {1}
    assert values(shown.locator("td[data-value]")) == [said["prediction"] for said in view.said["predictions"]]
    here = [place for place, each in enumerate(view.rows) if each == row]
    cells = shown.locator("td")
    expect(cells.nth(here[0])).to_contain_text("now")
    assert len(here) == 1 == shown.locator("td.here").count()
    expect(choose(visitor, "Together with", "distance km").locator(".curve")).to_be_visible()  # with itself: alone


@pytest.mark.parametrize("model", ["churn", "houses"])
def test_two_columns_of_classes_show_probabilities(visitor: Visitor, wire: Wire, model: str) -> None:
    one, other = ("tenure", "contract") if model == "churn" else ("rooms", "district")
    with wire.asks():
        visitor.open(model).tab("What if")
    with wire.asks():
        choose(visitor, "Column to vary", one)
    with wire.asks() as views:
        shown = choose(visitor, "Together with", other)
    label = shown.locator("figcaption").inner_text().split("Probability of ")[1].split(",")[0].split(" ")[0]
    shares = [said["probabilities"][label] for said in views[0].said["predictions"]]
    assert values(shown.locator("td[data-value]")) == shares


def test_compare_opens_with_two_rows_and_explains_what_did_not_change(visitor: Visitor, api: Api) -> None:
    shown = visitor.open("flights").tab("Compare")
    expect(shown.locator(".differs").first).to_be_visible()
    first, second = api.example("flights") | {"agency": "Rainbow"}, api.example("flights")
    visitor.tab("Ask")
    visitor.fill({"agency": "Rainbow"})
    visitor.tab("Compare")
    visitor.page.get_by_role("button", name="Keep the form's row").click()
    expect(shown.locator(".differs")).to_have_count(0)
    visitor.tab("Ask")
    visitor.fill({"agency": second["agency"]})
    visitor.tab("Compare")
    expect(shown.locator(".differs")).to_have_count(1)
    one, two = (said["contributions"] for said in api.explain("flights", first, second))
    same = [name for name in one if one[name] != two[name] and name != "agency"]
    marked = shown.locator(".waterfall tr", has_text="did not change")
    expect(marked).to_have_count(len(same))
    expect(shown.locator(".interaction")).to_have_count(1 if same else 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_blue_raises_orange_lowers_and_nothing_else_has_their_colours(new_visitor: Any, scheme: str) -> None:
    visitor = new_visitor(color_scheme=scheme).open("churn")
    visitor.fill(OTHER["churn"])
    others = {colour(visitor.predict().locator(".fill").first, "backgroundColor")}
    why = visitor.tab("Why").locator(".waterfall")
    raises, lowers = (colour(why.locator(f".bar.{way}").first, "backgroundColor") for way in ("up", "down"))
    assert raises == colour(why.locator(".effect.up").first, "color")
    assert lowers == colour(why.locator(".effect.down").first, "color")
    visitor.tab("What if")
    others.add(colour(choose(visitor, "Column to vary", "contract").locator(".bar").first, "backgroundColor"))
    shown = choose(visitor, "Column to vary", "total charges")
    others |= {colour(shown.locator(".line"), "stroke"), colour(shown.locator(".point"), "backgroundColor")}
    assert raises != lowers
    assert not others & {raises, lowers}
