"""Many fits, side by side, and none of them lost.

A request is a recipe and the rows it is trained on; its result is the scores of all other rows. Requests
that share features and rows share their TF-IDF. Every result goes into a journal (one SQLite file) the
moment it is there, so that a run that was interrupted takes up where it stopped when it is started again
with the same corpus, seed and code.
"""

from __future__ import annotations

import hashlib
import shutil
import signal
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens_train.candidates import Recipe, fit_classifier
from framelens_train.splits import Rows

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus

Scores = npt.NDArray[np.float64]
Request = tuple[Recipe, Rows]


@dataclass(frozen=True)
class Result:
    """What one fit gave.

    Attributes
    ----------
    scores
        float64, shape (n,): margin of each row of the corpus, positive for state; nan for rows of the
        training.
    seconds
        Of the fit alone.
    warning
        What the solver complained of (not converged, say); empty when it did not.
    """

    scores: Scores
    seconds: float
    warning: str = ""


class Journal:
    """Results of finished fits, in one SQLite file that several processes may write.

    Parameters
    ----------
    path
        The file; it and its folder are made when they are not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as db:
            db.execute("PRAGMA journal_mode=WAL")  # several processes write; nobody waits for a reader
            columns = "key TEXT PRIMARY KEY, scores BLOB, seconds REAL, warning TEXT"
            db.execute(f"CREATE TABLE IF NOT EXISTS fits ({columns})")

    def keys(self) -> set[str]:
        """Keys of all finished fits."""
        with self._open() as db:
            return {key for (key,) in db.execute("SELECT key FROM fits")}

    def put(self, key: str, result: Result) -> None:
        """Keep a result; a later one of the same key replaces it."""
        with self._open() as db:
            values = (key, result.scores.astype("<f8").tobytes(), result.seconds, result.warning)
            db.execute("INSERT OR REPLACE INTO fits VALUES (?, ?, ?, ?)", values)

    def get(self, key: str) -> Result:
        """A result that is there; KeyError otherwise."""
        with self._open() as db:
            row = db.execute("SELECT scores, seconds, warning FROM fits WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return Result(np.frombuffer(row[0], dtype="<f8").astype(np.float64), float(row[1]), str(row[2]))

    def remove(self) -> None:
        """Delete the file: the run is complete."""
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=60)
        try:
            with db:
                yield db
        finally:
            db.close()


def request_key(request: Request) -> str:
    """Name of a request in the journal: who is trained on, and how."""
    recipe, rows = request
    return f"{hashlib.sha256(np.asarray(rows, dtype='<i8').tobytes()).hexdigest()[:16]} {recipe.key}"


def run_fits(
    corpus: Corpus,
    requests: Sequence[Request],
    journal: Journal,
    *,
    jobs: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Result]:
    """Fit every request that the journal does not hold yet, and return the results of all.

    Parameters
    ----------
    jobs
        Processes side by side; they share one copy of the corpus, mapped into memory. The results do not
        depend on it.
    progress
        Called with (finished, all) requests, at the start and whenever some are finished.

    Returns
    -------
    dict
        By `request_key`.

    Raises
    ------
    KeyboardInterrupt
        After the processes were stopped; the journal holds every finished fit.
    """
    wanted = {request_key(request): request for request in requests}
    finished = journal.keys() & set(wanted)
    report = progress or (lambda done, total: None)
    done = len(finished)
    report(done, len(wanted))
    batches = _batches([r for key, r in wanted.items() if key not in finished])
    for count in _run(corpus, batches, journal.path, jobs, seed):
        done += count
        report(done, len(wanted))
    return {key: journal.get(key) for key in wanted}


def _batches(requests: Iterable[Request]) -> list[list[Request]]:
    """Requests that can share a TF-IDF, together; by rows, so that the time left can be told early."""
    batches: dict[tuple[str, str], list[Request]] = {}
    for recipe, rows in requests:
        shared = Recipe("", recipe.features)
        batches.setdefault((request_key((Recipe(""), rows)), shared.key), []).append((recipe, rows))
    return list(batches.values())


def _run(corpus: Corpus, batches: list[list[Request]], journal: Path, jobs: int, seed: int) -> Iterator[int]:
    """Number of fits in each batch, when it is finished."""
    import joblib

    from framelens_train.pipeline import ngram_sizes

    if not batches:
        return
    data = Training(corpus.X, corpus.y, corpus.articles, ngram_sizes(corpus.vocabulary))
    if jobs == 1 or len(batches) == 1:
        for batch in batches:
            yield _fit_batch(data, batch, journal, seed)
        return
    scratch = Path(tempfile.mkdtemp(prefix="framelens-"))
    try:
        shared = scratch / "training.joblib"
        joblib.dump(data, shared)
        with joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1) as parallel:
            with _workers_ignore_interrupts():
                list(parallel(joblib.delayed(_warm_up)(shared) for _ in range(jobs)))
            with warnings.catch_warnings():
                # a process that has grown is replaced by joblib; nothing is lost
                warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
                yield from parallel(
                    joblib.delayed(_fit_shared)(shared, batch, journal, seed) for batch in batches
                )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _workers_ignore_interrupts() -> Iterator[None]:
    """Processes started in here leave Ctrl-C to this one, which stops them; else each prints a traceback."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread: no one can interrupt it either
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Training:
    """As much of a corpus as a fit needs: counts, labels, who owns what, and the terms' lengths."""

    X: Any
    y: npt.NDArray[np.int8]
    articles: Any
    sizes: npt.NDArray[np.int8]


@lru_cache(maxsize=1)
def _shared_data(path: Path) -> Training:
    import joblib

    data: Training = joblib.load(path, mmap_mode="r")
    return data


def _warm_up(path: Path) -> float:
    """Start a process and map the corpus into it."""
    return float(_shared_data(path).X.data.sum())


def _fit_shared(path: Path, batch: list[Request], journal: Path, seed: int) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # also in a process that took another's place
    from framelens_train.evaluate.fitting import keep_freed_memory

    keep_freed_memory()
    return _fit_batch(_shared_data(path), batch, journal, seed)


def _fit_batch(data: Training, batch: list[Request], journal: Path, seed: int) -> int:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from framelens_train.pipeline import FieldTfidf, classifier_scores

    rows = batch[0][1]
    others = np.setdiff1d(np.arange(data.X.shape[0]), rows)
    store = Journal(journal)
    with threadpool_limits(limits=1):  # one thread a fit: the bits do not depend on how many run side by side
        X = data.X[rows]
        features = FieldTfidf(**batch[0][0].features, sizes=data.sizes)
        train = features.fit_transform(X)
        test = features.transform(data.X[others])
        del X
        for recipe, _ in batch:
            start = time.perf_counter()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                classifier = fit_classifier(recipe, train, data, rows, seed=seed)
            seconds = time.perf_counter() - start
            scores = np.full(data.X.shape[0], np.nan)
            scores[others] = classifier_scores(classifier, test)
            told = "; ".join(sorted({str(w.message).splitlines()[0] for w in caught}))
            store.put(request_key((recipe, rows)), Result(scores, seconds, told))
    return len(batch)
