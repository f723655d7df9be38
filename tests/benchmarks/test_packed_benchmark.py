"""What the benchmark of a training step gives the lab to read."""

import numpy as np

from benchmarks.shared.packed import packed_rows


def test_rows_hold_each_history_once_and_ask_for_its_label_at_its_last_step() -> None:
    rng = np.random.default_rng(0)
    histories = [rng.integers(1, 50, size) for size in rng.integers(1, 11, 40)]
    labels = np.arange(40)
    rows = packed_rows(histories, labels, 10)
    ids = rows.columns["category"]["id"]
    assert np.sort(ids[ids > 0]).tolist() == np.sort(np.concatenate(histories)).tolist()
    found = {}
    for row, slot in np.argwhere(rows.label.weight[:, 0] > 0):
        stop = rows.query.position[row, rows.label.query[row, 0, slot]] + 1
        begin = np.flatnonzero(rows.start[row, :stop])[-1]
        found[rows.label.id[row, 0, slot]] = ids[row, begin:stop].tolist()
    assert found == {label: history.tolist() for label, history in enumerate(histories)}
