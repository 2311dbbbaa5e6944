"""What the registry holds: the run, the version, and a model that MLflow itself can serve."""

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from mlflow.types import DataType
from mlflow.types.schema import AnyType
from starlette.testclient import TestClient

from model import bundle
from model.predictor import Predictor
from problems.base import Problem
from tests.project import Project
from training.data import tables
from training.registry import champion, register, told
from training.workspace import Workspace

PLACE = Workspace("flights")


@pytest.fixture(scope="module")
def registry(trained: Project) -> mlflow.MlflowClient:
    uri = f"sqlite:///{trained.folder / 'stores/mlflow/mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(uri)


def test_the_run_has_everything_about_the_model(
    registry: mlflow.MlflowClient, trained: Project, predictor: Predictor
) -> None:
    version = registry.get_model_version_by_alias("flights", champion.CHAMPION)
    assert version.tags[register.VERSION_TAG] == predictor.version
    run = registry.get_run(version.run_id)
    source = json.loads((trained.folder / PLACE.source).read_text())
    assert run.data.tags["data_sha256"] == source["sha256"]
    assert "git_commit" in run.data.tags
    assert run.data.params["train.booster.num_leaves"] == "63"
    metrics = json.loads((trained.folder / PLACE.metrics).read_text())
    assert run.data.metrics["model.rmse"] == metrics["scores"]["model"]["rmse"]["value"]
    assert run.data.metrics["lookup.rmse"] == metrics["scores"]["lookup"]["rmse"]["value"]
    [dataset] = run.inputs.dataset_inputs
    assert dataset.dataset.digest == source["sha256"][:36]


@pytest.fixture(scope="module")
def registered(registry: mlflow.MlflowClient) -> Any:
    return mlflow.pyfunc.load_model(f"models:/flights@{champion.CHAMPION}")


def test_the_registered_model_answers_like_the_predictor(
    registered: Any, predictor: Predictor, row: dict[str, Any]
) -> None:
    rows = [row, {**row, "cabin": "premium"}]
    expected = [p.prediction for p in predictor.predict(rows).predictions]
    for dates in (pd.to_datetime(pd.Series([row["date"]] * 2)), [datetime.date.fromisoformat(str(row["date"]))] * 2):
        answers = registered.predict(pd.DataFrame(rows).assign(date=dates))
        assert answers["prediction"].tolist() == expected


def test_numbers_and_days_of_any_type_are_taken(registered: Any, predictor: Predictor, row: dict[str, Any]) -> None:
    """As Spark and pandas bring them, in batches of which some have no missing value and others have nothing else."""
    rows = [{**row, "duration_hours": 2, "date": "9999-12-31"}, {**row, "duration_hours": 3}]
    expected = [p.prediction for p in predictor.predict(rows).predictions]
    whole: dict[str, list[int | None]] = {
        "Int64": [1, None], "int64": [1, 2], "int32": [1, 2], "float64": [1, None], "object": [1, None]
    }  # fmt: skip
    for kind, codes in whole.items():
        hours = [decimal.Decimal("2.00"), decimal.Decimal(3)] if kind == "object" else [2, 3]
        table = pd.DataFrame(rows).assign(
            duration_hours=pd.Series(hours, dtype=kind),
            travel_code=pd.Series(codes, dtype=kind),
            date=[datetime.date.fromisoformat(str(each["date"])) for each in rows],
        )
        answers = registered.predict(table)
        assert answers["prediction"].tolist() == expected
        assert answers["key_travel_code"].dtype == "float64"
        assert answers["key_travel_code"].dropna().tolist() == [code for code in codes if code]


def test_a_missing_value_refuses_its_row_alone(registered: Any, row: dict[str, Any]) -> None:
    table = pd.DataFrame([row, {**row, "duration_hours": None}, row])
    for name in ("float64", "Float64", "object"):
        typed = table.assign(duration_hours=table["duration_hours"].astype(name))
        with pytest.raises(ValueError, match="1 errors, first: row 1, duration_hours: null is not allowed here"):
            registered.predict(typed)
        answers = registered.predict(typed, params={"partial": True})
        assert answers["prediction"].notna().tolist() == [True, False, True]
        assert answers["warnings"].tolist() == [""] * 3
    nothing = registered.predict(table.iloc[1:2], params={"partial": True})
    assert nothing["prediction"].isna().tolist() == [True]
    assert nothing["warnings"].tolist() == [""]


def test_mlflows_server_takes_the_example_of_a_version(registered: Any) -> None:
    uri = f"models:/flights@{champion.CHAMPION}/serving_input_example.json"
    shown = Path(mlflow.artifacts.download_artifacts(uri)).read_text()
    with TestClient(scoring_server.init(registered)) as server:
        answer = server.post("/invocations", content=shown, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == len(json.loads(shown)["dataframe_split"]["data"])


def test_the_registered_model_answers_the_projects_own_table(registered: Any, trained: Project) -> None:
    silver = tables.read(trained.folder / PLACE.silver).head(20)
    assert registered.predict(silver)["prediction"].between(0, 1e5).all()


def dated(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows).assign(date=lambda table: pd.to_datetime(table["date"]))


def test_the_registered_model_refuses_what_the_contract_refuses(registered: Any, row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="row 1, cabin: 'roof' is not a cabin"):
        registered.predict(dated([row, {**row, "cabin": "roof"}]))
    with pytest.raises(MlflowException, match="missing inputs"):
        registered.predict(dated([row]).drop(columns="cabin"))


def test_signature_and_example_are_the_contracts(registered: Any, flights: Problem, predictor: Predictor) -> None:
    signature = registered.metadata.signature
    assert signature == register.signature(flights.contract, predictor.outcome)
    names = [column.name for column in flights.contract.inputs]
    assert signature.inputs.input_names() == [*names, "travel_code", "user_code"]
    assert signature.inputs.required_input_names() == names
    types = {name: column.type for name, column in signature.inputs.input_dict().items()}
    assert {name for name, kind in types.items() if kind == DataType.string} == set(names[:4])
    assert {name for name, kind in types.items() if kind == AnyType()} == {*names[4:], "travel_code", "user_code"}
    assert list(registered.input_example.columns) == names


def test_answers_have_the_columns_of_the_signature(registered: Any, row: dict[str, Any]) -> None:
    """No name needs backticks in Spark, and neither warnings nor keys are lost."""
    answers = registered.predict(dated([{**row, "agency": "Nobody", "travel_code": 7}, row]))
    assert list(answers.columns) == registered.metadata.signature.outputs.input_names()
    assert all(name.isidentifier() for name in answers.columns)
    assert "'Nobody'" in answers["warnings"][0]
    assert answers["warnings"][1] == ""
    assert answers["key_travel_code"][0] == 7
    assert (answers["interval_low"] < answers["prediction"]).all()


@pytest.mark.filterwarnings("ignore")  # MLflow's own, about pandas and matplotlib
def test_mlflows_own_evaluation_runs(registered: Any, trained: Project) -> None:
    """As docs/ has it, on the answers; a regression's judge asks the model too, if it is told which output to take."""
    silver = tables.read(trained.folder / PLACE.silver).tail(300)
    kind: Any = {"targets": "price", "predictions": "prediction", "model_type": "regressor", "evaluators": "regressor"}
    found = mlflow.models.evaluate(data=silver.assign(**registered.predict(silver)), **kind)
    assert found.metrics["r2_score"] > 0.5
    assert found.metrics == mlflow.models.evaluate(registered, silver, **kind).metrics


def test_a_version_tells_its_story(registry: mlflow.MlflowClient, trained: Project, predictor: Predictor) -> None:
    version = registry.get_model_version_by_alias("flights", champion.CHAMPION)
    story, run = version.description, registry.get_run(version.run_id)
    source = json.loads((trained.folder / PLACE.source).read_text())
    judged = json.loads((trained.folder / PLACE.metrics).read_text())
    assert story.startswith(f"# Fare of a flight, version {version.version}\n\n**Promoted to champion**")
    assert len(story) <= told.LONGEST
    assert "- there is no champion yet; it beats the lookup of group means" in story
    assert "Predicts `price` (Fare of one seat): a number in USD, with an interval for 90%." in story
    assert f"From a **simulated** table: {sum(judged['splits'].values()):,} rows, `date` from 2019-" in story
    assert f"sha256 `{source['sha256'][:12]}`" in story
    for name, head in (("rmse", "RMSE, USD (compared by)"), ("mae", "MAE, USD"), ("r2", "R²")):
        mine, other = (judged["scores"][who][name] for who in ("model", "lookup"))
        written = [f"{each['value']:.4g} [{each['low']:.4g}, {each['high']:.4g}]" for each in (mine, other)]
        assert f"| {head} | {written[0]} | {written[1]} |" in story
    for gate in ("contract", "split", "copies", "test rows that the model refuses", "suspicions", "promotion"):
        assert f"| {gate} | " in story
    assert f"Bundle `{predictor.version}`" in story
    assert f"/runs/{version.run_id}/artifacts/card.html)" in story
    assert "Ask it" not in story  # nobody said where the page is
    assert run.data.tags["mlflow.note.content"] == story
    assert {"card.html", "card.md", "plots"} <= {one.path for one in registry.list_artifacts(version.run_id)}


def test_the_model_is_described_and_found_by_its_tags(registry: mlflow.MlflowClient) -> None:
    model = registry.get_registered_model("flights")
    assert model.description.startswith("# Fare of a flight\n\nPredicts `price`")
    wanted = {"problem": "flights", "target": "price", "task": "regression", "unit": "USD"}
    assert wanted.items() <= model.tags.items()
    [found] = registry.search_registered_models("tags.unit = 'USD'")
    assert found.name == "flights"
    version = registry.get_model_version_by_alias("flights", champion.CHAMPION)
    run = registry.get_run(version.run_id)
    for tags in (version.tags, run.data.tags):
        assert wanted.items() <= tags.items()
        assert len(tags["data_sha256"]) == 64
        assert "git_commit" in tags


def test_figures_have_intervals_and_units_and_belong_to_the_model(
    registry: mlflow.MlflowClient, trained: Project
) -> None:
    version = registry.get_model_version_by_alias("flights", champion.CHAMPION)
    run = registry.get_run(version.run_id).data
    scores = json.loads((trained.folder / PLACE.metrics).read_text())["scores"]
    ends = {"": "value", ".low": "low", ".high": "high"}
    for who in ("model", "lookup"):
        for ending, name in ends.items():
            assert run.metrics[f"{who}.rmse{ending}"] == scores[who]["rmse"][name]
    assert {name: unit for name, unit in run.tags.items() if name.startswith("unit.")} == {
        "unit.rmse": "USD", "unit.mae": "USD"
    }  # fmt: skip
    assert 0.8 < run.metrics["model.interval_coverage"] <= 1
    logged = registry.get_logged_model(version.source.rpartition("/")[2])
    of_model = {one.key: one.value for one in logged.metrics}
    ours = {name: value for name, value in run.metrics.items() if "." in name}  # another test adds MLflow's own
    assert ours.items() <= of_model.items()
    assert "model.rmse.high" in ours


@pytest.mark.parametrize("where", ["https://page.example/x", "https://page.example/x/", ":7860", ""])
def test_the_page_is_linked_where_its_address_is_known(
    flights: Problem, trained: Project, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv(told.PAGE, where)
    described = told.of_model(flights, bundle.read_manifest(trained.folder / PLACE.bundle))
    assert ("[Ask it](https://page.example/x/?model=flights)" in described) == ("://" in where)


@given(st.text(max_size=3 * told.LONGEST))
def test_a_description_has_room(text: str) -> None:
    whole = text * 3
    short = told.shortened(whole)
    assert len(short) <= told.LONGEST
    if len(whole) > told.LONGEST:
        start, _, rest = short.partition("\n\n… the rest is in card.md")
        assert whole.startswith(start)
        assert rest
    else:
        assert short == whole
