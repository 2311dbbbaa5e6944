"""How a model is learned: the section `train` of params.yaml."""

from typing import Annotated, Any, Literal

import msgspec

from training.learning.boost import demand_known
from training.workspace import Seed

Positive = Annotated[float, msgspec.Meta(gt=0)]
ClassWeights = dict[str, Positive] | Literal["balanced"] | None


LOG = "log"


class PairCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a wrong answer costs where there are two classes, in any one unit; the positive class is the last one."""

    false_positive: Positive = 1.0
    false_negative: Positive = 1.0

    @property
    def threshold(self) -> float:
        """The probability from which answering the positive class costs less on average (Elkan, 2001)."""
        return self.false_positive / (self.false_positive + self.false_negative)


Costs = dict[str, Positive | dict[str, Positive]]
"""Of two classes what `PairCosts` has; of several the cost of answering a class by the class that is right."""


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a training writes how far it has come.

    Attributes:
        trees: after each multiple of so many trees; 0 for never.
        seconds: not before it has taken so many, and then no more than a hundredth of its time is spent on writing;
            0 for whenever it can.
    """

    trees: Annotated[int, msgspec.Meta(ge=0)] = 0
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 10


class TrainParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """LightGBM's own parameters under their own names, when to stop, and what answers must hold.

    `coverage` is that of prediction intervals and sets; `class_weights` (a weight by class, or "balanced") and `costs`
    are for classifications. With `folds`, tables of up to `most_cells` cells (rows times columns) are learned by folds,
    see `training.learning.folds`. `alternatives` name what differs from `booster`; the set with the least loss on
    rows that it did not learn from is taken.
    `recent` are shares of the weight that labelled rows have together (1: they alone are learned from), each of which
    is tried where there are some, see `training.learning.recency`.
    `target: log` has a regression learn the logarithm of its target. What is learned does not depend on `checkpoint`.
    """

    rounds: Annotated[int, msgspec.Meta(ge=1)]
    stop_after: Annotated[int, msgspec.Meta(ge=1)]
    seed: Seed
    booster: dict[str, Any]
    coverage: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.9
    class_weights: ClassWeights = None
    costs: Costs = {}
    folds: Annotated[int, msgspec.Meta(ge=0)] = 0
    most_cells: Annotated[int, msgspec.Meta(ge=0)] = 2_000_000
    alternatives: list[dict[str, Any]] = []
    target: Literal["log"] | None = None
    checkpoint: Checkpoint = Checkpoint()
    recent: tuple[Annotated[float, msgspec.Meta(gt=0, le=1)], ...] = (0.5, 0.9, 1.0)

    def __post_init__(self) -> None:
        if self.folds == 1:
            raise ValueError("there are at least two folds; 0 trains on one split")
        for booster in self.boosters:
            demand_known(booster)

    @property
    def boosters(self) -> list[dict[str, Any]]:
        """LightGBM's parameters of each set to choose from, that of `booster` first."""
        return [{**self.booster, **more} for more in ({}, *self.alternatives)]

    def with_booster(self, booster: dict[str, Any]) -> "TrainParams":
        """The same with other parameters of LightGBM."""
        return msgspec.structs.replace(self, booster=booster)
