"""A model of a simulated table, learned by the project's own stages, with the reference rows that they leave."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import msgspec
import pandas as pd
import pyarrow.parquet as pq
import yaml

from model.predictor import Predictor, open_predictor
from model.watched import METADATA, Watched, score_columns
from monitoring.estimates import ACTUAL
from problems import base
from problems.base import Problem
from problems.parameters import PARAMS
from training.data import clean, ingest, split, tables
from training.evaluation import evaluate
from training.learning import bundle, train
from training.workspace import Workspace, sha256, write_json

_ROOT = Path(__file__).parents[2]
_STAGES = (ingest, clean, split, train, bundle, evaluate)
_ROUNDS = 1_500
_TRAIN = {
    "folds": 0,
    "alternatives": [],
    "booster": {"learning_rate": 0.05, "num_leaves": 15, "max_cat_to_onehot": 16},
}


class Trained(NamedTuple):
    """A model, what those who watch it know of it, and the rows that answers are compared with."""

    predictor: Predictor
    watched: Watched
    reference: pd.DataFrame

    def answer(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows as the watch store has them: inputs, scores and, as `actual`, what they turn out to be."""
        contract = self.watched.columns()
        answered, scores = tables.ask(self.predictor, rows)
        kept = rows.iloc[answered].rename(columns={contract.target.name: ACTUAL}).reset_index(drop=True)
        return kept.assign(**dict(zip(score_columns(scores.shape[1]), scores.T, strict=True)))


def trained(problem: Problem, table: pd.DataFrame, folder: Path, rounds: int = _ROUNDS) -> Trained:
    """Learn a table, unless the folder has a model of it.

    Args:
        problem: what a row is.
        table: the rows, in order of time.
        folder: where the stages write.
        rounds: how long it is learned at most.
    """
    folder.mkdir(parents=True, exist_ok=True)
    load, base.load = base.load, lambda name: problem  # it is no folder of problems/
    try:
        with contextlib.chdir(folder):
            workspace = Workspace(problem.name)
            if not workspace.reference.exists():
                _learn(problem, table, workspace, rounds)
            return _read(workspace)
    finally:
        base.load = load


def _learn(problem: Problem, table: pd.DataFrame, workspace: Workspace, rounds: int) -> None:
    defaults = yaml.safe_load((_ROOT / PARAMS).read_text())["defaults"]
    own = {"train": {"rounds": rounds, **_TRAIN}}
    PARAMS.write_text(yaml.safe_dump({"problems": [problem.name], "defaults": defaults, problem.name: own}))
    workspace.raw.mkdir(parents=True, exist_ok=True)
    path = workspace.raw / "table.csv"
    table.to_csv(path, index=False)
    write_json(workspace.source, {"sha256": sha256(path)})
    with contextlib.redirect_stdout(io.StringIO()):
        for stage in _STAGES:
            stage.main(problem)


def _read(workspace: Workspace) -> Trained:
    notes = pq.read_schema(workspace.reference).metadata
    watched = msgspec.json.decode(notes[METADATA], type=Watched)
    return Trained(open_predictor(workspace.bundle), watched, tables.read(workspace.reference))
