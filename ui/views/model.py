"""The view of a model: how good it is, what it looks at, where it comes from, and the pictures of its card."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ui import decisions, pictures, reliability, scores, texts
from ui.charts import Axis
from ui.described import Model
from ui.explaining import Scale
from ui.views.base import filled

MOST_CROSSED = 10
"""The confusion matrix of more classes is folded."""
_HASH = re.compile(r"[0-9a-f]{20,}")
_SHOWN_OF_HASH = 12
_LINKS = {
    "data_sha256": "table (sha256)",
    "data_source": "table from",
    "git_commit": "code (git commit)",
    "mlflow_run_id": "training run (MLflow)",
    "registry_version": "version in the registry",
    "model": "model",
    "bento": "Bento",
    "image": "image",
}


@dataclass(frozen=True)
class Slice:
    """Test rows that are judged by themselves, and the place of their score on an axis from 0."""

    column: str
    value: str
    rows: int
    score: Mapping[str, Any]
    covered: float | None


def description(model: Model) -> str:
    """The description of a model: its verdict, its metrics, the importance of its columns, and its lineage."""
    metrics = model.metrics or {}
    judged = metrics.get("decision") or metrics.get("classes") or {}
    by_predictor = metrics.get("scores") or {}
    meanings = [scores.meaning(name, metrics.get("unit")) for name in by_predictor.get(scores.MODEL) or ()]
    return filled(
        "model",
        model=model,
        metrics=metrics,
        scores=by_predictor,
        verdict=scores.verdict(model),
        meanings=[each for each in meanings if each is not None],
        head=scores.head,
        written=lambda name, value: scores.written(name, value, metrics.get("unit")),
        importance=metrics.get("importance") or {},
        moves=_moves(metrics),
        judged=judged,
        reliability=reliability.found(metrics),
        gaps=reliability.gaps(judged),
        decided=decisions.decided(metrics),
        most_crossed=MOST_CROSSED,
        chain=_chain(model),
        **_slices(model, metrics),
    )


def shown_pictures(page: str) -> str:
    """The pictures of a card."""
    return filled("pictures", pictures=pictures.of_card(page))


def short(text: str) -> str:
    """A text whose hashes are cut."""
    return _HASH.sub(lambda found: f"{found[0][:_SHOWN_OF_HASH]}…", text)


def _chain(model: Model) -> list[tuple[str, str, str]]:
    """The lineage from the data to the running image, as far as the service reports it: titles, texts, short ones."""
    told = [(title, str(model.lineage[link])) for link, title in _LINKS.items() if model.lineage.get(link)]
    return [(title, text, short(text)) for title, text in told]


def _moves(metrics: Mapping[str, Any]) -> dict[str, str]:
    """How far each column moves an answer on average, in words: in the target's unit where that says anything."""
    importance = metrics.get("importance") or {}
    columns = importance.get("columns") or {}
    match importance.get("space"):
        case "log-odds":
            even = Scale(of="")
            return {
                name: f"{texts.number(size)}: 50 % to {texts.percent(even.at(size))}" for name, size in columns.items()
            }
        case "logit":
            return {name: texts.number(size) for name, size in columns.items()}
        case "log-value":
            return {name: f"{texts.percent(math.expm1(min(size, 700.0)))} up or down" for name, size in columns.items()}
    return {name: texts.with_unit(size, metrics.get("unit")) for name, size in columns.items()}


def _slices(model: Model, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The slices that have the loss, the worst first if less is better, and the axis of their bars."""
    name, found = scores.loss(metrics), metrics.get("slices") or []
    judged = [each for each in found if (each["scores"].get(name) or {}).get("value") is not None]
    parts = [
        Slice(
            model.title_of(each["column"]),
            each["value"],
            each["rows"],
            each["scores"][name],
            (each.get("covered") or {}).get("value"),
        )
        for each in sorted(judged, key=lambda each: -each["scores"][name]["value"])
    ]
    return {"slices": parts, "slices_by": name, "slices_axis": _from_zero(parts)}


def _from_zero(parts: Sequence[Slice]) -> Axis:
    ends = [end for part in parts for end in (part.score["value"], part.score.get("high")) if end is not None]
    return Axis(0.0, max(ends, default=1.0) or 1.0)
