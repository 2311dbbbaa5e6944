"""Numbers that are the same on every processor.

BLAS adds products in an order that depends on the processor, and exponentials differ in their last digit. What rests on
them is rounded before anything is learned from it or written down, so that a run gives the same bytes elsewhere.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.linalg import LinAlgWarning

EXACT: dict[str, Any] = {"solver": "newton-cholesky", "tol": 1e-10}
"""How scikit-learn's logistic regression goes on to the last digit; with lbfgs, where it stops depends on the BLAS."""
ANSWERS = 40
"""Bits of a model's answers, twelve digits: an exponential has 52, of which the last differs."""


@contextlib.contextmanager
def exactly() -> Iterator[None]:
    """Let a fit that is `EXACT` go over to lbfgs without a word, as it does for ill-conditioned columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)
        yield


def rounded_up(value: float, bits: int) -> float:
    """A number above 0 with that many significant bits, above what it is on any processor; 0 stays."""
    mantissa, exponent = np.frexp(value)
    return float(np.ldexp(np.floor(np.ldexp(mantissa, bits)) + 1, exponent - bits)) if value else 0.0


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Values with that many significant bits, at most 52; the same shape. Ten bits are about three decimal digits."""
    mantissas, exponents = np.frexp(values)
    result: np.ndarray = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)
    return result
