"""Parts of a table as a booster takes them: fitted to the rows that it learns from, and without growth in time."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from model.features import FeatureMatrix, Fitted, fit
from model.outcomes.regression import Trend
from training.data import tables
from training.data.split import TRAIN, VALIDATION
from training.learning.boost import Part
from training.learning.gold import cross_folds, gold_of, learned_gold
from training.learning.params import TrainParams
from training.learning.scales import Scale, demand
from training.learning.tasks.base import Task
from validation.decode import Columns

Names = Mapping[str, Collection[str]]
"""Names by category or categorical feature."""
NO_NAMES: Names = MappingProxyType({})


class Prepared(NamedTuple):
    """What `prepare` makes; mappings are by the name of a part.

    Attributes:
        fitted: what was fitted to the training rows.
        matrix: what made the features.
        gold: the model matrices, with the index of the rows.
        inputs: the callers' columns.
        actual: the encoded targets without the growth of `trend`, shape (rows,); of the rows that are learned from.
        trend: growth that was taken out of the targets.
        scale: of what the booster learns.
        rows: what it learns from and is judged by.
    """

    fitted: Fitted
    matrix: FeatureMatrix
    gold: Mapping[str, pd.DataFrame]
    inputs: Mapping[str, Columns]
    actual: Mapping[str, np.ndarray]
    trend: Trend | None
    scale: Scale
    rows: Mapping[str, Part]


def prepare(
    task: Task[Any],
    params: TrainParams,
    parts: Mapping[str, pd.DataFrame],
    weights: np.ndarray | None = None,
    further: Names = NO_NAMES,
) -> Prepared:
    """Prepare silver rows: "train" to learn from, "validation" to stop by, and others.

    Args:
        task: of the problem.
        params: how it is learned.
        parts: the rows.
        weights: of the first, beside those of their classes; shape (rows,). Rows with none are not learned from, but
            their names and what else is fitted are known.
        further: names that other rows to learn from have, as `fit` takes them.

    Raises:
        ContractError: the problem's features do not pass the gold gate.
        SettingsError: the parameters name an unknown class.
        TableError: the training rows lack a class, or a target cannot be learned.
    """
    problem, target = task.problem, task.problem.contract.target.name
    inputs = {part: tables.inputs(problem.contract, rows) for part, rows in parts.items()}
    actual = {part: task.encode(rows) for part, rows in parts.items()}
    task.require_enough(actual[TRAIN])
    known, watched = ({**inputs[part], target: actual[part]} for part in (TRAIN, VALIDATION))
    fitted = fit(problem, known, task.bounds, further)
    gold = {part: gold_of(problem, fitted, columns) for part, columns in inputs.items() if part != TRAIN}
    gold[TRAIN] = learned_gold(problem, fitted, known, cross_folds(problem, parts[TRAIN], params.seed))
    gold = {part: gold[part].set_axis(rows.index) for part, rows in parts.items()}
    trend = task.growth(known, watched)
    if trend is not None:
        actual = {part: values / trend.index(inputs[part]) for part, values in actual.items()}
    demand(scale := task.scale(params), target, np.concatenate([*actual.values()]))
    rows = {
        part: Part(
            gold[part].to_numpy(), scale.learned(values), task.weights(params.class_weights, values, actual[TRAIN])
        )
        for part, values in actual.items()
    }
    if weights is not None:
        rows[TRAIN], actual[TRAIN] = _weighted(rows[TRAIN], weights), actual[TRAIN][weights > 0]
    return Prepared(fitted, FeatureMatrix(problem, fitted), gold, inputs, actual, trend, scale, rows)


def _weighted(rows: Part, weights: np.ndarray) -> Part:
    """The rows that have a weight, with it beside that of their class."""
    some, (features, learned, of_classes) = weights > 0, rows
    both = weights if of_classes is None else weights * of_classes
    return Part(features[some], learned[some], both[some])
