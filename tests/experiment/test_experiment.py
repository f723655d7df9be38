"""What an experiment refuses, each in one sentence that names the field."""

from typing import Any

import pytest

from lab.baselines import DecayedPersonal, RecentPopularity
from lab.core.errors import InputError
from lab.experiment.experiment import settings_label
from lab.features import Habit, Price
from lab.models import LSTM
from tests.small_experiment import small_experiment


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"features": {"ids": ("categroy",)}},
            r"features\.ids: no feature group is called 'categroy'; did you mean 'ca",
        ),
        ({"features": {"ids": ("category", "category")}}, r"features\.ids: category stands there twice"),
        (
            {"features": {"a": ("category", "habit"), "b": ("item",), "c": ("habit", "category")}},
            "features: 'a' and 'c' hold the same groups; leave one out",
        ),
        ({"features": {"ids": ()}}, r"features\.ids: no feature group is named"),
        ({"features": {"ids": "category"}}, r"features\.ids: 'category' is not a list of texts; write \('category',\)"),
        ({"features": {}}, r"features: no feature set is named"),
        ({"groups": (Price(),)}, r"groups: settings for 'price', which no feature set uses"),
        ({"groups": (Habit(), Habit(days=(1,)))}, r"groups: habit stands there twice"),
        ({"models": ()}, r"models: none is named"),
        ({"models": (LSTM(), LSTM())}, r"models: LSTM stands there twice"),
        ({"baselines": (RecentPopularity(), RecentPopularity())}, r"baselines: .* stands there twice"),
        ({"horizons": ()}, "horizons: none is named; name one or more positive numbers of days"),
        ({"horizons": (7, 0)}, r"horizons: .* must be numbers of days, each above 0"),
        ({"horizons": (float("nan"),)}, r"horizons: .* must be numbers of days, each above 0"),
        ({"horizons": (7, 7.0)}, r"horizons: 7 stands there twice"),
        ({"seeds": 0}, r"seeds: 0 trains nothing"),
        ({"name": "a/b"}, r"name: 'a/b' must be letters"),
        ({"name": ""}, r"name: '' must be letters"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_experiment(**changes)


def test_groups_by_name_have_the_experiments_settings() -> None:
    experiment = small_experiment(groups=(Habit(days=(2,)),))
    assert experiment.group("habit") == Habit(days=(2,))
    assert experiment.group_names() == ("behaviour", "category", "habit")


def test_labels_tell_what_is_not_the_default() -> None:
    assert settings_label(LSTM()) == "LSTM" and settings_label(LSTM(width=8)) == "LSTM width=8"
    assert settings_label(DecayedPersonal()) == DecayedPersonal.name
