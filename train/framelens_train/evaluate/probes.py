"""Leak probes: what the features know that they should not, and what the scores lean on.

From counts alone: how well the same features tell outlets apart; what remains without punctuation (its
terms and measures struck out, quoted words given back to the reporter), and without countries (theirs struck
out). From raw text only: what remains without the first and the last paragraph, without punctuation in the
text itself, and with the names of countries and leaders swapped. Each is scored by the fold's model that
never saw the article's owner, and compared with the same articles untouched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.features.reference import MEASURES, NATION_MEASURES
from framelens.features.tokens import NATION_TOKEN
from framelens_train.evaluate.metrics import Bools, Ints, fold_auc, macro_f1

if TYPE_CHECKING:
    from framelens.features.vocabulary import Vocabulary
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.evaluate.protocols import ProtocolResult, Scored

OUTLETS_TOLD_APART = 40
ARTICLES_AN_OUTLET = 80
LEAST_ARTICLES = 40
PROBED_ARTICLES = 3000
NEEDS_RAW = "needs raw text: give --raw the file the corpus was built from"

PUNCTUATION_MEASURES = (
    "sentences", "quotations", "period", "comma", "semicolon", "colon", "question", "exclamation", "bracket",
    "dash", "currency", "percent",
)  # fmt: skip

SWAPS = (
    ("United States", "China"), ("America", "Russia"), ("American", "Russian"), ("Washington", "Beijing"),
    ("Britain", "Iran"), ("British", "Iranian"), ("London", "Tehran"), ("Ukraine", "Zimbabwe"),
    ("Ukrainian", "Zimbabwean"), ("Kyiv", "Harare"), ("Israel", "North Korea"), ("Israeli", "North Korean"),
    ("India", "Turkey"), ("Indian", "Turkish"), ("Biden", "Putin"), ("Trump", "Xi Jinping"),
    ("Obama", "Kim Jong Un"), ("Zelensky", "Mnangagwa"), ("Netanyahu", "Khamenei"), ("Modi", "Erdogan"),
)  # fmt: skip
"""Names that change places, each way."""


def probe_figures(
    corpus: Corpus, result: ProtocolResult, *, raw: Path | None = None, seed: int = 0
) -> dict[str, Any]:
    """All probes.

    Parameters
    ----------
    result
        The owner-disjoint protocol, carried out on `corpus`.
    raw
        The file of raw articles that the corpus was built from, or None.

    Returns
    -------
    dict
        ``outlet_identification`` (accuracy, chance, outlets, n); ``without_punctuation``,
        ``without_countries``, ``without_first_and_last_paragraph``, ``punctuation_removed_from_text``,
        ``names_swapped``: each with ``n``, ``macro_f1`` and ``roc_auc`` before and after, and
        ``label_changes``; or ``{"status": why not}``.
    """
    figures: dict[str, Any] = {"outlet_identification": identify_outlets(corpus, seed=seed)}
    rows = result.scored.rows[result.scored.y >= 0]
    struck = without_punctuation(corpus.X[rows], corpus.vocabulary)
    figures["without_punctuation"] = _compare(corpus, result, rows, struck) | {
        "how": "terms and measures of punctuation struck from the counts"
    }
    struck = without_countries(corpus.X[rows], corpus.vocabulary)
    figures["without_countries"] = _compare(corpus, result, rows, struck) | {
        "how": "terms and measures of countries struck from the counts"
    }
    names = {
        "without_first_and_last_paragraph": without_edges,
        "punctuation_removed_from_text": remove_punctuation,
        "names_swapped": swap_names,
    }
    if raw is None:
        return figures | {name: {"status": NEEDS_RAW} for name in names}
    texts = _raw_texts(corpus, raw, _sample(result, seed))
    found = np.array(sorted(texts), dtype=np.int64)
    for name, change in names.items():
        figures[name] = _probe_texts(corpus, result, found, [change(texts[int(r)]) for r in found])
    return figures


def identify_outlets(corpus: Corpus, *, seed: int = 0) -> dict[str, Any]:
    """How often a linear classifier on the same counts names the outlet of an article, among the largest
    outlets.

    It is trained on half of each outlet's articles and tested on the other half, clusters apart.
    """
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.linear_model import RidgeClassifier

    from framelens_train.splits import cluster_codes

    rng = np.random.default_rng(seed)
    outlets = corpus.articles["outlet"].to_numpy(dtype=object).astype(str)
    names, counts = np.unique(outlets, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:OUTLETS_TOLD_APART]
    largest = names[order][counts[order] >= LEAST_ARTICLES]
    if len(largest) < 2:
        return {"status": f"needs two outlets of {LEAST_ARTICLES} articles or more"}
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(outlets == name))[:ARTICLES_AN_OUTLET] for name in largest]
    )
    half = rng.permutation(cluster_codes(corpus.articles).max() + 1)[cluster_codes(corpus.articles)[rows]] % 2
    terms = 2 * len(corpus.vocabulary)
    train, test = rows[half == 0], rows[half == 1]
    tfidf = TfidfTransformer(sublinear_tf=True).fit(corpus.X[train][:, :terms])
    fitted = RidgeClassifier(alpha=1.0, solver="sparse_cg", tol=1e-3, random_state=seed).fit(
        tfidf.transform(corpus.X[train][:, :terms]), outlets[train]
    )
    right = fitted.predict(tfidf.transform(corpus.X[test][:, :terms])) == outlets[test]
    return {
        "accuracy": float(right.mean()),
        "chance": float(1 / len(largest)),
        "outlets": len(largest),
        "n": len(test),
    }


def without_punctuation(X: Any, vocabulary: Vocabulary) -> Any:
    """Counts as if the text had lost its punctuation: no such term or measure, no quotation, all words
    reported.
    """
    import scipy.sparse as sp

    from framelens_train.evaluate.baselines import has_no_punctuation

    V = len(vocabulary)
    kept = sp.diags(
        [float(has_no_punctuation(term)) for term in vocabulary.terms], format="csr", dtype=np.float32
    )
    merged = (X[:, :V] + X[:, V : 2 * V]) @ kept
    measures = X[:, 2 * V :].toarray()
    column = {name: i for i, name in enumerate(MEASURES)}
    for name in ("quoted_words", *PUNCTUATION_MEASURES):
        measures[:, column[name]] = 0
    for name, i in column.items():
        if name.endswith("_quoted"):
            measures[:, column[name.removesuffix("_quoted") + "_reporter"]] += measures[:, i]
            measures[:, i] = 0
    empty = sp.csr_matrix((X.shape[0], V), dtype=np.float32)
    joined = sp.hstack([merged, empty, sp.csr_matrix(measures)], format="csr", dtype=np.float32)
    joined.eliminate_zeros()
    return joined


def names_country(term: str) -> bool:
    """Whether a token of the term is a country."""
    return NATION_TOKEN in term.split(" ")


def without_countries(X: Any, vocabulary: Vocabulary) -> Any:
    """Counts as if no country were named: no term with one, and none in the measures."""
    V = len(vocabulary)
    kept = np.ones(X.shape[1], dtype=np.float32)
    kept[: 2 * V] = np.tile([not names_country(term) for term in vocabulary.terms], 2)
    kept[2 * V :] = [name not in NATION_MEASURES for name in MEASURES]
    struck = X.multiply(kept[None, :]).tocsr()
    struck.eliminate_zeros()
    return struck


# -- on raw text -------------------------------------------------------------------------------------------


def without_edges(text: str) -> str:
    """The text without its first and last paragraph; as it is, when fewer than three are left to choose
    from.
    """
    paragraphs = [p for p in text.split("\n") if p.strip()]
    return "\n".join(paragraphs[1:-1]) if len(paragraphs) >= 3 else text


def remove_punctuation(text: str) -> str:
    """The text without punctuation marks, apostrophes within words aside."""
    return re.sub(r"[^\w\s'’]|(?<!\w)['’]|['’](?!\w)|_", " ", text)


def swap_names(text: str) -> str:
    """The text with the names of countries and leaders changing places; see `SWAPS`."""
    table = {a: b for pair in SWAPS for a, b in (pair, pair[::-1])}
    pattern = r"\b(" + "|".join(sorted(map(re.escape, table), key=len, reverse=True)) + r")\b"
    return re.sub(pattern, lambda match: table[match[0]], text)


def _sample(result: ProtocolResult, seed: int) -> Ints:
    """Half state, half independent articles among those tested, at most `PROBED_ARTICLES`."""
    rng = np.random.default_rng(seed)
    sides = [rng.permutation(result.scored.rows[result.scored.y == label]) for label in (0, 1)]
    return np.sort(np.concatenate([side[: PROBED_ARTICLES // 2] for side in sides]))


def _raw_texts(corpus: Corpus, raw: Path, rows: Ints) -> dict[int, str]:
    """Raw text of the wanted rows, found by the hash of the text."""
    from framelens_train.corpus.articles import text_sha256
    from framelens_train.corpus.readers import iterate_rows

    wanted = {corpus.articles["sha256"].iloc[int(row)]: int(row) for row in rows}
    found: dict[int, str] = {}
    for _, record in iterate_rows(raw):
        text = record.get("text")
        if isinstance(text, str) and (row := wanted.get(text_sha256(text))) is not None:
            found[row] = text
    return found


def _probe_texts(corpus: Corpus, result: ProtocolResult, rows: Ints, texts: Sequence[str]) -> dict[str, Any]:
    from framelens.clean import clean
    from framelens.features.batch import featurize
    from framelens_train.corpus.dataset import Corpus as Table

    if not len(rows):
        return {"status": "none of the corpus's articles is in the raw file"}
    batch = featurize([clean(text) for text in texts], corpus.vocabulary)
    changed = Table(
        corpus.articles.iloc[rows].reset_index(drop=True), batch, corpus.vocabulary, corpus.sha256
    )
    return _compare(corpus, result, rows, changed.X)


def _compare(corpus: Corpus, result: ProtocolResult, rows: Ints, changed: Any) -> dict[str, Any]:
    """Figures before and after; row i of `changed` is what has become of the article in row ``rows[i]``."""
    place = np.searchsorted(result.scored.rows, rows)
    fold, y, before = result.scored.fold[place], result.scored.y[place], result.scored.p[place]
    threshold, after, margin = result.scored.decision[place], np.empty(len(rows)), np.empty(len(rows))
    for k in np.unique(fold):
        model, inside = result.models[int(k)], np.flatnonzero(fold == k)
        margin[inside] = model.scorer.decision_function(changed[inside])
        after[inside] = model.calibration.p_state(margin[inside])
    return {
        "n": len(rows),
        "macro_f1": [macro_f1(y, before >= threshold), macro_f1(y, after >= threshold)],
        "roc_auc": [fold_auc(y, result.scored.score[place], fold), fold_auc(y, margin, fold)],
        "label_changes": float(((before >= threshold) != (after >= threshold)).mean()),
        "mean_change_of_p_state": float((after - before).mean()),
    }


# -- voice and quotation against a plain bag of words ------------------------------------------------------


def voice_and_quotation(
    corpus: Corpus, ours: ProtocolResult, plain: ProtocolResult, *, seed: int = 0
) -> dict[str, Any]:
    """The recipe against plain bag of words where quotation decides, on the same articles and folds.

    In every fold both models call as many articles state as there are, so that neither wins a slice by
    leaning to its label, and neither calibration nor threshold has a part in it.

    Returns
    -------
    dict
        ``independent_quoting`` and ``state_without_quotation``: ``n``; ``errors`` (share of wrong labels) and
        ``roc_auc`` (against all articles of the other label) of ours and of the bag of words; ``margin``
        (errors of the bag of words less ours) with ``ci95``, and ``roc_auc_margin`` with ``roc_auc_ci95``,
        over outlets.
    """
    from framelens_train.evaluate import slices

    rows, y = ours.scored.rows, ours.scored.y
    if not np.array_equal(rows, plain.scored.rows):
        raise ValueError("the two protocols tested different articles")
    outlets = corpus.articles["outlet"].to_numpy(dtype=object)[rows]
    sides = (
        ("independent_quoting", 0, slices.quotes_at_length),
        ("state_without_quotation", 1, slices.without_quotation),
    )
    pair = (ours.scored, plain.scored)
    return {
        name: _margins(pair, holds(corpus)[rows] & (y == label), label, outlets, seed)
        for name, label, holds in sides
    }


def _margins(
    pair: tuple[Scored, Scored], inside: Bools, label: int, outlets: npt.NDArray[Any], seed: int
) -> dict[str, Any]:
    """The second model's errors less the first one's on a slice, and the same of the areas."""
    from framelens_train.evaluate import bootstrap

    if not inside.any():
        return {"n": 0}
    y, fold = pair[0].y, pair[0].fold
    wrong = [(called_as_many(each) != (y == 1))[inside].astype(np.float64) for each in pair]
    resamples = bootstrap.resample(y[inside], outlets[inside], seed=seed)
    pool = inside | (y == 1 - label)
    both = bootstrap.resample(y[pool], outlets[pool], seed=seed)
    areas = [fold_auc(y[pool], each.score[pool], fold[pool]) for each in pair]
    figures: dict[str, Any] = {
        "n": int(inside.sum()),
        "errors": [float(each.mean()) for each in wrong],
        "margin": float((wrong[1] - wrong[0]).mean()),
        "ci95": bootstrap.interval(bootstrap.mean_draws(wrong[1] - wrong[0], resamples)),
        "roc_auc": areas,
    }
    if areas[0] is not None and areas[1] is not None:
        draws = [bootstrap.fold_auc_draws(y[pool], each.score[pool], fold[pool], both) for each in pair]
        figures["roc_auc_margin"] = areas[0] - areas[1]
        figures["roc_auc_ci95"] = bootstrap.interval(draws[0] - draws[1])
    return figures


def called_as_many(scored: Scored) -> Bools:
    """The articles with the highest margins of each fold, as many as it has state articles; bool, shape
    (n,).
    """
    called = np.zeros(len(scored.y), dtype=np.bool_)
    for k in np.unique(scored.fold):
        inside = np.flatnonzero(scored.fold == k)
        state = int((scored.y[inside] == 1).sum())
        called[inside[np.argsort(-scored.score[inside], kind="stable")[:state]]] = True
    return called
