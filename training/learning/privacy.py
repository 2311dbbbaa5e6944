"""Nothing of single rows of the table leaves the training machine, unless params.yaml allows it."""

import math
import re

import msgspec
import numpy as np

from model.reference import SEVERAL

_RANGES = re.compile(r"^feature_infos=.*$", re.MULTILINE)
_RANGE = re.compile(r"\[[^\]]*\]")


class PrivacyParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`real_rows`: whether bundles, cards and the registry may show single rows, and the least and greatest values."""

    real_rows: bool = False


def several(values: np.ndarray, places: slice) -> float:
    """The mean of some values that follow each other, which reveals none of them.

    Statistical agencies call it microaggregation (Hundepool et al., "Statistical Disclosure Control", 2012).

    Args:
        values: sorted, shape (rows,), one at least.
        places: of `SEVERAL` of them or more, such as the `LEAST` or the `GREATEST`.
    """
    few = values[places].tolist()
    mean = math.fsum(value / len(few) for value in few)  # their sum may be beyond the largest float
    return float(min(max(mean, few[0]), few[-1]))


LEAST, GREATEST = slice(None, SEVERAL), slice(-SEVERAL, None)
FEWEST = 20
"""No figure of a group is of fewer rows: a group of so many says little of any one of them."""


def without_ranges(booster: str) -> str:
    """A booster's text without the least and the greatest value of each feature, which LightGBM writes and never reads.

    Args:
        booster: in LightGBM's text format.
    """
    return _RANGES.sub(lambda line: _RANGE.sub("[0:0]", line[0]), booster, count=1)
