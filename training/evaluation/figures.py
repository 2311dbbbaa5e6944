"""Pictures of a model: what its errors are like, and why it answers what it answers.

Pictures depend on their inputs only: the backend is fixed, random jitter has a seed, and no date is written.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import shap
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from training.learning.metrics import ECE_BINS, sample, wilson

MOST_COLUMNS = 20
"""How many columns a picture shows at most."""
MOST_NAMES = 15
MOST_STEPS = 12
"""Of more columns, a waterfall shows the least ones together."""
_MOST_POINTS = 4_000
_BANDS = 25
_DPI = 80
_INK, _SHOWN, _GREY, _RED = "#333333", "#0d7377", "#8a8a8a", "#d1495b"
_UP, _DOWN = "#1f6feb", "#b35900"
"""Blue raises and orange lowers, here as on the page; what does neither has other colours."""
_VALUES = LinearSegmentedColormap.from_list("values", ["#cdb8e8", "#3f0f7a"])
"""From low values of a column to high ones."""
BEFORE, AFTER = "before looking at the row", "this row"


@contextlib.contextmanager
def picture(path: Path) -> Iterator[Axes]:
    """A figure to draw in, saved to `path` when the block ends."""
    plt.switch_backend("Agg")  # no display, and the same bytes everywhere
    np.random.seed(0)  # shap's plots jitter with the global state
    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    try:
        yield axes
        # matplotlib writes its version otherwise
        figure.savefig(path, dpi=_DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    finally:
        plt.close("all")


def label(text: object) -> str:
    """A text that matplotlib draws as it is: a dollar would begin a formula."""
    words = " ".join(str(text).split())
    return (words if len(words) <= 30 else f"{words[:29]}…").replace("$", r"\$")


def residuals(path: Path, actual: np.ndarray, scores: np.ndarray, unit: str) -> None:
    """Errors over predictions, with the intervals as a band.

    Args:
        path: where to write.
        actual: targets, shape (rows,).
        scores: value, low and high end; shape (rows, 3).
        unit: of the target, may be empty.
    """
    predicted = scores[:, 0]
    with picture(path) as axes:
        _cloud(axes, predicted, actual - predicted)
        _band(axes, predicted, scores[:, 1] - predicted, scores[:, 2] - predicted)
        axes.axhline(0, color=_INK, linewidth=0.8)
        _named(axes, f"predicted{unit}", f"actual - predicted{unit}", "Residuals")


def agreement(path: Path, actual: np.ndarray, scores: np.ndarray, unit: str) -> None:
    """Targets over predictions, with the intervals as a band; arguments as those of `residuals`."""
    predicted = scores[:, 0]
    with picture(path) as axes:
        _cloud(axes, predicted, actual)
        _band(axes, predicted, scores[:, 1], scores[:, 2])
        ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
        axes.plot(ends, ends, color=_INK, linewidth=0.8)
        _named(axes, f"predicted{unit}", f"actual{unit}", "Actual against predicted")


def _cloud(axes: Axes, across: np.ndarray, up: np.ndarray) -> None:
    chosen = sample(len(across), _MOST_POINTS)
    axes.scatter(across[chosen], up[chosen], s=6, alpha=0.35, linewidth=0, color=_SHOWN, label="test rows")


def _band(axes: Axes, across: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """The mean ends of the intervals, in groups of equal size."""
    groups = np.array_split(np.argsort(across, kind="stable"), min(_BANDS, len(across)))
    middles, lows, highs = ([float(values[group].mean()) for group in groups] for values in (across, low, high))
    axes.fill_between(middles, lows, highs, color=_RED, alpha=0.18, linewidth=0, label="interval (means)")


def _named(axes: Axes, across: str, up: str, title: str) -> None:
    axes.set(xlabel=across, ylabel=up, title=title)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def reliability(path: Path, actual: np.ndarray, before: np.ndarray, after: np.ndarray, positive: str) -> None:
    """The share of the positive class over its predicted probability, before and after calibration.

    Args:
        path: where to write.
        actual: 1 for the positive class, shape (rows,).
        before: its probabilities before calibration, shape (rows,).
        after: the same after it.
        positive: its label.
    """
    with picture(path) as axes:
        axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle="--", label="perfect")
        for name, chances, colour, offset in (("before", before, _GREY, -0.004), ("after", after, _SHOWN, 0.004)):
            predicted, observed, arms = _reliability(actual, chances)
            axes.errorbar(
                predicted + offset, observed, yerr=arms, color=colour, marker="o", markersize=4, capsize=2,
                linewidth=1.2, label=f"{name} calibration",
            )  # fmt: skip
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        counts = axes.twinx()
        counts.hist(after, bins=np.linspace(0, 1, 2 * ECE_BINS + 1).tolist(), color=_SHOWN, alpha=0.12)
        counts.set_ylabel("test rows (bars)")
        counts.spines[["top"]].set_visible(False)
        counts.set_ylim(0, counts.get_ylim()[1] * 3)  # below the curves
        _named(axes, f"predicted probability of {positive}", f"share that is {positive}", "Reliability")


def _reliability(actual: np.ndarray, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each bin with rows: mean probability, share of positives, and the arms of its 95 % Wilson interval."""
    bins = np.minimum((chances * ECE_BINS).astype(int), ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    filled = counts > 0
    rows = counts[filled]
    predicted, observed = (np.bincount(bins, weights, ECE_BINS)[filled] / rows for weights in (chances, actual))
    low, high = wilson(observed, rows)
    return predicted, observed, np.array([observed - low, high - observed])


def summary(path: Path, explained: shap.Explanation, space: str) -> None:
    """What every column contributes to every row, the most important columns first."""
    with picture(path) as axes:
        shap.plots.beeswarm(explained, max_display=MOST_COLUMNS, show=False, ax=axes, plot_size=None, color=_VALUES)
        columns = min(explained.shape[1], MOST_COLUMNS)
        plt.gcf().set_size_inches(7.5, 1.4 + 0.32 * columns)
        axes.set_xlabel(f"contribution to the {space}", fontsize=10)
        axes.tick_params(labelsize=9)


def dependence(path: Path, explained: shap.Explanation, title: str, space: str) -> None:
    """What one column contributes, over its values; the names of a category stand at their codes.

    Args:
        path: where to write.
        explained: of that column, shape (rows,).
        title: the column, with its unit.
        space: what contributions add up to.
    """
    with picture(path) as axes:
        shap.plots.scatter(explained, show=False, ax=axes, color=_SHOWN, alpha=0.5, x_jitter=0.3)
        axes.set_xlabel(title, fontsize=10)
        axes.set_ylabel(f"contribution to the {space}", fontsize=10)
        slanted = explained.display_data is not None
        axes.tick_params(axis="x", labelsize=9, labelrotation=40 if slanted else 0)
        if slanted:
            plt.setp(axes.get_xticklabels(), horizontalalignment="right", rotation_mode="anchor")


def waterfall(path: Path, explained: shap.Explanation, title: str, axis: str) -> None:
    """How one answer comes about, column by column, as the page shows it: from before looking at the row to this row.

    Args:
        path: where to write.
        explained: of one row, shape (columns,), with its values as texts.
        title: of the picture.
        axis: what contributions add up to.
    """
    names, moves = _steps(explained)
    ends = np.cumsum([float(explained.base_values), *moves])
    places = np.arange(len(moves) + 1, -1, -1)
    with picture(path) as axes:
        plt.gcf().set_size_inches(8, 1.4 + 0.36 * len(places))
        colours = [_UP if move > 0 else _DOWN for move in moves]
        axes.barh(places[1:-1], moves, left=ends[:-1], color=colours, height=0.6)
        for at, place in ((ends[0], places[0]), (ends[-1], places[-1])):
            axes.plot([at, at], [place - 0.4, place + 0.4], color=_INK, linewidth=2)
        axes.set_yticks(places, [BEFORE, *names, AFTER])
        right = axes.get_yaxis_transform()  # across as a share of the picture, up by the places
        for place, said in zip(places, [_number(ends[0]), *map(_move, moves), _number(ends[-1])], strict=True):
            axes.text(1.02, float(place), said, transform=right, verticalalignment="center")
        axes.grid(axis="x", color=_GREY, alpha=0.2)
        axes.set_axisbelow(True)
        axes.use_sticky_edges = False  # room for the marks at both ends
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{axis}; to the right and blue: raises it, to the left and orange: lowers it", fontsize=9)
        axes.set_title(title, fontsize=11)


def _steps(explained: shap.Explanation) -> tuple[list[str], list[float]]:
    """The columns with their values and what each contributes, the greatest first, and the least together."""
    order = np.argsort(-np.abs(explained.values), kind="stable").tolist()
    shown = len(order) if len(order) <= MOST_STEPS else MOST_STEPS - 1
    top, rest = order[:shown], order[shown:]
    names = [f"{label(explained.feature_names[place])} = {explained.display_data[place]}" for place in top]
    moves = [float(explained.values[place]) for place in top]
    if rest:
        names.append(f"{len(rest)} other columns")
        moves.append(float(explained.values[rest].sum()))
    return names, moves


def _number(value: float) -> str:
    """A number with as many digits as say something."""
    return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.3g}"


def _move(value: float) -> str:
    return f"+{_number(value)}" if value > 0 else _number(value)
