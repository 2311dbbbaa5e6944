"""How good a model is beside what needs less than it, in words: for the registry, the service and the report."""

from model.metrics import Metrics, Score, Scores

HEADS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "mape": "MAPE",
    "wmape": "wMAPE",
    "within_10_percent": "within 10 %",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "log_rmse": "RMSE of logarithms",
    "log_mae": "MAE of logarithms",
    "gamma_deviance": "gamma deviance",
    "poisson_deviance": "Poisson deviance",
    "tweedie_deviance": "Tweedie deviance",
    "pinball": "pinball loss",
    "huber": "Huber loss",
    "fair": "fair loss",
    "bounded_mape": "MAPE, target 1 at least",
    "macro_f1": "macro F1",
    "accuracy": "accuracy",
    "mean_cost": "mean cost",
    "brier": "Brier",
    "ece": "ECE",
}
"""The names of metrics for people, in the order of tables."""
MODEL, LOOKUP = "model", "lookup"
_IN_UNIT = frozenset({"rmse", "mae", "pinball"})
"""The metrics that are in the target's unit; all others are ratios, or of no unit that has a name."""


def loss(metrics: Metrics) -> str:
    """The name of the loss that a model was trained on."""
    # metrics of earlier code do not name it; it was one of these two
    return str(metrics.loss.get("name") or ("rmse" if "rmse" in metrics.scores[MODEL] else "log_loss"))


def ahead(metrics: Metrics) -> list[str]:
    """The predictors whose mean loss is below the model's."""
    name = loss(metrics)
    losses = {who: by_metric[name].value for who, by_metric in metrics.scores.items() if name in by_metric}
    least = losses.pop(MODEL, None)
    return [who for who, value in losses.items() if value is not None and least is not None and value < least]


def unit(metrics: Metrics, name: str) -> str:
    """The unit of a metric; empty if it has none."""
    return metrics.unit or "" if name in _IN_UNIT else ""


def sentence(metrics: Metrics) -> str:
    """The verdict on a model beside a lookup of group means, in one sentence."""
    name = loss(metrics)
    mine, other = _loss_of(metrics.scores, MODEL, name), _loss_of(metrics.scores, LOOKUP, name)
    of_unit = unit(metrics, name)
    figures = f"{HEADS.get(name, name)} {written(mine, of_unit)} beside {written(other, of_unit)}"
    rows = f"on {metrics.rows:,} test rows that it did not learn from (in brackets: 95 % intervals)"
    if not metrics.beats_lookup:
        return f"It does not beat a lookup of group means, so use the lookup: {figures} {rows}."
    better = [who for who in ahead(metrics) if who != LOOKUP]
    but = f"; {' and '.join(better)} {'are' if len(better) > 1 else 'is'} better still: look into why" if better else ""
    return f"It beats a lookup of group means: {figures} {rows}{but}."


def _loss_of(scores: dict[str, Scores], who: str, name: str) -> Score:
    return scores.get(who, {}).get(name, Score(None, None, None))


def written(score: Score, unit: str = "") -> str:
    """A score with its unit and its interval, which is left out where there is none: `101.4 USD [99.78, 103]`."""
    if score.value is None:
        return "-"
    span = "" if score.low is None or score.high is None else f" [{score.low:,.4g}, {score.high:,.4g}]"
    return f"{score.value:,.4g}{after(unit)}{span}"


def after(unit: str | None) -> str:
    """A unit as it stands after a number: " USD", " × 10,000 USD", or ""."""  # noqa: RUF002 times, as in print
    if not unit:
        return ""
    return f" × {unit}" if unit[0].isdigit() else f" {unit}"  # noqa: RUF001 as above
