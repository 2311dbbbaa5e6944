"""Real tables with three and nine classes: the model beside a plain LightGBM, and what its sets cover."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from sklearn.metrics import log_loss

from model.features import FeatureMatrix, fit
from problems.base import Problem
from tests.training.conftest import Outcome
from training.data import classes, tables
from training.data.split import TEST
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
    """A real table: its file, and what a row of it is."""

    file: str
    contract: Contract

    @property
    def problem(self) -> Problem:
        return Problem(name="several", title=self.file, contract=self.contract)


HEALTH = Table(  # how elderly people in the USA call their health; eight of ten say neither of the two extremes
    "Ecdat-OFP.csv",
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
    "Ecdat-DoctorAUS.csv",
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
WORK = Table(  # what young men work as; nine classes that nobody lists, with blanks and commas in their names
    "plm-Males.csv",
    Contract(
        (
            *columns(Kind.INTEGER, "nr", role=Role.KEY),
            *columns(Kind.INTEGER, "year", "school", "exper"),
            *columns(Kind.FLAG, "union", "married", "health"),
            *columns(Kind.CATEGORY, "ethn", "industry"),
            *columns(Kind.CATEGORY, "residence", nullable=True, unseen=Unseen.WARN),
            *columns(Kind.REAL, "wage"),
            Column(name="occupation", kind=Kind.CATEGORY, role=Role.TARGET),
        )
    ),
)
TABLES = [HEALTH, ILLNESS, WORK]


@pytest.fixture(scope="session")
def written() -> Callable[[Table], str]:
    """The text of a table; skips where there is none."""
    folder = Path(os.environ.get("BOXWOOD_TABLES", "../shared/tables")).resolve()

    def read(table: Table) -> str:
        path = folder / table.file
        if not path.is_file():
            pytest.skip(f"there is no {table.file} in {folder}; set BOXWOOD_TABLES to where write.py wrote it")
        return path.read_text()

    return read


def plain_log_loss(problem: Problem) -> float:
    """The log loss of LightGBM's defaults on the test split, learned from all other rows and the same columns."""
    workspace = Workspace(problem.name)
    silver = tables.read(workspace.silver)
    test = (tables.read(workspace.split)["split"] == TEST).to_numpy()
    codes, names = classes.labels(silver[problem.contract.target.name]).factorize(sort=True)
    known, asked = (tables.inputs(problem.contract, silver[rows]) for rows in (~test, test))
    matrix = FeatureMatrix(problem, fit(problem, {**known, problem.contract.target.name: codes[~test]}))
    places = [matrix.names.index(name) for name in matrix.categorical]
    model = lgb.LGBMClassifier(n_jobs=1, verbosity=-1)
    model.fit(matrix(known), codes[~test], categorical_feature=places)
    predicted = np.asarray(model.predict_proba(matrix(asked)))
    return float(log_loss(codes[test], predicted, labels=np.arange(len(names))))


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.file)
def test_probabilities_beat_a_plain_model_and_sets_cover(
    outcome: Outcome, written: Callable[[Table], str], table: Table
) -> None:
    """The plain model learns from the validation and the calibration rows too, and is no worse served for that."""
    found = outcome(table.problem, written(table), PARAMS)
    assert isinstance(found, dict), found
    assert found["task"] == "multiclass"
    assert found["refused"] == found["quarantined"] == 0
    assert found["scores"]["model"]["log_loss"]["value"] <= plain_log_loss(table.problem)
    assert found["sets"]["covered"]["value"] == pytest.approx(0.9, abs=0.03)
