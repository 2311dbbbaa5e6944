"""What is predicted: a number or classes, by a stated rule, and the order of the classes."""

import difflib
import re
from collections.abc import Sequence

import numpy as np

from training.draft import columns, numbers
from training.draft.found import Doubt
from training.draft.sketch import Sketch
from training.workspace import counted
from validation.classes import MOST_CLASSES
from validation.contract import Kind, Role
from validation.errors import TableError

RULE = (
    "a text, a flag or a number of two values is classes, so is one of up to ten whole values whose header says so; "
    "every other number is predicted as a number"
)
FEWEST_ROWS, FEWEST_OF_CLASS = 30, 10
_MOST_WHOLE = 10
_RARE_SHARE = 0.02
_CLASS = re.compile(r"(^|_)(class|label|type|category|group|cluster|species|grade|stage|level|quality)(_|$)")
_NEVER_BELOW = re.compile(
    r"(^|_)(price|cost|fare|fee|rent|salary|wage|income|age|weight|height|length|width|area|distance|duration|count|"
    r"quantity|population)s?(_(?!change|diff|delta|growth)|$)"
)
"""Names of what is never below 0."""
_NEAR, _PILED = 0.1, 20
"""Below a tenth of the median a value is near 0. Where so many rows are and none is below, that is no chance."""
_POSITIVE = {"yes", "y", "true", "t", "1", "positive", "pos", "ja", "oui", "si", "sí", "sim", "evet", "on", "present"}
_NEGATIVE = {"no", "n", "false", "f", "0", "negative", "neg", "nein", "non", "não", "hayır", "off", "absent", "none"}
_SCALES = (
    ("very low", "low", "medium", "moderate", "high", "very high"),
    ("small", "medium", "large"),
    ("very bad", "bad", "fair", "good", "very good", "excellent"),
    ("poor", "fair", "good", "excellent"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("never", "rarely", "sometimes", "often", "always"),
)


def find(sketches: Sequence[Sketch], asked: str) -> Sketch:
    """The column that is called so, by its header or its name; raises TableError with near ones if there is none."""
    for sketch in sketches:
        if sketch.evidence.header == asked:
            return sketch
    named = next((sketch for sketch in sketches if sketch.name == asked), None)
    if named is not None:
        return named
    headers = [sketch.evidence.header for sketch in sketches]
    folded = {header.casefold(): header for header in headers[:1_000]}
    near = difflib.get_close_matches(asked.casefold(), folded, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(repr(folded[one]) for one in near)}?" if near else ""
    listed = ", ".join(map(repr, headers[:30])) + (", …" if len(headers) > 30 else "")
    if any(asked in sketch.evidence.texts for sketch in sketches):
        raise TableError(
            f"There is no column {asked!r} to predict, but a cell. The headers are those of the first row: take away "
            "what stands above them."
        )
    raise TableError(f"There is no column {asked!r} to predict. {hint or f'There are: {listed}.'}")


def settle(target: Sketch) -> None:
    """Decide whether the target is a number or classes, and in which order; raises TableError if it can be neither."""
    header = target.evidence.header
    if target.found is None:
        raise TableError(f"The target {header!r} {target.left_out.removeprefix('it ')}. Choose another column.")
    target.role, target.left_out = Role.TARGET, ""
    there = ~target.known.missing
    rows, distinct = target.evidence.rows_of(there), int(there.sum())
    endless = numbers.infinite(target.evidence)
    if endless > numbers.STRAY_SHARE * target.evidence.rows:
        raise TableError(
            f"{counted(endless, 'row')} {'has' if endless == 1 else 'have'} an infinite {header}. Mend them, or take "
            "them out."
        )
    if target.known.kind in (Kind.DATE, Kind.TIMESTAMP):
        raise TableError(
            f"The target {header!r} is a {target.known.kind}. Predict a number of days or seconds instead."
        )
    if rows < FEWEST_ROWS:
        raise TableError(
            f"{rows:,} {'row has' if rows == 1 else 'rows have'} a target; a draft needs {FEWEST_ROWS}, to learn from "
            "some and judge by others. Bring more."
        )
    if len({text.casefold() for text, known in zip(target.evidence.texts, there, strict=True) if known}) == 1:
        value = target.evidence.texts[int(np.flatnonzero(there)[0])]
        every = f"has {header} =" if rows == target.evidence.rows else f"that has a {header} has"
        raise TableError(f"Every row {every} {value!r}: there is nothing to predict. Choose another column.")
    target.reasons.clear()
    target.doubts.clear()
    _decide(target, distinct)


def _decide(target: Sketch, distinct: int) -> None:
    whole = target.known.kind is Kind.INTEGER
    few = whole and distinct <= _MOST_WHOLE and target.evidence.counts[~target.known.missing].min() >= FEWEST_OF_CLASS
    if target.known.kind in (Kind.INTEGER, Kind.REAL) and distinct > 2 and not (few and _CLASS.search(target.name)):
        if few:
            target.doubts.append(
                Doubt(7, f"its {distinct} whole values are numbers; if they are labels, list them in `choices`")
            )
        target.change(kind=target.known.kind)
        target.unseen = None
        _bound(target)
        return
    if target.known.kind is Kind.FLAG and not _has_names(target):
        _demand_rows(target, {"false": 0.0, "true": 1.0})
        return
    if target.known.kind in (Kind.INTEGER, Kind.REAL):
        target.doubts.append(
            Doubt(7, f"its {distinct} values are taken for labels; if they count something, it is a number")
        )
    target.found = columns.as_names(target.evidence)
    if spelled := columns.by_case(target):
        target.found = columns.as_names(target.evidence, lower=True)
        target.doubts.append(Doubt(7, f"{spelled} are taken for one class, as are others that differ by case"))
    _classify(target)


def _bound(target: Sketch) -> None:
    """State that the target is never below 0, where its values or its name say so."""
    values = target.by_row()[~target.missing()]
    piled = (values <= _NEAR * np.median(values)).sum() >= _PILED
    if values.min() >= 0 and (piled or _NEVER_BELOW.search(target.name)):
        target.ge = 0
        target.doubts.append(
            Doubt(
                1, "none is below 0, so `ge=0` ends intervals there and has lower ones refused; drop it if they may be"
            )
        )


def _has_names(target: Sketch) -> bool:
    """Whether a flag's two texts are words, each in one case, which answers may repeat."""
    words = [text.casefold() for text in target.evidence.texts]
    return len(set(words)) == len(words) and not {"0", "0.0", "false"} & set(words)


def _classify(target: Sketch) -> None:
    header, there = target.evidence.header, ~target.known.missing
    labels = _frequent(target, list(dict.fromkeys(str(label) for label in target.known.values[there])))
    if len(labels) > MOST_CLASSES:
        raise TableError(
            f"The target {header!r} has {len(labels):,} different texts; a model tells at most {MOST_CLASSES} classes "
            "apart. Choose another column, or join some of them in the table."
        )
    target.unseen = None
    target.choices, doubt = _ordered(target, labels)
    target.doubts += [doubt] if doubt else []
    _demand_rows(target, {label: label for label in labels})


def _frequent(target: Sketch, labels: list[str]) -> list[str]:
    """The labels of several that have rows enough, if the others have few rows in all: those go to quarantine."""
    rows = {label: target.evidence.rows_of(target.known.values == label) for label in labels}
    rare = [label for label in labels if rows[label] < FEWEST_OF_CLASS]
    lost = sum(rows[label] for label in rare)
    if not rare or len(labels) - len(rare) < 2 or lost > _RARE_SHARE * target.evidence.rows:
        return labels
    some = ", ".join(map(repr, rare[:5])) + ", …" * (len(rare) > 5)
    what = f"{counted(lost, 'row')} of classes that have fewer than {FEWEST_OF_CLASS} ({some}) go to quarantine"
    target.doubts.append(Doubt(8, f"{what}; join them with others by `parse`"))
    return [label for label in labels if label not in rare]


def _demand_rows(target: Sketch, labels: dict[str, object]) -> None:
    counts = {label: target.evidence.rows_of(target.known.values == value) for label, value in labels.items()}
    rarest = min(counts, key=lambda label: counts[label])
    if counts[rarest] < FEWEST_OF_CLASS:
        raise TableError(
            f"Of {target.evidence.header} = {rarest!r} there {'is' if counts[rarest] == 1 else 'are'} "
            f"{counted(counts[rarest], 'row')}; a class needs {FEWEST_OF_CLASS}, to be learned from some and judged by "
            "others. Bring more rows of it, or join it with another class."
        )


def _ordered(target: Sketch, labels: Sequence[str]) -> tuple[tuple[str, ...], Doubt | None]:
    """The labels in an order that people expect, of two the positive one last."""
    try:
        return tuple(sorted(labels, key=float)), None
    except ValueError:
        folded = {label.casefold().replace("_", " "): label for label in labels}
    for scale in _SCALES:
        if set(folded) <= set(scale):
            return tuple(folded[word] for word in scale if word in folded), None
    if len(labels) > 2:
        return tuple(sorted(labels)), Doubt(1, "its classes are in the order of the alphabet")
    first, last = sorted(labels, key=_says_yes)
    if _says_yes(first) != _says_yes(last):
        return (first, last), None
    first, last = sorted(labels, key=lambda label: -target.evidence.rows_of(target.known.values == label))
    return (first, last), Doubt(
        5, f"{last!r}, the rarer, is taken for the positive class; if not, turn `choices` round"
    )


def _says_yes(label: str) -> int:
    word = label.casefold()
    if word in _NEGATIVE or re.match(r"(no|not|non|un|dis|never)[\s_-]", word):
        return 0
    return 2 if word in _POSITIVE else 1
