"""Labels of interest against a loop over events, and the loss against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.core.errors import InputError
from lab.data.fold.queries import FoldView
from lab.data.schema import Behaviour
from lab.data.timeline import microseconds
from lab.targets import Interest
from tests.small_logs import small_histories, small_queries, small_view

KINDS = (Behaviour("view"), Behaviour("purchase"), Behaviour("cancellation", -1))
DAYS = [0, 4, 5, 5.5, 6, 7, 7.5, 8, 12]
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.just("i"),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(DAYS),
        st.sampled_from([kind.name for kind in KINDS]),
    ),
    max_size=40,
)
TARGETS = st.sampled_from(
    [
        Interest(),
        Interest(weights="counts"),
        Interest(weights="behaviour", behaviour_weights={"purchase": 0.3, "view": 0.1}),
        Interest(weights="behaviour", behaviour_weights={"view": 0}),
        Interest(weights="counts", behaviours=("view",)),
        Interest(behaviours=("purchase",)),
    ]
)


def view_of(events: list[tuple]) -> FoldView:
    known = [(0, "i", name, 0) for name in "ab"]  # "c" may be unknown by the valid cutoff
    return small_view(small_histories(known + events, behaviours=KINDS, users=range(4)), 5, 8, (3,))


def by_hand(target: Interest, view: FoldView, user: int, cutoff: int, horizon: int) -> tuple[dict[int, float], int]:
    log = view.histories
    worth, cold = dict.fromkeys(range(view.candidates), 0.0), 0
    for e in range(log.offsets[user], log.offsets[user + 1]):
        if not cutoff < log.time[e] <= cutoff + horizon:
            continue
        kind = log.behaviours[log.behaviour[e]].name
        taken_back = kind == "cancellation"
        kind = "purchase" if taken_back else kind
        counted = not target.behaviours or kind in target.behaviours
        value = target.behaviour_weights.get(kind, 1.0) if target.weights == "behaviour" else 1.0
        value = value * counted * (-1 if taken_back else 1)
        if view.candidate[e] >= 0:
            worth[int(view.candidate[e])] += value
        else:
            cold += value > 0
    left = {c: 1.0 if target.weights == "set" else w for c, w in worth.items() if w > 1e-6}
    return {c: w / sum(left.values()) for c, w in left.items()}, cold


@settings(max_examples=150)
@given(events=EVENTS, target=TARGETS, cutoff=st.sampled_from([4, 5, 8]), days=st.sampled_from([2.5, 3]))
def test_labels_are_those_of_a_plain_loop(events: list[tuple], target: Interest, cutoff: float, days: float) -> None:
    view = view_of(events)
    queries = small_queries([(user, cutoff) for user in range(4)])
    labels = target.labels(view, queries, microseconds(days))
    told = [by_hand(target, view, user, microseconds(cutoff), microseconds(days)) for user in range(4)]
    for q, (expected, _) in enumerate(told):
        own = slice(labels.offsets[q], labels.offsets[q + 1])
        assert labels.ids[own].tolist() == sorted(expected)
        assert np.allclose(labels.weights[own], [expected[c] for c in sorted(expected)], rtol=1e-5)
    assert labels.cold == sum(cold for _, cold in told) and 0 <= labels.bare <= labels.cold
    assert (labels.ids.dtype, labels.weights.dtype) == (np.int32, np.float32)


def test_the_window_is_open_at_the_cutoff_and_closed_at_its_end() -> None:
    tick = 1 / 86_400_000_000
    days = {"at the cutoff": 5, "just after": 5 + tick, "at the end": 8, "too late": 8 + tick}
    known = [(0, "i", name, 0) for name in days]
    log = small_histories(known + [(0, "i", name, day) for name, day in days.items()])
    view = small_view(log, 5, 8, (3,))
    labels = Interest().labels(view, small_queries([(0, 5)]), microseconds(3))
    assert view.names[labels.ids].tolist() == ["at the end", "just after"]


def test_what_is_taken_back_leaves_no_label() -> None:
    bought = [(0, "i", "a", 6, "purchase"), (0, "i", "a", 7, "cancellation"), (0, "i", "b", 6, "view")]
    view = view_of(bought)
    target = Interest(weights="behaviour", behaviour_weights={"purchase": 0.1 + 0.2})
    labels = target.labels(view, small_queries([(0, 5)]), microseconds(3))
    assert view.names[labels.ids].tolist() == ["b"]


def test_no_queries_have_no_labels() -> None:
    labels = Interest().labels(view_of([]), small_queries([]), microseconds(3))
    assert labels.offsets.tolist() == [0] and len(labels.ids) == 0


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    events = [(int(rng.integers(4)), "i", str(rng.choice(list("abc"))), float(rng.uniform(0, 9))) for _ in range(60)]
    queries = small_queries([(user, day) for day in (4, 5, 6) for user in range(4)])
    whole = Interest(weights="counts").labels(view_of(events), queries, microseconds(3))
    monkeypatch.setattr("lab.targets.interest.target._EVENTS_AT_ONCE", 7)
    blocks = Interest(weights="counts").labels(view_of(events), queries, microseconds(3))
    for name in ("offsets", "ids", "weights", "cold"):
        assert np.array_equal(getattr(whole, name), getattr(blocks, name))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Interest(behaviours=("veiw",)), r"target\.behaviours: the log has no behaviour 'veiw'.*view, purchase"),
        (Interest(behaviours=("cancellation",)), r"no behaviour 'cancellation' to count"),
        (Interest(weights="behaviour", behaviour_weights={"buy": 2}), r"target\.behaviour_weights: .*'buy'"),
    ],
)
def test_behaviours_that_the_log_lacks_are_named(target: Interest, message: str) -> None:
    with pytest.raises(InputError, match=message):
        target.labels(view_of([]), small_queries([(0, 5)]), microseconds(3))


def test_wrong_weights_are_refused() -> None:
    with pytest.raises(InputError, match="use weights='behaviour'"):
        Interest(behaviour_weights={"view": 1})
    for weight in (-1, float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"target\.behaviour_weights\.view"):
            Interest(weights="behaviour", behaviour_weights={"view": weight})


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_with_the_labels(smoothing: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(2, 3, 5)).astype(np.float32)
    query = np.array([[0, 0, 2, 0], [1, 0, 0, 0]], np.int32)
    ids = np.array([[4, 1, 0, 0], [3, 0, 0, 0]], np.int32)
    weight = np.array([[0.25, 0.75, 1, 0], [1, 0, 0, 0]], np.float32)
    dense = np.zeros((2, 3, 5))
    for b in range(2):
        np.add.at(dense[b], (query[b], ids[b]), weight[b])
    labelled = dense.sum(-1) > 0
    wanted = (1 - smoothing) * dense + smoothing / 5 * labelled[..., None]
    log_p = logits - np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))
    with jax.numpy_rank_promotion("allow"):
        told = [jnp.asarray(value) for value in (logits, query, ids, weight, np.float32(smoothing))]
        loss, count = Interest().loss(*told)
    assert np.isclose(loss, -(wanted * log_p)[labelled].sum(), rtol=1e-5) and count == 3
