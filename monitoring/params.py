"""When a difference counts: the section `monitor` of params.yaml."""

from typing import Annotated

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Rows = Annotated[int, msgspec.Meta(ge=1)]


class MonitorParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds. A difference counts if it is above its threshold, and chance would not make it in `quiet_days` days.

    Attributes:
        fewest_rows: of a window; with fewer there is no verdict.
        most_rows: of a window that are looked at; of more an even sample is.
        fewest_reference: rows to compare a window with, of the same season or of any.
        season_weeks: how many weeks before and after its days belong to the season of a window.
        quiet_days: the mean number of days between false findings of unchanged rows, one window a day, all tests.
        psi: the population stability index of a column from which it has drifted.
        divergence: the Jensen-Shannon distance (base 2) of predictions from which they have.
        cardinality: how many times as many names as before are too many.
        separable: the ROC AUC from which window and reference can be told apart.
        new_names: the share of rows with names that training did not see.
        missing: the rise in the share of missing values.
        outside: the rise in the share of rows beyond what training saw.
        stuck: the rise in the share of a single number.
        mean: the shift of the mean, in standard deviations of the reference.
        spread: the factor by which the standard deviation is larger or smaller.
        skew: the change of skewness.
        importance: the share of what moves answers below which drift of a column is a note.
        degradation: the rise of the mean loss that is an alarm.
        slice_rows: the fewest labelled rows of a slice.
        days: how many days of figures are kept.
    """

    fewest_rows: Rows = 500
    most_rows: Rows = 100_000
    fewest_reference: Rows = 1_000
    season_weeks: Annotated[int, msgspec.Meta(ge=0, le=26)] = 3
    quiet_days: Positive = 1_000
    psi: Positive = 0.25
    divergence: Positive = 0.15
    cardinality: Annotated[float, msgspec.Meta(gt=1)] = 1.3
    separable: Annotated[float, msgspec.Meta(gt=0.5, lt=1)] = 0.65
    new_names: Share = 0.01
    missing: Share = 0.05
    outside: Share = 0.02
    stuck: Share = 0.2
    mean: Positive = 0.3
    spread: Annotated[float, msgspec.Meta(gt=1)] = 1.5
    skew: Positive = 1.0
    importance: Share = 0.01
    degradation: Share = 0.05
    slice_rows: Rows = 200
    days: Rows = 90
