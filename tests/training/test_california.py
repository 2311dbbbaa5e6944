"""California through the stages on a small table, rows as requests carry them, and what its measuring command does."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import yaml

from model.predictor import Predictor, open_predictor
from problems import base
from problems.base import Problem, owners
from problems.parameters import PARAMS
from tests import california
from tests.california import BEDROOMS, Read, fills
from tests.data import districts
from tests.project import merge, parameters
from tests.training.conftest import STAGES
from training.data import source, tables
from training.data.split import TEST
from training.learning import metrics
from training.workspace import Workspace

SMALL: Mapping[str, Any] = {
    "train": {
        "rounds": 40,
        "stop_after": 10,
        "folds": 2,
        "booster": {"num_threads": 1, "learning_rate": 0.1, "num_leaves": 7},
    },
    "evaluate": {"resamples": 20, "slice_rows": 50},
}
PLACE = Workspace("california")


@pytest.fixture(scope="module")
def problem() -> Problem:
    return base.load("california")


@pytest.fixture(scope="module")
def folder(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stages ran, from the table to the report."""
    folder = tmp_path_factory.mktemp("california")
    with contextlib.chdir(folder):
        document = yaml.safe_load(parameters())
        merge(document["california"], SMALL)
        PARAMS.write_text(yaml.safe_dump(document))
        districts.write_table(folder / "housing.csv")
        source.main(problem, "housing.csv")
        for stage in STAGES:
            stage.main(problem)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Predictor:
    return open_predictor(folder / PLACE.bundle)


@pytest.fixture(scope="module")
def asked(folder: Path) -> pd.DataFrame:
    """The districts of the test split."""
    silver = tables.read(folder / PLACE.silver)
    return silver[tables.read(folder / PLACE.split)["split"] == TEST]


def test_the_model_knows_where_towns_are(folder: Path, model: Predictor) -> None:
    places = np.array(model.model.fitted.state["places"])
    for latitude, longitude, _ in districts.TOWNS:
        assert np.hypot(places[:, 0] - latitude, places[:, 1] - longitude).min() < 0.1
    scores = msgspec.json.decode((folder / PLACE.metrics).read_bytes())["scores"]
    assert scores["model"]["rmse"]["value"] < 0.8 * scores["lookup"]["rmse"]["value"]


def test_districts_of_unknown_bedrooms_are_rows_like_any_other(folder: Path, model: Predictor) -> None:
    silver = tables.read(folder / PLACE.silver)
    assert len(silver) == districts.ROWS
    lacking = silver[silver[BEDROOMS].isna()]
    assert len(lacking) == districts.LACKING
    assert len(tables.ask(model, lacking)[0]) == districts.LACKING


def test_a_row_alone_gets_the_answer_that_it_gets_among_others(
    folder: Path, model: Predictor, asked: pd.DataFrame
) -> None:
    rows = tables.rows(model.contract, asked)[:20]
    together = model.scores(model.decode(rows).inputs)
    alone = [model.scores(model.decode([row]).inputs)[0] for row in rows]
    assert together.tolist() == [one.tolist() for one in alone]
    seen = metrics.predicted(tables.read(folder / PLACE.evaluation), metrics.MODEL)[:20]
    np.testing.assert_allclose(together[:, 0], seen, rtol=1e-6)


def test_places_outside_of_california_are_refused(model: Predictor) -> None:
    [error] = model.decode([{**model.contract.example(), "latitude": 59.9}]).errors
    assert error.column == "latitude"


def test_features_belong_to_inputs(model: Predictor) -> None:
    made = {owners(name) for name in model.model.fitted.feature_names if "." in name}
    assert made == {
        ("latitude", "longitude"),
        ("total_rooms", "households"),
        (BEDROOMS, "total_rooms"),
        ("population", "households"),
    }


@pytest.fixture(scope="module")
def found(folder: Path, problem: Problem) -> Read:
    """What the measuring command reads, with numbers that make it short."""
    read = california.read(problem, folder / "housing.csv")
    quick = msgspec.convert({**SMALL["train"], "rounds": 5, "seed": 1}, type(read.own))
    return read._replace(own=quick, defaults=quick)


def test_the_measuring_command_splits_as_scikit_learn_does(found: Read) -> None:
    assert (len(found.known), len(found.test)) == (720, 180)
    assert set(found.known.index).isdisjoint(found.test.index)


def test_bedrooms_are_filled_in_where_they_are_missing_only(problem: Problem, found: Read) -> None:
    columns = tables.inputs(problem.contract, found.known)
    lacking = np.isnan(columns[BEDROOMS])
    assert lacking.any()
    names = list(problem.features(columns, problem.fit(columns)))
    for name, (changed, _) in fills(problem).items():
        features = changed.features(columns, changed.fit(columns))
        if name.endswith("no input"):
            assert not any(BEDROOMS in feature for feature in features)
            continue
        assert list(features) == names
        np.testing.assert_array_equal(features[BEDROOMS][~lacking], columns[BEDROOMS][~lacking])
        filling = features[BEDROOMS][lacking]
        assert np.isnan(filling).all() if name.startswith("nothing") else ((filling > 1) & (filling < 3_000)).all()


def test_the_measuring_command_prints_tables(problem: Problem, found: Read) -> None:
    choices = dict(list(fills(problem).items())[:2])
    head, _, first, second = california.compared(choices, found, seeds=2)
    assert head == "| | RMSE | beside the first | RMSE without bedrooms | beside the first |"
    assert [line.split(" | ")[0] for line in (first, second)] == [f"| {name}" for name in choices]
    assert "±" not in first
    lines = list(california.judged(problem, found))
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| defaults", "| the problem's own"]


@pytest.fixture(scope="module")
def published(problem: Problem, real_tables: Path) -> Read:
    return california.read(problem, real_tables / "california_housing/housing.csv")


@pytest.mark.realdata
def test_every_row_of_the_real_table_passes_and_the_test_rows_alone_lack_bedrooms(published: Read) -> None:
    assert (len(published.known), len(published.test)) == (16_512, 4_128)
    assert (published.known[BEDROOMS].isna().sum(), published.test[BEDROOMS].isna().sum()) == (0, 207)


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.timeout(1_800)
def test_the_real_table_is_learned_as_well_as_it_is_known_to_be(problem: Problem, published: Read) -> None:
    ways = (msgspec.structs.replace(how, folds=2) for how in (published.own, published.defaults))  # five take long
    own, defaults = (california.tested(problem, how, published) for how in ways)
    assert own.rmse <= 43_500
    assert defaults.rmse <= 1.03 * own.rmse
    assert min(own.covered, defaults.covered) >= 0.88
