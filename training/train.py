"""Split → trained: what the training split teaches, the gold matrix, and a LightGBM booster that stopped in time."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import lightgbm as lgb
import msgspec
import numpy as np
import pandas as pd
from pandera.errors import SchemaErrors

from model.features import FeatureMatrix, Fitted, fit, only_known
from problems.base import Problem, owners
from training import tables
from training.split import TRAIN, VALIDATION
from training.workspace import PARAMS, Workspace, say, whole_folder
from validation import gates
from validation.errors import ContractError, SettingsError

MODEL, FITTED = "model.txt", "fitted.json"


class TrainParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LightGBM's own parameters under their own names, and when to stop."""

    rounds: Annotated[int, msgspec.Meta(ge=1)]
    stop_after: Annotated[int, msgspec.Meta(ge=1)]
    seed: int
    booster: dict[str, Any]


def main(problem: Problem) -> None:
    """Fit on the training split, stop on the validation split; the test split is not read."""
    if not problem.regression:
        raise ContractError(f"The target of '{problem.name}' is not a number; only regression is supported.")
    workspace = Workspace(problem.name)
    params = workspace.params("train", TrainParams)
    silver, split = tables.read(workspace.silver), tables.read(workspace.split)["split"]
    parts = {part: silver[split == part] for part in (TRAIN, VALIDATION)}
    targets = {part: tables.target(problem.contract, rows) for part, rows in parts.items()}
    known = {problem.contract.target.name: targets[TRAIN], **tables.inputs(problem.contract, parts[TRAIN])}
    fitted = fit(problem, known)
    matrix = FeatureMatrix(problem, fitted)
    gold = {part: _gold(problem, matrix, rows, fitted) for part, rows in parts.items()}
    tables.write(workspace.gold, pd.concat(gold, names=["split", "row"]))
    booster = _boost(params, matrix, gold, targets)
    with whole_folder(workspace.trained) as folder:
        (folder / MODEL).write_text(booster.model_to_string(num_iteration=booster.best_iteration))
        (folder / FITTED).write_bytes(msgspec.json.encode(fitted))
    say("train", f"{booster.best_iteration} trees over {len(matrix.names)} features: {', '.join(matrix.names)}")


def read(workspace: Workspace) -> tuple[str, Fitted]:
    """The booster's text and what was fitted."""
    fitted = msgspec.json.decode((workspace.trained / FITTED).read_bytes(), type=Fitted)
    return (workspace.trained / MODEL).read_text(), fitted


def _gold(problem: Problem, matrix: FeatureMatrix, rows: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    columns = only_known(tables.inputs(problem.contract, rows), fitted.vocabularies)
    gold = pd.DataFrame(matrix(columns), columns=matrix.names, index=rows.index)
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


def _boost(
    params: TrainParams, matrix: FeatureMatrix, gold: Mapping[str, pd.DataFrame], targets: Mapping[str, np.ndarray]
) -> lgb.Booster:
    settings = {
        "objective": "regression",
        "seed": params.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        **params.booster,
    }
    data = lgb.Dataset(
        gold[TRAIN].to_numpy(),
        targets[TRAIN],
        feature_name=matrix.names,
        categorical_feature=matrix.categorical,
        params=settings,
    )
    held_out = lgb.Dataset(gold[VALIDATION].to_numpy(), targets[VALIDATION], reference=data)
    try:
        return lgb.train(
            settings,
            data,
            num_boost_round=params.rounds,
            valid_sets=[held_out],
            valid_names=[VALIDATION],
            callbacks=[lgb.early_stopping(params.stop_after, verbose=False), _progress(time.monotonic())],
        )
    except lgb.basic.LightGBMError as error:
        raise SettingsError(f"LightGBM does not take the parameters in {PARAMS}, train.booster: {error}") from error


def _progress(started: float, every: float = 3.0) -> Any:
    """A callback that says every few seconds how far the training is."""
    last = started

    def callback(env: lgb.callback.CallbackEnv) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every and env.evaluation_result_list:
            last = now
            name, value = env.evaluation_result_list[0][1:3]
            say("train", f"round {env.iteration + 1} of at most {env.end_iteration}, {name} {value:.4g} on validation")

    return callback
