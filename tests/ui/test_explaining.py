"""Explanations for people: the steps lead from the start to the end, whatever the numbers."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui import explaining, texts
from ui.described import Column, Model

CONTRIBUTIONS = st.dictionaries(st.sampled_from([f"x_{n}" for n in range(30)]), st.floats(-9, 9), min_size=1)
SPACES = st.sampled_from(("value", "log-odds", "logit"))


def model(names: list[str], space: str) -> Model:
    columns = [Column(name=name, kind="real", unit="km") for name in names]
    target = Column(name="left", kind="category", role="target")
    if space == "value":
        target = Column(name="price", kind="real", role="target", unit="USD")
    return Model(name="m", version="1", title="M", contract=(*columns, target))


def explanation(base: float, contributions: dict[str, float], space: str) -> dict[str, Any]:
    said = {"space": space, "base_value": base, "contributions": contributions}
    if space == "value":
        return said
    labels = ("No", "Yes") if space == "log-odds" else ("No", "Yes", "Later")
    return said | {"explained_class": "Yes", "probabilities": dict.fromkeys(labels, 1 / len(labels))}


def shown(score: float, space: str) -> float:
    return 1 / (1 + math.exp(min(-score, 700))) if space == "log-odds" else score


@given(st.floats(-9, 9), CONTRIBUTIONS, SPACES)
def test_steps_lead_from_the_base_value_to_the_prediction(
    base: float, contributions: dict[str, float], space: str
) -> None:
    described = model(list(contributions), space)
    story = explaining.why(described, dict.fromkeys(contributions, 1.5), explanation(base, contributions, space))
    places = [story.start, *(step.after for step in story.steps)]
    assert [step.before for step in story.steps] == places[:-1]
    assert places[0] == shown(base, space)
    assert places[-1] == story.end
    assert story.end == pytest.approx(shown(base + math.fsum(contributions.values()), space), abs=1e-9)
    assert math.fsum(step.effect for step in story.steps) == pytest.approx(story.end - story.start, abs=1e-9)
    assert math.fsum(step.contribution for step in story.steps) == pytest.approx(math.fsum(contributions.values()))
    assert len(story.steps) == min(len(contributions), explaining.MOST_STEPS)
    sizes = [abs(step.contribution) for step in story.steps[: explaining.MOST_STEPS - 1]]
    assert sizes == sorted(sizes, reverse=True)


@given(st.floats(-9, 9), CONTRIBUTIONS, st.floats(-9, 9), SPACES)
def test_steps_lead_from_one_row_to_another(base: float, first: dict[str, float], moved: float, space: str) -> None:
    second = {name: value + moved * place for place, (name, value) in enumerate(first.items())}
    described = model(list(first), space)
    rows: Any = tuple(dict.fromkeys(first, value) for value in (1.0, 2.0))
    said: Any = tuple(explanation(base, each, space) for each in (first, second))
    story = explaining.between(described, rows, said)
    assert story.start == pytest.approx(shown(base + math.fsum(first.values()), space), abs=1e-9)
    assert story.end == pytest.approx(shown(base + math.fsum(second.values()), space), abs=1e-9)
    assert all(step.value in ("1 km → 2 km", "") for step in story.steps)


def test_sentences_name_what_moves_most_and_how_far() -> None:
    described = model(["x_1", "x_2", "x_3", "x_4"], "value")
    said = explanation(100.0, {"x_1": 1.0, "x_2": -20.5, "x_3": 3.0, "x_4": -0.5}, "value")
    row = {"x_1": 1.0, "x_2": 2.0, "x_3": None, "x_4": 4.0}
    assert explaining.sentence(described, explaining.why(described, row, said)) == (
        "The predicted price is 83 USD. Before it looks at the row, the model says 100 USD; the columns that move it "
        "most are x 2 2 km (−20.50 USD), x 3 not given (+3 USD) and x 1 1 km (+1 USD)."
    )
    assert explaining.reasons(described, row, said).startswith("x 2 2 km (−20.50 USD); x 3 not given (+3 USD)")
    said["contributions"] = dict.fromkeys(said["contributions"], 0.0)
    assert explaining.sentence(described, explaining.why(described, row, said)).endswith(
        "the model says 100 USD, and nothing in the row moves it."
    )
    assert explaining.reasons(described, row, said) == ""


def test_log_odds_are_told_as_a_probability() -> None:
    described = model(["x_1"], "log-odds")
    said = explanation(0.0, {"x_1": math.log(3)}, "log-odds")
    assert explaining.sentence(described, explaining.why(described, {"x_1": 1.0}, said)) == (
        "The probability that left is Yes is 75.0 %. Before it looks at the row, the model says 50.0 %; the column "
        "that moves it most is x 1 1 km (+25.0 points)."
    )


def test_a_logit_is_told_as_what_it_is() -> None:
    described = model(["x_1"], "logit")
    said = explanation(-0.5, {"x_1": 2.0}, "logit")
    assert explaining.sentence(described, explaining.why(described, {"x_1": 1.0}, said)) == (
        "The logit of Yes is 1.50. Before it looks at the row, the model says -0.5; the column that moves it most is x "
        "1 1 km (+2)."
    )


def test_the_class_that_was_asked_for_is_explained() -> None:
    described = model(["x_1"], "logit")
    asked = {"label": "No", "base_value": 1.0, "contributions": {"x_1": -3.0}}
    said = explanation(-0.5, {"x_1": 2.0}, "logit") | {"classes": [asked]}
    story = explaining.why(described, {"x_1": 1.0}, explaining.of_class(said, "No"))
    assert (story.scale.of, story.start, story.end) == ("No", 1.0, -2.0)
    by_itself = explaining.why(described, {"x_1": 1.0}, explaining.of_class(said, "Later"))
    assert (by_itself.scale.of, by_itself.end) == ("Yes", 1.5)


def test_a_service_of_earlier_code_explains_the_last_of_two_classes() -> None:
    said = explanation(0.0, {"x_1": 1.0}, "log-odds")
    del said["explained_class"]
    assert explaining.scale(model(["x_1"], "log-odds"), said) == explaining.Scale(of="Yes")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_for_people_is_near_to_what_it_is(value: float) -> None:
    assert float(texts.number(value).replace(",", "")) == pytest.approx(value, rel=0.006, abs=0)


@pytest.mark.parametrize(
    ("value", "text"),
    [(2086.177, "2,086.18"), (12.0, "12"), (0.03317, "0.0332"), (0, "0"), (1e-7, "1.00e-07"), (math.nan, "nan")],
)
def test_numbers_have_as_many_digits_as_say_something(value: float, text: str) -> None:
    assert texts.number(value) == text
