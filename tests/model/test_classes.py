"""Labels, probabilities and prediction sets: the same in every form, of two classes and of several."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.outcomes import Binary, Multiclass, Outcome
from model.outcomes.sets import Sets, before
from validation.wire import PredictionSet

THREE = Multiclass(("low", "middle", "high"), 0.8, (0.1, 0.0, -0.3), None, Sets(0.9, 0.7))
TWO = Binary(("No", "Yes"), 1.2, -0.1, 0.25, Sets(0.9, 0.7))
FORMER = msgspec.structs.replace(TWO, sets=None)
"""As bundles of format 3 have it."""


def scores_of(outcome: Outcome, rows: int = 200) -> np.ndarray:
    raw = np.random.default_rng(3).normal(0, 2, (rows, 3))
    raw = raw if outcome.raw_scores == 3 else raw[:, 0]
    scores: np.ndarray = outcome.scores(raw, raw, {})
    return scores


@st.composite
def shares(draw: st.DrawFn) -> np.ndarray:
    """Probabilities of shape (rows, classes), some of which are equal."""
    classes = draw(st.integers(2, 8))
    rows = draw(st.lists(st.lists(st.integers(0, 5), min_size=classes, max_size=classes), min_size=1, max_size=8))
    weights = np.array(rows, dtype=np.float64)
    assume((weights.sum(axis=1) > 0).all())
    drawn: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return drawn


@given(shares=shares(), mass=st.floats(0, 1), data=st.data())
def test_a_set_has_the_answer_and_then_the_most_probable_classes(
    shares: np.ndarray, mass: float, data: st.DataObject
) -> None:
    rows, classes = shares.shape
    answered = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)))
    inside = Sets(0.9, mass).members(shares, answered)
    for row, (probabilities, answer) in enumerate(zip(shares, answered, strict=True)):
        members = {place for place in range(classes) if inside[row, place]}
        assert answer in members
        others = sorted(probabilities[place] for place in members - {answer})
        outside = [probabilities[place] for place in range(classes) if place not in members]
        assert not others or not outside or max(outside) <= others[0] + 1e-12
        assert not outside or probabilities[sorted(members)].sum() > mass - 1e-9
        assert len(members) == 1 or probabilities[sorted(members)].sum() - min(others) <= mass + 1e-9


@given(weights=st.lists(st.integers(0, 10_000), min_size=2, max_size=8, unique=True), answered=st.integers(0, 1))
def test_the_order_of_the_classes_changes_no_set(weights: list[int], answered: int) -> None:
    """Where probabilities differ: of two equal ones the first comes first."""
    shares = np.array([weights]) / sum(weights)
    forwards = before(shares, np.array([answered]))
    backwards = before(shares[:, ::-1], np.array([len(weights) - 1 - answered]))
    np.testing.assert_allclose(forwards, backwards[:, ::-1], atol=1e-12)


@pytest.mark.parametrize("outcome", [TWO, THREE, FORMER], ids=["two", "three", "former"])
def test_answers_are_the_same_in_every_form(outcome: Any) -> None:
    scores = scores_of(outcome)
    answers = outcome.answers(scores)
    tensors = {output.name: output for output in outcome.outputs}
    cells = dict(zip(outcome.columns, outcome.cells(scores), strict=True))
    assert len({answer.prediction for answer in answers}) == len(outcome.classes)
    assert [answer.prediction for answer in answers] == tensors["prediction"].values(scores).tolist()
    named = [list(answer.probabilities.values()) for answer in answers]
    assert named == tensors["probabilities"].values(scores).tolist()
    assert named == np.column_stack([cells[f"probability_{label}"] for label in outcome.classes]).tolist()
    assert all(list(answer.probabilities) == list(outcome.classes) for answer in answers)
    if outcome.sets is None:
        assert set(tensors) == {"prediction", "probabilities"}
        assert {answer.prediction_set for answer in answers} == {msgspec.UNSET}
        return
    sets = [answer.prediction_set.labels for answer in answers]
    assert {len(labels) for labels in sets} > {1, 2}.intersection(range(len(outcome.classes)))
    assert {answer.prediction_set.coverage for answer in answers} == {0.9}
    assert sets == [json.loads(text) for text in cells["prediction_set"]]
    inside = tensors["prediction_set"].values(scores)
    assert inside.dtype == np.bool_
    assert sets == [[name for name, within in zip(outcome.classes, row, strict=True) if within] for row in inside]


def test_the_answer_costs_least() -> None:
    """Taking a high one for a low one costs ten times what the reverse does."""
    costs = ((0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (10.0, 1.0, 0.0))
    outcome = msgspec.structs.replace(THREE, costs=costs)
    scores = np.array([[0.5, 0.3, 0.2], [0.9, 0.06, 0.04], [0.1, 0.2, 0.7]])
    expected = [
        min(range(3), key=lambda answer: sum(row[right] * costs[right][answer] for right in range(3))) for row in scores
    ]
    assert outcome.answered(scores).tolist() == expected == [1, 0, 2]
    assert THREE.answered(scores).tolist() == [0, 0, 2]
    [first, *_] = outcome.answers(scores)
    assert first.prediction == "middle"
    assert first.prediction_set == PredictionSet(["low", "middle"], 0.9)


@given(
    values=st.lists(st.lists(st.floats(-20, 20), min_size=12, max_size=12), min_size=1, max_size=10),
    slope=st.floats(0.01, 5),
)
def test_logits_add_up_to_the_probabilities(values: list[list[float]], slope: float) -> None:
    outcome = msgspec.structs.replace(THREE, slope=slope)
    shap = np.array(values).reshape(-1, 3, 4)
    raw = shap.sum(axis=2)
    logits = outcome.contributions(shap.copy(), raw, {}, ["a", "b", "c"]).sum(axis=2)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), outcome.scores(raw, raw, {}), atol=1e-9)


def test_extreme_logits_stay_probabilities() -> None:
    raw = np.array([[1e308, 0.0, -1e308], [-800.0, -900.0, -1000.0]])
    scores = THREE.scores(raw, raw, {})
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1)
