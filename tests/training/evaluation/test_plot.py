"""Pictures: all of them, the same every time, and of odd tables too."""

import io
from pathlib import Path
from typing import Any

import lightgbm as lgb
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from model import features, loss
from model.features import FeatureMatrix
from model.model import BOOSTER, SPREAD, Model
from model.outcomes import Outcome
from model.outcomes.binary import Binary
from model.outcomes.regression import Regression
from model.predictor import Predictor
from problems.base import Problem
from tests.project import Project
from training.data import tables
from training.evaluation import card, plot
from training.learning import metrics, tasks
from training.learning.metrics import ACTUAL
from training.learning.probability import before_two
from validation.contract import Column, Contract, Kind, Role

CASES = {"case-best", "case-median", "case-worst"}
ALWAYS = {"summary", *CASES}
OF_NUMBERS = ALWAYS | {"agreement", "residuals"}
OF_CLASSES = ALWAYS | {"reliability"}


def a_model(silver: pd.DataFrame, *columns: Column, unit: str | None = None, rounds: int = 5) -> Predictor:
    """A model of `y`, a number or one of two classes, without the pipeline around it."""
    numeric = silver["y"].dtype.kind == "f"
    target = Column(name="y", kind=Kind.REAL if numeric else Kind.CATEGORY, role=Role.TARGET, unit=unit)
    problem = Problem(name="odd", title="Odd", contract=Contract((*columns, target)))
    known = {**tables.inputs(problem.contract, silver), "y": tables.target(problem.contract, silver)}
    fitted = features.fit(problem, known)
    matrix = FeatureMatrix(problem, fitted)(tables.inputs(problem.contract, silver))
    encoded = silver["y"].to_numpy() if numeric else (silver["y"] == "Yes").to_numpy(dtype="float64")
    how = {"objective": "regression" if numeric else "binary", "verbosity": -1, "min_data_in_leaf": 1, "num_threads": 1}
    data = lgb.Dataset(
        matrix, encoded, feature_name=fitted.feature_names, params={"min_data_in_bin": 1, "verbosity": -1}
    )
    booster = lgb.train(how, data, rounds).model_to_string()
    outcome: Outcome = Regression(0.9, 0.1, {}, None, None, None) if numeric else Binary(("No", "Yes"), 1.2, 0.1, 0.5)
    boosters = {BOOSTER: booster, **({SPREAD: booster} if numeric else {})}
    return Predictor(Model(problem, fitted, outcome, boosters))


def drawn(folder: Path, predictor: Predictor, silver: pd.DataFrame) -> dict[str, bytes]:
    """The pictures of a model that is asked `silver` again, by name."""
    records = predictor.decode(tables.rows(predictor.contract, silver)).raise_if_rejected().inputs
    scores = predictor.scores(records)
    numeric = isinstance(predictor.outcome, Regression)
    actual = silver["y"] if numeric else (silver["y"] == "Yes").astype("float64")
    beside = tasks.of_outcome(predictor.outcome).beside(predictor.outcome, scores, actual.to_numpy())
    answers = pd.DataFrame({ACTUAL: actual, "model": scores[:, 0], **beside}, index=silver.index)
    folder.mkdir()
    plot.draw(folder, predictor, silver, answers, loss.of({"objective": "regression" if numeric else "binary"}))
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(1)
    size, name = random.normal(size=300), random.choice(["$ a $ b", "<b>", "c"], 300)
    return pd.DataFrame({"size": size, "name": name, "y": 3 * size + (name == "c") + random.normal(size=300)})


SIZE = Column(name="size", kind=Kind.REAL, unit="$", nullable=True)
NAME = Column(name="name", kind=Kind.CATEGORY, nullable=True)


def test_numbers_and_classes_have_their_pictures(table: pd.DataFrame, tmp_path: Path) -> None:
    numbers = drawn(tmp_path / "numbers", a_model(table, SIZE, NAME, unit="$"), table)
    assert set(numbers) == OF_NUMBERS | {"dependence-size", "dependence-name"}
    table["y"] = np.where(table["y"] > 0, "Yes", "No")
    classes = drawn(tmp_path / "classes", a_model(table, SIZE, NAME), table)
    assert set(classes) == OF_CLASSES | {"dependence-size", "dependence-name"}
    for content in (*numbers.values(), *classes.values()):
        assert content.startswith(b"\x89PNG")
        assert len(content) < 100_000
        assert b"Software" not in content
    # the card has words for every picture that there can be
    assert {name.split("-")[0] for name in (*numbers, *classes)} == {name.split("-")[0] for name in card.PICTURES}


def test_blue_and_orange_are_for_what_raises_and_lowers_an_answer(table: pd.DataFrame, tmp_path: Path) -> None:
    """As on the page: their colours are in the pictures of single answers, and in no others."""
    for name, content in drawn(tmp_path / "plots", a_model(table, SIZE, NAME, unit="USD"), table).items():
        pixels = (plt.imread(io.BytesIO(content))[:, :, :3] * 255).round().astype(int).reshape(-1, 3)
        there = {tuple(pixel) for pixel in np.unique(pixels, axis=0).tolist()}
        assert bool(there & {(0x1F, 0x6F, 0xEB), (0xB3, 0x59, 0x00)}) == (name in CASES), name


def test_pictures_are_the_same_every_time(table: pd.DataFrame, tmp_path: Path) -> None:
    predictor = a_model(table, SIZE, NAME)
    first = drawn(tmp_path / "first", predictor, table)
    np.random.seed(17)
    assert drawn(tmp_path / "second", predictor, table) == first


@pytest.mark.parametrize("classes", [False, True], ids=["numbers", "classes"])
@pytest.mark.parametrize(
    "change",
    [
        {"size": np.nan},
        {"name": None},
        {"y": 1.0},
        {"name": "one"},
        {"size": 0.0, "name": None},
    ],
    ids=["no numbers", "no names", "one target", "one name", "nothing"],
)
def test_odd_tables_have_pictures(
    table: pd.DataFrame, tmp_path: Path, change: dict[str, Any], *, classes: bool
) -> None:
    table = table.assign(**change).astype({"name": object})
    if classes:
        table["y"] = np.where(table["y"] > 0, "Yes", "No")
    names = drawn(tmp_path / "plots", a_model(table, SIZE, NAME), table)
    assert set(names) >= (OF_CLASSES if classes else OF_NUMBERS)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_few_rows_have_pictures(table: pd.DataFrame, tmp_path: Path, rows: int) -> None:
    assert set(drawn(tmp_path / "numbers", a_model(table, SIZE, NAME), table.head(rows))) >= OF_NUMBERS
    table["y"] = np.where(table["y"] > 0, "Yes", "No")
    assert set(drawn(tmp_path / "classes", a_model(table, SIZE), table.head(rows))) >= OF_CLASSES


def test_wide_tables_are_cut(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    wide = pd.DataFrame(random.normal(size=(200, 60)), columns=[f"number_{place}" for place in range(60)])
    wide["day"] = pd.date_range("2020-01-01", periods=200).astype("datetime64[ms]")
    wide["y"] = wide["number_0"] + wide["number_1"].abs()
    names = [Column(name=name, kind=Kind.REAL) for name in wide.columns[:60]]
    day = Column(name="day", kind=Kind.DATE, role=Role.TIME)
    pictures = drawn(tmp_path / "plots", a_model(wide, *names, day), wide)
    assert len([name for name in pictures if name.startswith("dependence-")]) == plot.MOST_DEPENDENCES
    assert len(pictures["summary"]) < 150_000


def test_many_names_are_put_together(tmp_path: Path) -> None:
    names = [f"a rather long name with number {number}" for number in range(60) for _ in range(5)]
    many = pd.DataFrame({"name": names, "y": np.repeat(np.arange(60.0), 5)})
    assert "dependence-name" in drawn(tmp_path / "plots", a_model(many, NAME, rounds=20), many)


def test_at_most_a_thousand_rows_are_explained() -> None:
    assert metrics.sample(3, 5).tolist() == [0, 1, 2]
    chosen = metrics.sample(100_000, metrics.MOST_EXPLAINED)
    assert len(set(chosen.tolist())) == metrics.MOST_EXPLAINED
    assert (np.diff(chosen) > 0).all()


def test_probabilities_before_two() -> None:
    raw = np.array([-2.0, 0.0, 3.0])
    after = Binary(("No", "Yes"), 1.3, -0.2, 0.5).scores(raw, raw, {})[:, 0]
    assert before_two(Binary(("No", "Yes"), 1.3, -0.2, 0.5), after) == pytest.approx(1 / (1 + np.exp(-raw)))


def test_the_pipeline_leaves_pictures(trained: Project) -> None:
    names = {path.stem for path in (trained.folder / "data/flights/plots").iterdir()}
    assert names >= OF_NUMBERS - CASES | {"dependence-cabin"}
    assert not names & CASES  # they are real rows
