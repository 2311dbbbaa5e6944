"""What columns say of each other: copies, columns that tell the target, and the one by which the rows are in order."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from training.draft.found import Doubt
from training.draft.sketch import Sketch
from validation.contract import Kind, Role

_SAMPLE = 20_000
_TELLS = 0.999
_FEWEST = 30
_FEWEST_TIMES = 50
_FEWEST_A_NAME = 5
_NEARLY = 0.95
_PERSONAL = re.compile(
    r"birth|born|dob|death|died|founded|built|hired|opened|expir|due|until|(^|_)end"
    r"|geburt|geboren|gestorben|gegrundet|gebaut|zulassung|eingestellt|eroffn|ablauf|gultig|fallig|(^|_)bis(_|$)"
)
"""What dates are called that are no times of the rows, in English and German."""


def leave_out_copies(sketches: Sequence[Sketch]) -> None:
    """Leave out each column whose cells are those of an earlier one in every row."""
    seen: dict[tuple[int, int], list[Sketch]] = {}
    for sketch in sketches:
        if sketch.left_out or sketch.found is None or sketch.role is not Role.FEATURE:
            continue
        codes = sketch.evidence.codes
        alike = seen.setdefault((len(sketch.evidence.cells), hash(codes[:: max(len(codes) // 1_000, 1)].tobytes())), [])
        copied = next((other for other in alike if _same(sketch, other)), None)
        if copied is None:
            alike.append(sketch)
        else:
            sketch.leave_out(f"every row has what {copied.evidence.header!r} has")


def _same(one: Sketch, other: Sketch) -> bool:
    return one.evidence.texts == other.evidence.texts and np.array_equal(one.evidence.codes, other.evidence.codes)


def forbid_what_tells(sketches: Sequence[Sketch], target: Sketch) -> None:
    """Forbid the features that say the target by themselves; a sample of the rows is evidence enough."""
    known = np.flatnonzero(~target.missing())
    rows = np.random.default_rng(0).permutation(known)[:_SAMPLE]
    truth = target.by_row()[rows]
    for sketch in sketches:
        if sketch.left_out or sketch.role is not Role.FEATURE or len(rows) < _FEWEST:
            continue
        evidence = _evidence(sketch, rows, truth)
        if evidence:
            sketch.role = Role.FORBIDDEN
            sketch.reasons = [f"it tells the target: {evidence}"]
            sketch.doubts = [
                Doubt(
                    10,
                    f"it is forbidden, because it tells the target: {evidence}. If it is known when a "
                    "prediction is wanted, it is a feature",
                )
            ]


def _evidence(sketch: Sketch, rows: np.ndarray, truth: np.ndarray) -> str:
    """In which way a column tells the target; empty if it does not."""
    missing = sketch.missing()[rows]
    values = sketch.by_row()[rows]
    is_number = truth.dtype == np.float64 and len(np.unique(truth)) > 2
    there = ~missing
    if is_number:
        return _of_number(sketch, values[there], truth[there], there)
    labels = pd.factorize(truth)[0]
    if labels.max() == 1 and 0 < there.sum() < len(there):
        area = _area(missing.astype(np.float64), labels)
        if area >= _TELLS:
            return f"whether it is missing (ROC AUC {area:.4f})"
    if there.sum() < max(_FEWEST, len(there) / 2):
        return ""
    if labels.max() == 1 and sketch.known.kind is not Kind.CATEGORY and len(set(labels[there])) == 2:
        area = _area(_ordered(values[there]), labels[there])
        if area >= _TELLS:
            return f"its ROC AUC is {area:.4f}"
    return _mapped(pd.factorize(values[there])[0], labels[there])


def _of_number(sketch: Sketch, values: np.ndarray, truth: np.ndarray, there: np.ndarray) -> str:
    if len(values) < max(_FEWEST, len(there) / 2):
        return ""
    if sketch.known.kind is not Kind.CATEGORY:
        ranks, of_truth = (pd.Series(each).rank() for each in (_ordered(values), truth))
        if ranks.std() == 0 or of_truth.std() == 0:
            return ""
        correlation = float(np.corrcoef(ranks, of_truth)[0, 1])
        return f"their ranks correlate by {correlation:.4f}" if abs(correlation) >= _TELLS else ""
    return _mapped(pd.factorize(values)[0], pd.factorize(truth)[0])


def _ordered(values: np.ndarray) -> np.ndarray:
    """Numbers in the values' order."""
    return values.astype(np.int64).astype(np.float64) if values.dtype.kind == "M" else values.astype(np.float64)


def _area(scores: np.ndarray, labels: np.ndarray) -> float:
    """The ROC AUC of scores, in the direction in which they say more."""
    ranks = pd.Series(scores).rank().to_numpy()
    positive = labels == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    area = (ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return float(max(area, 1 - area))


def _mapped(codes: np.ndarray, labels: np.ndarray) -> str:
    """Whether a value goes with one label and a label with one value, in nearly every row."""
    values, classes = codes.max() + 1, labels.max() + 1
    if len(codes) < _FEWEST_A_NAME * max(values, classes):
        return ""
    pairs = pd.Series(codes * int(classes) + labels).value_counts()
    value_of, label_of = pairs.index // int(classes), pairs.index % int(classes)
    pure = pairs.groupby(value_of).max().sum() / len(codes)
    back = pairs.groupby(label_of).max().sum() / len(codes)
    told = pure >= _TELLS and (back >= _TELLS or classes == 2 or values <= 2 * classes)
    return f"a value goes with one {'class' if classes <= 100 else 'number'} in {pure:.2%} of the rows" if told else ""


def order_by_time(sketches: Sequence[Sketch], target: Sketch) -> str:
    """Give the role of time to the date by which the rows are in order, if there is one; returns what was decided."""
    dated = [
        sketch
        for sketch in sketches
        if sketch.role is Role.FEATURE and not sketch.left_out and sketch.known.kind in (Kind.DATE, Kind.TIMESTAMP)
    ]
    dated = [sketch for sketch in dated if not _PERSONAL.search(sketch.name)]
    for sketch in dated:
        if how := _how_ordered(sketch, target):
            sketch.role = Role.TIME
            sketch.reasons.append(f"the rows are {how} its order, so that the newest are the test")
            sketch.doubts.append(Doubt(7, "the rows are split by it; if it is no order of events, drop its role"))
            return f"by {sketch.name}, the newest rows are the test"
    for sketch in dated:
        sketch.doubts.append(
            Doubt(6, "the split is random; if later rows are to be predicted, it has `role=Role.TIME`")
        )
    return "at random"


def _how_ordered(sketch: Sketch, target: Sketch) -> str:
    """How rows stand in the order of a date with days enough to split by, "in" or "nearly in"; empty if in none."""
    if sketch.missing().any():
        return ""
    times = sketch.by_row()[~target.missing()]
    moments, ties = np.unique(times, return_counts=True)
    if len(moments) < _FEWEST_TIMES or ties.max() >= len(times) / 10:
        return ""
    steps = np.diff(times.astype("datetime64[s]").astype(np.int64))
    if max((steps >= 0).mean(), (steps <= 0).mean()) >= 0.99:
        return "in"
    ranks = pd.Series(times).rank().to_numpy()
    return "nearly in" if abs(np.corrcoef(np.arange(len(ranks)), ranks)[0, 1]) >= _NEARLY else ""
