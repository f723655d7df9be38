"""What a user may set of the training loop."""

import pytest

from lab.core.errors import InputError
from lab.training.settings import Training


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("steps", 0, "0 will not do; it must be above 0"),
        ("steps", 10**12, "1,000,000,000,000 would never end; use 1 to 10,000,000"),
        ("learning_rate", float("nan"), "nan will not do; it must be above 0"),
        ("learning_rate", float("inf"), "inf is no rate; use a number above 0"),
    ],
)
def test_settings_that_will_not_do_name_the_field_and_what_would_be_right(name: str, value: float, said: str) -> None:
    with pytest.raises(InputError) as error:
        Training(**{name: value})  # type: ignore[arg-type]
    assert str(error.value) == f"training.{name}: {said}."
