"""Style: the measures of an article on scales that a linear model can add up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from framelens.features.reference import MEASURES, PUNCTUATION_MEASURES

_WORDS = MEASURES.index("words")
_LETTERS = MEASURES.index("letters")
_DISTINCT = MEASURES.index("distinct_words")
_SENTENCES = MEASURES.index("sentences")
_PERIOD = MEASURES.index("period")

MARKS: npt.NDArray[np.bool_] = np.isin(MEASURES, ("sentences", *PUNCTUATION_MEASURES.values()))
"""Which measures say nothing of a text that has lost its punctuation; bool, shape (len(MEASURES),)."""

WORDS_A_PERIOD = 200
"""A text with more words than this to a full stop has lost its punctuation: nobody writes so, feeds and
collectors leave it so.
"""


def marks_lost(measures: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Which texts have lost their punctuation on the way; bool, shape (n,).

    Parameters
    ----------
    measures
        int32, shape (n, len(MEASURES)).
    """
    return np.asarray(measures[:, _PERIOD].astype(np.int64) * WORDS_A_PERIOD < measures[:, _WORDS])


def style_features(measures: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Fixed transforms of the measures, column for column; nothing is fitted.

    ``words`` becomes log(1 + words); ``letters`` the mean length of a word; ``distinct_words`` distinct
    words over the square root of words + 1; ``sentences`` log of (sentences + 1) over (words + 1); every
    other measure log(1 + its count in a hundred words).

    Parameters
    ----------
    measures
        int32, shape (n, len(MEASURES)).

    Returns
    -------
    float64, shape (n, len(MEASURES))

    Raises
    ------
    ValueError
        When the number of columns is not ``len(MEASURES)``.
    """
    if measures.ndim != 2 or measures.shape[1] != len(MEASURES):
        raise ValueError(f"measures have the shape {measures.shape}; expected (n, {len(MEASURES)})")
    counts = measures.astype(np.float64)
    words = counts[:, _WORDS]
    at_least_one = np.maximum(words, 1.0)
    style = np.log1p(100.0 * counts / at_least_one[:, None])
    style[:, _WORDS] = np.log1p(words)
    style[:, _LETTERS] = counts[:, _LETTERS] / at_least_one
    style[:, _DISTINCT] = counts[:, _DISTINCT] / np.sqrt(words + 1.0)
    style[:, _SENTENCES] = np.log((counts[:, _SENTENCES] + 1.0) / (words + 1.0))
    return style
