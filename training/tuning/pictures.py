"""Pictures of a study: which values go with which losses, and which parameters matter."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.visualization.matplotlib import plot_parallel_coordinate, plot_param_importances

from training.tuning.search import complete
from training.tuning.space import Space

FEWEST = 4
"""Trials on all folds without which pictures show nothing."""
_DPI = 80


def draw(folder: Path, study: Study, space: Space) -> None:
    """Write the pictures of a study: parallel coordinates, and importances by PED-ANOVA (Watanabe et al., 2023)."""
    trials = complete(study)
    # an axis of one value has no ends
    names = [name for name in space if len({trial.params[name] for trial in trials}) > 1]
    if len(trials) < FEWEST or not names:
        return
    _save(folder / "parallel.png", (1.1 * len(names) + 4, 5.0), plot_parallel_coordinate, study, params=names)
    _save(folder / "importance.png", (7.5, 0.35 * len(names) + 1.5), plot_param_importances, study, params=names)


def _save(path: Path, inches: tuple[float, float], plot: Callable[..., Axes], study: Study, **options: Any) -> None:
    plt.switch_backend("Agg")  # no display, and the same bytes everywhere
    with warnings.catch_warnings(), plt.rc_context():  # Optuna's plots change the style for all that follow
        warnings.simplefilter("ignore", ExperimentalWarning)
        axes = plot(study, target_name="loss", **options)
        try:
            figure = plt.gcf()
            figure.set_size_inches(*inches)
            legend = axes.get_legend()
            if legend is not None:
                legend.remove()  # of one thing
            figure.savefig(path, dpi=_DPI, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        finally:
            plt.close("all")
