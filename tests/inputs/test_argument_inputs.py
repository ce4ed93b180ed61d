"""Wrong whole numbers and unknown names are refused with the argument's name and what was found."""

import numpy as np
import pytest
from few_examples import few
from hypothesis import given
from hypothesis import strategies as st

from clipspm_lite.arguments import check_known, whole_number


@few
@given(least=st.integers(-3, 3), most=st.none() | st.integers(3, 9), number=st.integers(-12, 12))
def test_a_whole_number_in_its_range_is_taken_and_no_other(least, most, number):
    if least <= number and (most is None or number <= most):
        assert whole_number("frames", np.int64(number), least, most) == number
        assert type(whole_number("frames", np.int64(number), least, most)) is int  # what JSON can hold
    else:
        with pytest.raises(ValueError, match=rf"frames: expected a whole number .*, found {number}"):
            whole_number("frames", number, least, most)


@pytest.mark.parametrize("value", ["8", 8.0, float("nan"), None, True, [8], np.ones(2), 8j])
def test_a_value_that_is_not_a_whole_number_is_shown(value):
    with pytest.raises(ValueError, match="frames: expected a whole number of at least 1, found "):
        whole_number("frames", value)


@pytest.mark.parametrize("value", ["otm", "", None, 3, ["otam"]])
def test_an_unknown_name_is_shown_beside_the_known_ones(value):
    with pytest.raises(ValueError, match=r"minus: expected one of otam, trx, found "):
        check_known("minus", value, iter(["otam", "trx"]))
