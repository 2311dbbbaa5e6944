"""The Predictor: answers, explanations, and no skew between training and serving."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import shap
from msgspec import UNSET

from model import bundle as bundles
from model.contributions.explainer import MANY
from model.features import FeatureMatrix
from model.outcomes.regression import Regression
from model.predictor import Predictor
from model.trees import TreeScorer
from problems.base import Problem, owners
from tests.project import Project
from training.data import tables
from training.data.split import TEST
from training.workspace import Workspace
from validation.decode import to_arrays
from validation.errors import RowsRejected
from validation.wire import Interval


@pytest.fixture(scope="module")
def rows(trained: Project, flights: Problem) -> list[dict[str, Any]]:
    """Two hundred rows of the test split, as callers send them."""
    workspace = Workspace("flights")
    silver = tables.read(trained.folder / workspace.silver)
    split = tables.read(trained.folder / workspace.split)["split"]
    return tables.rows(flights.contract, silver[split == TEST].head(200))


def test_answers_have_the_designed_shape(predictor: Predictor, row: dict[str, Any]) -> None:
    answers = predictor.predict([row, {**row, "agency": "Unheard Of", "travel_code": 17}])
    assert (answers.model_name, answers.model_version) == ("flights", predictor.version)
    plain, odd = answers.predictions
    assert plain.unit == "USD"
    assert plain.warnings == []
    assert plain.prediction_id != odd.prediction_id
    assert isinstance(plain.interval, Interval)
    assert plain.interval.coverage == 0.9
    assert isinstance(plain.prediction, float)
    assert 0 <= plain.interval.low < plain.prediction < plain.interval.high
    assert plain.probabilities is UNSET
    assert odd.keys == {"travel_code": 17}
    assert odd.warnings == ["agency: 'Unheard Of' was not seen in training and is treated as missing"]


def test_values_far_from_training_are_named_in_answers_and_explanations(
    predictor: Predictor, row: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    assert not any(
        answer.warnings for answer in predictor.predict(rows).predictions
    )  # later rows, as the market has them
    far = {**row, "distance_km": 20_000, "date": "2093-05-12"}
    [answer] = predictor.predict([far]).predictions
    assert [warning.split(" is far outside of what training saw")[0] for warning in answer.warnings] == [
        "distance_km: 20000",
        "date: 2093-05-12",
    ]
    assert predictor.explain([far]).explanations[0].warnings == answer.warnings


def test_many_rows_are_scored_as_lightgbm_scores_them(predictor: Predictor) -> None:
    """They are brought into an order for that, whatever they hold."""
    for text in predictor.model.boosters.values():
        booster = lgb.Booster(model_str=text)
        random = np.random.default_rng(5)
        matrix = random.uniform(-1, 30, (6_000, booster.num_feature())).round(1)
        matrix[random.random(matrix.shape) < 0.05] = np.nan
        for raw in (True, False):
            scores = TreeScorer(booster, raw_score=raw)(matrix)
            assert scores.tobytes() == np.asarray(booster.predict(matrix, raw_score=raw)).tobytes()


def test_bad_rows_are_refused(predictor: Predictor, row: dict[str, Any]) -> None:
    with pytest.raises(RowsRejected):
        predictor.predict([row, {**row, "cabin": "roof"}])


def test_no_rows_no_answers(predictor: Predictor) -> None:
    assert predictor.predict([]).predictions == []
    assert predictor.explain([]).explanations == []


def test_explanations_equal_shap_and_add_up(predictor: Predictor, rows: list[dict[str, Any]], trained: Project) -> None:
    bundle = trained.folder / "data/flights/bundle"
    booster = lgb.Booster(model_file=bundle / "model.txt")
    matrix = FeatureMatrix(predictor.problem, predictor.model.fitted)(
        to_arrays(predictor.contract.inputs, predictor.decode(rows).inputs)
    )
    outcome = predictor.outcome
    assert isinstance(outcome, Regression)
    assert outcome.trend is not None  # the simulated market grows
    columns = to_arrays(predictor.contract.inputs, predictor.decode(rows).inputs)
    grown = booster.predict(matrix) * (outcome.trend.index(columns) - 1)
    explainer = shap.TreeExplainer(booster)
    expected = explainer(matrix)
    names = [column.name for column in predictor.contract.inputs]
    for place, explanation in enumerate(predictor.explain(rows).explanations):
        assert list(explanation.contributions) == names
        assert explanation.space == "value"
        total = explanation.base_value + sum(explanation.contributions.values())
        assert total == pytest.approx(explanation.prediction, rel=1e-6)
        for name in names:
            features = [i for i, feature in enumerate(predictor.model.fitted.feature_names) if name in owners(feature)]
            share = expected.values[place, features].sum() + (grown[place] if name == outcome.trend.column else 0)
            assert explanation.contributions[name] == pytest.approx(share, abs=1e-6)
    opened = bundles.read(trained.folder / "data/flights/bundle")
    assert opened.manifest.base_values == pytest.approx([float(np.ravel(explainer.expected_value)[0])])


def test_many_rows_are_explained_as_few_are(predictor: Predictor, rows: list[dict[str, Any]]) -> None:
    few = predictor.contributions(predictor.decode(rows).inputs)
    many = predictor.contributions(predictor.decode(rows * 10).inputs, threads=2)
    assert len(many) > MANY
    greatest = np.abs(few).max(axis=1, keepdims=True)
    assert np.all(np.abs(many.reshape(10, *few.shape) - few) <= 1e-9 * greatest)


def test_serving_sees_the_matrix_that_training_saw(
    predictor: Predictor, trained: Project, flights: Problem, rows: list[dict[str, Any]]
) -> None:
    workspace = Workspace("flights")
    gold = tables.read(trained.folder / workspace.gold)
    silver = tables.read(trained.folder / workspace.silver)
    matrix = FeatureMatrix(flights, predictor.model.fitted)
    sample = gold.groupby("split").head(100)
    requested = tables.rows(flights.contract, silver.loc[sample.index.get_level_values("row")])
    served = matrix(to_arrays(flights.contract.inputs, predictor.decode(requested).raise_if_rejected().inputs))
    np.testing.assert_array_equal(served, sample.to_numpy())


def test_a_row_gets_the_same_answer_alone_and_in_a_batch(predictor: Predictor, rows: list[dict[str, Any]]) -> None:
    together = [(answer.prediction, answer.interval) for answer in predictor.predict(rows).predictions]
    alone = [predictor.predict([row]).predictions[0] for row in rows]
    assert together == [(answer.prediction, answer.interval) for answer in alone]
