"""LightGBM, the same way for every booster: seeded, deterministic, stopped in time."""

import contextlib
import ctypes
import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np

from model.features import FeatureMatrix
from problems.parameters import PARAMS
from training.learning import continued
from validation.errors import SettingsError

SAME_EVERY_TIME = {"deterministic": True, "force_row_wise": True, "verbosity": -1}

_CELLS = 255_000
_STEP = 0.7
"""What LightGBM takes for the objective poisson."""
_GROWING = "/treelearner/"
"""In the message of a check that fails while a tree grows; parameters are checked elsewhere."""
_ELSEWHERE = {
    "num_iterations": "`rounds`",
    "early_stopping_round": "`stop_after`",
    "seed": "`seed`",
    "num_class": "the classes of the target",
    "categorical_feature": "the kinds of the contract's columns",
}
"""LightGBM's parameters that another setting of this project decides."""


class Part(NamedTuple):
    """Rows to learn or to judge by.

    Attributes:
        features: their model matrix, shape (rows, features).
        target: as the booster learns it, shape (rows,).
        weights: of the rows, shape (rows,); None for the same of all.
    """

    features: np.ndarray
    target: np.ndarray
    weights: np.ndarray | None = None


class GaveUp(SettingsError):
    """LightGBM's parameters are right, and it fails to grow a tree of these rows by them."""


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


def dataset(matrix: FeatureMatrix, part: Part, settings: dict[str, Any]) -> lgb.Dataset:
    """Rows in LightGBM's own form; `matrix` made their features."""
    return lgb.Dataset(
        part.features,
        part.target,
        weight=part.weights,
        feature_name=matrix.names,
        categorical_feature=matrix.categorical,
        params=settings,
    )


def settings_of(matrix: FeatureMatrix, objective: str, seed: int, booster: Mapping[str, Any]) -> dict[str, Any]:
    """LightGBM's parameters: the objective and the seed, unless `booster` says otherwise."""
    # without a bound one leaf of tiny targets sends these objectives' scores to where nothing is learned any more
    step = {"max_delta_step": _STEP} if booster.get("objective") in ("gamma", "tweedie") else {}
    return {**histograms(len(matrix.names)), **step, "objective": objective, "seed": seed, **booster}


def by_main_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters under LightGBM's main name of each."""
    return {_proper_names()[name]: value for name, value in settings.items()}


def begun(
    settings: dict[str, Any],
    rounds: int,
    data: lgb.Dataset,
    held_out: lgb.Dataset | None = None,
    before: continued.Before | None = None,
) -> lgb.Booster:
    """A booster that `grown` is to give up to `rounds` trees: without any yet, or with those that it had before.

    Raises:
        SettingsError: LightGBM does not take its parameters.
        GaveUp: it fails by them.
    """
    settings = {**SAME_EVERY_TIME, **settings, "num_iterations": rounds}
    with _sentences():
        if before is not None:
            return continued.begun(by_main_names(settings), before, data, held_out)
        booster = lgb.Booster(settings, data)
        if held_out is not None:
            booster.add_valid(held_out.set_reference(data), "validation")
        return booster


def grown(booster: lgb.Booster) -> None:
    """Give it one more tree; raises as `begun`."""
    with _sentences():
        booster.update()


def loss(booster: lgb.Booster) -> float:
    """Its loss on the held-out rows by its first metric; raises as `begun`."""
    with _sentences():
        losses = booster.eval_valid()
    if not losses:
        raise SettingsError(
            f"LightGBM knows no such metric as that in {PARAMS}, train.booster; held-out rows need one to stop by. "
            "Leave `metric` out for the loss that is trained on."
        )
    _, _, value, higher_is_better = losses[0]
    return float(-value if higher_is_better else value)


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """Turn LightGBM's errors into ours."""
    try:
        yield
    except lgb.basic.LightGBMError as error:
        if _GROWING in str(error):
            raise GaveUp(
                f"LightGBM gives up on these rows with the parameters in {PARAMS}, train.booster: {str(error).strip()}"
            ) from error
        raise SettingsError(f"LightGBM does not take the parameters in {PARAMS}, train.booster: {error}") from error


def raw_scores(booster: lgb.Booster, matrix: np.ndarray) -> np.ndarray:
    """A booster's raw scores, shape (rows,)."""
    scores: np.ndarray = booster.predict(matrix, raw_score=True)
    return scores
