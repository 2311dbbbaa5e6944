"""What `GET /v1/models/{model}` says about a model: enough to ask it, to judge it and to know where it comes from."""

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from model.bundle import Bundle
from validation.contract import MOST_LISTED, Column, Kind
from validation.parsing import ABSENT
from validation.values import written

MOST_SHARES = 100
"""Of a category whose names are too many to list, so many of the most common ones are described with their shares."""


class Described(TypedDict):
    """What `GET /v1/models/{model}` says."""

    name: str
    version: str
    title: str
    ready: bool
    contract: list[dict[str, Any]]
    missing_texts: list[str]
    reference: dict[str, Any]
    metrics: dict[str, Any] | None
    lineage: dict[str, Any]


def of(opened: Bundle, labels: Mapping[str, str]) -> Described:
    """Contract with all known values, what training saw of each column, metrics and lineage.

    Args:
        opened: the bundle that is served.
        labels: what the store knows of it.
    """
    manifest = opened.manifest
    vocabularies = manifest.fitted.vocabularies
    return {
        "name": manifest.problem,
        "version": manifest.version,
        "title": opened.problem.title,
        "ready": True,
        "contract": [{**column, **_choices(vocabularies.get(column["name"], []))} for column in manifest.contract],
        "missing_texts": sorted(ABSENT),
        "reference": _reference(opened),
        "metrics": manifest.metrics,
        "lineage": {
            "model": f"{manifest.problem}:{manifest.version}",
            **labels,
            **(msgspec.to_builtins(manifest.lineage) if manifest.lineage else {}),
        },
    }


def _choices(vocabulary: list[str]) -> dict[str, list[str]]:
    return {"choices": vocabulary} if 0 < len(vocabulary) <= MOST_LISTED else {}


def _reference(opened: Bundle) -> dict[str, Any]:
    """The distributions of the training split, with values as requests carry them."""
    reference, contract = opened.reference, opened.problem.contract
    columns = {one.name: _seen(one, opened) for one in contract.columns if one.name in reference.columns}
    return {"rows": reference.rows, "columns": columns}


def _seen(column: Column, opened: Bundle) -> dict[str, Any]:
    reference = opened.reference
    seen = dict(reference.columns[column.name])
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        seen["deciles"] = [written(column.kind, value) for value in reference.deciles(column)]
    if "shares" in seen and len(seen["shares"]) > MOST_LISTED:
        common = {name: seen["shares"][name] for name in opened.names(column)[:MOST_SHARES] if name in seen["shares"]}
        seen |= {"names": len(seen["shares"]), "shares": common, "others": max(1 - sum(common.values()), 0.0)}
    elif column.kind is Kind.FLAG:
        seen["shares"] = {name.lower(): share for name, share in seen["shares"].items()}
    return seen
