"""What metrics mean, in words, and how good a model is beside what needs less than it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ui import texts
from ui.described import Model

MODEL, LOOKUP = "model", "lookup"
_IN_UNIT = frozenset({"rmse", "mae", "pinball"})
"""The metrics that are in the target's unit."""
_SHARES = frozenset({"mape", "wmape", "within_10_percent", "accuracy", "bounded_mape"})
"""The metrics that are shares, which people read as percent."""
_NOTHING = 1e-12
"""What is less is what rounding leaves of 0."""
_LESS, _MORE = "less is better", "more is better"
_WORDS: Mapping[str, tuple[str, str, str]] = {
    "rmse": ("RMSE", "the size of a typical error{unit}; a large error counts more than several small ones", _LESS),
    "mae": ("MAE", "the mean size of an error{unit}", _LESS),
    "r2": ("R²", "the share of the target's variation that is foreseen: 1 is all, 0 is what the mean foresees", _MORE),
    "mape": ("MAPE", "the mean size of an error as a share of the true value", _LESS),
    "wmape": ("wMAPE", "all errors together as a share of all true values together", _LESS),
    "within_10_percent": ("within 10 %", "the share of predictions that miss the true value by 10 % at most", _MORE),
    "roc_auc": (
        "ROC AUC",
        "how often a row of the class gets a higher probability of it than a row of another: 1 always, 0.5 by chance",
        _MORE,
    ),
    "log_loss": (
        "log loss",
        "how surprised it is by what came true, by the logarithm of the probability it gave to that: 0 is never",
        _LESS,
    ),
    "brier": ("Brier", "the mean square of how far the probability is from what came true, 0 or 1", _LESS),
    "ece": ("ECE", "how far a probability is from how often it comes true, on average: 0.01 is one point", _LESS),
    "accuracy": ("accuracy", "the share of right answers", _MORE),
    "macro_f1": ("macro F1", "right answers, of which a rare class counts as much as a common one: 1 is all", _MORE),
    "mean_cost": ("mean cost", "what an answer costs on average, by the costs of wrong ones", _LESS),
    "log_rmse": ("RMSE of logarithms", "the size of a typical error as a ratio: 0.1 is about 10 %", _LESS),
    "log_mae": ("MAE of logarithms", "the mean size of an error as a ratio: 0.1 is about 10 %", _LESS),
    "gamma_deviance": ("gamma deviance", "the loss of amounts whose errors grow with them; 0 is perfect", _LESS),
    "poisson_deviance": (
        "Poisson deviance",
        "the loss of counts, whose errors grow with their root; 0 is perfect",
        _LESS,
    ),
    "tweedie_deviance": ("Tweedie deviance", "the loss of amounts of which many are 0; 0 is perfect", _LESS),
    "pinball": ("pinball loss", "the mean error{unit}, in which one direction counts more than the other", _LESS),
    "huber": ("Huber loss", "half the square of small errors, and the size of large ones", _LESS),
    "fair": ("fair loss", "the square of small errors, and about the size of large ones", _LESS),
    "bounded_mape": (
        "MAPE, target 1 at least",
        "the mean error as a share of the true value, or of 1 below that",
        _LESS,
    ),
}
"""Of each metric, its name for people, what it says, and which way is better."""


@dataclass(frozen=True)
class Meaning:
    """A metric for people: what it is called, what it says in one line, and which way is better."""

    head: str
    words: str
    better: str


@dataclass(frozen=True)
class Verdict:
    """How good a model is: a sentence, the figures behind it, and whether to use something else."""

    sentence: str
    figures: str
    refused: bool = False
    doubted: bool = False


def head(name: str) -> str:
    """A metric's name for people."""
    return _WORDS[name][0] if name in _WORDS else name.replace("_", " ")


def meaning(name: str, unit: str | None) -> Meaning | None:
    """What a metric says; None of one that this page does not know."""
    if name not in _WORDS:
        return None
    title, words, better = _WORDS[name]
    return Meaning(title, words.format(unit=f", in {unit}" if unit else ""), better)


def written(name: str, value: float, unit: str | None = None) -> str:
    """A score as people read it: shares as percent, others with the unit if they are in that of the target."""
    if abs(value) < _NOTHING:
        value = 0.0
    if name in _SHARES:
        return texts.percent(value)
    return texts.with_unit(value, unit if name in _IN_UNIT else None)


def loss(metrics: Mapping[str, Any]) -> str:
    """The name of the loss that was trained on; models of earlier services do not say it, and had one of two."""
    named = (metrics.get("loss") or {}).get("name")
    return str(named or ("rmse" if "rmse" in (metrics.get("scores") or {}).get(MODEL, {}) else "log_loss"))


def verdict(model: Model) -> Verdict | None:
    """How good a model is beside a lookup of group means and other predictors; None if the service does not say."""
    metrics = model.metrics or {}
    if metrics.get("beats_lookup") is None:
        return None
    name = loss(metrics)
    losses = {
        who: value for who, by in (metrics.get("scores") or {}).items() if (value := _value(by, name)) is not None
    }
    figures = _figures(name, losses, metrics.get("unit"))
    if not metrics["beats_lookup"]:
        return Verdict("It does not beat a lookup of group means: use the lookup.", figures, refused=True)
    mine = losses.get(MODEL)
    better = [who for who, value in losses.items() if mine is not None and who != LOOKUP and value < mine]
    if better:
        be = "are" if len(better) > 1 else "is"
        text = f"It beats a lookup of group means, but {' and '.join(better)} {be} better still: look into why."
        return Verdict(text, figures, doubted=True)
    return Verdict("It beats a lookup of group means, and all else that it was tried beside.", figures)


def _figures(name: str, losses: Mapping[str, float], unit: str | None) -> str:
    if MODEL not in losses or LOOKUP not in losses:
        return ""
    mine, other = (written(name, losses[who], unit) for who in (MODEL, LOOKUP))
    return f"{head(name)} {mine} beside {other} of the lookup, on test rows that it did not learn from; less is better."


def _value(scores: Mapping[str, Any], name: str) -> float | None:
    score = scores.get(name)
    value = score.get("value") if isinstance(score, Mapping) else None
    return float(value) if value is not None else None
