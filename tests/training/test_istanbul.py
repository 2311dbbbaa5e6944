"""Istanbul beside flights: a number cut into three classes, through the same pipeline and on every transport."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from tritonclient import grpc as triton

from model import bundle, standing
from model.outcomes import Multiclass
from model.predictor import Predictor, open_predictor
from model.watched import HELD_OUT, SPLIT
from monitoring import live, reference
from problems import base
from tests.data import flats
from tests.generated import generated
from tests.project import Project, free_port
from training.data import tables
from training.data.split import SPLITS, TEST, TRAIN
from training.registry import champion, promote
from training.workspace import Workspace

pytestmark = pytest.mark.slow

PLACE = Workspace("istanbul")
PREDICT, EXPLAIN = "/v1/models/istanbul:predict", "/v1/models/istanbul:explain"
LABELS = ["low", "middle", "high"]


@pytest.fixture(scope="module")
def metrics(priced: Project) -> Any:
    return json.loads((priced.folder / PLACE.metrics).read_text())


@pytest.fixture(scope="module")
def model(priced: Project) -> Predictor:
    return open_predictor(priced.folder / PLACE.bundle)


@pytest.fixture(scope="module")
def silver(priced: Project) -> pd.DataFrame:
    return tables.read(priced.folder / PLACE.silver)


@pytest.fixture(scope="module")
def split(priced: Project) -> pd.Series:
    return tables.read(priced.folder / PLACE.split)["split"]


@pytest.fixture(scope="module")
def homes(silver: pd.DataFrame, split: pd.Series, model: Predictor) -> list[dict[str, Any]]:
    """The flats of the test split, as callers send them."""
    return tables.rows(model.contract, silver[split == TEST])[:60]


@pytest.fixture(scope="module")
def address() -> str:
    """Where the service listens for gRPC."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def service(priced: Project, address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    port = address.rsplit(":")[1]
    tag = json.loads((priced.folder / PLACE.packaged).read_text())["tag"]
    bento = priced.build("--arg", f"models={tag}")
    with priced.serve(bento, tmp_path_factory.mktemp("elsewhere"), BOXWOOD_GRPC_PORT=port) as connected:
        yield connected


@pytest.fixture(scope="module")
def answers(service: httpx.Client, homes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.post(PREDICT, json={"instances": homes}).json()["predictions"]
    return found


def test_classes_are_cut_by_the_training_split(silver: pd.DataFrame, split: pd.Series, model: Predictor) -> None:
    bounds = model.model.fitted.bounds
    assert bounds == pytest.approx(np.quantile(silver["price_class"][split == TRAIN], [0.4, 0.8]).tolist())
    for name in SPLITS:  # which follow no time, so that each has its share of each class
        shares = np.bincount(np.searchsorted(bounds, silver["price_class"][split == name], side="right"))
        np.testing.assert_allclose(shares / shares.sum(), [0.4, 0.4, 0.2], atol=0.02)


def test_it_is_judged_as_several_classes(metrics: Any, priced: Project) -> None:
    assert metrics["task"] == "multiclass"
    assert list(metrics["scores"]) == ["model", "lookup", "linear", "forest", "majority"]
    scores = metrics["scores"]
    assert scores["model"]["log_loss"]["value"] < scores["lookup"]["log_loss"]["value"]
    assert scores["model"]["macro_f1"]["value"] > 0.65
    assert scores["majority"]["roc_auc"]["value"] == 0.5
    assert metrics["beats_lookup"]
    assert "unit" not in metrics or metrics["unit"] is None
    found = metrics["classes"]
    assert found["classes"] == LABELS
    assert np.sum(found["confusion"]) == metrics["rows"] == flats.ROWS // 5
    assert np.trace(found["confusion"]) / metrics["rows"] == pytest.approx(found["accuracy"]["value"])
    assert sum(metrics["reliability"]["rows"]) == metrics["rows"]
    assert metrics["reliability"]["actual"][0] < metrics["reliability"]["actual"][-1]
    assert metrics["sets"]["coverage"] == 0.9
    assert metrics["sets"]["covered"]["value"] == pytest.approx(0.9, abs=0.06)
    assert 1 < metrics["sets"]["mean_size"] < 2
    assert {part["column"] for part in metrics["slices"]} >= {"district", "heating", "furnished"}
    assert all("covered" in part for part in metrics["slices"])
    assert metrics["cross_validation"]["folds"] == 2
    assert metrics["importance"]["space"] == "logit"
    assert not metrics.get("suspicions")


def test_the_report_and_the_card_say_so(priced: Project, service: httpx.Client) -> None:
    printed = priced.run("python", "-m", "training", "report", "istanbul")
    assert "Prediction sets that should have the right class for 90% of the rows have it for " in printed
    assert standing.HEADS["macro_f1"] in printed
    text = service.get("/v1/models/istanbul/card").text
    assert "low, middle or high, with probabilities" in text
    assert "| is (down), answered (across) | low | middle | high |" in text
    assert "## Prediction sets" in text
    assert "Prediction sets have the right class for 90% of rows like those of the calibration split" in text
    plots = {path.stem for path in (priced.folder / PLACE.plots).iterdir()}
    assert {"reliability", "summary"} <= plots


def test_answers_are_labels_with_probabilities_and_sets(answers: list[dict[str, Any]]) -> None:
    assert {answer["prediction"] for answer in answers} == set(LABELS)
    for answer in answers:
        assert list(answer) == ["prediction", "probabilities", "prediction_set", "warnings", "prediction_id"]
        shares = answer["probabilities"]
        assert list(shares) == LABELS
        assert sum(shares.values()) == pytest.approx(1.0)
        assert answer["prediction"] == max(shares, key=shares.__getitem__)
        assert answer["prediction"] in answer["prediction_set"]["labels"]
        assert answer["prediction_set"]["coverage"] == 0.9
    assert {len(answer["prediction_set"]["labels"]) for answer in answers} >= {1, 2}


def test_every_transport_gives_the_same(
    service: httpx.Client, address: str, homes: list[dict[str, Any]], answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    labels = [answer["prediction"] for answer in answers]
    shares = [list(answer["probabilities"].values()) for answer in answers]
    sets = [answer["prediction_set"]["labels"] for answer in answers]
    with generated(service, address, "istanbul", tmp_path) as typed:
        told = typed.predict(typed.rows([{k: v for k, v in home.items() if v is not None} for home in homes]))
    assert [one.prediction for one in told.predictions] == labels
    assert [[one.probabilities[label] for label in LABELS] for one in told.predictions] == shares
    assert [list(one.prediction_set.labels) for one in told.predictions] == sets
    native = service.post("/predict", json={"rows": homes}).json()
    assert [one["prediction_set"]["labels"] for one in native] == sets
    assert [list(one["probabilities"].values()) for one in native] == shares
    with triton.InferenceServerClient(address) as client:
        whole = client.infer("istanbul", columns(homes))
    assert [text.decode() for text in whole.as_numpy("prediction").tolist()] == labels
    assert whole.as_numpy("probabilities").tolist() == shares
    inside = whole.as_numpy("prediction_set")
    assert inside.dtype == np.bool_
    assert [[name for name, within in zip(LABELS, row, strict=True) if within] for row in inside] == sets


def columns(rows: list[dict[str, Any]]) -> list[Any]:
    """Rows as tensors of tritonclient."""
    tensors = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        kind = {bool: "BOOL", str: "BYTES"}.get(type(next(v for v in values if v is not None)), "FP64")
        dtype = {"BOOL": np.bool_, "BYTES": np.object_, "FP64": np.float64}[kind]
        tensor = triton.InferInput(name, [len(rows)], kind)
        tensor.set_data_from_numpy(np.array([np.nan if v is None else v for v in values], dtype=dtype))
        tensors.append(tensor)
    return tensors


def test_the_mlflow_model_gives_the_same(
    priced: Project, silver: pd.DataFrame, split: pd.Series, answers: list[dict[str, Any]]
) -> None:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{priced.folder / 'stores/mlflow/mlflow.db'}")
    try:
        registered = mlflow.pyfunc.load_model("models:/istanbul@champion")
    finally:
        mlflow.set_tracking_uri(before)
    names = [f"probability_{label}" for label in LABELS]
    assert registered.metadata.signature.outputs.input_names()[:5] == ["prediction", *names, "prediction_set"]
    table = registered.predict(silver[split == TEST].head(len(answers)))
    assert table["prediction"].tolist() == [answer["prediction"] for answer in answers]
    assert table[names].to_numpy().tolist() == [list(answer["probabilities"].values()) for answer in answers]
    assert [json.loads(text) for text in table["prediction_set"]] == [a["prediction_set"]["labels"] for a in answers]


def test_explanations_are_of_the_answer_and_of_classes_that_are_asked_for(
    service: httpx.Client, address: str, homes: list[dict[str, Any]], answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    plain = service.post(EXPLAIN, json={"instances": homes}).json()["explanations"]
    every = service.post(EXPLAIN, params={"classes": "*"}, json={"instances": homes}).json()["explanations"]
    for home, explanation, whole, answer in zip(homes, plain, every, answers, strict=True):
        assert explanation["prediction"] == explanation["explained_class"] == answer["prediction"]
        assert explanation["space"] == "logit"
        assert "classes" not in explanation
        assert list(explanation["contributions"]) == list(home)
        logits = [one["base_value"] + sum(one["contributions"].values()) for one in whole["classes"]]
        assert [one["label"] for one in whole["classes"]] == LABELS
        powers = np.exp(np.array(logits) - max(logits))
        assert (powers / powers.sum()).tolist() == pytest.approx(list(answer["probabilities"].values()), rel=1e-6)
        own = whole["classes"][LABELS.index(answer["prediction"])]
        assert own["contributions"] == explanation["contributions"] == whole["contributions"]
        assert own["base_value"] == explanation["base_value"]
    body = {"instances": homes[:1], "classes": ["high", "low", "high"]}
    [asked] = service.post(EXPLAIN, json=body).json()["explanations"]
    assert [one["label"] for one in asked["classes"]] == ["high", "low"]
    parameters = {"instances": homes[:1], "parameters": {"classes": ["high"]}}
    assert len(service.post(EXPLAIN, json=parameters).json()["explanations"][0]["classes"]) == 1
    with generated(service, address, "istanbul", tmp_path) as typed:
        rows = typed.rows([{k: v for k, v in home.items() if v is not None} for home in homes[:5]])
        told = typed.explain(rows, classes=["*"]).explanations
    for one, whole in zip(told, every[:5], strict=True):
        assert one.explained_class == whole["explained_class"]
        assert [each.label for each in one.classes] == LABELS
        assert [dict(each.contributions) for each in one.classes] == [
            each["contributions"] for each in whole["classes"]
        ]


@pytest.mark.parametrize("name", ["dear", "", "LOW"])
def test_a_class_that_there_is_not_is_refused(service: httpx.Client, homes: list[dict[str, Any]], name: str) -> None:
    response = service.post(EXPLAIN, params={"classes": name}, json={"instances": homes[:1]})
    assert response.status_code == 400
    assert f"There is no class '{name}' to explain. There are: low, middle, high; * is all." in response.text
    assert service.post(PREDICT, params={"classes": name}, json={"instances": homes[:1]}).status_code == 200


def test_a_request_for_too_many_explanations_is_refused(service: httpx.Client, homes: list[dict[str, Any]]) -> None:
    body = {"instances": homes[:1] * 7_000}
    response = service.post(EXPLAIN, params={"classes": "*"}, json=body)
    assert response.status_code == 413
    assert "7000 rows with 3 explanations each are above the limit of 20000 explanations" in response.text
    assert "send parts of at most 6666 rows, or ask for fewer classes" in response.text


def test_a_model_of_numbers_has_no_classes(client: httpx.Client, row: dict[str, Any]) -> None:
    response = client.post("/v1/models/flights:explain", params={"classes": "*"}, json={"instances": [row]})
    assert response.status_code == 400
    assert "predicts a number: it has no classes to explain" in response.text


def test_the_description_has_the_classes_and_their_bounds(service: httpx.Client, model: Predictor) -> None:
    described = service.get("/v1/models/istanbul").json()
    first, second = model.model.fitted.bounds
    assert described["classes"] == [
        {"label": "low", "high": first},
        {"label": "middle", "low": first, "high": second},
        {"label": "high", "low": second},
    ]
    target = described["contract"][-1]
    assert target["bins"] == {"labels": LABELS, "quantiles": [0.4, 0.8]}
    lines = [line for line in service.get("/metrics").text.splitlines() if line.startswith("boxwood_prediction_bucket")]
    assert '"0.9"' in "".join(lines)  # tenths of a probability, and no prices


def test_openapi_describes_these_answers(
    service: httpx.Client, homes: list[dict[str, Any]], answers: list[dict[str, Any]]
) -> None:
    document = service.get("/docs.json").json()
    explained = service.post(EXPLAIN, params={"classes": "low"}, json={"instances": homes[:3]}).json()
    predicted = service.post(PREDICT, json={"instances": homes[:3]}).json()
    for name, answer in (("Predictions-istanbul", predicted), ("Explanations-istanbul", explained)):
        validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})
        validator.validate(answer)
    schema = document["components"]["schemas"]["Prediction-istanbul"]["properties"]
    assert schema["prediction"] == {"enum": LABELS}
    assert list(schema["probabilities"]["properties"]) == LABELS
    assert not {"interval", "unit"} & set(schema)
    assert document["components"]["schemas"]["Explanation-istanbul"]["properties"]["explained_class"] == {
        "enum": LABELS
    }
    assert document["components"]["schemas"]["Instances-istanbul"]["properties"]["classes"]["items"]["enum"][-1] == "*"
    [parameter] = document["paths"][EXPLAIN]["post"]["parameters"]
    assert parameter["schema"]["items"]["enum"] == [*LABELS, "*"]


def test_the_bundle_proves_every_class(priced: Project, model: Predictor) -> None:
    manifest = bundle.read_manifest(priced.folder / PLACE.bundle)
    assert isinstance(model.outcome, Multiclass)
    assert len(manifest.base_values) == len(model.outcome.subjects) == 3
    seen = bundle.read(priced.folder / PLACE.bundle).reference.predictions
    assert seen is not None
    assert set(getattr(seen, "shares", ())) == set(LABELS)


def test_who_watches_judges_numbers_by_the_bounds(priced: Project, metrics: Any) -> None:
    watched, rows = reference.read((priced.folder / PLACE.reference).read_bytes(), str(PLACE.reference))
    found = live.judge_reference(watched, rows)
    assert len(found.losses) == (rows[SPLIT] == HELD_OUT).sum()
    assert found.losses.mean() == pytest.approx(metrics["scores"]["model"]["log_loss"]["value"], rel=1e-6)


@pytest.mark.parametrize("risen", [1.01, 2.0])
def test_each_version_is_judged_by_its_own_bounds(
    priced: Project, risen: float, metrics: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A challenger that answers well by other bounds: the champion's loss does not rise with them."""
    project = priced.copy(tmp_path / "project").uncounted()
    project.training("registry list istanbul")
    monkeypatch.chdir(project.folder)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{project.folder / 'stores/mlflow/mlflow.db'}")
    problem, evaluated = base.load("istanbul"), tables.read(PLACE.evaluation)
    prices = tables.read(PLACE.silver).loc[evaluated.index, "price_class"]
    bounds = risen * np.array(bundle.read_manifest(PLACE.bundle).fitted.bounds)
    actual = np.searchsorted(bounds, prices, side="right")
    shares = 0.97 * np.eye(3)[actual] + 0.01
    columns = {f"model.{place}": shares[:, place] for place in range(3)}
    tables.write(PLACE.evaluation, evaluated.assign(actual=actual.astype(float), **columns))
    decision = promote.decide(problem, PLACE, champion.current(mlflow.MlflowClient(), "istanbul"))
    mlflow.set_tracking_uri(before)
    told = "; ".join(decision.reasons)
    assert decision.promoted == (risen < 1.5)
    if decision.promoted:
        assert f"is below the champion's {metrics['scores']['model']['log_loss']['value']:.4g} on" in told
        assert "% of the test rows are of another class by its bounds" in told
    else:
        assert "its classes mean other numbers: " in told
        assert "of the test rows are of another class by the bounds of version 1" in told
