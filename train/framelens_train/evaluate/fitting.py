"""Fits side by side: what is trained on which rows, and which rows it then scores.

Work is a list of `Job`s, so that every protocol is such a list and one pool of processes does them all.
Each fit runs on one thread of the numerical libraries, in this process or another: the order of additions,
and with it the last bit, is the same for any number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from framelens_train.evaluate.metrics import Floats, Ints

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus


class Scorer(Protocol):
    """Anything fitted that gives rows of `Corpus.X` a margin."""

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Margin of each row; positive speaks for state."""
        ...


class Fitter(Protocol):
    """Anything that can be trained on rows of a corpus: a recipe of the table, or a baseline."""

    def fit(self, corpus: Corpus, rows: Ints, *, seed: int = 0) -> Scorer:
        """Fit on the given rows of the corpus and look at nothing else of it."""
        ...


@dataclass(frozen=True)
class PipelineScorer:
    """A fitted pipeline of the training package as a `Scorer`."""

    pipeline: Pipeline

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Margin of each row; positive speaks for state."""
        from framelens_train.pipeline import decision_scores

        return decision_scores(self.pipeline, X)


@dataclass(frozen=True)
class RecipeFitter:
    """A recipe of the candidates' table as a `Fitter`."""

    recipe: Recipe

    def fit(self, corpus: Corpus, rows: Ints, *, seed: int = 0) -> PipelineScorer:
        """Fit the recipe's pipeline on the given rows."""
        from framelens_train.candidates import fit_recipe

        return PipelineScorer(fit_recipe(self.recipe, corpus, rows, seed=seed))


@dataclass(frozen=True)
class Job:
    """Train on `train`, then score each of the groups of rows in `score`."""

    train: Ints
    score: tuple[Ints, ...]


@dataclass(frozen=True)
class Done:
    """What a job fitted, and the scores of its groups in their order."""

    scorer: Scorer
    scores: tuple[Floats, ...]


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_FREED_KEPT = 2**30


def run_jobs(
    fitter: Fitter, corpus: Corpus, work: Sequence[Job], *, seed: int = 0, jobs: int = 1
) -> list[Done]:
    """Do the work, `jobs` at a time; results are in the order of the work and the same for any `jobs`."""
    return list(stream_jobs(fitter, corpus, work, seed=seed, jobs=jobs))


def stream_jobs(
    fitter: Fitter, corpus: Corpus, work: Sequence[Job], *, seed: int = 0, jobs: int = 1
) -> Iterator[Done]:
    """As `run_jobs`, each result as soon as it and all before it are done."""
    from joblib import Parallel, delayed, parallel_config

    if jobs <= 1 or len(work) <= 1:
        yield from (_do(fitter, corpus, job, seed) for job in work)
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        yield from Parallel(n_jobs=jobs, return_as="generator")(
            delayed(_do_in_worker)(fitter, corpus, job, seed) for job in work
        )


def _do_in_worker(fitter: Fitter, corpus: Corpus, job: Job, seed: int) -> Done:
    keep_freed_memory()
    return _do(fitter, corpus, job, seed)


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees, instead of asking the system for it again and again.

    A fit makes and drops arrays of a hundred megabytes by the dozen; handing each of them back costs a
    ninth of an evaluation's time. For processes that do nothing else; docs/experiments.md has the figure.

    Returns
    -------
    bool
        Whether the C library has such settings and took them: glibc does, others go on as they are.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(setting, _FREED_KEPT) == 1 for setting in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))


def _do(fitter: Fitter, corpus: Corpus, job: Job, seed: int) -> Done:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        scorer = fitter.fit(corpus, job.train, seed=seed)
        return Done(scorer, tuple(score_rows(scorer, corpus, rows) for rows in job.score))


def score_rows(scorer: Scorer, corpus: Corpus, rows: Ints) -> Floats:
    """Margins of the given rows of the corpus; float64, shape (len(rows),)."""
    if not len(rows):
        return np.empty(0)
    return np.asarray(scorer.decision_function(corpus.X[rows]), dtype=np.float64)
