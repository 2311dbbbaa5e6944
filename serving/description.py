"""What `GET /v1/models/{model}` says about a model: enough to ask it, to judge it and to know where it comes from."""

from collections.abc import Mapping
from typing import Any

import msgspec

from model.bundle import Bundle, Reference
from validation.contract import Column, Contract, Kind
from validation.parsing import ABSENT
from validation.values import written

MOST_CHOICES = 1_000
"""A category with more names than this is described without them."""


def of(opened: Bundle, labels: Mapping[str, str]) -> dict[str, Any]:
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
        "reference": _reference(opened.problem.contract, opened.reference),
        "metrics": manifest.metrics,
        "lineage": {
            "model": f"{manifest.problem}:{manifest.version}",
            **labels,
            **(msgspec.to_builtins(manifest.lineage) if manifest.lineage else {}),
        },
    }


def _choices(vocabulary: list[str]) -> dict[str, list[str]]:
    return {"choices": vocabulary} if 0 < len(vocabulary) <= MOST_CHOICES else {}


def _reference(contract: Contract, reference: Reference) -> dict[str, Any]:
    """The distributions of the training split, with values as requests carry them."""
    columns = {one.name: _seen(one, reference) for one in contract.columns if one.name in reference.columns}
    return {"rows": reference.rows, "columns": columns}


def _seen(column: Column, reference: Reference) -> dict[str, Any]:
    seen = dict(reference.columns[column.name])
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        seen["deciles"] = [written(column.kind, value) for value in reference.deciles(column)]
    if "shares" in seen and len(seen["shares"]) > MOST_CHOICES:
        del seen["shares"]
    elif column.kind is Kind.FLAG:
        seen["shares"] = {name.lower(): share for name, share in seen["shares"].items()}
    return seen
