from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutover.core.preflight.split import MOST, nearest_text, representable, split


@given(st.integers(0, 1000))
def test_a_free_comparison_carries_every_weight_and_is_never_all_zero(weight: int) -> None:
    source, destination = split(weight)
    assert 0 <= source <= MOST
    assert 0 <= destination <= MOST
    assert source + destination == (MOST if weight in (0, 1000) else 1000)


@given(st.integers(0, 1000), st.integers(0, 1998))
def test_a_bound_comparison_carries_a_weight_exactly_or_not_at_all(
    weight: int, bound: int
) -> None:
    if weight in representable(bound):
        source, destination = split(weight, bound)
        assert source + destination == bound
        assert destination * 1000 == weight * bound
        assert max(source, destination) <= MOST
    else:
        with pytest.raises(ValueError, match="nearest that can"):
            split(weight, bound)


@pytest.mark.parametrize("weight", [-1, 1001])
def test_a_weight_out_of_range_is_refused(weight: int) -> None:
    with pytest.raises(ValueError, match="per mille"):
        split(weight)


@pytest.mark.parametrize(
    ("weight", "bound", "text"),
    [
        (250, 90, "20 % and 30 %"),
        (50, 1, "0 % and 100 %"),
        (10, 0, "none"),
        (1000, 1500, "66.6 %"),
    ],
)
def test_the_nearest_weights_are_named(weight: int, bound: int, text: str) -> None:
    assert nearest_text(weight, bound) == text
