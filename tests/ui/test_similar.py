"""Similar cases and ties: what the page says of published groups and of columns that say the same."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.ui.test_ask import OTHER
from tests.ui.test_changing import find, number_to_reach
from tests.ui.test_varied import choose
from tests.ui.visitor import Api, Visitor, value, values
from ui import described, similar, ties
from ui.changes import Change, Move
from ui.views import case
from ui.views import change as view_of_change

COLUMNS = [
    {"name": "cabin", "kind": "category", "choices": ["economy", "business", "first"]},
    {"name": "days_left", "kind": "integer", "unit": "d"},
    {"name": "duration", "kind": "real", "unit": "h", "nullable": True},
    {"name": "day", "kind": "date"},
    {"name": "meal", "kind": "flag", "nullable": True},
    {"name": "agency", "kind": "category"},
    {"name": "price", "kind": "real", "role": "target", "unit": "USD"},
]
ROW: dict[str, Any] = {
    "cabin": "first",
    "days_left": 7,
    "duration": 2.5,
    "day": "2022-03-01",
    "meal": True,
    "agency": "C",
}
FORKS: list[dict[str, Any]] = [
    {"column": "cabin", "yes": 1, "no": -1, "names": ["business", "first"]},
    {"column": "days_left", "yes": 2, "no": -2, "below": 15.0},
    {"column": "days_left", "yes": -3, "no": 3, "below": 3.0},
    {"column": "duration", "yes": 4, "no": -4, "below": 5.5, "missing": True},
    {"column": "day", "yes": -5, "no": 5, "below": "2022-01-01"},
    {"column": "meal", "yes": -6, "no": 6, "names": ["false"]},
    {"column": "duration", "yes": -7, "no": -8, "missing": True},
]
GROUPS = [{"rows": 1_200 + place, "low": 100.0, "middle": 200.0, "high": 300.0} for place in range(8)]
ANSWER: dict[str, Any] = {"prediction": 250.0, "base_value": 0.0, "contributions": {"cabin": 250.0}, "space": "value"}
TIES = [
    {"one": "duration", "other": "days_left", "size": 0.93, "measure": "rank correlation"},
    {"one": "meal", "other": "cabin", "size": 0.81, "measure": "Cramér's V"},
]


def model(**metrics: Any) -> described.Model:
    said = {"name": "m", "version": "1", "title": "M", "contract": COLUMNS, "metrics": metrics}
    return described.Model.model_validate(said)


def conditions(forks: list[dict[str, Any]] = FORKS, **changes: Any) -> list[str]:
    found = similar.find(model(similar={"forks": forks, "groups": GROUPS}), ROW | changes, ANSWER)
    assert found is not None
    return list(found.conditions)


def test_a_group_is_said_in_words() -> None:
    several = ["cabin is business or first", "days left is 3 to 14 d"]
    rest = ["duration is below 5.5 h", "day is 2022-01-01 or later", "meal is yes or not given"]
    assert conditions() == [*several, *rest]
    assert conditions(duration=None)[2] == "duration is not given"
    assert conditions(duration=6)[2:] == ["duration is at least 5.5 h"]
    assert conditions(day="2021-12-31")[2:] == ["duration is below 5.5 h or not given", "day is before 2022-01-01"]
    assert conditions(meal=False)[-1] == "meal is no"
    assert conditions(days_left=2) == [several[0], "days left is at most 2 d"]
    assert conditions(days_left=15) == [several[0], "days left is at least 15 d"]
    one = {"column": "agency", "yes": -1, "no": 1, "names": ["A", "B"]}
    other = {"column": "agency", "yes": -2, "no": -3, "names": ["D"]}
    assert conditions([one, other]) == ["agency is neither A, B nor D"]
    assert conditions([one, other], agency="B") == ["agency is A or B"]
    assert conditions(cabin="economy") == ["cabin is economy"]


def test_a_name_that_the_service_does_not_know_is_missing_as_it_is_to_the_service() -> None:
    by_cabin = [{"column": "cabin", "yes": -1, "no": -2, "names": ["first"]}]
    published = model(similar={"forks": by_cabin, "groups": GROUPS})
    for missing, group in ((False, GROUPS[1]), (True, GROUPS[0])):
        by_cabin[0]["missing"] = missing
        found = similar.find(published, ROW | {"cabin": "steerage"}, ANSWER)
        assert found is not None
        assert found.rows == group["rows"]


def test_a_prediction_outside_of_what_became_of_them_is_said() -> None:
    published = model(similar={"forks": FORKS, "groups": GROUPS})
    assert "is above" not in case.why(published, ROW, ANSWER)
    assert "The prediction, 350 USD, is above that range." in case.why(published, ROW, ANSWER | {"prediction": 350.0})
    groups = [{"rows": 40, "classes": {"no": 38, "yes": 2}}] * 8
    of_classes = model(similar={"forks": FORKS, "groups": groups})
    said = ANSWER | {"space": "log-odds", "prediction": "yes", "probabilities": {"no": 0.4, "yes": 0.6}}
    shown = case.why(of_classes, ROW, said | {"explained_class": "yes"})
    assert "The answer is “yes”, which only 2 of them were." in shown
    assert '5.0 % <span class="value">model: 60.0 %' in shown
    assert "which only" not in case.why(of_classes, ROW, said | {"prediction": "no", "explained_class": "yes"})


def test_a_model_without_groups_has_no_such_section() -> None:
    assert "Similar cases" not in case.why(model(), ROW, ANSWER)
    shown = case.why(model(similar={"forks": FORKS, "groups": GROUPS}), ROW, ANSWER)
    assert "Similar cases" in shown
    assert "1,207 training rows are like this one" in shown
    shown = case.why(model(similar={"forks": FORKS, "groups": GROUPS, "rows": 98_765}), ROW, ANSWER)
    assert "1,207 training rows of 98,765 looked at are like this one" in shown


def test_ties_are_said_of_columns_that_change_without_the_other() -> None:
    tied = model(ties=TIES)
    [said] = ties.sentences(tied, ["days_left"])
    assert said.startswith("days left goes together with duration (rank correlation 0.93): rows that differ in one of")
    assert ties.sentences(tied, ["days_left", "duration"]) == []
    assert len(ties.sentences(tied, ["duration", "cabin"])) == 2
    assert ties.sentences(model(), ["duration"]) == []
    moved = Change((Move("cabin", "economy", 0.3),), {"prediction": 1.0, "warnings": []})
    assert "cabin goes together with meal (Cramér&#39;s V 0.81)" in view_of_change.way(tied, ROW, moved, 1)


@pytest.mark.browser
def test_why_has_similar_cases_and_ties_are_said_where_columns_change(visitor: Visitor, api: Api) -> None:
    for name in OTHER:
        row, of = api.example(name), described.Model.model_validate(api.model(name))
        [said] = api.predict(name, row)
        group = similar.find(of, row, said)
        assert group is not None
        shown = visitor.open(name).tab("Why").locator(".why")
        expect(shown.get_by_role("heading", name="Similar cases")).to_be_visible()
        lines, looked_at = shown.locator(".of-cases tbody tr"), of.similar["rows"]
        expect(shown).to_contain_text(f" {group.rows:,} training rows of {looked_at:,} looked at are like this one: ")
        if name == "flights":
            assert value(lines.last.locator("td[data-value]")) == said["prediction"]
            assert values(lines.first.locator("[data-value]")) == [group.low, group.high]
            continue
        labels = list(said["probabilities"])
        expect(lines.locator("th")).to_have_text(labels)
        shares = [group.classes.get(label, 0) / group.rows for label in labels]
        assert values(lines.locator("td[data-value]")) == pytest.approx(shares)
        assert sum(shares) == pytest.approx(1)
    visitor.open("flights").tab("What if")
    tied = "distance km goes together with duration hours (rank correlation "
    expect(choose(visitor, "Column to vary", "distance km")).to_contain_text(tied)
    expect(choose(visitor, "Together with", "duration hours")).not_to_contain_text(tied)
    visitor.tab("Change")
    number_to_reach(visitor)
    for box in visitor.shown.get_by_role("checkbox").all():
        box.uncheck()
    visitor.shown.get_by_label("duration hours", exact=True).check()
    expect(find(visitor)).to_contain_text("duration hours goes together with distance km (rank correlation ")
