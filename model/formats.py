"""Upgrades documents of bundles that earlier code wrote to today's format. Nothing here checks what a field holds."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

FORMAT = 4
Document = dict[str, Any]


class Reader(NamedTuple):
    """The functions that upgrade the documents of one format to today's.

    Attributes:
        manifest: of manifest.json.
        reference: of reference.json, which the manifest of its bundle comes before.
    """

    manifest: Callable[[Document], Document]
    reference: Callable[[Document, Document], Document]


_METRICS: Document = {
    "beats_lookup": False,
    "slices": [],
    "splits": {},
    "quarantined": 0,
    "refused": 0,
    "importance": {"space": "", "rows": 0, "columns": {}},
}
"""What stands for members of metrics that other code did not write."""


def _completed(manifest: Document) -> Document:
    """A manifest whose metrics have all members."""
    metrics = manifest.get("metrics")
    return manifest | {"metrics": _METRICS | metrics} if isinstance(metrics, dict) else manifest


def _third_manifest(manifest: Document) -> Document:
    """Until format 3 a model explained one score: a number, or the log-odds of the last of two classes."""
    manifest = _completed(manifest)
    base = manifest["base_value"]
    bases = [-base, base] if "classes" in manifest["outcome"] else [base]
    return {name: value for name, value in manifest.items() if name != "base_value"} | {"base_values": bases}


def _second_manifest(manifest: Document) -> Document:
    """Until format 2 the scores of a slice stood among its other members."""
    manifest = _third_manifest(manifest)
    metrics = manifest.get("metrics")
    if not metrics:
        return manifest
    return manifest | {"metrics": metrics | {"slices": [_slice(part) for part in metrics["slices"]]}}


def _slice(part: Document) -> Document:
    scores = {name: score for name, score in part.items() if isinstance(score, dict) and name != "covered"}
    return {name: value for name, value in part.items() if name not in scores} | {"scores": scores}


def _second_reference(manifest: Document, reference: Document) -> Document:
    """Until format 2 a column's distribution was deciles or the shares of all names."""
    flags = {column["name"] for column in manifest["contract"] if column["kind"] == "flag"}

    def column(name: str, seen: Document) -> Document:
        if "shares" not in seen:
            return {"of": "numbers", "missing": seen["missing"], "quantiles": seen["deciles"]}
        shares = {key.lower() if name in flags else key: share for key, share in seen["shares"].items()}
        return {"of": "names", "missing": seen["missing"], "shares": shares, "distinct": len(shares)}

    columns = {name: column(name, seen) for name, seen in reference["columns"].items()}
    return {"rows": reference["rows"], "columns": columns}


READERS: Mapping[int, Reader] = {
    2: Reader(_second_manifest, _second_reference),
    3: Reader(_third_manifest, lambda manifest, reference: reference),
    FORMAT: Reader(_completed, lambda manifest, reference: reference),
}
"""The formats that are read."""
