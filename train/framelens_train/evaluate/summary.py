"""From scored articles to the figures that are printed, kept in the manifest and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.abstain import text_shares
from framelens_train.evaluate import bootstrap
from framelens_train.evaluate.answers import answer_shares
from framelens_train.evaluate.metrics import (
    by_group,
    coverage_risk,
    expected_calibration_error,
    fold_auc,
    macro_f1,
    owner_balance,
    roc_auc,
    worst_group,
)

if TYPE_CHECKING:
    import pandas as pd

    from framelens_train.evaluate.protocols import Scored

RISKS = (0.05, 0.10)
CURVE_POINTS = 60


def protocol_figures(
    articles: pd.DataFrame,
    scored: Scored,
    *,
    draws: int = bootstrap.DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """All figures of one set of scored articles, for JSON.

    Parameters
    ----------
    articles
        Table of the corpus that `scored.rows` index; columns outlet, owner and, if there is one, region.
    scored
        State and independent articles; others are passed over.
    draws, seed
        Of the bootstrap over outlets.

    Returns
    -------
    dict
        ``n``, ``n_state``, ``n_outlets``, ``n_owners``; ``macro_f1`` with ``ci95`` over outlets and
        ``ci95_owners`` over owners; ``roc_auc`` (mean over folds, see
        `framelens_train.evaluate.metrics.fold_auc`, with ``roc_auc_ci95``) and ``roc_auc_pooled``, of p_state
        over all folds together; ``ece``, ``brier``; recall of both labels; ``worst_state_owner``;
        ``false_state_rate_nonwest``; coverage and what abstention leaves; ``owner_balanced``. A figure that
        needs both classes is None where there is only one.
    """
    scored = scored.take(scored.y >= 0)
    y, p = scored.y, scored.p
    table = articles.iloc[scored.rows]
    owners, outlets = (table[name].to_numpy(dtype=object).astype(str) for name in ("owner", "outlet"))
    found = scored.found
    figures: dict[str, Any] = {
        "macro_f1": macro_f1(y, found),
        "ci95": None,
        "roc_auc": fold_auc(y, scored.score, scored.fold),
        "roc_auc_ci95": None,
        "roc_auc_pooled": roc_auc(y, p),
        "ece": expected_calibration_error(y, p) if len(y) else None,
        "brier": float(np.mean((p - y) ** 2)) if len(y) else None,
        "n": len(y),
        "n_state": int((y == 1).sum()),
        "n_outlets": len(np.unique(outlets)),
        "n_owners": len(np.unique(owners)),
        "recall_state": _mean(found[y == 1]),
        "recall_independent": _mean(~found[y == 0]),
    }
    figures |= _with_intervals(scored, outlets, owners, draws=draws, seed=seed)
    by_owner = by_group(owners, y, p, found=found)
    figures["worst_state_owner"] = worst_group(by_owner, "state")
    figures |= _nonwestern(table, y, found)
    figures |= _abstention(scored)
    if len(np.unique(y)) == 2:
        weights = owner_balance(y, owners)
        figures["owner_balanced"] = {
            "macro_f1": macro_f1(y, found, weights=weights),
            "ece": expected_calibration_error(y, p, weights=weights),
        }
    return figures


def figures_and_answers(articles: pd.DataFrame, scored: Scored, *, seed: int = 0) -> dict[str, Any]:
    """`protocol_figures`, and in ``answers`` what `answer_shares` finds: all that is shown of a protocol."""
    answers = answer_shares(articles, scored.take(scored.y >= 0), seed=seed)
    return protocol_figures(articles, scored, seed=seed) | {"answers": answers}


def _with_intervals(
    scored: Scored, outlets: npt.NDArray[Any], owners: npt.NDArray[Any], *, draws: int, seed: int
) -> dict[str, Any]:
    y, found, score, fold = scored.y, scored.found, scored.score, scored.fold
    if len(np.unique(y)) < 2:
        return {}
    by_outlet = bootstrap.resample(y, outlets, draws=draws, seed=seed)
    by_owner = bootstrap.resample(y, owners, draws=draws, seed=seed)
    return {
        "ci95": bootstrap.interval(bootstrap.macro_f1_draws(y, found, by_outlet)),
        "ci95_owners": bootstrap.interval(bootstrap.macro_f1_draws(y, found, by_owner)),
        "roc_auc_ci95": bootstrap.interval(bootstrap.fold_auc_draws(y, score, fold, by_outlet)),
        "roc_auc_ci95_owners": bootstrap.interval(bootstrap.fold_auc_draws(y, score, fold, by_owner)),
    }


def _nonwestern(table: pd.DataFrame, y: npt.NDArray[Any], found: npt.NDArray[Any]) -> dict[str, Any]:
    """Share of non-Western independent articles that are called state."""
    if "region" not in table:
        return {"false_state_rate_nonwest": None, "n_nonwest": 0}
    inside = (y == 0) & (table["region"].to_numpy(dtype=object) == "nonwest")
    return {"false_state_rate_nonwest": _mean(found[inside]), "n_nonwest": int(inside.sum())}


def _abstention(scored: Scored) -> dict[str, Any]:
    """Coverage at stated risks by confidence alone, and what the model's own abstention leaves."""
    curve = coverage_risk(scored.y, scored.p, decision=scored.decision)
    answered = ~scored.abstains
    return {
        **{f"coverage_at_{round(100 * risk)}_risk": curve.coverage_at(risk) for risk in RISKS},
        "answered": _mean(answered),
        "answered_macro_f1": macro_f1(scored.y[answered], scored.found[answered]),
        "answered_risk": _mean((scored.found != (scored.y == 1))[answered]),
        "abstained": {reason: _mean(holds) for reason, holds in scored.reasons.items()},
    }


def coverage_curve(scored: Scored) -> dict[str, list[float]]:
    """The coverage-risk curve thinned to `CURVE_POINTS` points, for drawing."""
    curve = coverage_risk(scored.y, scored.p, decision=scored.decision)
    if not len(curve.coverage):
        return {"coverage": [], "risk": []}
    wanted = np.linspace(curve.coverage[0], 1.0, CURVE_POINTS)
    index = np.unique(np.minimum(np.searchsorted(curve.coverage, wanted), len(curve.coverage) - 1))
    return {"coverage": curve.coverage[index].tolist(), "risk": curve.risk[index].tolist()}


def groups_figures(articles: pd.DataFrame, scored: Scored, column: str) -> dict[str, dict[str, Any]]:
    """What became of every owner or outlet; see `framelens_train.evaluate.metrics.by_group`."""
    scored = scored.take(scored.y >= 0)
    names = articles[column].to_numpy(dtype=object)[scored.rows]
    return by_group(
        names, scored.y, scored.p, found=scored.found, answered=~scored.abstains, fold=scored.fold
    )


def training_distribution(scored: Scored, measures: npt.NDArray[np.int32]) -> dict[str, Any]:
    """What a service compares its articles with (`framelens.serve.drift`): deciles, and shares between them.

    Parameters
    ----------
    scored
        Articles by classifiers that had not seen their owner: in-sample scores would be surer than any that
        the service will see. What is too short or not English is left out, there as here.
    measures
        int32, shape (articles of the corpus, len(MEASURES)).

    Returns
    -------
    dict
        For ``score`` and ``known_share`` (common words among the words that are no names): ``edges``,
        ascending, each the least value of its bin, and ``shares`` of the bins below, between and above them.
    """
    articles = scored.take(~(scored.reasons["too_short"] | scored.reasons["not_english"]))
    known = text_shares(measures[articles.rows])["known"]
    return {"score": _deciles(articles.score), "known_share": _deciles(known)}


def _deciles(values: npt.NDArray[np.float64]) -> dict[str, list[float]]:
    """Bins of about a tenth of the values; of equal values in fewer bins. None of them is empty."""
    if not len(values):
        return {"edges": [], "shares": [1.0]}
    edges = np.unique(np.quantile(values, np.arange(1, 10) / 10, method="higher"))
    edges = edges[edges > values.min()]
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "shares": (counts / len(values)).tolist()}


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(np.mean(values)) if len(values) else None
