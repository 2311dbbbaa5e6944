"""The view of a model: its metrics, the importance of its columns, and its lineage."""

from ui.described import Model
from ui.views.base import filled

MOST_CROSSED = 10
"""The confusion matrix of more classes is folded."""
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


def description(model: Model) -> str:
    """The description of a model: its metrics, the importance of its columns, and its lineage."""
    metrics = model.metrics or {}
    importance = metrics.get("importance") or {}
    return filled(
        "model",
        model=model,
        metrics=metrics,
        scores=metrics.get("scores") or {},
        importance=importance,
        most_crossed=MOST_CROSSED,
        chain=_chain(model),
    )


def _chain(model: Model) -> list[tuple[str, str]]:
    """The lineage from the data to the running image, as far as the service reports it."""
    return [(title, str(model.lineage[link])) for link, title in _LINKS.items() if model.lineage.get(link)]
