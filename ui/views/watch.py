"""The view of a verdict on a model."""

from ui import watching
from ui.described import Model
from ui.views.base import filled
from ui.watched import Verdict


def watch(model: Model, verdict: Verdict) -> str:
    """The last verdict on a model: its sentence, what it rests on, and the days before it."""
    return filled(
        "watch",
        model=model,
        verdict=verdict,
        words=watching.WORDS,
        traffic=watching.traffic(verdict),
        chart=watching.performance(verdict),
        bar=watching.bar,
    )
