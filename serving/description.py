"""What `GET /v1/models/{model}` says about a model: enough to ask it, to judge it and to know where it comes from."""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from model import receipts
from model.bundle import Bundle
from model.metrics import Metrics
from model.reference import Names
from serving.watch import VerdictSummary
from validation import names
from validation.contract import MOST_LISTED, Column, Kind
from validation.numbers import Notation, Number, decimal_point
from validation.parsing import ABSENT, Flag
from validation.values import written

MOST_SHARES = 100
"""Of a category with too many names to list, the shares of so many of the most common ones are given."""


class Class(TypedDict):
    """A class; of a target that is cut into bins, numbers from `low` on and below `high` are of it."""

    label: str
    low: NotRequired[float]
    high: NotRequired[float]


class Challenger(TypedDict):
    """A version beside the champion, and what it does.

    `percent` is the share of callers whom it answers ("ab"), or of the champion's rows that it is asked for ("shadow").
    """

    version: str
    mode: Literal["ab", "shadow"]
    percent: int


class Described(TypedDict):
    """What `GET /v1/models/{model}` says.

    `costs` are those of wrong answers among several classes, by the class that is right and the one that is answered;
    those of 1 are left out. `challenger` is there if the settings give one something to do, and `verdict` once there is
    one.
    """

    name: str
    version: str
    versions: list[str]
    challenger: NotRequired[Challenger]
    title: str
    ready: bool
    contract: list[dict[str, Any]]
    classes: list[Class]
    costs: dict[str, dict[str, float]]
    missing_texts: list[str]
    reference: dict[str, Any]
    metrics: Metrics | None
    lineage: dict[str, Any]
    verdict: NotRequired[VerdictSummary]


def of(opened: Bundle, labels: Mapping[str, str]) -> Described:
    """Contract with all known values, what training saw of each column, metrics and lineage.

    Args:
        opened: the bundle that is served.
        labels: of the model in the store.
    """
    manifest = opened.manifest
    vocabularies = manifest.fitted.vocabularies
    headers = {column.name: column for column in opened.model.problem.contract.columns}
    return {
        "name": manifest.problem,
        "version": manifest.version,
        "versions": [manifest.version],
        "title": opened.model.problem.title,
        "ready": True,
        "contract": [
            {
                **_with_example(column, opened.examples[0]),
                **_raw(headers[column["name"]]),
                **_choices(vocabularies.get(column["name"], [])),
            }
            for column in manifest.contract
        ],
        "classes": _classes(opened),
        "costs": opened.model.outcome.stated_costs,
        "missing_texts": sorted(ABSENT),
        "reference": _reference(opened),
        "metrics": manifest.metrics,
        "lineage": {
            "model": receipts.tag(manifest.problem, manifest.version),
            **labels,
            **(msgspec.to_builtins(manifest.lineage) if manifest.lineage else {}),
        },
    }


def _classes(opened: Bundle) -> list[Class]:
    """The classes of a classification, in order."""
    labels, bounds = opened.model.outcome.subjects, opened.manifest.fitted.bounds
    classes = [Class(label=label) for label in labels]
    for below, above, bound in zip(classes, classes[1:], bounds, strict=False):
        below["high"] = above["low"] = bound
    return classes


def _with_example(column: dict[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """A column with its value of the first example, in which the values of all columns go together."""
    value = example.get(column["name"])
    others = {name: member for name, member in column.items() if name != "example"}
    return others if value is None else {**others, "example": value}


def _choices(vocabulary: list[str]) -> dict[str, list[str]]:
    return {"choices": vocabulary} if 0 < len(vocabulary) <= MOST_LISTED else {}


def _raw(column: Column) -> dict[str, Any]:
    """How raw tables have a column: header and title where the name alone does not say them, and how texts are read.

    `decimal` is the mark of its numbers' decimals where that is no point. `any_case` is of requests too: the column's
    names, which are in small letters, may be written in any case.
    """
    source = {"source": column.source} if column.source != column.name else {}
    title = {"title": column.title} if column.title != column.name.replace("_", " ") else {}
    texts = {"texts": column.parse.texts} if isinstance(column.parse, Flag) else {}
    any_case = {"any_case": True} if isinstance(column.parse, names.Names) and column.parse.lower else {}
    notation = column.parse.notation if isinstance(column.parse, Number) else column.parse
    mark = {"decimal": notation.mark} if isinstance(notation, Notation) and notation is not decimal_point else {}
    return source | title | ({"parsed": True} if column.parse is not None else {}) | texts | mark | any_case


def _reference(opened: Bundle) -> dict[str, Any]:
    """The distributions of the training split, with values as requests carry them."""
    reference, contract = opened.reference, opened.model.problem.contract
    columns = {column.name: _summary(column, opened) for column in contract.columns if column.name in reference.columns}
    return {"rows": reference.rows, "columns": columns}


def _summary(column: Column, opened: Bundle) -> dict[str, Any]:
    reference = opened.reference
    summary = reference.columns[column.name]
    if not isinstance(summary, Names):
        deciles = reference.deciles(column)
        times = column.kind in (Kind.DATE, Kind.TIMESTAMP)
        values = [written(column.kind, value) for value in deciles] if times else deciles
        return {"missing": summary.missing, "deciles": values}
    if summary.distinct <= MOST_LISTED:
        return {"missing": summary.missing, "shares": summary.shares}
    learned = opened.manifest.fitted.vocabularies.get(column.name, ())
    most_common = [name for name in reference.names(column, learned) if name in summary.shares]
    shares = {name: summary.shares[name] for name in most_common[:MOST_SHARES]}
    rest = max(1 - sum(shares.values()), 0.0)
    return {"missing": summary.missing, "names": summary.distinct, "shares": shares, "others": rest}
