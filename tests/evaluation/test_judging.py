"""What is kept of the queries beside their metrics: how much of a user was known, and which shares came true."""

from pathlib import Path

import numpy as np
import pytest

from lab.baselines import LastCategory
from lab.data.dataset import Dataset
from lab.judging import Judge, judge_baseline
from lab.store import Store
from lab.targets import Interest
from tests.results.made import record
from tests.whole_path import fold_of, prepared, shop_events


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fold_of(prepared(shop_events(0), tmp_path_factory.mktemp("cache")), ("category",))


@pytest.fixture(scope="module")
def judge(data: Dataset) -> Judge:
    return judge_baseline(data, Interest(), LastCategory(), 0)


def test_a_query_s_history_is_its_user_s_events_up_to_the_cutoff(data: Dataset, judge: Judge) -> None:
    _, users = judge.result()
    histories = data.view.histories
    for user, cutoff, history in zip(users["user"], users["cutoff"], users["history"], strict=True):
        own = histories.time[histories.offsets[user] : histories.offsets[user + 1]]
        assert history == (np.asarray(own) <= cutoff).sum()
    assert len(set(users["history"].tolist())) > 1


def test_shares_that_are_kept_add_up_and_give_the_calibration_error(
    data: Dataset, judge: Judge, tmp_path: Path
) -> None:
    metrics, users = judge.result()
    store = Store(tmp_path)
    store.write(record(), users=users, reliability=judge.reliability())
    kept = store.reliability(record().id)
    for name in ("all", "repeat", "novel"):
        here = kept["slice"] == name
        queries = int((users["slice"] == name).sum())
        assert np.isclose(kept["predicted"][here].sum(), queries) and np.isclose(kept["observed"][here].sum(), queries)
        error = np.abs(kept["predicted"] - kept["observed"])[here].sum() / 2 / queries
        known = {(one.slice, one.metric): one.value for one in metrics}
        assert np.isclose(error, known[name, "calibration_error"])
        means = kept["predicted"][here] / np.maximum(kept["pairs"][here], 1)
        full = kept["pairs"][here] > 0
        assert ((kept["low"][here] <= means) & (means <= kept["high"][here]))[full].all()
    assert kept["pairs"][kept["slice"] == "all"].sum() == (users["slice"] == "all").sum() * data.view.candidates
