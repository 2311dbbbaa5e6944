"""Rows that answers are compared with later: a sample of the table with the model's scores, for those who watch it."""

import msgspec
import numpy as np
import pandas as pd

from model import bundle
from model.metrics import Metrics
from model.predictor import Predictor
from model.watched import EARLIER, HELD_OUT, METADATA, SPLIT, Watched, score_columns
from training import digits
from training.data import tables
from training.data.split import TEST
from training.workspace import Workspace, read_json
from validation.contract import Contract

_MOST_HELD_OUT, _MOST_EARLIER = 20_000, 30_000
"""A season of the earlier rows needs a few thousand; all of them together load in a second."""


def write(workspace: Workspace, predictor: Predictor, silver: pd.DataFrame, split: pd.Series, judged: Metrics) -> None:
    """Write `Workspace.reference`: inputs, target, `SPLIT` and scores of rows that the model answers.

    Args:
        workspace: where the bundle lies, and the file is to lie.
        predictor: the bundle's.
        silver: all rows.
        split: the split of each of them.
        judged: what the evaluation found.
    """
    test = (split == TEST).to_numpy()
    parts = [
        _answered(predictor, _sampled(predictor.contract, silver[rows], most), name)
        for rows, most, name in ((test, _MOST_HELD_OUT, HELD_OUT), (~test, _MOST_EARLIER, EARLIER))
    ]
    watched = Watched(
        workspace.problem,
        predictor.version,
        read_json(workspace.bundle / bundle.MANIFEST)["contract"],
        predictor.outcome,
        judged.importance.columns,
        judged.loss,
        predictor.model.fitted.vocabularies,
        predictor.model.fitted.bounds,
    )
    tables.write(
        workspace.reference,
        pd.concat(parts, ignore_index=True),
        {METADATA: msgspec.json.encode(watched, order="deterministic")},
    )


def _sampled(contract: Contract, rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, in the order of time and even in it; the same every time."""
    ordered = rows if contract.time is None else rows.sort_values(contract.time.name, kind="stable")
    places = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), most)).astype(int))
    return ordered.iloc[places]


def _answered(predictor: Predictor, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows that the model answers, with its scores."""
    contract = predictor.contract
    answered, scores = tables.ask(predictor, rows)
    kept = rows.iloc[answered][[column.name for column in (*contract.inputs, contract.target)]]
    columns = zip(score_columns(scores.shape[1]), digits.rounded(scores, digits.ANSWERS).T, strict=True)
    return kept.assign(**{SPLIT: name}, **dict(columns))
