"""Items in clusters, by what they are called or by who takes them: singular vectors, then k-means."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.core.errors import InputError
from lab.data.log.histories import Histories

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def cluster_by_text(clusters: int, histories: Histories, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cluster all items by their words, fitted on the known `items` (codes in the order of their names).

    Returns int32[I], the cluster of each item (-1 without a known word), and the clusters' names.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    assert histories.item_text is not None
    words = TfidfVectorizer(token_pattern=r"(?u)\b[^\W\d_]{2,}\b", sublinear_tf=True, min_df=2)
    text = [str(t or "") for t in histories.item_text]
    try:
        matrix = _csr(words.fit_transform([text[i] for i in items]))
    except ValueError:
        raise InputError("target.categories.rule: the items' texts share no words; use rule='together'.") from None
    space = _Space.fit(matrix)
    label, centres = _cluster(space.of(matrix), clusters)
    cluster = np.full(len(text), -1, np.int32)
    cluster[items] = label
    # An item that appears after the cutoff brings its name along: its words place it.
    rest = np.setdiff1d(np.arange(len(text)), items)
    if len(rest):
        later = _csr(words.transform([text[i] for i in rest]))
        cluster[rest] = np.where(np.diff(later.indptr) > 0, _nearest(space.of(later), centres), -1)
    return cluster, _text_names(matrix, label, words.get_feature_names_out(), len(centres))


def cluster_by_users(
    clusters: int, histories: Histories, items: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster the known `items` by who takes them, in the events bool[N] `known`.

    Returns int32[I], the cluster of each item (-1 for an unknown one), and the clusters' names.
    """
    from sklearn.feature_extraction.text import TfidfTransformer

    place = np.full(len(histories.item_names), -1, np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    users, column = np.unique(histories.user_of_event[known], return_inverse=True)
    taken = _csr((np.ones(len(column)), (place[histories.item[known]], column)), shape=(len(items), len(users)))
    taken.data[:] = 1.0
    matrix = _csr(TfidfTransformer().fit_transform(taken))
    label, centres = _cluster(_Space.fit(matrix).of(matrix), clusters)
    cluster = np.full(len(histories.item_names), -1, np.int32)
    cluster[items] = label
    takers = np.diff(taken.indptr)
    first = [items[label == k][np.argmax(takers[label == k])] for k in range(len(centres))]
    return cluster, np.array([f"with {histories.item_names[i]}" for i in first], object)


def _csr(*values: Any, **settings: Any) -> "csr_matrix":
    """A sparse matrix by rows, from whatever scipy can make one of."""
    from scipy.sparse import csr_matrix

    return csr_matrix(*values, **settings)


@dataclass(frozen=True)
class _Space:
    """The space of a sparse matrix' first singular vectors."""

    components: np.ndarray
    """float64[F, columns]."""

    @classmethod
    def fit(cls, matrix: "csr_matrix") -> "_Space":
        """At most 64 dimensions."""
        from sklearn.decomposition import TruncatedSVD
        from threadpoolctl import threadpool_limits

        rows, columns = matrix.shape  # type: ignore[misc]
        if columns == 1:
            return cls(np.ones((1, 1)))
        # One thread: the order of partial sums, and with it the last bits, depends on how many run.
        with threadpool_limits(1):
            size = max(1, min(64, rows - 1, columns - 1))
            svd = TruncatedSVD(size, algorithm="randomized", random_state=0).fit(matrix)
            return cls(np.asarray(svd.components_))

    def of(self, matrix: "csr_matrix") -> np.ndarray:
        """float64[rows, F], of length one (or nothing), rounded so that equal rows stay equal; row by row."""
        points = np.asarray(matrix @ self.components.T)
        length = np.sqrt(np.square(points).sum(1, keepdims=True))
        return np.round(points / np.where(length > 0, length, 1.0), 9)


def _cluster(points: np.ndarray, clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """int32[rows] labels 0..K-1, all in use, and the K centres; K is less than asked where fewer points differ."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    different = len(np.unique(points, axis=0))
    with threadpool_limits(1):
        # scikit-learn's stub knows n_init as text alone.
        means = KMeans(min(clusters, different), n_init=2, random_state=0).fit(points)  # type: ignore[arg-type]
    used, label = np.unique(np.asarray(means.labels_), return_inverse=True)
    return label.astype(np.int32), means.cluster_centers_[used]


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    # einsum and not a product of matrices: each row's sum has the same order, whatever rows are beside it.
    distance = np.square(centres).sum(1) - 2 * np.einsum("if,kf->ik", points, centres)
    return distance.argmin(1).astype(np.int32)


def _text_names(matrix: "csr_matrix", label: np.ndarray, words: np.ndarray, clusters: int) -> np.ndarray:
    """The three weightiest words of each cluster, with its number where two would be called alike."""
    names: list[str] = []
    for k in range(clusters):
        weight = np.asarray(matrix[label == k].sum(axis=0)).ravel()
        best = np.argsort(-weight, kind="stable")[:3]
        names.append(" ".join(str(words[i]) for i in best if weight[i] > 0) or "no words")
    seen: dict[str, int] = {}
    return np.array([_distinct(name, seen) for name in names], object)


def _distinct(name: str, seen: dict[str, int]) -> str:
    seen[name] = seen.get(name, 0) + 1
    return name if seen[name] == 1 else f"{name} ({seen[name]})"
