"""How much each training article counts.

Without weights the largest outlets decide. An owner's say grows with the square root of its articles; the
two classes have the same say; and among independents the regions do, because a model that sees mostly
Western independents learns to tell native English from all other English.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens_train.splits import labels_of, region_of

if TYPE_CHECKING:
    import pandas as pd

Weights = npt.NDArray[np.float64]


def owner_sqrt(articles: pd.DataFrame) -> Weights:
    """Inverse square root of the owner's size; classes equal; independents half west, half not.

    Parameters
    ----------
    articles
        Training rows only, state and independent; columns label, owner and, if there is one, region.

    Returns
    -------
    float64, shape (n,)
        Positive, with mean 1.
    """
    y = labels_of(articles)
    owners = articles["owner"].factorize()[0]
    _, inverse, sizes = np.unique(2 * owners + y, return_inverse=True, return_counts=True)
    parts = np.where(y == 1, "state", region_of(articles))
    return _scaled(1.0 / np.sqrt(sizes[inverse]), parts, _shares(parts))


def class_balanced(articles: pd.DataFrame) -> Weights:
    """Every article of a class alike, the classes equal; float64, shape (n,), mean 1."""
    y = labels_of(articles)
    parts = np.where(y == 1, "state", "independent")
    return _scaled(np.ones(len(y)), parts, {"state": 0.5, "independent": 0.5})


def uniform(articles: pd.DataFrame) -> Weights:
    """Every article alike: for the dummies, whose majority is the articles' own; float64, shape (n,)."""
    return np.ones(len(articles))


WEIGHTINGS: dict[str, Callable[[pd.DataFrame], Weights]] = {
    "owner_sqrt": owner_sqrt,
    "class_balanced": class_balanced,
    "uniform": uniform,
}
"""By the name a recipe gives."""


def sample_weights(articles: pd.DataFrame, rows: npt.ArrayLike, weighting: str = "owner_sqrt") -> Weights:
    """Weights of the given training rows, in their order; nothing outside them has a say.

    Raises
    ------
    ValueError
        For an unknown weighting.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting is {weighting!r}; it must be one of {', '.join(WEIGHTINGS)}")
    return WEIGHTINGS[weighting](articles.iloc[np.asarray(rows)])


def _shares(parts: npt.NDArray[Any]) -> dict[str, float]:
    """Share of the total weight of each part; independents of an unknown region keep their natural share."""
    independent = parts[parts != "state"]
    unknown = float((independent == "unknown").mean()) if len(independent) else 0.0
    known = [region for region in ("west", "nonwest") if (independent == region).any()]
    shares = {region: 0.5 * (1 - unknown) / len(known) for region in known}
    return {"state": 0.5, "unknown": 0.5 * unknown, **shares}


def _scaled(weights: Weights, parts: npt.NDArray[Any], shares: dict[str, float]) -> Weights:
    """The weights, scaled so that each part's sum is its share of the whole and the mean is 1."""
    scaled = np.empty_like(weights)
    for part, share in shares.items():
        inside = parts == part
        scaled[inside] = weights[inside] * (share / weights[inside].sum()) if inside.any() else 0.0
    return scaled * (len(scaled) / scaled.sum()) if len(scaled) else scaled
