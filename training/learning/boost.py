"""LightGBM, the same way for every booster: seeded, deterministic, stopped in time."""

import ctypes
import difflib
import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import lightgbm as lgb
import numpy as np

from model.features import FeatureMatrix
from training.workspace import PARAMS, say
from validation.errors import SettingsError

SAME_EVERY_TIME = {"deterministic": True, "force_row_wise": True, "verbosity": -1}

_CELLS = 255_000
_STEP = 0.7
"""What LightGBM takes for the objective poisson."""
_ELSEWHERE = {
    "num_iterations": "`rounds`",
    "early_stopping_round": "`stop_after`",
    "seed": "`seed`",
    "num_class": "the classes of the target",
    "categorical_feature": "the kinds of the contract's columns",
}
"""LightGBM's parameters that another setting of this project decides."""


def demand_known(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for a parameter that LightGBM does not have, or that is set under another name already.

    LightGBM itself ignores both with a warning.
    """
    names: dict[str, str] = {}
    for name in settings:
        proper = _proper_names().get(name)
        if proper is None:
            close = difflib.get_close_matches(name, _proper_names(), n=1)
            raise ValueError(f"LightGBM has no parameter {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        if proper in _ELSEWHERE:
            raise ValueError(f"{name!r} is said by {_ELSEWHERE[proper]} here; leave it out of `booster`")
        if proper in names:
            raise ValueError(f"{names[proper]!r} and {name!r} are the same parameter of LightGBM; leave one out")
        names[proper] = name


def main_name(name: str) -> str:
    """LightGBM's main name of one of its parameters, which has several; an unknown name stays as it is."""
    return _proper_names().get(name, name)


@cache
def _proper_names() -> dict[str, str]:
    """LightGBM's main name of a parameter by each name that it takes for it, as its library lists them."""
    length = ctypes.c_int64()
    lgb.basic._LIB.LGBM_DumpParamAliases(ctypes.c_int64(0), ctypes.byref(length), None)
    text = ctypes.create_string_buffer(length.value)
    lgb.basic._LIB.LGBM_DumpParamAliases(length, ctypes.byref(length), text)
    aliases: dict[str, list[str]] = json.loads(text.value)
    return {name: proper for proper, names in aliases.items() for name in (proper, *names)}


def histograms(features: int) -> dict[str, int]:
    """LightGBM's `max_bin` for that many features: its own 255, and fewer for more than a thousand.

    Each leaf of a growing tree keeps features times bins sums, and finding a split reads them all: at 5,000 features
    that is gigabytes and seconds a tree, however few rows there are.
    """
    return {"max_bin": max(_CELLS // features, 15)} if features * 255 > _CELLS else {}


def dataset(
    matrix: FeatureMatrix,
    features: np.ndarray,
    target: np.ndarray,
    settings: dict[str, Any],
    weights: np.ndarray | None = None,
) -> lgb.Dataset:
    """What LightGBM learns from: a model matrix of shape (rows, features), targets and weights of shape (rows,)."""
    return lgb.Dataset(
        features,
        target,
        weight=weights,
        feature_name=matrix.names,
        categorical_feature=matrix.categorical,
        params=settings,
    )


def settings_of(matrix: FeatureMatrix, objective: str, seed: int, booster: Mapping[str, Any]) -> dict[str, Any]:
    """LightGBM's parameters: the objective and the seed, unless `booster` says otherwise."""
    # without a bound one leaf of tiny targets sends these objectives' scores to where nothing is learned any more
    step = {"max_delta_step": _STEP} if booster.get("objective") in ("gamma", "tweedie") else {}
    return {**histograms(len(matrix.names)), **step, "objective": objective, "seed": seed, **booster}


def boost(
    settings: dict[str, Any],
    rounds: int,
    data: lgb.Dataset,
    held_out: lgb.Dataset | None = None,
    stop_after: int = 0,
    every: float = 3.0,
) -> lgb.Booster:
    """Train a booster; raises SettingsError if LightGBM does not take its parameters.

    Args:
        settings: LightGBM's parameters.
        rounds: the most trees.
        data: what it learns.
        held_out: the rows that decide when to stop; without them every round is run.
        stop_after: rounds without progress on `held_out`.
        every: seconds between two lines that say how far it is; infinite for none.
    """
    watching: dict[str, Any] = {}
    if held_out is not None:
        stop = lgb.early_stopping(stop_after, first_metric_only=True, verbose=False)
        watching = {"valid_sets": [held_out], "valid_names": ["validation"]}
        watching["callbacks"] = [stop, _progress(time.monotonic(), every)]
    try:
        return lgb.train({**SAME_EVERY_TIME, **settings}, data, num_boost_round=rounds, **watching)
    except lgb.basic.LightGBMError as error:
        raise SettingsError(f"LightGBM does not take the parameters in {PARAMS}, train.booster: {error}") from error


def least_loss(booster: lgb.Booster) -> float:
    """The loss on the rows that decided when to stop, at the tree that is best by it."""
    return float(next(iter(booster.best_score["validation"].values())))


def raw_scores(booster: lgb.Booster, matrix: np.ndarray) -> np.ndarray:
    """A booster's raw scores, shape (rows,)."""
    scores: np.ndarray = booster.predict(matrix, raw_score=True)
    return scores


def _progress(started: float, every: float) -> Any:
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
