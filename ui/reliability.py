"""How a model's predictions agree with what was true, by groups of test rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ui.charts import Axis, value_axis
from ui.explaining import Scale


@dataclass(frozen=True)
class Group:
    """Test rows of about the same prediction: its mean, that of what was true with its 95 % interval, how many."""

    predicted: float
    actual: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram.

    Attributes:
        groups: the lowest prediction first.
        axis: of predictions and of what was true alike.
        scale: what their numbers are.
        of: what probabilities are of, in words; empty of numbers.
    """

    groups: list[Group]
    axis: Axis
    scale: Scale
    of: str


def found(metrics: Mapping[str, Any]) -> Reliability | None:
    """The diagram of a model's metrics; None where the service does not publish it."""
    bins = metrics.get("reliability")
    if not bins:
        return None
    groups = [Group(*each) for each in zip(*(bins[name] for name in Group.__dataclass_fields__), strict=True)]
    of = _of(metrics)
    scale = Scale(of=of) if of else Scale(unit=metrics.get("unit"))
    numbers = [number for each in groups for number in (each.predicted, each.actual, each.low, each.high)]
    return Reliability(groups, value_axis(numbers, scale.text), scale, of)


def gaps(judged: Mapping[str, Any]) -> dict[str, float]:
    """How far probabilities are from shares, "before" and "after" calibration, as far as the service publishes it."""
    errors = {name: ((judged.get(name) or {}).get("ece") or {}).get("value") for name in ("before", "after")}
    return {name: error for name, error in errors.items() if error is not None}


def _of(metrics: Mapping[str, Any]) -> str:
    if decision := metrics.get("decision"):
        return f"“{decision['classes'][-1]}”"
    return "the most probable class" if metrics.get("classes") else ""
