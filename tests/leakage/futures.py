"""How many futures are drawn."""

from hypothesis import Phase, settings
from hypothesis import strategies as st

# Seeds do not shrink.
FEW = settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
SEEDS = st.integers(0, 2**32 - 1)
