"""Split → trained: the state fitted on the training split, boosters stopped early, and a calibrated outcome."""

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
from pandera.errors import SchemaErrors

from model.features import FeatureMatrix, Fitted, fit, only_known
from model.model import BOOSTER, Model
from model.outcomes import Outcome
from problems.base import Problem, owners
from training.data import classes, gates, tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import tasks
from training.learning.boost import boost, dataset, settings_of
from training.learning.params import TrainParams
from training.workspace import Workspace, atomic_folder, say
from validation.decode import Columns
from validation.errors import ContractError

FITTED, OUTCOME = "fitted.json", "outcome.json"


def main(problem: Problem) -> None:
    """Fit on the training split, stop on validation, calibrate on calibration; the test split is not read."""
    workspace = Workspace(problem.name)
    params = workspace.params("train", TrainParams)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    model, gold = learn(problem, params, {part: silver[split == part] for part in (TRAIN, VALIDATION, CALIBRATION)})
    tables.write(workspace.gold, pd.concat(gold, names=["split", "row"]))
    with atomic_folder(workspace.trained) as folder:
        for name, text in model.boosters.items():
            (folder / name).write_text(text)
        (folder / FITTED).write_bytes(msgspec.json.encode(model.fitted))
        (folder / OUTCOME).write_bytes(msgspec.json.encode(model.outcome))
    names = model.fitted.feature_names
    some = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    say("train", f"{model.boosters[BOOSTER].count('Tree=')} trees over {len(names)} features: {some}")


def read(problem: Problem, workspace: Workspace) -> Model:
    """What `main` wrote."""
    folder = workspace.trained
    return Model(
        problem,
        msgspec.json.decode((folder / FITTED).read_bytes(), type=Fitted),
        msgspec.json.decode((folder / OUTCOME).read_bytes(), type=Outcome),
        {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))},
    )


def learn(
    problem: Problem, params: TrainParams, parts: Mapping[str, pd.DataFrame]
) -> tuple[Model, dict[str, pd.DataFrame]]:
    """Train on three disjoint parts of a silver table.

    Args:
        problem: what to learn.
        params: how.
        parts: silver rows for "train", "validation" and "calibration".

    Returns:
        The model, and the model matrix of each part.

    Raises:
        ContractError: the problem's features do not pass the gold gate.
        SettingsError: the parameters do not fit the target.
        TableError: the training rows lack a class, or a target is too large to learn.
    """
    inputs = {part: tables.inputs(problem.contract, rows) for part, rows in parts.items()}
    bounds = classes.cut(problem, parts[TRAIN])
    task = tasks.of(problem, pd.concat(parts.values()), bounds)
    task.check_params(params)
    actual = {part: task.encode(rows) for part, rows in parts.items()}
    task.require_enough(actual[TRAIN])
    target = problem.contract.target.name
    with_target = {part: {**columns, target: actual[part]} for part, columns in inputs.items()}
    fitted = fit(problem, with_target[TRAIN], bounds)
    matrix = FeatureMatrix(problem, fitted)
    gold = {part: _gold(problem, matrix, columns, fitted) for part, columns in inputs.items()}
    gold = {part: rows.set_axis(parts[part].index) for part, rows in gold.items()}
    features = {part: rows.to_numpy() for part, rows in gold.items()}
    trend = task.growth(with_target[TRAIN], with_target[VALIDATION])
    if trend is not None:
        say("train", f"the target grows by {np.expm1(trend.rate):.1%} a year; trees learn it deflated")
        actual = {part: values / trend.index(inputs[part]) for part, values in actual.items()}
    booster = _main_booster(task, params, matrix, features, actual)
    trained = tasks.Trained(params, booster, matrix, features, actual, inputs, parts, trend)
    outcome, further_boosters = task.finish(trained)
    boosters = {BOOSTER: booster.model_to_string(num_iteration=booster.best_iteration), **further_boosters}
    return Model(problem, fitted, outcome, boosters), gold


def _gold(problem: Problem, matrix: FeatureMatrix, inputs: Columns, fitted: Fitted) -> pd.DataFrame:
    gold = pd.DataFrame(matrix(only_known(inputs, fitted.vocabularies)), columns=matrix.names)
    try:
        gates.gold(matrix.names, _nullable(problem, matrix.names)).validate(gold, lazy=True)
    except SchemaErrors as error:
        failure = error.failure_cases.iloc[0]
        raise ContractError(
            f"The features of '{problem.name}' break the gold gate: '{failure['column']}' {failure['check']}, "
            f"for example {failure['failure_case']} in row {failure['index']}. Mend its `features`."
        ) from error
    return gold


def _nullable(problem: Problem, features: list[str]) -> set[str]:
    """The features in which the contract allows NaN: from nullable columns, and names that training did not see."""
    lenient = {column.name for column in problem.contract.inputs if column.nullable}
    lenient |= {column.name for column in problem.contract.categories}
    return {feature for feature in features if lenient.intersection(owners(feature))}


def _main_booster(
    task: tasks.Task[Any],
    params: TrainParams,
    matrix: FeatureMatrix,
    features: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
) -> lgb.Booster:
    settings = {**settings_of(matrix, task.objective, params.seed, params.booster), **task.settings}
    task.check_objective(settings)
    data, held_out = (
        dataset(
            matrix,
            features[part],
            actual[part],
            settings,
            task.weights(params.class_weights, actual[part], actual[TRAIN]),
        )
        for part in (TRAIN, VALIDATION)
    )
    held_out.set_reference(data)
    return boost(settings, params.rounds, data, held_out, params.stop_after)
