"""Columns that a person should look at: constants, keys, what tells the target, what is hardly there."""

from collections.abc import Iterator

from training.draft.sketch import Sketch
from training.evaluation import suspicions
from training.exploring.looked import Looked
from training.learning import tasks
from validation.contract import Column, Kind, Role
from validation.errors import BoxwoodError

_HARDLY, _ALMOST_ALL = 0.5, 0.95
_FEWEST = 30


def find(looked: Looked) -> list[str]:
    """Sentences; the names of columns stand between backticks."""
    return [*_by_themselves(looked), *_by_draft(looked), *_by_card(looked)]


def _by_themselves(looked: Looked) -> Iterator[str]:
    for column in looked.problem.contract.inputs:
        cells = looked.bronze[column.name]
        known, distinct = int(cells.notna().sum()), int(cells.nunique())
        if not known:
            yield f"`{column.name}` has no value in any row."
        elif distinct == 1:
            yield f"`{column.name}` is constant: wherever it has a value, it has the same, and says nothing."
        elif known < _HARDLY * len(cells):
            yield f"`{column.name}` is missing in {1 - known / len(cells):.0%} of the rows."
        if column.kind is Kind.CATEGORY and distinct >= _FEWEST and distinct > _ALMOST_ALL * known:
            yield (
                f"`{column.name}` has a name of its own in nearly every row ({distinct:,} names in {known:,} rows): it "
                "may identify rows, which is what keys are for."
            )


def _by_draft(looked: Looked) -> Iterator[str]:
    """Where a draft of this table decides otherwise than the contract has it, and what it would leave out."""
    if looked.draft is None:
        return
    columns = {column.source: column for column in looked.problem.contract.columns}
    for sketch in looked.draft.sketches:
        column = columns.get(sketch.evidence.header)
        if column is not None:
            yield from _differs(column, sketch)


def _differs(column: Column, sketch: Sketch) -> Iterator[str]:
    reasons = "; ".join(sketch.reasons)
    is_input = column.role in (Role.FEATURE, Role.TIME)
    if column.role is Role.FORBIDDEN:
        why = f": {reasons}" if sketch.role is Role.FORBIDDEN else ""
        yield f"`{column.name}` is forbidden to the model{why}."
    elif is_input and sketch.role is Role.FORBIDDEN:
        yield f"`{column.name}` may be a leak, a draft would forbid it: {reasons}."
    elif is_input and sketch.role is Role.KEY:
        yield f"`{column.name}` looks like a key, not like something to learn from: {reasons}."
    elif is_input and sketch.left_out.startswith("every row has what"):
        yield f"`{column.name}` is a copy: {sketch.left_out}."


def _by_card(looked: Looked) -> Iterator[str]:
    """What the evaluation and the model card say of such a table."""
    if looked.cut.labels is None:
        return
    silver = looked.gated.silver
    try:
        task = tasks.of(looked.problem, silver)
        yield from suspicions.find(task, silver, looked.cut.labels, looked.cut.shares)
    except BoxwoodError as error:
        yield str(error)


def unread(looked: Looked) -> list[tuple[str, str]]:
    """The file's columns that are none of the contract, each with why a draft would leave it out, if it would."""
    known = {column.source for column in looked.problem.contract.columns}
    sketches = {} if looked.draft is None else {sketch.evidence.header: sketch for sketch in looked.draft.sketches}
    return [
        (header, sketches[header].left_out if header in sketches else "")
        for header in looked.headers
        if header not in known
    ]
