"""What a model may know by name."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lab.data.fold.vocabulary import fit_vocabulary

NAMES = np.array(["fig", "ale", "egg", "cod", "bun"], object)
CODES = st.lists(st.integers(-1, 4), max_size=30)


@given(codes=CODES)
def test_known_names_come_by_count_then_by_name(codes: list[int]) -> None:
    vocabulary = fit_vocabulary(np.array(codes, np.int32), NAMES)
    known = {c for c in codes if c >= 0}
    assert vocabulary.names.tolist() == [NAMES[c] for c in sorted(known, key=lambda c: (-codes.count(c), NAMES[c]))]
    every = vocabulary.encode(np.arange(-1, 5))
    assert every[0] == 0 and every.dtype == np.int32
    for code in range(5):
        assert every[code + 1] == (
            vocabulary.names.tolist().index(NAMES[code]) + 1 if code in known else len(known) + 1
        )


@given(codes=CODES)
def test_names_that_come_later_move_nothing(codes: list[int]) -> None:
    before = fit_vocabulary(np.array(codes, np.int32), NAMES)
    # A name that sorts first shifts every code by one.
    after = fit_vocabulary(np.array([c + 1 if c >= 0 else c for c in codes], np.int32), np.append("aaa", NAMES))
    assert before.names.tolist() == after.names.tolist()
