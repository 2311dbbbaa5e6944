import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.digits import rounded

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False, min_value=-1e300, max_value=1e300)


@given(NUMBERS, st.integers(8, 52))
def test_a_rounded_number_is_near_and_stays_as_it_is(value: float, bits: int) -> None:
    [once] = rounded(np.array([value]), bits)
    assert abs(once - value) <= abs(value) * 2.0**-bits
    assert rounded(once, bits) == once


def test_last_digits_are_gone_and_what_is_no_number_stays() -> None:
    one, other = rounded(np.array([0.1 + 0.2, 0.3]), 40)
    assert one == other
    np.testing.assert_array_equal(rounded(np.array([np.nan, np.inf, 0.0]), 40), [np.nan, np.inf, 0.0])
