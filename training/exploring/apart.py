"""The splits side by side: how many rows, from when, what the target is in them, and how far they are from training."""

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from model import psi
from problems.base import Problem
from training.data.split import SPLITS, TRAIN
from training.evaluation import shifted
from training.exploring import relation
from training.exploring.relation import Level, Target
from training.learning.privacy import FEWEST


@dataclass(frozen=True)
class Split:
    """One split: its rows, their share of all, its first and its last day where a time orders them, and the target."""

    name: str
    rows: int
    share: float
    first: str
    last: str
    level: Level | None


class Drift(NamedTuple):
    """A column's population stability index from training to each other split, and what chance alone may make of it."""

    column: str
    indexes: list[float]
    by_chance: list[float]

    @property
    def much(self) -> bool:
        """Whether one of them is large and not by chance."""
        return any(index > psi.MUCH + chance for index, chance in zip(self.indexes, self.by_chance, strict=True))


def splits(problem: Problem, silver: pd.DataFrame, labels: pd.Series, target: Target | None) -> list[Split]:
    """The splits in their order; `target` is that of the rows of `silver`."""
    time = problem.contract.time
    places = labels.map({name: place for place, name in enumerate(SPLITS)}).to_numpy(dtype=int)
    levels = [None] * len(SPLITS) if target is None else relation.levels(target, places, len(SPLITS))
    found = []
    for name, level in zip(SPLITS, levels, strict=True):
        rows = silver[labels == name]
        first, last = ("", "") if time is None else (str(rows[time.name].min())[:10], str(rows[time.name].max())[:10])
        found.append(Split(name, len(rows), len(rows) / len(silver), first, last, level))
    return found


def drift(problem: Problem, silver: pd.DataFrame, labels: pd.Series) -> list[Drift]:
    """The index of each input and of the target but times, the most drifted first; of splits of few rows 0."""
    contract = problem.contract
    parts = {name: silver[labels == name] for name in SPLITS}
    before = parts.pop(TRAIN)
    found = []
    for column in (*contract.inputs, contract.target):
        if shifted.is_time(column):
            continue
        both = [
            shifted.stability(column, before[column.name], rows[column.name])
            if min(len(before), len(rows)) >= FEWEST
            else (0.0, 0.0)
            for rows in parts.values()
        ]
        found.append(Drift(column.name, [index for index, _ in both], [chance for _, chance in both]))
    return sorted(found, key=lambda each: -max(each.indexes))
