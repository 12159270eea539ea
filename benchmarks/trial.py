"""The training rows of one fold with what the levers share: TF-IDF, weights, members, prior and anchor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from benchmarks.ablations import BASE
from framelens.features.reference import MEASURES
from framelens_train.owner_ensemble import (
    INDEPENDENT_MEAN,
    OwnerEnsemble,
    classes_even,
    prior_direction,
    solve_logistic,
)
from framelens_train.pipeline import FieldTfidf, ngram_sizes
from framelens_train.weighting import sample_weights

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus

Floats = npt.NDArray[np.float64]
M = len(MEASURES)
NEVER = np.int8(9)
"""A number of tokens that no setting of `FieldTfidf` reaches: the term is left out."""


@dataclass
class Trial:
    """The training rows of one fold, and the whole corpus as they transform it.

    Attributes
    ----------
    rows
        int64, ascending: trained on.
    features
        As `FieldTfidf` takes them.
    vetoed
        bool, shape (V,): terms that are left out; None for none.
    muted
        Measures that are left out.
    mentions
        float32, shape (articles, countries): see `benchmarks.levers.country_mentions`; None where the raw
        articles are not at hand.
    """

    corpus: Corpus
    rows: npt.NDArray[np.int64]
    features: Mapping[str, Any]
    vetoed: npt.NDArray[np.bool_] | None = None
    muted: Collection[str] = ()
    mentions: sp.csr_matrix | None = None

    def __post_init__(self) -> None:
        sizes = ngram_sizes(self.corpus.vocabulary)
        if self.vetoed is not None:
            sizes = np.where(self.vetoed, NEVER, sizes)
        tfidf = FieldTfidf(**self.features, sizes=sizes)
        others = np.setdiff1d(np.arange(len(self.corpus)), self.rows)
        parts = [tfidf.fit_transform(self.corpus.X[self.rows]), tfidf.transform(self.corpus.X[others])]
        self.columns = tfidf.columns_
        self.X = sp.vstack(parts, format="csr")[np.argsort(np.concatenate([self.rows, others]))]
        if self.muted:
            kept = np.ones(self.X.shape[1], dtype=np.float32)
            kept[[len(self.columns) + MEASURES.index(name) for name in self.muted]] = 0
            self.X = (self.X @ sp.diags(kept)).tocsr()
        self.y = self.corpus.y[self.rows].astype(np.int64)
        self.owners = self.corpus.articles["owner"].to_numpy(dtype=object)[self.rows]
        self.weights = sample_weights(self.corpus.articles, self.rows)

    @cached_property
    def balanced(self) -> Floats:
        """Weights of the training rows with the overlap weights of the topic."""
        return self.weights * OwnerEnsemble(
            overlap_power=BASE["overlap_power"], topics=BASE["topics"], random_state=0
        ).overlap_weights(self.X[self.rows], self.y, self.weights)

    @cached_property
    def own_members(self) -> list[Floats]:
        """One for each state owner, on all features: the base recipe's."""
        return self.members(self.X)

    @property
    def state_owners(self) -> list[str]:
        """Those that train, sorted."""
        return sorted(set(self.owners[self.y == 1]))

    def member(self, X: Any, mine: npt.NDArray[np.bool_], weights: Floats | None = None) -> Floats:
        """Scores of every article by a classifier of some state rows against all independents."""
        kept = (self.y == 0) | mine
        balanced = self.balanced if weights is None else weights
        even = classes_even(balanced[kept], self.y[kept])
        return self.spread(X @ solve_logistic(X[self.rows[kept]], self.y[kept], even, BASE["C"]))

    def members(self, X: Any, groups: Any = None, weights: Floats | None = None) -> list[Floats]:
        """One `member` for each state owner, or for each group of state rows."""
        names = self.owners if groups is None else groups
        state = self.y == 1
        return [self.member(X, state & (names == name), weights) for name in sorted(set(names[state]))]

    def spread(self, scores: Any) -> Floats:
        """Scores with mean 0 and spread 1 over the training rows."""
        values = np.asarray(scores, dtype=np.float64).ravel()
        known = values[self.rows]
        mean = np.average(known, weights=self.weights)
        deviation = np.sqrt(np.average((known - mean) ** 2, weights=self.weights))
        return np.asarray((values - mean) / (deviation or 1.0))

    def ensemble(self, members: Sequence[Floats], combine: Callable[..., Any] = np.mean) -> Floats:
        """As the base recipe: members combined, the prior added, independents anchored."""
        prior = self.spread(self.X @ prior_direction(self.X.shape[1]))
        return self.anchored(self.spread(combine(members, axis=0)) + BASE["prior_weight"] * prior)

    def anchored(self, scores: Floats) -> Floats:
        """The independents' mean where the owner ensemble puts it."""
        independent = self.y == 0
        mean = np.average(scores[self.rows][independent], weights=self.weights[independent])
        return np.asarray(scores - mean + INDEPENDENT_MEAN)
