"""A booster goes on from its text: with the same scores, and the random choices that it would have made next.

LightGBM restarts its random states with each booster. The choice of features by tree is drawn whenever a tree begins,
and whenever a parameter is set; the choice of rows whenever a tree is asked for, whether or not it finds a split. So
both can be drawn again as often as the first booster did, which costs a fraction of growing the trees.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import lightgbm as lgb

_NO_SPLIT = 1e300
"""A gain that no split has."""
_OF_TREES_AND_SCORES = ("gbdt", "gbrt")
_OF_FILES = ("forcedsplits_filename", "forcedbins_filename")
_DRAWN_AS_THEY_GROW = {
    "extra_trees": False,
    "feature_fraction_bynode": 1.0,
    "data_sample_strategy": "bagging",
    "use_quantized_grad": False,
    "cegb_tradeoff": 1.0,
    "cegb_penalty_split": 0.0,
    "cegb_penalty_feature_lazy": None,
    "cegb_penalty_feature_coupled": None,
}
"""Parameters of states that neither the trees nor the number of them tell, with the values that have no such state."""
_NO = ("false", "-", "0", "none", "")


class Before(NamedTuple):
    """A booster so far: its text, and how many trees it was asked for, some of which may not have found a split."""

    text: str
    trees: int


def possible(known: Mapping[str, Any]) -> bool:
    """Whether trees are made of rows, parameters and the trees before them; of parameters by LightGBM's main names.

    In `dart` and `rf` they are not, and parameters that name files say nothing of what is in them.
    """
    return str(known.get("boosting", "gbdt")) in _OF_TREES_AND_SCORES and not any(known.get(name) for name in _OF_FILES)


def exact(known: Mapping[str, Any]) -> bool:
    """Whether a booster that goes on becomes, to the bit, what it had become without the interruption."""
    return all(_same(known.get(name, usual), usual) for name, usual in _DRAWN_AS_THEY_GROW.items())


def _same(value: Any, usual: Any) -> bool:
    if isinstance(usual, float):
        return float(value) == usual
    if isinstance(usual, str):
        return str(value) == usual
    return not value or str(value).lower() in _NO


def step(known: Mapping[str, Any]) -> int:
    """A booster can go on after a multiple of so many trees: rows are chosen anew at these."""
    return int(known.get("bagging_freq", 0)) or 1 if _of_some_rows(known) else 1


def _of_some_rows(known: Mapping[str, Any]) -> bool:
    fractions = ("bagging_fraction", "pos_bagging_fraction", "neg_bagging_fraction")
    return int(known.get("bagging_freq", 0)) > 0 and any(float(known.get(name, 1.0)) < 1 for name in fractions)


def begun(known: Mapping[str, Any], before: Before, data: lgb.Dataset, held_out: lgb.Dataset | None) -> lgb.Booster:
    """A booster of the trees before, ready for the next one.

    Args:
        known: all of its parameters, by LightGBM's main names.
        before: what it goes on from; its trees are a multiple of `step`.
        data: what it learns from, the same as before and not yet constructed.
        held_out: what its loss is told of, if any.
    """
    old = lgb.Booster(model_str=before.text)  # it has to live until its trees are taken over
    # the threads are those of all that LightGBM does from then on, sums of losses too
    threads = {name: known[name] for name in ("num_threads",) if name in known}
    data._set_predictor(lgb.basic._InnerPredictor.from_booster(old, threads))
    fraction = float(known.get("feature_fraction", 1.0))
    still = {"feature_fraction": 1.0, "min_gain_to_split": _NO_SPLIT}  # draws no features, and grows nothing
    draws = fraction < 1 or _of_some_rows(known)
    booster = lgb.Booster({**known, **(still if draws else {})}, data)
    if held_out is not None:
        booster.add_valid(held_out.set_reference(data), "validation")
    if not draws:
        return booster
    if _of_some_rows(known):
        for _ in range(before.trees // step(known)):
            booster.update()
    if fraction < 1:
        for _ in range(before.trees * old.num_model_per_iteration()):
            booster.reset_parameter({"feature_fraction": fraction})
    gain = known.get("min_gain_to_split", 0.0)
    return booster.reset_parameter({"feature_fraction": fraction, "min_gain_to_split": gain})
