"""Which recipe is best, told by owners that it has not seen; and what that choice itself is worth.

**Objective**: ROC AUC within an owner-disjoint fold (a state owner and a share of the independent ones),
averaged over the folds. It needs no calibration and no threshold, and every owner counts the same.

**Nested**: every recipe is fitted without each pair of folds. The fit without folds j and k scores fold j
on behalf of fold k and fold k on behalf of fold j, so for every fold k there are scores of all other folds
by models that never saw k. The settings used on fold k, and the calibration of its scores, come from those
alone. K (K - 1) / 2 fits do it. The recipe that is shipped is chosen by the same scores over all folds.

With two owner-disjoint folds only there are no pairs: the recipe is then chosen by its scores on the folds
themselves, and there is no nested figure.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens_train.candidates import CANDIDATES, Recipe
from framelens_train.evaluate.calibrate import best_decision, fit_calibration, pool
from framelens_train.evaluate.metrics import expected_calibration_error, fold_auc, macro_f1, roc_auc
from framelens_train.search import Request, Result, Scores, request_key
from framelens_train.splits import Fold, Rows, Split

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus

Fit = Callable[[Sequence[Request]], dict[str, Result]]
"""Does the requests: `framelens_train.search.run_fits` with everything but the requests given."""


@dataclass(frozen=True)
class Outcome:
    """The test articles of one protocol as one candidate scored them.

    Attributes
    ----------
    rows, y, fold
        int64, shape (n,): rows of the corpus, labels (1 or 0), and the fold that tested each.
    score, p
        float64, shape (n,): margin and probability of state.
    found
        bool, shape (n,): called state, from the probability on that served macro-F1 best on the held-out
        scores that calibration was fitted on.
    names
        Of the folds.
    """

    rows: Rows
    y: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    score: Scores
    p: Scores
    found: npt.NDArray[np.bool_]
    names: tuple[str, ...]

    def figures(self) -> dict[str, float]:
        """Figures of the whole protocol, ROC AUC as the mean over folds; undefined ones are missing."""
        figures = {
            "macro_f1": macro_f1(self.y, self.found),
            "roc_auc": fold_auc(self.y, self.score, self.fold),
            "roc_auc_pooled": roc_auc(self.y, self.p),
            "ece": expected_calibration_error(self.y, self.p),
            "brier": float(np.mean((self.p - self.y) ** 2)),
            "n": float(len(self.y)),
        }
        return {name: value for name, value in figures.items() if value is not None}

    def by_fold(self) -> dict[str, dict[str, float]]:
        """ROC AUC and macro-F1 within each fold."""
        table: dict[str, dict[str, float]] = {}
        for k, name in enumerate(self.names):
            rows = self.fold == k
            found = {
                "roc_auc": roc_auc(self.y[rows], self.score[rows]),
                "macro_f1": macro_f1(self.y[rows], self.found[rows]),
            }
            table[name] = {key: value for key, value in found.items() if value is not None}
        return table


@dataclass(frozen=True)
class Contender:
    """A candidate with the best of its grid, and how it did in every protocol.

    Attributes
    ----------
    recipe
        The cell of the grid with the highest objective.
    objective
        Mean owner-disjoint AUC that it was chosen by.
    tried
        Objective of every cell.
    protocols
        ``owner_disjoint``, the contrasts, and ``owner_disjoint_nested``, in which each fold's settings were
        chosen without it.
    seconds
        Spent in fits of this candidate.
    warnings
        What its solver complained of, each once.
    """

    recipe: Recipe
    objective: float
    tried: dict[str, float]
    protocols: dict[str, Outcome]
    seconds: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """All contenders, and the winner.

    Attributes
    ----------
    contenders
        By candidate, best objective first.
    winner
        The best contender that is no baseline.
    nested
        The whole choice on trial: each fold scored by the recipe that the other folds' scores would have
        picked among all candidates. None where the corpus is too small for it.
    nested_recipes
        That recipe, by fold.
    """

    contenders: dict[str, Contender]
    winner: Contender
    nested: Outcome | None
    nested_recipes: dict[str, Recipe]


def pair_folds(split: Split) -> dict[tuple[int, int], Fold]:
    """For every two folds, a fold that trains without both and tests both; none when fewer than three.

    A row that has a near-duplicate in the other fold's test is tested on nobody's behalf.
    """
    if len(split.folds) < 3:
        return {}
    pairs = {}
    for j, k in itertools.combinations(range(len(split.folds)), 2):
        one, other = split.folds[j], split.folds[k]
        test = np.union1d(np.intersect1d(one.test, other.train), np.intersect1d(other.test, one.train))
        pairs[j, k] = Fold(f"{one.name} + {other.name}", np.intersect1d(one.train, other.train), test)
    return pairs


def select(
    corpus: Corpus,
    recipes: Sequence[Recipe],
    splits: Mapping[str, Split],
    fit: Fit,
    *,
    nested: bool = True,
) -> Selection:
    """Choose, and measure the choice.

    Parameters
    ----------
    splits
        With ``owner_disjoint``; the others are contrasts, in which only each candidate's best recipe is
        fitted.
    nested
        False to choose by the owner-disjoint folds themselves, with fewer fits. So it is, too, where there is
        only one recipe: what is not chosen needs no nested figure.
    """
    serious = [r for r in recipes if not CANDIDATES[r.candidate].dummy]
    nested = nested and len(serious) > 1
    board = Board(corpus, splits["owner_disjoint"], pair_folds(splits["owner_disjoint"]) if nested else {})
    board.results |= fit([(recipe, fold.train) for fold in board.choosing for recipe in recipes])
    families = {name: [r for r in recipes if r.candidate == name] for name in CANDIDATES}
    families = {name: cells for name, cells in families.items() if cells}
    best = {name: board.best(cells) for name, cells in families.items()}
    inner = {name: board.best_by_fold(cells) for name, cells in families.items()}
    inner_all = board.best_by_fold(serious)
    contrasts = {name: split for name, split in splits.items() if name != "owner_disjoint"}
    board.results |= fit(
        [(recipe, fold.train) for recipe in best.values() for fold in board.split.folds]
        + [
            (r, board.split.folds[k].train)
            for picks in [*inner.values(), inner_all]
            for k, r in picks.items()
        ]
        + [(r, fold.train) for r in best.values() for split in contrasts.values() for fold in split.folds]
    )
    contenders = {}
    for name, cells in families.items():
        outcomes = {"owner_disjoint": board.outcome(board.split, dict.fromkeys(board.folds, best[name]))}
        if inner[name]:
            outcomes["owner_disjoint_nested"] = board.outcome(board.split, inner[name])
        for label, split in contrasts.items():
            outcomes[label] = board.outcome(split, dict.fromkeys(range(len(split.folds)), best[name]))
        contenders[name] = Contender(
            best[name],
            board.objective(best[name]),
            {cell.key: board.objective(cell) for cell in cells},
            outcomes,
            *board.effort(name),
        )
    ranked = dict(sorted(contenders.items(), key=lambda item: -item[1].objective))
    winner = next(c for name, c in ranked.items() if not CANDIDATES[name].dummy)
    whole = board.outcome(board.split, inner_all) if inner_all else None
    return Selection(ranked, winner, whole, {board.split.folds[k].name: r for k, r in inner_all.items()})


@dataclass
class Board:
    """Scores of all fits so far, and what they say of a recipe."""

    corpus: Corpus
    split: Split
    pairs: dict[tuple[int, int], Fold]

    def __post_init__(self) -> None:
        self.results: dict[str, Result] = {}
        self._within: dict[tuple[str, int, int], float | None] = {}

    @cached_property
    def y(self) -> npt.NDArray[np.int64]:
        """Labels of the corpus."""
        return self.corpus.y.astype(np.int64)

    @property
    def folds(self) -> range:
        """Numbers of the owner-disjoint folds."""
        return range(len(self.split.folds))

    @property
    def choosing(self) -> list[Fold]:
        """Folds whose scores the choice is made by."""
        return list(self.pairs.values()) or list(self.split.folds)

    def objective(self, recipe: Recipe, without: int | None = None) -> float:
        """Mean over the folds (but `without`) of the AUC on the fold, by models that never saw `without`."""
        if not self.pairs:
            each = [roc_auc(self.y[f.test], self._scores(recipe, f)[f.test]) for f in self.split.folds]
        elif without is None:
            every = [[self._on(recipe, j, k) for k in self.folds if k != j] for j in self.folds]
            each = [float(np.mean([v for v in values if v is not None] or [0.5])) for values in every]
        else:
            each = [self._on(recipe, j, without) for j in self.folds if j != without]
        return float(np.mean([value for value in each if value is not None] or [0.5]))

    def best(self, cells: Sequence[Recipe], without: int | None = None) -> Recipe:
        """The cell with the highest objective; the first of equals."""
        return max(cells, key=lambda cell: self.objective(cell, without))

    def best_by_fold(self, cells: Sequence[Recipe]) -> dict[int, Recipe]:
        """For each fold the best cell by the scores that never saw it; empty without pairs."""
        return {k: self.best(cells, k) for k in self.folds} if self.pairs and cells else {}

    def outcome(self, split: Split, recipes: Mapping[int, Recipe]) -> Outcome:
        """The split's test articles, fold k by ``recipes[k]``, calibrated by scores of other folds."""
        parts = [self._scores(recipes[k], fold)[fold.test] for k, fold in enumerate(split.folds)]
        rows = np.concatenate([fold.test for fold in split.folds])
        fold = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        called = [self._calibrated(split, recipes, k, parts) for k in range(len(parts))]
        p = np.concatenate([p for p, _ in called])
        found = np.concatenate([p >= decision for p, decision in called])
        names = tuple(fold.name for fold in split.folds)
        return Outcome(rows, self.y[rows], fold, np.concatenate(parts), p, found, names)

    def effort(self, candidate: str) -> tuple[float, tuple[str, ...]]:
        """Seconds in fits of a candidate, and the distinct warnings."""
        mark = f'{{"candidate":"{candidate}",'
        mine = [result for key, result in self.results.items() if mark in key]
        return sum(r.seconds for r in mine), tuple(sorted({r.warning for r in mine if r.warning}))

    def _calibrated(
        self, split: Split, recipes: Mapping[int, Recipe], k: int, parts: Sequence[Scores]
    ) -> tuple[Scores, float]:
        """Probabilities of fold k's test articles, and from which on state is said."""
        if split is self.split and self.pairs:
            held_out = [self._beside(recipes[k], j, k) for j in self.folds if j != k]
        else:  # a contrast: its other folds' own test scores
            held_out = [(f.test, parts[j]) for j, f in enumerate(split.folds) if j != k]
        if not held_out or len(np.unique(self.y[np.concatenate([rows for rows, _ in held_out])])) < 2:
            return np.asarray(0.5 * (1 + np.tanh(0.5 * parts[k]))), 0.5  # the margin as log-odds
        known = pool(self.corpus, held_out)
        if np.ptp(known.score) == 0:  # a constant says nothing
            return np.full(len(parts[k]), float(np.average(known.y, weights=known.weights))), 0.5
        fitted = fit_calibration(known.y, known.score, known.weights, "platt")
        decision = best_decision(known.y, fitted.p_state(known.score), known.weights)
        return fitted.p_state(parts[k]), decision

    def _on(self, recipe: Recipe, j: int, k: int) -> float | None:
        """AUC on fold j by the fit without j and k."""
        known = (recipe.key, j, k)
        if known not in self._within:
            rows, scores = self._beside(recipe, j, k)
            self._within[known] = roc_auc(self.y[rows], scores)
        return self._within[known]

    def _beside(self, recipe: Recipe, j: int, k: int) -> tuple[Rows, Scores]:
        """Rows of fold j, and their scores by the fit without j and k."""
        pair = self.pairs[min(j, k), max(j, k)]
        rows = np.intersect1d(pair.test, self.split.folds[j].test)
        return rows, self._scores(recipe, pair)[rows]

    def _scores(self, recipe: Recipe, fold: Fold) -> Scores:
        return self.results[request_key((recipe, fold.train))].scores


def best_by_key(tried: Mapping[str, float]) -> list[tuple[dict[str, Any], float]]:
    """Cells of a grid as settings, best objective first."""
    import json

    return sorted(((json.loads(key), value) for key, value in tried.items()), key=lambda item: -item[1])
