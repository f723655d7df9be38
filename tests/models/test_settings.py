"""What a user may set, and what listing the models costs."""

import subprocess
import sys

import pytest

from lab import models
from lab.core.errors import InputError


@pytest.mark.parametrize(
    ("name", "settings", "field"),
    [
        ("LSTM", {"layers": 0}, "layers"),
        ("RNN", {"width": 0}, "width"),
        ("GRU", {"layers": -1}, "layers"),
        ("Transformer", {"heads": 0}, "heads"),
        ("Transformer", {"mlp_ratio": 0}, "mlp_ratio"),
        ("Transformer", {"heads": 3}, "heads"),
        ("Transformer", {"width": 20, "heads": 2}, "heads"),
        ("Transformer", {"width": 18}, "width"),
        ("LSTM", {"width": 2.5}, "width"),
        ("HSTU", {"reach": 0}, "reach"),
        ("HSTU", {"heads": 3}, "heads"),
        ("HSTU", {"recurrent": -1}, "recurrent"),
    ],
)
def test_impossible_settings_name_the_model_the_field_and_the_value(
    name: str, settings: dict[str, int], field: str
) -> None:
    with pytest.raises(InputError, match=rf"{name}\.{field}: {settings[field]} "):
        getattr(models, name)(**settings)


@pytest.mark.parametrize(
    ("name", "said"), [("HSTU", "a whole number; use 1, 2, 4, 8."), ("Transformer", "a multiple of 4; use 1, 2.")]
)
def test_heads_that_do_not_fit_are_answered_with_those_that_do(name: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"3 heads do not fit width 8, since width / heads must be {said}"):
        getattr(models, name)(width=8, heads=3)


def test_listing_the_models_imports_no_jax() -> None:
    code = "import sys, lab.models as m; assert 'LSTM' in dir(m) and 'jax' not in sys.modules; m.LSTM"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_models_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Lstm'"):
        _ = models.Lstm  # pyright: ignore[reportAttributeAccessIssue]
