"""What is tried: the parameters of LightGBM that decide most, and the ranges in which they are looked for."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from problems.base import Problem
from training.learning.boost import main_name
from training.learning.params import TrainParams
from validation.errors import SettingsError

Booster = dict[str, Any]
Space = dict[str, BaseDistribution]

_BAGGING = "bagging_fraction"
_DIGITS = 4
"""Significant digits of what is tried: more of them say nothing, and people read them in params.yaml."""
_ROWS_A_LEAF = 20
_MOST_LEAVES, _MOST_IN_LEAF = 255, 200


def of(problem: Problem, params: TrainParams, rows: int) -> Space:
    """The ranges of a problem.

    Args:
        problem: its contract says whether there are categories.
        params: how it is trained; LightGBM takes no bagging beside some ways of boosting.
        rows: how many there are to learn from; a table of few rows has no use for many leaves.
    """
    space: Space = {
        "learning_rate": FloatDistribution(0.01, 0.3, log=True),
        "num_leaves": IntDistribution(3, max(min(_MOST_LEAVES, rows // _ROWS_A_LEAF), 8), log=True),
        "min_data_in_leaf": IntDistribution(1, max(min(_MOST_IN_LEAF, rows // _ROWS_A_LEAF), 8), log=True),
        "feature_fraction": FloatDistribution(0.3, 1.0),
        _BAGGING: FloatDistribution(0.5, 1.0),
        "lambda_l1": FloatDistribution(1e-3, 10.0, log=True),
        "lambda_l2": FloatDistribution(1e-3, 100.0, log=True),
        "extra_trees": CategoricalDistribution((False, True)),
    }
    if problem.contract.categories:
        space |= {
            "max_cat_to_onehot": IntDistribution(1, 1000, log=True),
            "cat_smooth": FloatDistribution(0.1, 100.0, log=True),
            "cat_l2": FloatDistribution(0.1, 100.0, log=True),
            "min_data_per_group": IntDistribution(1, 200, log=True),
        }
    if not _takes_bagging(params.booster):
        del space[_BAGGING]
    return space


def _takes_bagging(booster: Mapping[str, Any]) -> bool:
    """Whether rows may be drawn for each tree: GOSS draws them by itself, and a random forest always must."""
    said = {main_name(name): value for name, value in booster.items()}
    return said.get("boosting") not in ("goss", "rf", "random_forest") and said.get("data_sample_strategy") != "goss"


def demand_comparable(problem: Problem, params: TrainParams) -> None:
    """Raise SettingsError for parameter sets whose losses are not the same loss."""
    where = f"{problem.name}.train"
    for booster in params.boosters:
        if any(main_name(name) == "metric" for name in booster):
            raise SettingsError(
                f"{where} has a `metric` for LightGBM. What is tuned is the loss that is trained on; leave it out."
            )
    objectives = {str(booster.get("objective")) for booster in params.boosters}
    if len(objectives) > 1:
        raise SettingsError(
            f"The `alternatives` of {where} have other objectives than its `booster`; their losses cannot be compared."
        )


def nearest(space: Space, booster: Mapping[str, Any]) -> dict[str, Any]:
    """The point of the space that is nearest to a parameter set, which may lie outside of it.

    What the set leaves out is as LightGBM has it by itself.
    """
    said = {**_BY_THEMSELVES} | {main_name(name): value for name, value in booster.items()}
    if not said.get("bagging_freq"):
        said[_BAGGING] = 1.0
    return {name: _nearest(distribution, said[name]) for name, distribution in space.items()}


_BY_THEMSELVES: Mapping[str, Any] = {
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "feature_fraction": 1.0,
    _BAGGING: 1.0,
    "bagging_freq": 0,
    "lambda_l1": 0.0,
    "lambda_l2": 0.0,
    "extra_trees": False,
    "max_cat_to_onehot": 4,
    "cat_smooth": 10.0,
    "cat_l2": 10.0,
    "min_data_per_group": 100,
}
"""LightGBM's defaults, as its documentation has them."""


def _nearest(distribution: BaseDistribution, value: Any) -> Any:
    match distribution:
        case IntDistribution(low=low, high=high):
            return min(max(int(value), low), high)
        case FloatDistribution(low=low, high=high):
            return min(max(float(value), low), high)
        case _:
            return bool(value)


def booster_of(base: Mapping[str, Any], point: Mapping[str, Any]) -> Booster:
    """A problem's own booster with the values of a point of the space, under the names that it has for them."""
    values = {
        name: float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value for name, value in point.items()
    }
    if _BAGGING in values:
        values["bagging_freq"] = 1  # draw anew for each tree; a fraction of 1 draws nothing
    names = {main_name(name): name for name in base}
    return {**base, **{names.get(name, name): value for name, value in values.items()}}
