"""The naive baselines that every table carries, fitted on the same data as the models.

for baseline in default_baselines():
    fitted = baseline.fit(view, train, valid, horizon)
    scores = fitted.scores(view, queries)
    log_probabilities = fitted.log_probabilities(scores)
"""

from typing import TYPE_CHECKING

from lab.core.fingerprint_marks import not_fingerprinted
from lab.core.lazy import lazy_exports

if TYPE_CHECKING:
    from lab.baselines.base import Baseline
    from lab.baselines.calibrated_scorer import CalibratedScorer
    from lab.baselines.labelled_queries import LabelledQueries
    from lab.baselines.last import LastCategory
    from lab.baselines.logistic import Logistic
    from lab.baselines.markov import Markov
    from lab.baselines.personal import DecayedPersonal, PersonalFrequency
    from lab.baselines.popularity import RecentPopularity

__all__ = [
    "Baseline",
    "CalibratedScorer",
    "DecayedPersonal",
    "LabelledQueries",
    "LastCategory",
    "Logistic",
    "Markov",
    "PersonalFrequency",
    "RecentPopularity",
    "default_baselines",
]


@not_fingerprinted
def default_baselines(asked: str = "ticks", taken: bool = True) -> "tuple[Baseline, ...]":
    """One of each with its defaults, from the plainest to the strongest, for targets asked at `ticks` or `events`.

    Where the test does not rank what a user has `taken`, those that order nothing else are left out: they would all
    be popularity.
    """
    from lab.baselines.last import LastCategory
    from lab.baselines.logistic import Logistic
    from lab.baselines.markov import Markov
    from lab.baselines.personal import DecayedPersonal, PersonalFrequency
    from lab.baselines.popularity import RecentPopularity

    every = (RecentPopularity(), PersonalFrequency(), DecayedPersonal(), LastCategory(), Markov(), Logistic())
    return tuple(one for one in every if asked in one.asked and (taken or not one.orders_taken))


__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "LabelledQueries": "labelled_queries",
        "Baseline": "base",
        "CalibratedScorer": "calibrated_scorer",
        "RecentPopularity": "popularity",
        "PersonalFrequency": "personal",
        "DecayedPersonal": "personal",
        "LastCategory": "last",
        "Markov": "markov",
        "Logistic": "logistic",
    },
)
