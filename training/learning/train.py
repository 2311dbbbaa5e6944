"""Split → trained: what the training split teaches, boosters that stopped in time, and a calibrated outcome."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
from pandera.errors import SchemaErrors

from model.bundle import MODEL, SPREAD, Bundle, Golden, Reference, make_manifest
from model.features import FeatureMatrix, Fitted, fit, only_known
from model.outcome import Outcome
from model.predictor import Predictor
from problems.base import Problem, owners
from training.data import gates, tables
from training.data.split import CALIBRATION, TRAIN, VALIDATION
from training.learning import conformal, probability, targets, trend
from training.learning.boost import boost, demand_known, histograms, raw_scores
from training.workspace import Workspace, say, whole_folder
from validation.errors import ContractError

FITTED, OUTCOME = "fitted.json", "outcome.json"
_SPREAD_ROUNDS, _SPREAD_LEAVES = 60, 15
_FOLDS, _ENOUGH_ERRORS = 10, 20_000


class TrainParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LightGBM's own parameters under their own names, when to stop, and what answers must hold.

    `coverage` is for regressions; `class_weights` (a weight by class, or "balanced") and `costs` for classifications.
    """

    rounds: Annotated[int, msgspec.Meta(ge=1)]
    stop_after: Annotated[int, msgspec.Meta(ge=1)]
    seed: int
    booster: dict[str, Any]
    coverage: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.9
    class_weights: dict[str, Annotated[float, msgspec.Meta(gt=0)]] | Literal["balanced"] | None = None
    costs: probability.Costs = probability.Costs()

    def __post_init__(self) -> None:
        demand_known(self.booster)


class Learned(msgspec.Struct, frozen=True):
    """What training leaves: boosters by file name, what was fitted, and the outcome."""

    boosters: dict[str, str]
    fitted: Fitted
    outcome: Outcome

    def predictor(self, problem: Problem) -> Predictor:
        """The model before it has golden rows, which nothing has proven yet."""
        manifest = make_manifest(problem, self.fitted, self.outcome, 0.0, {})
        return Predictor(Bundle(manifest, problem, self.boosters, Golden([], [], []), Reference({}, 0), {}))


def main(problem: Problem) -> None:
    """Fit on the training split, stop on validation, calibrate on calibration; the test split is not read."""
    workspace = Workspace(problem.name)
    params = workspace.params("train", TrainParams)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    learned, gold = learn(problem, params, {part: silver[split == part] for part in (TRAIN, VALIDATION, CALIBRATION)})
    tables.write(workspace.gold, pd.concat(gold, names=["split", "row"]))
    with whole_folder(workspace.trained) as folder:
        for name, text in learned.boosters.items():
            (folder / name).write_text(text)
        (folder / FITTED).write_bytes(msgspec.json.encode(learned.fitted))
        (folder / OUTCOME).write_bytes(msgspec.json.encode(learned.outcome))
    names = learned.fitted.feature_names
    some = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    say("train", f"{learned.boosters[MODEL].count('Tree=')} trees over {len(names)} features: {some}")


def read(workspace: Workspace) -> Learned:
    """What `main` wrote."""
    folder = workspace.trained
    return Learned(
        {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))},
        msgspec.json.decode((folder / FITTED).read_bytes(), type=Fitted),
        msgspec.json.decode((folder / OUTCOME).read_bytes(), type=Outcome),
    )


def learn(
    problem: Problem, params: TrainParams, parts: Mapping[str, pd.DataFrame]
) -> tuple[Learned, dict[str, pd.DataFrame]]:
    """Train on three disjoint parts of a silver table.

    Args:
        problem: what to learn.
        params: how.
        parts: silver rows for "train", "validation" and "calibration".

    Returns:
        What was learned, and the model matrix of each part.

    Raises:
        ContractError: the problem's features do not pass the gold gate, or the target has more than two classes.
        TableError: the training rows have one class, or a target is too large to learn.
    """
    known = {part: tables.inputs(problem.contract, rows) for part, rows in parts.items()}
    aims = targets.Targets(problem, pd.concat(parts.values()))
    actual = {part: aims.encode(rows) for part, rows in parts.items()}
    aims.demand_both(actual[TRAIN])
    for part, columns in known.items():
        columns[problem.contract.target.name] = actual[part]
    fitted = fit(problem, known[TRAIN])
    matrix = FeatureMatrix(problem, fitted)
    gold = {part: _gold(problem, matrix, columns, fitted) for part, columns in known.items()}
    gold = {part: rows.set_axis(parts[part].index) for part, rows in gold.items()}
    inputs = {part: rows.to_numpy() for part, rows in gold.items()}
    grown = trend.find(problem, known[TRAIN], known[VALIDATION])
    if grown is not None:
        say("train", f"the target grows by {np.expm1(grown.rate):.1%} a year; trees learn it deflated")
        actual = {part: values / grown.index(known[part]) for part, values in actual.items()}
    booster = _main_booster(params, aims, matrix, inputs, actual)
    boosters = {MODEL: booster.model_to_string(num_iteration=booster.best_iteration)}
    raw = raw_scores(booster, inputs[CALIBRATION])
    outcome: Outcome
    if aims.classes is not None:
        outcome = probability.calibrate(aims.classes, params.costs, raw, actual[CALIBRATION])
    else:
        folds = _folds(problem, parts[TRAIN])
        spread = _spread_booster(params, aims, matrix, booster, inputs[TRAIN], actual[TRAIN], folds)
        boosters[SPREAD] = spread.model_to_string()
        reached, errors = np.asarray(spread.predict(inputs[CALIBRATION])), actual[CALIBRATION] - raw
        outcome = conformal.calibrate(problem, params.coverage, grown, errors, reached, known[CALIBRATION])
    return Learned(boosters, fitted, outcome), gold


def _gold(problem: Problem, matrix: FeatureMatrix, columns: Mapping[str, np.ndarray], fitted: Fitted) -> pd.DataFrame:
    inputs = {column.name: columns[column.name] for column in problem.contract.inputs}
    gold = pd.DataFrame(matrix(only_known(inputs, fitted.vocabularies)), columns=matrix.names)
    try:
        gates.gold(matrix.names, _nullable(problem, matrix.names)).validate(gold, lazy=True)
    except SchemaErrors as error:
        found = error.failure_cases.iloc[0]
        raise ContractError(
            f"The features of '{problem.name}' break the gold gate: '{found['column']}' {found['check']}, "
            f"for example {found['failure_case']} in row {found['index']}. Mend its `features`."
        ) from error
    return gold


def _nullable(problem: Problem, features: list[str]) -> set[str]:
    """The features in which the contract allows NaN: from nullable columns, and names that training did not see."""
    lenient = {column.name for column in problem.contract.inputs if column.nullable}
    lenient |= {column.name for column in problem.contract.categories}
    return {feature for feature in features if lenient.intersection(owners(feature))}


def _main_booster(
    params: TrainParams,
    aims: targets.Targets,
    matrix: FeatureMatrix,
    inputs: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
) -> lgb.Booster:
    settings = _settings(params, aims, matrix)
    aims.demand_plain(settings)
    data, held_out = (
        _dataset(
            matrix,
            inputs[part],
            actual[part],
            settings,
            aims.weights(params.class_weights, actual[part], actual[TRAIN]),
        )
        for part in (TRAIN, VALIDATION)
    )
    held_out.set_reference(data)
    return boost(settings, params.rounds, data, held_out, params.stop_after)


def _settings(params: TrainParams, aims: targets.Targets, matrix: FeatureMatrix) -> dict[str, Any]:
    return {**histograms(len(matrix.names)), "objective": aims.objective, "seed": params.seed, **params.booster}


def _folds(problem: Problem, rows: pd.DataFrame) -> np.ndarray:
    """Which fold each row is in, shape (rows,); rows with equal inputs are in one, or they would tell each other."""
    inputs = rows[[column.name for column in problem.contract.inputs]]
    folds: np.ndarray = (pd.util.hash_pandas_object(inputs, index=False) % _FOLDS).to_numpy()
    return folds


def _errors(
    booster: lgb.Booster,
    settings: dict[str, Any],
    matrix: FeatureMatrix,
    inputs: np.ndarray,
    actual: np.ndarray,
    folds: np.ndarray,
) -> np.ndarray:
    """What boosters like this one, of as many trees, err by on rows that they did not learn from; shape (rows,).

    Its own errors on these rows are small wherever it learned them by heart, which is where noise is large. NaN for the
    rows of further folds where enough rows have an error: each fold costs another training.
    """
    errors = np.full(len(actual), np.nan)
    for fold in np.unique(folds):
        held_out = folds == fold
        other = booster
        if not held_out.all():
            data = _dataset(matrix, inputs[~held_out], actual[~held_out], settings)
            other = boost(settings, max(booster.best_iteration, 1), data)
        errors[held_out] = actual[held_out] - raw_scores(other, inputs[held_out])
        if np.isfinite(errors).sum() >= _ENOUGH_ERRORS:
            break
    return errors


def _spread_booster(
    params: TrainParams,
    aims: targets.Targets,
    matrix: FeatureMatrix,
    booster: lgb.Booster,
    inputs: np.ndarray,
    actual: np.ndarray,
    folds: np.ndarray,
) -> lgb.Booster:
    """A small booster of how large the first one's errors are; its own errors are made good by calibration."""
    wrong = np.abs(_errors(booster, _settings(params, aims, matrix), matrix, inputs, actual, folds))
    judged = np.isfinite(wrong)
    inputs, wrong = inputs[judged], wrong[judged]
    floor = max(float(np.quantile(wrong, 0.01)), 1e-9 * max(float(wrong.max()), 1e-300), 1e-12)
    settings = {**histograms(len(matrix.names)), **params.booster}
    settings |= {"objective": "gamma", "num_leaves": _SPREAD_LEAVES, "seed": params.seed}
    return boost(settings, _SPREAD_ROUNDS, _dataset(matrix, inputs, wrong + floor, settings))


def _dataset(
    matrix: FeatureMatrix,
    inputs: np.ndarray,
    target: np.ndarray,
    settings: dict[str, Any],
    weights: np.ndarray | None = None,
) -> lgb.Dataset:
    return lgb.Dataset(
        inputs,
        target,
        weight=weights,
        feature_name=matrix.names,
        categorical_feature=matrix.categorical,
        params=settings,
    )
