"""A problem that nobody prepared for, with every kind of column, through the same code beside flights."""

import csv
import datetime
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.project import ROOT, Project
from training.__main__ import STAGES

ROW = {
    "city": "Oslo",
    "energy": "A",
    "rooms": 5,
    "area": 80.0,
    "furnished": True,
    "built": "1990-01-01",
    "listed": "2024-02-29T10:00:00",
}
PREDICT = "/v1/models/letting:predict"


def write_table(path: Path, rows: int) -> None:
    """Rents as a careless website writes them."""
    chance = random.Random(5)  # noqa: S311 no secret
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["No", " Şehir", "energy", "Oda Sayısı", "area", "furnished", "built", "listed", "deposit", "rent"]
        )
        for number in range(rows):
            city, area, living = chance.choice(["Oslo", "Rome", "Ürgüp"]), chance.uniform(20, 200), chance.randint(1, 5)
            rent = area * {"Oslo": 20, "Rome": 14, "Ürgüp": 6}[city] * chance.uniform(0.9, 1.1)
            listed = f"2024-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}T0{chance.randint(0, 9)}:30:00"
            built = "" if number % 7 == 0 else f"19{chance.randint(10, 99)}-05-01"
            cells = [chance.choice("ABCD"), f"{living}+1" if number % 9 else " ", f" {area:.2f} "]
            table.writerow(
                [
                    f"n{number}",
                    f"{city} ",
                    *cells,
                    chance.choice(["yes", "No", ""]),
                    built,
                    listed,
                    3 * rent,
                    f"{rent:.2f}",
                ]
            )


@pytest.fixture(scope="module")
def project(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The trained project with a second problem: one file, and an entry in params.yaml."""
    project = Project(trained.copy(tmp_path_factory.mktemp("letting") / "project").folder, own_code=True)
    shutil.copy(ROOT / "tests/data/letting.py", project.folder / "problems/letting.py")
    params = project.folder / "params.yaml"
    document = yaml.safe_load(params.read_text())
    document["problems"].append("letting")
    document["letting"] = {name: values for name, values in document["flights"].items() if name != "source"}
    params.write_text(yaml.safe_dump(document))
    write_table(project.folder / "rents.csv", 3_000)
    printed = project.run("python", "-m", "training", "source", "letting", fails=True)
    assert "'letting' has no simulated table: say which table to use with DATA=path-or-URL" in printed
    project.run("python", "-m", "training", "source", "letting", "--data", "rents.csv")
    project.stages(*STAGES, problem="letting")
    return project


@pytest.fixture(scope="module")
def both(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service that holds both models."""
    with project.serve(project.build(), tmp_path_factory.mktemp("elsewhere")) as connected:
        yield connected


def test_the_model_is_judged_like_any_other(project: Project) -> None:
    metrics = json.loads((project.folder / "data/letting/metrics.json").read_text())
    assert metrics["beats_lookup"]
    assert metrics["scores"]["model"]["mape"]["value"] < 0.12
    assert metrics["rows"] == 600
    assert metrics["refused"] == 0
    assert (project.folder / "data/letting/quarantine.csv").read_text().count("\n") == 1


SAME_MATRIX = """
import numpy as np, pathlib
from model.features import FeatureMatrix
from model.predictor import open_predictor
from training import tables
from training.workspace import Workspace
from validation.decode import to_arrays

place = Workspace("letting")
predictor = open_predictor(place.bundle)
gold, silver = tables.read(place.gold), tables.read(place.silver)
rows = tables.rows(predictor.contract, silver.loc[gold.index.get_level_values("row")])
records = predictor.decode(rows).whole().records
matrix = FeatureMatrix(predictor.problem, predictor.manifest.fitted)(to_arrays(predictor.contract.inputs, records))
np.testing.assert_array_equal(matrix, gold.to_numpy())
"""


def test_serving_sees_the_matrix_that_training_saw(project: Project) -> None:
    project.run("python", "-c", SAME_MATRIX)


def test_one_service_holds_several_models(both: httpx.Client, row: dict[str, Any]) -> None:
    assert both.get("/v1/models").json() == {"models": ["flights", "letting"]}
    rent = both.post(PREDICT, json={"instances": [{**ROW, "number": "n1"}]}).json()
    fare = both.post("/v1/models/flights:predict", json={"instances": [row]}).json()
    assert rent["model_name"] == "letting"
    assert rent["model_version"] != fare["model_version"]
    [answer] = rent["predictions"]
    assert 1_200 < answer["prediction"] < 2_000
    assert answer["unit"] == "EUR"
    assert answer["interval"]["low"] < answer["prediction"] < answer["interval"]["high"]
    assert answer["keys"] == {"number": "n1"}
    [native] = both.post("/predict", json={"rows": [row]}).json()
    assert native["model_name"] == "flights"


def test_missing_unseen_and_forbidden_columns(both: httpx.Client) -> None:
    bare = {name: ROW[name] for name in ("city", "area", "listed")}
    assert both.post(PREDICT, json={"instances": [bare]}).status_code == 200
    [answer] = both.post(PREDICT, json={"instances": [{**ROW, "energy": "Z"}]}).json()["predictions"]
    assert answer["warnings"] == ["energy: 'Z' was not seen in training and is treated as missing"]
    errors = both.post(PREDICT, json={"instances": [{**ROW, "deposit": 3.0, "city": "Paris"}]}).json()["errors"]
    assert {error["column"] for error in errors} == {"deposit", "city"}


def test_explanations_belong_to_the_callers_columns(both: httpx.Client) -> None:
    [explanation] = both.post(PREDICT.replace("predict", "explain"), json={"instances": [ROW]}).json()["explanations"]
    assert list(explanation["contributions"]) == list(ROW)
    total = explanation["base_value"] + sum(explanation["contributions"].values())
    assert total == pytest.approx(explanation["prediction"], rel=1e-6)
    assert abs(explanation["contributions"]["area"]) > abs(explanation["contributions"]["built"])


def test_what_training_saw_is_told_as_requests_carry_it(project: Project, both: httpx.Client) -> None:
    reference = both.get("/v1/models/letting").json()["reference"]
    seen, written = (
        reference["columns"],
        json.loads((project.folder / "data/letting/bundle/reference.json").read_text()),
    )
    assert reference["rows"] == written["rows"]
    assert set(seen) == {*ROW, "rent"}
    assert set(seen["furnished"]["shares"]) == {"false", "true"}
    assert 0 < seen["built"]["missing"] < 1
    for name, form in (("built", "%Y-%m-%d"), ("listed", "%Y-%m-%dT%H:%M:%S")):
        deciles = [
            datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC) for text in seen[name]["deciles"]
        ]
        step = 86_400 if name == "built" else 1  # a decile between two days is told as the first of them
        assert [instant.timestamp() for instant in deciles] == [
            second // step * step for second in written["columns"][name]["deciles"]
        ]
    for name in ("city", "energy", "rooms", "area", "rent"):
        assert seen[name] == written["columns"][name]
    row = {name: seen[name]["deciles"][5] for name in ("rooms", "area", "built", "listed")} | {"city": "Oslo"}
    assert both.post(PREDICT, json={"instances": [row | {"rooms": round(row["rooms"])}]}).status_code == 200


def test_the_contract_describes_its_choices(both: httpx.Client) -> None:
    columns = {column["name"]: column for column in both.get("/v1/models/letting").json()["contract"]}
    assert columns["city"]["choices"] == ["Oslo", "Rome", "Ürgüp"]
    assert columns["energy"]["choices"] == ["A", "B", "C"]
