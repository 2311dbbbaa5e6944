"""A made-up model with reference rows, and answers of days that are as before or are not."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from model.outcomes import Binary, Multiclass, Regression
from model.outcomes.sets import Sets
from model.watched import EARLIER, HELD_OUT, SPLIT, Watched, score_columns
from monitoring.estimates import ACTUAL
from monitoring.judge import Window, judge
from monitoring.params import MonitorParams
from monitoring.verdict import Verdict
from problems.base import Task
from validation.contract import Column, Contract, Kind, Role, Unseen

VERSION = "0123456789abcdef"
TOWNS = ("Bern", "Chur", "Genf", "Thun")
_BY_TOWN = np.array([1.0, 1.2, 1.5, 0.9])
_LARGEST = 200.0
YEARS = 3
MADE = "2026-11-30T06:00:00+00:00"


class Model(NamedTuple):
    """A version, and the rows that its answers are compared with."""

    watched: Watched
    reference: pd.DataFrame

    def judged(self, rows: pd.DataFrame, **params: Any) -> Verdict:
        """The verdict on rows of one day."""
        window = Window(rows, "2026-11-29", "2026-11-29", MADE)
        return judge(self.watched, self.reference, window, MonitorParams(**params))


def contract(task: Task) -> Contract:
    """Columns of every kind; `colour` moves no answer."""
    target = {
        "regression": Column(name="target", kind=Kind.REAL, role=Role.TARGET, help="Rent"),
        "binary": Column(name="target", kind=Kind.CATEGORY, role=Role.TARGET, choices=("no", "yes"), help="Let"),
        "multiclass": Column(
            name="target", kind=Kind.CATEGORY, role=Role.TARGET, choices=("a", "b", "c"), help="Class"
        ),
    }[task]
    return Contract(
        (
            Column(name="town", kind=Kind.CATEGORY, unseen=Unseen.WARN, help="Where it is"),
            Column(name="size", kind=Kind.REAL, help="How large it is"),
            Column(name="rooms", kind=Kind.INTEGER, nullable=True, help="Its rooms"),
            Column(name="lift", kind=Kind.FLAG, help="Whether there is a lift"),
            Column(name="colour", kind=Kind.CATEGORY, unseen=Unseen.WARN, help="Of the door"),
            Column(name="day", kind=Kind.DATE, role=Role.TIME, help="When it was offered"),
            target,
        )
    )


def outcome(task: Task) -> Regression | Binary | Multiclass:
    """How scores become answers."""
    sets = Sets(0.9, 0.9)
    if task == "regression":
        return Regression(0.9, 1.0, {}, None, None, None)
    if task == "binary":
        return Binary(("no", "yes"), 1.0, 0.0, 0.5, sets)
    return Multiclass(("a", "b", "c"), 1.0, (0.0, 0.0, 0.0), None, sets)


def model(task: Task = "regression", rows: int = 12_000) -> Model:
    """A model that knows the law of its rows; a third of these is held out."""
    drawn = answers(task, np.random.default_rng(7), rows, days=(0, 365 * YEARS))
    held_out = drawn["day"] >= drawn["day"].quantile(2 / 3)
    reference = drawn.rename(columns={ACTUAL: "target"}).assign(**{SPLIT: np.where(held_out, HELD_OUT, EARLIER)})
    watched = Watched(
        "letting",
        VERSION,
        [column.describe() for column in contract(task).columns],
        outcome(task),
        {"town": 40.0, "size": 40.0, "rooms": 10.0, "lift": 5.0, "colour": 0.1, "day": 5.0},
        {"objective": {"regression": "regression_l1"}.get(task, task)},
        {"town": list(TOWNS), "colour": ["blue", "red"]},
    )
    return Model(watched, reference)


def answers(
    task: Task,
    random: np.random.Generator,
    count: int,
    days: tuple[int, int] = (365 * YEARS - 30, 365 * YEARS),
    factor: float = 1.0,
    large: float = 0.5,
    **columns: Any,
) -> pd.DataFrame:
    """Rows with scores and `ACTUAL`.

    Args:
        task: of the model.
        random: draws them.
        count: how many.
        days: the first and the end of them, since 2022.
        factor: what truth is of it that the model learned.
        large: the share of large ones.
        columns: what is sent in place of what is, by column: values, or a function of the drawn ones.
    """
    day = random.integers(*days, count)
    summer = np.sin(2 * np.pi * day / 365)
    size = np.where(random.random(count) < large, random.uniform(90, _LARGEST, count), random.uniform(30, 90, count))
    drawn = pd.DataFrame(
        {
            "town": pd.Series(np.array(TOWNS)[random.choice(len(TOWNS), count, p=[0.4, 0.3, 0.2, 0.1])], dtype="str"),
            "size": size + 15 * summer,
            "rooms": pd.array(np.round(size / 30).astype(int), dtype="Int64"),
            "lift": random.random(count) < 0.4,
            "colour": pd.Series(np.array(["blue", "red"])[random.integers(0, 2, count)], dtype="str"),
            "day": pd.Timestamp("2022-01-01") + pd.to_timedelta(day, unit="D"),
        }
    )
    drawn.loc[random.random(count) < 0.02, "rooms"] = pd.NA
    truth = _value(drawn)
    sent = drawn.assign(**columns)
    return _answered(task, random, sent, truth * factor)


def _value(rows: pd.DataFrame) -> np.ndarray:
    """The law, as trees have it: beyond the largest nothing changes, and unknown towns are like the mean one."""
    towns = pd.Index(TOWNS).get_indexer(pd.Index(rows["town"]))
    size = rows["size"].clip(0, _LARGEST + 15).to_numpy(dtype=float)
    value: np.ndarray = (
        np.where(towns < 0, 1.1, _BY_TOWN[towns]) * (300 + 8 * size) * (1 + 0.1 * rows["lift"].to_numpy(dtype=float))
    )
    return value


def _answered(task: Task, random: np.random.Generator, sent: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    known = _value(sent)
    if task == "regression":
        spread = 0.05 * known
        scores = np.column_stack([known, known - 1.645 * spread, known + 1.645 * spread])
        actual: Any = truth + 0.05 * truth * random.normal(0, 1, len(sent))
    elif task == "binary":
        scores, true = (_share(value)[:, None] for value in (known, truth))
        actual = np.where(random.random(len(sent)) < true[:, 0], "yes", "no")
    else:
        scores, true = (_shares(value) for value in (known, truth))
        drawn = (random.random(len(sent))[:, None] > np.cumsum(true, axis=1)).sum(axis=1)
        actual = np.array(["a", "b", "c"])[drawn]
    names = score_columns(scores.shape[1])
    return sent.assign(**dict(zip(names, scores.T, strict=True)), **{ACTUAL: actual})


def _share(value: np.ndarray) -> np.ndarray:
    share: np.ndarray = 1 / (1 + np.exp(-(value - 1_300) / 200))
    return share


def _shares(value: np.ndarray) -> np.ndarray:
    raw = np.exp(-(((value[:, None] - np.array([900.0, 1_300.0, 1_700.0])) / 300) ** 2))
    shares: np.ndarray = raw / raw.sum(axis=1, keepdims=True)
    return shares
