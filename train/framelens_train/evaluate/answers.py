"""What is said of state media's articles and of independents': as it answers, and where it must answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens_train.evaluate import bootstrap
from framelens_train.evaluate.metrics import Bools, shares_of_answers

if TYPE_CHECKING:
    import pandas as pd

    from framelens_train.evaluate.protocols import Scored

ANSWER_TITLES = {
    "state": "state media",
    "independent_nonwest": "non-Western independents",
    "independent_west": "Western independents",
    "independent": "independents of no known region",
}
"""Kinds of articles, in the order in which they are shown."""


def answer_shares(
    articles: pd.DataFrame, scored: Scored, *, draws: int = bootstrap.DRAWS, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Shares of each answer, by what the articles are.

    Parameters
    ----------
    articles
        Table of the corpus that `scored.rows` index; columns outlet and, if there is one, region.
    scored
        State and independent articles only.
    draws, seed
        Of the bootstrap over outlets.

    Returns
    -------
    dict
        By kind, those of `ANSWER_TITLES` that there are: ``n``, ``n_outlets``; ``called_state``,
        ``abstained`` and ``called_independent``, which sum to 1; ``forced_state``, the share called state
        where every article must be answered; ``called_state_ci95`` and ``forced_state_ci95`` from resampling
        outlets, None where all articles are of one.
    """
    table = articles.iloc[scored.rows]
    outlets = table["outlet"].to_numpy(dtype=object).astype(str)
    kinds = _kinds(table, scored.y)
    found: dict[str, dict[str, Any]] = {}
    for kind in ANSWER_TITLES:
        inside = kinds == kind
        if inside.any():
            some = scored.take(inside)
            resamples = bootstrap.resample(some.y, outlets[inside], draws=draws, seed=seed)
            found[kind] = _shares(some.found, ~some.abstains, resamples)
    return found


def _shares(state: Bools, answered: Bools, resamples: bootstrap.Resamples) -> dict[str, Any]:
    outlets = resamples.weights.shape[1]

    def interval(which: Bools) -> list[float] | None:
        return bootstrap.interval(bootstrap.mean_draws(which, resamples)) if outlets > 1 else None

    return {
        "n": len(state),
        "n_outlets": outlets,
        **shares_of_answers(state, answered),
        "called_state_ci95": interval(state & answered),
        "forced_state": float(state.mean()),
        "forced_state_ci95": interval(state),
    }


def _kinds(table: pd.DataFrame, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The kind of each article; object, shape (n,)."""
    kinds = np.where(y == 1, "state", "independent").astype(object)
    if "region" in table:
        regions = table["region"].to_numpy(dtype=object)
        for region in ("nonwest", "west"):
            kinds[(y == 0) & (regions == region)] = f"independent_{region}"
    return kinds
