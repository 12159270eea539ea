"""The model itself: TF-IDF by field, style beside it, one weight each. Plain numpy, and readable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from framelens.features.batch import FeatureBatch
from framelens.features.reference import MEASURES
from framelens.features.style import MARKS, marks_lost, style_features
from framelens.features.vocabulary import Vocabulary

if TYPE_CHECKING:
    from framelens.features.kernel import Tables, Terms


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A linear classifier over terms (by field) and style; a positive score speaks for state framing.

    With ``c[t, f]`` the count of term t in field f (0 the reporter's voice, 1 quoted speech)::

        v[t, f] = idf[t, f] * (1 + ln c[t, f])     where c[t, f] > 0, else 0
        z[m]    = clip((x[m] - style_mean[m]) / style_scale[m], -style_clip, style_clip)
        score   = intercept + sum(weights * v) / ||v|| + sum(style_weights * z)

    where x are the `style_features` and a norm of zero counts as one. An idf of 0 takes a term out of a
    field. In a text that has lost its punctuation (`marks_lost`) z is 0 for the measures of punctuation
    (`MARKS`): they are unknown and count as the mean, not as a text that has none.

    Attributes
    ----------
    vocabulary
        V terms.
    idf, weights
        float32, shape (V, 2).
    style_mean, style_scale, style_weights
        float32, shape (len(MEASURES),). Scales are positive.
    style_clip
        Bound of the standardised style features; positive.
    intercept
        The score of a text without terms, at the mean style.

    Raises
    ------
    ValueError
        When a shape does not fit, a number is not finite, or a scale or the bound is not positive.
    """

    vocabulary: Vocabulary
    idf: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    style_mean: npt.NDArray[np.float32]
    style_scale: npt.NDArray[np.float32]
    style_weights: npt.NDArray[np.float32]
    style_clip: float
    intercept: float

    def __post_init__(self) -> None:
        shapes = {
            "idf": (len(self.vocabulary), 2),
            "weights": (len(self.vocabulary), 2),
            "style_mean": (len(MEASURES),),
            "style_scale": (len(MEASURES),),
            "style_weights": (len(MEASURES),),
        }
        for name, shape in shapes.items():
            array = np.asarray(getattr(self, name))
            if array.shape != shape:
                raise ValueError(f"{name} have the shape {array.shape}; expected {shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} holds numbers that are not finite")
        if not (np.asarray(self.style_scale) > 0).all():
            raise ValueError("style_scale must be positive everywhere")
        if not self.style_clip > 0:
            raise ValueError(f"style_clip is {self.style_clip}; it must be positive")
        if not np.isfinite(self.intercept):
            raise ValueError(f"intercept is {self.intercept}; it must be finite")

    def compact(self) -> LinearModel:
        """The same model without the terms that no field uses; every text keeps its score."""
        used = (np.asarray(self.idf) != 0).any(axis=1)
        terms = [term for term, keep in zip(self.vocabulary.terms, used, strict=True) if keep]
        return replace(self, vocabulary=Vocabulary(terms), idf=self.idf[used], weights=self.weights[used])

    def decision_function(self, batch: FeatureBatch) -> npt.NDArray[np.float64]:
        """Score of each article; float64, shape (batch.rows,)."""
        row = batch.row
        terms = self._term_contributions(batch, row)
        by_row = np.bincount(row, weights=terms[:, 0] + terms[:, 1], minlength=batch.rows)
        scores: npt.NDArray[np.float64] = (
            self.intercept + by_row + self.style_contributions(batch.measures).sum(axis=1)
        )
        return scores

    def term_contributions(self, batch: FeatureBatch) -> npt.NDArray[np.float64]:
        """What each entry of the batch adds to its article's score, by field; float64, shape (nnz, 2)."""
        return self._term_contributions(batch, batch.row)

    def _term_contributions(self, batch: FeatureBatch, row: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        values = self._tfidf(batch)
        squares = values * values
        norms = np.sqrt(np.bincount(row, weights=squares[:, 0] + squares[:, 1], minlength=batch.rows))
        norms[norms == 0.0] = 1.0
        return values * self._weights64[batch.term] / norms[row][:, None]

    def style_contributions(self, measures: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """What each measure adds to each article's score; float64, shape (rows, len(MEASURES))."""
        mean, scale, weights = self._style64
        z = np.clip((style_features(measures) - mean) / scale, -self.style_clip, self.style_clip)
        z[marks_lost(measures)[:, None] & MARKS] = 0.0
        contributions: npt.NDArray[np.float64] = z * weights
        return contributions

    def _tfidf(self, batch: FeatureBatch) -> npt.NDArray[np.float64]:
        counts = np.empty((len(batch.term), 2))
        counts[:, 0], counts[:, 1] = batch.reporter, batch.quoted
        sublinear = np.where(counts > 0, 1.0 + np.log(np.maximum(counts, 1.0)), 0.0)
        values: npt.NDArray[np.float64] = self._idf64[batch.term] * sublinear
        return values

    @cached_property
    def for_kernel(self) -> tuple[Tables, Terms, npt.NDArray[np.float32]]:
        """Tables, vocabulary and parameters as `framelens.features.kernel.score_rows` takes them."""
        from framelens.features.arrow import kernel_terms

        parameters = np.stack([self.idf, self.weights], axis=2).astype(np.float32).reshape(-1, 4)
        return *kernel_terms(self.vocabulary), parameters

    @cached_property
    def _idf64(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.idf, dtype=np.float64)

    @cached_property
    def _weights64(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.weights, dtype=np.float64)

    @cached_property
    def _style64(self) -> npt.NDArray[np.float64]:
        """Mean, scale and weights; shape (3, len(MEASURES))."""
        return np.array([self.style_mean, self.style_scale, self.style_weights], dtype=np.float64)
