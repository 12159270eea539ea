"""When a model should not answer: too little text, not English, unfamiliar, or too close to call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from framelens.features.reference import MEASURES

REASONS = ("too_short", "not_english", "unfamiliar", "near_boundary")
"""Every reason to abstain, in the order in which they are given."""

_COLUMN = {name: i for i, name in enumerate(MEASURES)}
_COUNTED = (
    *("words", "letters", "foreign_letters", "names", "common_words"),
    *("function_reporter", "function_quoted"),
)


@dataclass(frozen=True)
class Thresholds:
    """The manifest's thresholds.

    Attributes
    ----------
    min_words
        Fewer words are too few.
    min_function_share, max_foreign_share
        An article with fewer function words among its words, or more letters of other scripts among its
        letters, is not English.
    min_known_share
        An article with fewer common words among its words (names apart) is unlike what the model was trained
        on.
    abstain_low, abstain_high
        Where the probability is between these, ends included, both labels stay possible; low above high is
        never.
    decision
        The probability from which the label is ``state``.
    """

    min_words: int = 60
    min_function_share: float = 0.0
    max_foreign_share: float = 1.0
    min_known_share: float = 0.0
    abstain_low: float = 1.0
    abstain_high: float = 0.0
    decision: float = 0.5

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0 and (value <= 1 or name == "min_words")):
                raise ValueError(f"threshold {name} is {value}; it must be from 0 to 1, min_words from 0 up")

    def to_dict(self) -> dict[str, float]:
        """As the manifest keeps it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Thresholds:
        """From the manifest's entry; a ValueError names a threshold that is missing, unknown or wrong."""
        names = [field.name for field in fields(cls)]
        if set(values) != set(names):
            raise ValueError(f"the thresholds are {sorted(values)}; expected {sorted(names)}")
        numbers = {name: float(values[name]) for name in names[1:]}
        return cls(int(values["min_words"]), **numbers)


def text_shares(measures: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[np.float64]]:
    """The shares that the thresholds speak of.

    Parameters
    ----------
    measures
        int32, shape (n, len(MEASURES)).

    Returns
    -------
    dict
        ``function``, ``foreign`` and ``known``; float64 in 0..1, shape (n,) each.
    """
    counts = {name: measures[:, _COLUMN[name]].astype(np.float64) for name in _COUNTED}
    words, letters, foreign = counts["words"], counts["letters"], counts["foreign_letters"]
    function = counts["function_reporter"] + counts["function_quoted"]
    return {
        "function": function / np.maximum(words, 1.0),
        "foreign": foreign / np.maximum(letters + foreign, 1.0),
        "known": counts["common_words"] / np.maximum(words - counts["names"], 1.0),
    }


def reasons_to_abstain(
    measures: npt.NDArray[np.int32], p_state: npt.NDArray[np.float64], thresholds: Thresholds
) -> npt.NDArray[np.bool_]:
    """Which of `REASONS` holds for each article; bool, shape (n, len(REASONS))."""
    shares = text_shares(measures)
    words = measures[:, _COLUMN["words"]]
    return np.stack(
        [
            words < thresholds.min_words,
            (shares["function"] < thresholds.min_function_share)
            | (shares["foreign"] > thresholds.max_foreign_share),
            shares["known"] < thresholds.min_known_share,
            (p_state >= thresholds.abstain_low) & (p_state <= thresholds.abstain_high),
        ],
        axis=1,
    )
