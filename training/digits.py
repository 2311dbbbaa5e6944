"""Numbers that are the same on every processor.

BLAS adds products in an order that depends on the processor, and exponentials differ in their last digit. What rests on
them is rounded before anything is learned from it or written down, so that a run gives the same bytes elsewhere.
"""

import numpy as np

ANSWERS = 40
"""Bits of a model's answers, twelve digits: an exponential has 52, of which the last differs."""


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Values with that many significant bits, at most 52; the same shape. Ten bits are about three decimal digits."""
    mantissas, exponents = np.frexp(values)
    result: np.ndarray = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)
    return result
