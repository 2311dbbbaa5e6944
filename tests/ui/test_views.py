"""What the page shows of models that are not like flights: escaped, whole, and for people."""

from typing import Any

import pytest

from ui import charts, texts, whatif
from ui.described import Column, Model
from ui.explaining import Scale
from ui.views import base, case, what_if
from ui.views import model as view_of_model

ANSWER: dict[str, Any] = {"prediction": 12.5, "warnings": [], "prediction_id": "1"}
HOSTILE = "<img src=x onerror=alert(1)>"


def model(target: Column, **said: Any) -> Model:
    return Model(name="m", version="1", title="M", contract=(Column(name="flight_time", kind="real"), target), **said)


def test_a_target_without_a_unit_is_shown() -> None:
    described = model(Column(name="score", kind="real", role="target"))
    assert 'data-value="12.5"' in case.answer(described, ANSWER, "1", 0.002)
    said = ANSWER | {"interval": {"low": 1.0, "high": 20.0, "coverage": 0.9}}
    assert "in 90 % of such cases" in case.answer(described, said, "1", 0.002)


@pytest.mark.parametrize(("high", "told"), [(0.88, True), (0.91, False)])
def test_what_surely_did_not_hold_on_test_rows_is_not_promised(high: float, told: bool) -> None:
    stated = {"coverage": 0.9, "covered": {"value": 0.85, "low": 0.82, "high": high}}
    target = Column(name="score", kind="real", role="target")
    html = case.answer(
        model(target, metrics={"interval": stated}),
        ANSWER | {"interval": {"low": 1.0, "high": 20.0, "coverage": 0.9}}, "1", 0.002,
    )  # fmt: skip
    assert ("which should hold in 90 % of such cases and held for 85.0 % of the test rows" in html) is told
    label = {
        "probabilities": {"12.5": 1.0},
        "prediction": "12.5",
        "prediction_set": {"labels": ["12.5"], "coverage": 0.9},
    }
    html = case.answer(model(target, metrics={"sets": stated}), ANSWER | label, "1", 0.002)
    assert ("with 90 % coverage meant, 85.0 % on the test rows" in html) is told


def test_a_unit_that_begins_with_a_number_is_multiplied() -> None:
    column = Column(name="score", kind="real", role="target", unit="10,000 USD", ge=0)
    said = ANSWER | {"interval": {"low": 1.0, "high": 20.0, "coverage": 0.9}}
    times = "× 10,000 USD"
    assert case.answer(model(column), said, "1", 0.002).count(f"</strong> {times}") == 1
    assert case.answer(model(column), said, "1", 0.002).count(f"</b> {times}") == 1
    for text in (texts.of_column(column, 8), texts.with_unit(8, column.unit), Scale(unit=column.unit).text(8)):
        assert text == f"8 {times}"
    assert texts.allowed(column) == f"0 {times} or more"


def test_what_is_promised_for_rows_like_those_of_training_is_not_said_of_others() -> None:
    far = {"warnings": ["flight_time: 99 is far outside of what training saw, 1 to 9 h"]}
    for promised in (
        {"interval": {"low": 1.0, "high": 20.0, "coverage": 0.9}},
        {"probabilities": {"12.5": 1.0}, "prediction": "12.5", "prediction_set": {"labels": ["12.5"], "coverage": 0.9}},
    ):
        described = model(Column(name="score", kind="real", role="target"))
        assert "90 %" in case.answer(described, ANSWER | promised, "1", 0.002)
        shown = case.answer(described, ANSWER | promised | far, "1", 0.002)
        assert "90 %" not in shown
        assert shown.index("flight time: 99 is far") < shown.index("data-value") < shown.index("not like them")


def test_a_class_that_is_not_the_likelier_one_says_from_where_it_is_the_answer() -> None:
    target = Column(name="left", kind="category", role="target", choices=("No", "Yes"))
    said = ANSWER | {"prediction": "Yes", "probabilities": {"No": 0.6, "Yes": 0.4}}
    shown = case.answer(model(target, metrics={"decision": {"threshold": 0.25}}), said, "1", 0.002)
    assert shown.index("40.0 %") < shown.index("answered as") < shown.index(">Yes</b>")
    assert "although it is the less probable class: from 25.0 % on, “Yes” costs less" in shown
    assert "although" not in case.answer(model(target), said, "1", 0.002)
    of_no = said | {"prediction": "No", "probabilities": {"No": 0.4, "Yes": 0.6}}
    shown = case.answer(model(target, metrics={"decision": {"threshold": 0.7}}), of_no, "1", 0.002)
    assert "although it is the less probable class: only from 70.0 % on, “Yes” costs less" in shown


def test_metrics_that_are_not_defined_leave_the_others_readable() -> None:
    scores = {
        "model": {"r2": {"value": None, "low": None, "high": None}, "mae": {"value": 2.5, "low": 2.0, "high": 3.0}}
    }
    described = model(Column(name="y", kind="real", role="target"), metrics={"rows": 10, "scores": scores})
    shown = view_of_model.description(described)
    assert 'data-value="2.5"' in shown
    assert "has no verdict on the answers" in shown
    judged = model(Column(name="y", kind="real", role="target"), verdict={"sentence": HOSTILE, "last": "2026-11-30"})
    assert "&lt;img" in view_of_model.description(judged)
    assert "has no verdict on the answers" not in view_of_model.description(judged)


def test_what_others_wrote_is_text_and_nothing_that_runs() -> None:
    described = model(Column(name="y", kind="real", role="target", help=HOSTILE))
    assert HOSTILE not in case.answer(described, ANSWER | {"warnings": [HOSTILE]}, HOSTILE, 0.002)
    assert HOSTILE not in base.problem(HOSTILE, [{"column": HOSTILE, "message": HOSTILE}], described)


@pytest.mark.parametrize(
    ("share", "text"), [(0.732, "73.2 %"), (0.0002, "0.02 %"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.99996, "99.996 %")]
)
def test_rare_classes_are_more_than_nothing(share: float, text: str) -> None:
    assert texts.percent(share) == text


def test_values_of_a_row_are_shown_as_they_were_given() -> None:
    year, area = Column(name="year", kind="integer"), Column(name="area", kind="real", unit="m2")
    assert texts.of_column(year, 1999) == "1999"
    assert texts.of_column(area, 52.5201) == "52.5201 m2"


def test_bars_stay_on_their_track() -> None:
    column = Column(name="x", kind="category", choices=("a", "b"))
    answers: list[Any] = [{"prediction": -4.0}, {"prediction": 100.0}]
    points = whatif.points(column, ["a", "b"], answers)
    described = Model(name="m", version="1", title="M", contract=(column, Column(name="y", kind="real", role="target")))
    assert "left:-" not in what_if.one(described, column, {"x": "a"}, points)
    assert charts.Axis.over([1.0, 1.0]).place(1.0) == 0.5


def test_a_date_that_is_none_is_left_to_the_service() -> None:
    column = Column(name="day", kind="date", example="2024-01-31")
    described = Model(name="m", version="1", title="M", contract=(column, Column(name="y", kind="real", role="target")))
    tried = whatif.values(described, column, "123456-01-01")
    assert tried[-1] == "123456-01-01"
    assert len(whatif.points(column, tried, [None] * len(tried))) == len(tried)
