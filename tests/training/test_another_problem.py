"""A problem that nobody prepared for, with every kind of column, through the same code beside flights."""

import datetime
import json
from typing import Any

import httpx
import pytest

from tests.project import Project
from ui import examples, whatif
from ui.described import Model

ROW = {
    "city": "Oslo",
    "energy": "A",
    "rooms": 5,
    "area": 80.0,
    "furnished": True,
    "built": "1990-01-01",
    "listed": "2024-02-29T10:00:00",
    "landlord": "Agency 3",
}
PREDICT = "/v1/models/letting:predict"


@pytest.mark.slow
def test_the_model_is_judged_like_any_other(letting: Project) -> None:
    metrics = json.loads((letting.folder / "data/letting/metrics.json").read_text())
    assert metrics["beats_lookup"]
    assert metrics["scores"]["model"]["mape"]["value"] < 0.12
    assert metrics["rows"] == 600
    assert metrics["refused"] == 0
    assert (letting.folder / "data/letting/quarantine.csv").read_text().count("\n") == 1


SAME_MATRIX = """
import numpy as np, pathlib
from model.features import FeatureMatrix
from model.predictor import open_predictor
from training.data import tables
from training.workspace import Workspace
from validation.decode import to_arrays

place = Workspace("letting")
predictor = open_predictor(place.bundle)
gold, silver = tables.read(place.gold), tables.read(place.silver)
rows = tables.rows(predictor.contract, silver.loc[gold.index.get_level_values("row")])
records = predictor.decode(rows).raise_if_rejected().inputs
matrix = FeatureMatrix(predictor.problem, predictor.model.fitted)(to_arrays(predictor.contract.inputs, records))
learned, expected = gold.index.get_level_values("split") == "train", gold.to_numpy()
np.testing.assert_array_equal(matrix[~learned], expected[~learned])
crossed = list(gold).index("city.target_mean")
np.testing.assert_array_equal(np.delete(matrix, crossed, axis=1), np.delete(expected, crossed, axis=1))
assert (matrix[learned, crossed] != expected[learned, crossed]).mean() > 0.9, "training rows have means of other rows"
"""


def test_serving_sees_the_matrix_that_training_saw(letting: Project) -> None:
    letting.run("python", "-c", SAME_MATRIX)


@pytest.mark.slow
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
    bare = {name: ROW[name] for name in ("city", "area", "listed", "landlord")}
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


def test_what_training_saw_is_told_as_requests_carry_it(letting: Project, both: httpx.Client) -> None:
    reference = both.get("/v1/models/letting").json()["reference"]
    seen, written = (
        reference["columns"],
        json.loads((letting.folder / "data/letting/bundle/reference.json").read_text()),
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
            second // step * step for second in written["columns"][name]["quantiles"][::2]
        ]
    for name in ("city", "energy"):  # of the landlords there are too many
        assert seen[name]["shares"] == written["columns"][name]["shares"]
    for name in ("rooms", "area", "rent"):
        assert seen[name]["deciles"] == written["columns"][name]["quantiles"][::2]
    row = {name: seen[name]["deciles"][5] for name in ("rooms", "area", "built", "listed")}
    row |= {"city": "Oslo", "landlord": "Agency 1"}
    assert both.post(PREDICT, json={"instances": [row | {"rooms": round(row["rooms"])}]}).status_code == 200


def test_of_very_many_names_the_common_ones_are_told(both: httpx.Client) -> None:
    """And others are answered: there will be new ones. An owner's name is told to nobody."""
    described = both.get("/v1/models/letting").json()
    [column] = [column for column in described["contract"] if column["name"] == "landlord"]
    assert (column["unseen"], column.get("choices")) == ("warn", None)
    seen = described["reference"]["columns"]["landlord"]
    assert set(seen["shares"]) == {f"Agency {number}" for number in range(10)}
    assert seen["names"] > 1_000
    assert sum(seen["shares"].values()) + seen["others"] == pytest.approx(1)
    [answer] = both.post(PREDICT, json={"instances": [{**ROW, "landlord": "Somebody New"}]}).json()["predictions"]
    assert answer["warnings"] == ["landlord: 'Somebody New' was not seen in training and is treated as missing"]


def test_names_are_looked_up_while_they_are_typed(both: httpx.Client) -> None:
    def like(text: str, column: str = "landlord") -> list[str]:
        answer = both.get(f"/v1/models/letting/columns/{column}", params={"like": text}).json()
        assert answer["column"] == column
        return answer["names"]  # type: ignore[no-any-return]

    assert like("agency 3") == like("3") == ["Agency 3"]
    assert like("agenzy 3")[0] == "Agency 3"
    assert len(like("")) == 10
    assert like("Owner") == []
    assert like("ürg", "city") == ["Ürgüp"]
    assert both.get("/v1/models/letting/columns/area").status_code == 404
    assert f"{PREDICT.removesuffix(':predict')}/columns/landlord" in both.get("/docs.json").json()["paths"]


def test_examples_of_the_page_are_always_answered(both: httpx.Client) -> None:
    model = Model.model_validate(both.get("/v1/models/letting").json())
    rows = examples.rows(model)
    assert {row["landlord"] for row in rows} <= {f"Agency {number}" for number in range(10)}
    landlord = model.input("landlord")
    rows += whatif.rows(rows[0], landlord, whatif.values(model, landlord, rows[0]["landlord"]))
    assert len(rows) >= 10
    assert both.post(PREDICT, json={"instances": rows}).status_code == 200


def test_the_contract_describes_its_choices(both: httpx.Client) -> None:
    columns = {column["name"]: column for column in both.get("/v1/models/letting").json()["contract"]}
    assert columns["city"]["choices"] == ["Oslo", "Rome", "Ürgüp"]
    assert columns["energy"]["choices"] == ["A", "B", "C"]
