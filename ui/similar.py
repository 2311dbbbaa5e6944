"""Similar cases: the group of training rows to which a model's published forks lead a row, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ui import lines, texts
from ui.described import Column, Model, Row

_MOST_NAMES = 8
_SELDOM = 0.1
"""A class of fewer cases than this share is as far out as a number beyond the 10th or the 90th percentile."""


@dataclass(frozen=True)
class Cases:
    """A group of training rows.

    Attributes:
        conditions: what they have in common, a phrase for each column.
        rows: how many they are; `looked_at`: among how many, 0 where the service does not say it.
        low, middle, high: of a regression, about the 10th, 50th and 90th percentile of what became of them.
        classes: of a classification, how many are of each class that there is among them.
        outside: a sentence where the prediction is not what became of most of them; else empty.
    """

    conditions: Sequence[str]
    rows: int
    looked_at: int
    low: float | None
    middle: float | None
    high: float | None
    classes: Mapping[str, int]
    outside: str


@dataclass(frozen=True)
class _Condition:
    """What the forks on the way say of one column.

    Attributes:
        low, high: numbers and times from the one on and below the other, as requests carry them.
        names: those that are allowed; None while all are.
        without: names that are not allowed.
        given: whether a value is; `missing`: whether it may be missing.
    """

    low: Any = None
    high: Any = None
    names: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    given: bool = True
    missing: bool = True

    def then(self, fork: Mapping[str, Any], yes: bool) -> "_Condition":
        """With one more fork, at which the way went on by the yes or the no."""
        after = replace(self, missing=self.missing and bool(fork.get("missing")) == yes)
        if "below" in fork:
            return replace(after, **{"high" if yes else "low": fork["below"]})
        if "names" not in fork:
            return replace(after, given=self.given and not yes)
        asked = tuple(fork["names"])
        if yes:
            kept = asked if self.names is None else tuple(name for name in self.names if name in asked)
            return replace(after, names=tuple(name for name in kept if name not in self.without))
        if self.names is None:
            return replace(after, without=tuple(dict.fromkeys([*self.without, *asked])))
        return replace(after, names=tuple(name for name in self.names if name not in asked))


def find(model: Model, row: Row, answer: Mapping[str, Any]) -> Cases | None:
    """The group of a row that the service answered; None if it publishes no groups, or only it can read a value.

    Args:
        model: whose forks lead the row.
        row: as requests carry it.
        answer: its prediction or its explanation.
    """
    if not model.similar:
        return None
    forks, groups = model.similar["forks"], model.similar["groups"]
    place, conditions = 0, dict[str, _Condition]()
    while place >= 0:
        fork = forks[place]
        name = fork["column"]
        yes = _holds(model.input(name), fork, row.get(name))
        if yes is None:
            return None
        conditions[name] = conditions.get(name, _Condition()).then(fork, yes)
        place = fork["yes" if yes else "no"]
    group = groups[-1 - place]
    said = [_phrase(model.input(name), condition) for name, condition in conditions.items()]
    low, middle, high = (group.get(name) for name in ("low", "middle", "high"))
    classes, looked_at = group.get("classes", {}), model.similar.get("rows", 0)
    return Cases(said, group["rows"], looked_at, low, middle, high, classes, _outside(model, group, answer))


def _holds(column: Column, fork: Mapping[str, Any], value: Any) -> bool | None:
    """Whether the answer to a fork is yes; None where the value is no number or time.

    A name that is none of the column's is a missing value, as it is to the service.
    """
    unknown = column.kind == "category" and column.choices and value not in column.choices
    if value is None or unknown:
        return bool(fork.get("missing"))
    if "below" in fork:
        at = lines.place(column, value)
        return None if at is None else at < lines.line(column, fork["below"])
    return _name(value) in fork.get("names", ())


def _name(value: Any) -> Any:
    """A flag as forks name it; other values as they are."""
    return str(value).lower() if isinstance(value, bool) else value


def _phrase(column: Column, condition: _Condition) -> str:
    """A condition in words: "stops is 0", "days left is at most 15 or not given"."""
    if not condition.given or condition.names == ():
        return f"{column.title} is {texts.MISSING}"
    said = _bounds(column, condition) if lines.curved(column) else _names(column, condition)
    missing = f"or {texts.MISSING}" if column.nullable and condition.missing else "given" if not said else ""
    return " ".join(part for part in (column.title, "is", said, missing) if part)


def _bounds(column: Column, condition: _Condition) -> str:
    low, high = condition.low, condition.high
    if column.kind == "integer":
        return _whole(column, low, None if high is None else int(high) - 1)
    first, end = (texts.of_column(column, each) for each in (low, high))
    if column.kind in ("date", "timestamp"):
        parts = [f"{first} or later" if low is not None else "", f"before {end}" if high is not None else ""]
    else:
        parts = [f"at least {first}" if low is not None else "", f"below {end}" if high is not None else ""]
    return " and ".join(part for part in parts if part)


def _whole(column: Column, low: float | None, last: int | None) -> str:
    """Bounds of whole numbers, both of which they may reach."""
    first, end = (texts.of_column(column, each) for each in (low, last))
    if low is None or last is None:
        return f"at most {end}" if last is not None else f"at least {first}" if low is not None else ""
    return end if low == last else f"{low:.15g} to {end}"


def _names(column: Column, condition: _Condition) -> str:
    """The names that are left, or if those are more, the ones that are not."""
    known = ("false", "true") if column.kind == "flag" else column.choices or ()
    left, without = condition.names, condition.without
    if left is None:
        left = tuple(name for name in known if name not in without)
    if condition.names is not None or 0 < len(left) <= len(without):
        return _listed(column, left)
    if len(without) > 1:
        return f"neither {_listed(column, without, 'nor')}"
    return f"not {without[0]}" if without else ""


def _listed(column: Column, names: Sequence[str], word: str = "or") -> str:
    """Names in words: "A, B or C"; of many, the first ones and how many others."""
    shown = [texts.of_column(column, name == "true") if column.kind == "flag" else name for name in names]
    if len(shown) > _MOST_NAMES:
        shown[_MOST_NAMES - 1 :] = [f"one of {len(shown) - _MOST_NAMES + 1} others"]
    *first, last = shown
    return f"{', '.join(first)} {word} {last}" if first else last


def _outside(model: Model, group: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """That a prediction is beyond what became of eight of ten rows, or a class that hardly any of them has."""
    predicted = answer["prediction"]
    if "probabilities" in answer:
        rows = group.get("classes", {}).get(predicted, 0)
        if rows >= _SELDOM * group["rows"]:
            return ""
        return f"The answer is “{predicted}”, which {f'only {rows:,}' if rows else 'none'} of them were."
    if group["low"] <= predicted <= group["high"]:
        return ""
    side = "above" if predicted > group["high"] else "below"
    return f"The prediction, {texts.with_unit(predicted, model.target.unit)}, is {side} that range."
