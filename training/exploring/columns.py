"""Columns as the page shows them: a line of the table of columns, and a portrait of each input and of the target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.data import tables
from training.evaluation import binned
from training.evaluation.binned import Bins
from training.exploring import pictures, relation
from training.exploring.looked import Looked
from training.exploring.pictures import Picture
from training.exploring.relation import Level, Target
from training.learning import privacy
from training.learning.privacy import FEWEST
from validation.contract import Column, Kind, Role

_NUMBERS = (Kind.INTEGER, Kind.REAL, Kind.DATE, Kind.TIMESTAMP)


@dataclass(frozen=True)
class Line:
    """What stands in the table of columns.

    Attributes:
        column: which.
        missing: the share of rows without a readable value; None of a column that is not read.
        distinct: how many different values there are.
        middle: the median, or the most common name; empty where few rows have it, and of keys.
        ends: about from where to where numbers and times go.
    """

    column: Column
    missing: float | None
    distinct: int | None
    middle: str = ""
    ends: str = ""


@dataclass(frozen=True)
class Group:
    """A name, or numbers from here to there: its rows, their share of all, and the target."""

    label: str
    rows: int
    share: float
    level: Level | None


@dataclass(frozen=True)
class Portrait:
    """A column by itself, and what the target is over it.

    Attributes:
        column: which.
        told: how much of the target it tells by itself, from 0 to 1; None of the target.
        picture: of numbers and times.
        groups: of names, and of numbers where there are several classes; as a table.
        missing: the rows without a value, where they are enough.
    """

    column: Column
    told: float | None
    picture: Picture | None
    groups: list[Group]
    missing: Group | None


def lines(looked: Looked) -> list[Line]:
    """A line for each column of the contract, in its order."""
    return [_line(looked, column) for column in looked.problem.contract.columns]


def _line(looked: Looked, column: Column) -> Line:
    if column.role is Role.FORBIDDEN:
        return Line(column, None, None)
    cells = looked.bronze[column.name]
    missing, distinct = float(cells.isna().mean()), int(cells.nunique())
    if column.role is Role.KEY:
        return Line(column, missing, distinct)
    if column.kind not in _NUMBERS:
        names = cells.map(str, na_action="ignore").str.lower() if column.kind is Kind.FLAG else cells
        common = binned.named(names.where(cells.notna(), None).to_numpy(dtype=object), most=1)
        first = common.labels[0] if common.labels and common.labels[0] != binned.OTHERS else ""
        return Line(column, missing, distinct, first)
    values = binned.numbers(column, tables.array(column, cells))
    known = np.sort(values[~np.isnan(values)])
    if len(known) < 2 * FEWEST:
        return Line(column, missing, distinct)
    ends = (privacy.several(known, places) for places in (slice(None, FEWEST), slice(-FEWEST, None)))
    low, high = (binned.shown(column, end) for end in ends)
    return Line(column, missing, distinct, binned.shown(column, float(np.median(known))), f"{low} to {high}")


def portraits(looked: Looked, rows: pd.DataFrame, target: Target | None) -> list[Portrait]:
    """A portrait of each input, those first that tell most of the target by themselves.

    Args:
        looked: whose columns they are.
        rows: those that are shown, or a sample of them.
        target: of these rows.
    """
    arrays = tables.inputs(looked.problem.contract, rows)
    found = [_portrait(column, arrays[column.name], target) for column in looked.problem.contract.inputs]
    return sorted(found, key=lambda portrait: -(portrait.told or 0.0))


def of_target(looked: Looked, rows: pd.DataFrame) -> Portrait:
    """A portrait of the target, by itself."""
    column = looked.problem.contract.target
    if column.kind in _NUMBERS:
        values = binned.numbers(column, tables.target(looked.problem.contract, rows))
        picture = pictures.drawn(column, binned.evenly(column, values), [])
        return Portrait(column, None, picture, [], None)
    cells = rows[column.name]
    names = cells.astype(str).where(cells.notna(), None).to_numpy(dtype=object)
    return Portrait(column, None, None, _groups(binned.named(names), None, len(rows)), None)


def _portrait(column: Column, values: np.ndarray, target: Target | None) -> Portrait:
    groups = binned.groups(column, values)
    told = None if target is None else relation.told(target, groups)
    missing = _missing(groups, target)
    if column.kind not in _NUMBERS:
        return Portrait(column, told, None, _groups(groups, target, len(values)), missing)
    numbers = binned.numbers(column, values)
    several = target is not None and bool(target.names)
    levels = [] if target is None or several else _levels(groups, numbers, target)
    picture = pictures.drawn(column, binned.evenly(column, numbers), levels, rate=target is not None and target.rate)
    return Portrait(column, told, picture, _groups(groups, target, len(values)) if several else [], missing)


def _levels(groups: Bins, numbers: np.ndarray, target: Target) -> list[tuple[float, str, Level]]:
    found = relation.levels(target, groups.places, len(groups.labels))
    return [
        (float(numbers[groups.places == place].mean()), f"{groups.labels[place]}: {said(level, target)}", level)
        for place, level in enumerate(found)
        if level is not None
    ]


def _groups(bins: Bins, target: Target | None, rows: int) -> list[Group]:
    none: Sequence[Level | None] = [None] * len(bins.labels)
    levels = none if target is None else relation.levels(target, bins.places, len(bins.labels))
    counts = bins.counts.tolist()
    return [
        Group(label, count, count / rows, level)
        for label, count, level in zip(bins.labels, counts, levels, strict=True)
    ]


def _missing(bins: Bins, target: Target | None) -> Group | None:
    gone = bins.places < 0
    if gone.sum() < FEWEST:
        return None
    level = None if target is None else relation.levels(target, np.where(gone, 0, -1), 1)[0]
    return Group("without a value or with a rare one", int(gone.sum()), float(gone.mean()), level)


def said(level: Level, target: Target) -> str:
    """A group's target with its interval, in words."""
    if target.names:
        return ", ".join(f"{name} {share:.0%}" for name, share in zip(target.names, level.shares, strict=True))
    if target.rate:
        return f"{level.mean:.1%} ({level.low:.1%} to {level.high:.1%})"
    low, high = pictures.figure(level.low), pictures.figure(level.high)
    return f"{pictures.figure(level.mean)} ({low} to {high})"
