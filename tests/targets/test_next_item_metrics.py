"""Where the one label of a query stands, on the host, and the metrics that follow from it."""

import numpy as np
import pytest

from lab.targets.next_item.metrics import LabelPlaces, cell_metrics, place_labels, query_metrics

LABEL = np.array([1, 3, 0, 2], np.int32)
SCORES = np.array(
    [[3, 2, 2, 1, 2], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1], [1, 1, 0, 2, 3]],
    np.float32,
)
TAKEN = np.array([[0, 0, 1, 0, 0], [1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [0, 0, 0, 0, 1]], bool)


@pytest.mark.parametrize("left_out", [None, TAKEN], ids=["all", "repeats left out"])
def test_ties_count_against_the_label(left_out: np.ndarray | None) -> None:
    rank, first = place_labels(SCORES, LABEL, left_out, depth=3)
    for query, label in enumerate(LABEL):
        # The label stays, whatever its user took before; so does its own score.
        kept = [c for c in range(5) if left_out is None or c == label or not left_out[query, c]]
        level = [c for c in kept if c != label and SCORES[query, c] >= SCORES[query, label]]
        assert rank[query] == len(level)
        best = sorted(kept, key=lambda c: (-SCORES[query, c], c))[:3]
        assert first[query].tolist() == best + [-1] * (3 - len(best))
    assert rank.tolist() == ([3, 4, 0, 4] if left_out is None else [2, 2, 0, 3])


def test_metrics_by_hand() -> None:
    rank = np.array([0, 4, 5, 30])
    first = np.array([[0, 1], [0, 2], [1, 0], [0, -1]], np.int32)
    placed = LabelPlaces(rank, first, LABEL, np.zeros(4, bool), np.log(np.array([0.5, 0.25, 0.25, 0.125])))
    found = query_metrics(placed)
    assert found["hr@5"].tolist() == found["recall@5"].tolist() == [1, 1, 0, 0]
    assert found["hr@10"].tolist() == [1, 1, 1, 0] and found["hr@20"].tolist() == [1, 1, 1, 0]
    assert found["mrr"] == pytest.approx([1, 1 / 5, 1 / 6, 1 / 31])
    assert found["mrr@5"] == pytest.approx([1, 1 / 5, 0, 0])
    assert found["ndcg@10"] == pytest.approx([1, 1 / np.log2(6), 1 / np.log2(7), 0])
    assert found["log_loss"] == pytest.approx(np.log([2, 4, 4, 8]))
    cell = cell_metrics(placed, np.array([6.0, 3, 2, 1, 0]))
    assert cell["coverage@5"] == 3 / 5
    assert cell["popularity@5"] == pytest.approx(np.mean([6, 3, 6, 2, 3, 6, 6]) / 2.4)
    assert cell["popularity@label"] == pytest.approx(np.mean([3, 1, 6, 2]) / 2.4)
