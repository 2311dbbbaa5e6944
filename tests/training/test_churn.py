"""Churn beside flights: a classification through the same pipeline, and in the same service."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import bundle
from model.outcomes.binary import Binary
from model.predictor import Predictor, open_predictor
from problems import base
from tests.data import telco
from tests.generated import generated
from tests.project import Project, free_port
from tests.strategies import good_rows
from training.data import tables
from training.data.split import SPLITS, TEST
from training.workspace import Workspace

PLACE = Workspace("churn")
PREDICT = "/v1/models/churn:predict"
EXPLAIN = "/v1/models/churn:explain"


@pytest.fixture(scope="module")
def metrics(churned: Project) -> Any:
    return json.loads((churned.folder / PLACE.metrics).read_text())


@pytest.fixture(scope="module")
def model(churned: Project) -> Predictor:
    return open_predictor(churned.folder / PLACE.bundle)


@pytest.fixture(scope="module")
def silver(churned: Project) -> pd.DataFrame:
    return tables.read(churned.folder / PLACE.silver)


@pytest.fixture(scope="module")
def customers(churned: Project, silver: pd.DataFrame, model: Predictor) -> list[dict[str, Any]]:
    """The customers of the test split, as callers send them."""
    test = tables.read(churned.folder / PLACE.split)["split"] == TEST
    return tables.rows(model.contract, silver[test])


@pytest.fixture
def registered(churned: Project) -> Iterator[Any]:
    """The model as MLflow has it."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{churned.folder / 'stores/mlflow/mlflow.db'}")
    yield mlflow.pyfunc.load_model("models:/churn@champion")
    mlflow.set_tracking_uri(before)


@pytest.mark.filterwarnings("ignore")  # MLflow's own, about pandas and matplotlib
def test_mlflows_own_evaluation_runs(registered: Any, silver: pd.DataFrame) -> None:
    """As docs/ has it, on the answers: MLflow's judge of classifications takes a model's whole table for labels."""
    answered = silver.tail(300).assign(**registered.predict(silver.tail(300)))
    kind: Any = {
        "targets": "churn",
        "predictions": "prediction",
        "model_type": "classifier",
        "evaluators": "classifier",
    }
    found = mlflow.models.evaluate(data=answered, **kind)
    assert found.metrics["accuracy_score"] == (answered["prediction"] == answered["churn"]).mean()


@pytest.fixture(scope="module")
def address() -> str:
    """Where that service listens for gRPC."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def both(churned: Project, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service of one Bento with both models."""
    port = address.rsplit(":")[1]
    with churned.serve(churned.build(), tmp_path_factory.mktemp("elsewhere"), BOXWOOD_GRPC_PORT=port) as connected:
        yield connected


@pytest.fixture
def customer() -> dict[str, Any]:
    return base.load("churn").contract.example()


def test_blank_totals_are_missing_and_nobody_is_quarantined(churned: Project, silver: pd.DataFrame) -> None:
    assert len(silver) == telco.ROWS
    assert silver["total_charges"].isna().sum() == telco.BLANKS
    assert (silver.loc[silver["total_charges"].isna(), "tenure"] == 0).all()
    assert (churned.folder / PLACE.quarantine).read_text().count("\n") == 1


def test_every_split_has_its_share_of_those_who_leave(churned: Project, silver: pd.DataFrame) -> None:
    split = tables.read(churned.folder / PLACE.split)["split"]
    left = silver["churn"] == "Yes"
    for name in SPLITS:
        assert left[split == name].mean() == pytest.approx(left.mean(), abs=0.01)


def test_it_is_judged_as_a_classification(metrics: Any) -> None:
    assert metrics["task"] == "binary"
    assert list(metrics["scores"]) == ["model", "lookup", "linear", "forest", "majority"]
    assert metrics["scores"]["model"]["roc_auc"]["value"] > 0.75
    assert metrics["scores"]["majority"]["roc_auc"]["value"] == 0.5
    assert metrics["beats_lookup"]
    assert "interval" not in metrics
    assert metrics["importance"]["space"] == "log-odds"
    assert metrics["importance"]["rows"] == metrics["rows"]
    folds = metrics["cross_validation"]
    assert folds["folds"] == len(folds["roc_auc_of_folds"]) == 2
    assert folds["mean_roc_auc"] == pytest.approx(np.mean(folds["roc_auc_of_folds"]))
    assert folds["scores"]["ece"]["value"] < 0.06
    assert {part["column"] for part in metrics["slices"]} >= {"contract", "internet", "senior", "payment"}
    assert sum(part["rows"] for part in metrics["slices"] if part["column"] == "gender") == metrics["rows"] == 300


def test_the_threshold_is_that_of_the_stated_costs(model: Predictor, metrics: Any) -> None:
    """Calling somebody who would have stayed costs 1, losing somebody 3: it pays from a probability of a quarter."""
    outcome = model.outcome
    assert isinstance(outcome, Binary)
    assert outcome.classes == ("No", "Yes")
    assert outcome.threshold == pytest.approx(1 / (1 + 3))
    assert metrics["decision"]["threshold"] == outcome.threshold
    assert metrics["decision"]["recall"]["value"] > 0.7  # who leaves is dear, so most of them are found


def test_the_curve_has_the_models_threshold_with_its_rates(metrics: Any) -> None:
    decision = metrics["decision"]
    curve = decision["curve"]
    place = curve["thresholds"].index(decision["threshold"])
    tp, fp, tn, fn = (curve[name][place] for name in ("tp", "fp", "tn", "fn"))
    assert tp + fp + tn + fn == metrics["rows"]
    assert decision["accuracy"]["value"] == pytest.approx((tp + tn) / metrics["rows"])
    assert decision["recall"]["value"] == pytest.approx(tp / (tp + fn))
    assert decision["precision"]["value"] == pytest.approx(tp / (tp + fp))
    bins = metrics["reliability"]
    assert (sum(bins["rows"]), min(bins["rows"]) >= 20) == (metrics["rows"], True)
    assert np.average(bins["actual"], weights=bins["rows"]) == pytest.approx((tp + fn) / metrics["rows"])


def test_a_bundle_of_a_classification_has_one_booster(churned: Project) -> None:
    assert set(bundle.read_manifest(churned.folder / PLACE.bundle).files) == set(bundle.NEEDED)


def test_both_problems_are_up_to_date_together(churned: Project) -> None:
    assert "Data and pipelines are up to date." in churned.run("dvc", "repro")


def test_one_bento_serves_both(both: httpx.Client, row: dict[str, Any], customer: dict[str, Any]) -> None:
    assert both.get("/v1/models").json() == {"models": ["churn", "flights"]}
    [fare] = both.post("/v1/models/flights:predict", json={"instances": [row]}).json()["predictions"]
    assert fare["interval"]["low"] < fare["prediction"] < fare["interval"]["high"]
    document = both.post(PREDICT, json={"instances": [{**customer, "customer_id": "0001"}]}).json()
    assert document["model_name"] == "churn"
    [answer] = document["predictions"]
    assert list(answer) == ["prediction", "probabilities", "prediction_set", "warnings", "prediction_id", "keys"]
    assert answer["keys"] == {"customer_id": "0001"}
    described = both.get("/v1/models/churn").json()
    assert described["metrics"]["task"] == "binary"


def test_answers_are_labels_with_probabilities(both: httpx.Client, customers: list[dict[str, Any]]) -> None:
    answers = both.post(PREDICT, json={"instances": customers}).json()["predictions"]
    assert {answer["prediction"] for answer in answers} == {"No", "Yes"}
    for answer in answers:
        assert list(answer["probabilities"]) == ["No", "Yes"]
        assert sum(answer["probabilities"].values()) == pytest.approx(1.0)
        assert (answer["prediction"] == "Yes") == (answer["probabilities"]["Yes"] >= 0.25)
        assert "unit" not in answer
        assert "interval" not in answer


def test_explanations_add_up_to_the_log_odds_of_the_answered_probability(
    both: httpx.Client, customers: list[dict[str, Any]]
) -> None:
    explained = both.post(EXPLAIN, json={"instances": customers[:50]}).json()["explanations"]
    answered = both.post(PREDICT, json={"instances": customers[:50]}).json()["predictions"]
    for explanation, answer in zip(explained, answered, strict=True):
        assert explanation["space"] == "log-odds"
        assert explanation["prediction"] == answer["prediction"]
        assert explanation["probabilities"] == answer["probabilities"]
        log_odds = explanation["base_value"] + sum(explanation["contributions"].values())
        assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(answer["probabilities"]["Yes"], rel=1e-6)


def test_the_other_class_is_explained_by_the_same_numbers_turned(
    both: httpx.Client, customers: list[dict[str, Any]]
) -> None:
    explained = both.post(EXPLAIN, json={"instances": customers[:5], "classes": ["No", "Yes"]}).json()["explanations"]
    for explanation in explained:
        assert explanation["explained_class"] == "Yes"
        no, yes = explanation["classes"]
        assert (no["label"], yes["label"]) == ("No", "Yes")
        assert yes["contributions"] == explanation["contributions"]
        assert no["contributions"] == {name: -share for name, share in yes["contributions"].items()}
        assert no["base_value"] == -yes["base_value"] == -explanation["base_value"]


def test_a_generated_client_gets_the_same_labels_probabilities_and_reasons(
    both: httpx.Client, address: str, customers: list[dict[str, Any]], tmp_path: Path
) -> None:
    rows = [{**customer, "customer_id": str(place)} for place, customer in enumerate(customers[:50])]
    with generated(both, address, "churn", tmp_path) as churn:
        answers = churn.predict(churn.rows(rows)).predictions
        explanations = churn.explain(churn.rows(rows)).explanations
        described = churn.messages.Prediction.DESCRIPTOR.fields_by_name
    assert list(described) == ["prediction", "probabilities", "warnings", "keys", "prediction_id", "prediction_set"]
    answered = both.post(PREDICT, json={"instances": rows}).json()["predictions"]
    explained = both.post(EXPLAIN, json={"instances": rows}).json()["explanations"]
    for ours, theirs in ((answers, answered), (explanations, explained)):
        assert [one.prediction for one in ours] == [one["prediction"] for one in theirs]
        assert [dict(one.probabilities) for one in ours] == [one["probabilities"] for one in theirs]
        assert [one.keys.customer_id for one in ours] == [one["keys"]["customer_id"] for one in theirs]
    assert [dict(one.contributions) for one in explanations] == [one["contributions"] for one in explained]


def test_a_customer_without_a_bill_is_answered(both: httpx.Client, customer: dict[str, Any]) -> None:
    left_out = {name: value for name, value in customer.items() if name != "total_charges"}
    rows = [{**customer, "total_charges": None, "tenure": 0}, {**left_out, "tenure": 0}]
    answers = both.post(PREDICT, json={"instances": rows}).json()["predictions"]
    assert answers[0]["probabilities"] == answers[1]["probabilities"]
    [error] = both.post(PREDICT, json={"instances": [{**customer, "total_charges": " "}]}).json()["errors"]
    assert error["column"] == "total_charges"


@pytest.mark.slow
def test_the_native_api_answers_churn_as_the_same_labels(
    churned: Project, both: httpx.Client, customer: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The first of `models=…` is BentoML's default model."""
    tags = [json.loads((churned.folder / Workspace(name).packaged).read_text())["tag"] for name in ("churn", "flights")]
    built = churned.build("--arg", f"models={','.join(tags)}")
    [expected] = both.post(PREDICT, json={"instances": [customer]}).json()["predictions"]
    with churned.serve(built, tmp_path_factory.mktemp("native")) as connected:
        [native] = connected.post("/predict", json={"rows": [customer]}).json()
    assert native["model_name"] == "churn"
    assert native["prediction"] == expected["prediction"]
    assert native["probabilities"] == expected["probabilities"]


@settings(max_examples=50)
@given(data=st.data())
def test_any_row_that_satisfies_the_contract_gets_probabilities(data: st.DataObject, model: Predictor) -> None:
    row = data.draw(good_rows(model.contract, model.model.fitted.vocabularies))
    [answer] = model.predict([row]).predictions
    assert isinstance(answer.probabilities, dict)
    assert all(0 <= share <= 1 for share in answer.probabilities.values())


def test_a_table_of_one_class_is_refused_with_a_sentence(churned: Project, tmp_path: Path) -> None:
    project = churned.copy(tmp_path / "project")
    silver = tables.read(project.folder / PLACE.silver)
    tables.write(project.folder / PLACE.silver, silver.assign(churn="No"))
    printed = project.run("python", "-m", "training", "train", "churn", fails=True)
    assert "has churn = 'No': there is nothing to tell apart." in printed
    assert "Traceback" not in printed


def test_a_weight_for_a_class_that_there_is_not_is_refused(churned: Project, tmp_path: Path) -> None:
    project = churned.copy(tmp_path / "project")
    project.change_params({"train": {"class_weights": {"Perhaps": 2.0}}}, "churn")
    printed = project.run("python", "-m", "training", "train", "churn", fails=True)
    assert "class_weights names 'Perhaps'; the classes are No, Yes." in printed
