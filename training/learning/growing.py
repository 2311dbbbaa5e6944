"""A booster of as many trees as are asked for, which goes on where it was interrupted."""

from collections.abc import Iterator
from typing import Any

import lightgbm as lgb

from model.features import FeatureMatrix
from training.learning.boost import Part, begun, dataset, grown
from training.learning.checkpoints import NONE, Checkpoints
from training.learning.continued import Before


def boost(
    settings: dict[str, Any], rounds: int, matrix: FeatureMatrix, part: Part, kept: Checkpoints = NONE
) -> lgb.Booster:
    """A booster of so many trees.

    Args:
        settings: LightGBM's parameters.
        rounds: the number of trees.
        matrix: what made the features.
        part: what it learns from.
        kept: where it leaves its state, and takes it up.

    Raises:
        SettingsError: LightGBM does not take the parameters.
        GaveUp: it fails by them.
    """
    progress = kept.of(settings, lambda: [settings, rounds, *made_of(matrix, part)])
    found = progress.found()
    if found is not None and found.done:
        return lgb.Booster(model_str=found.boosters[0])
    before = Before(found.boosters[0], found.trees) if found is not None else None
    booster = begun(settings, rounds, dataset(matrix, part, settings), before=before)
    for number in range(before.trees if before else 0, rounds):
        grown(booster)
        progress.keep([booster], number + 1)
    progress.finish([booster], rounds)
    return lgb.Booster(model_str=booster.model_to_string())  # which lets go of the rows


def made_of(matrix: FeatureMatrix, part: Part) -> Iterator[Any]:
    """What a booster is made of besides its parameters, as `checkpoints.key_of` takes it."""
    yield from (matrix.names, matrix.categorical, *part)
