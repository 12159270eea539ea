"""The hard slices: kinds of articles on which a careless model fails, found from columns and measures
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens.features.reference import MEASURES
from framelens_train.evaluate.metrics import Bools, Ints, fold_auc, wilson

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.evaluate.protocols import Scored

QUOTES_AT_LENGTH = 0.25
"""Share of an article's words in quotation marks from which on it quotes at length."""

SPORT_WORDS = 0.02
"""Share of words of the lexicon's sport and entertainment category that makes an article one of sport or
culture.
"""

BROADCASTERS = frozenset(
    {"rt", "rt.com", "trt", "trtworld", "trtworld.com", "cgtn", "cgtn.com", "presstv", "presstv.ir"}
    | {"sputnik", "sputniknews", "sputniknews.com", "telesur", "telesurenglish.net", "aa.com.tr"}
)
"""State outlets made for an audience abroad, whose English is an international newsroom's."""

SEED_ARTICLE = "seed-0001"


@dataclass(frozen=True)
class Slice:
    """One kind of article.

    Attributes
    ----------
    name
        Key in the JSON.
    title
        For people.
    label
        1 or 0: the slice holds articles of this label and is compared with all of the other; None: both
        labels.
    holds
        Which rows of the corpus belong to it, bool, shape (articles,).
    """

    name: str
    title: str
    label: int | None
    holds: Callable[[Corpus], Bools]


def _measure(corpus: Corpus, name: str) -> Ints:
    return np.asarray(corpus.batch.measures[:, MEASURES.index(name)], dtype=np.int64)


def _column(corpus: Corpus, name: str) -> Bools:
    if name not in corpus.articles:
        return np.zeros(len(corpus.articles), dtype=np.bool_)
    return corpus.articles[name].fillna(False).to_numpy(dtype=np.bool_)


def _words(corpus: Corpus) -> Ints:
    return np.maximum(_measure(corpus, "words"), 1)


def quotes_at_length(corpus: Corpus) -> Bools:
    """A quarter of the words or more stand in quotation marks."""
    return np.asarray(_measure(corpus, "quoted_words") / _words(corpus) >= QUOTES_AT_LENGTH)


def without_quotation(corpus: Corpus) -> Bools:
    """Not one quotation, in a text whose collector kept the punctuation."""
    return np.asarray((_measure(corpus, "quotations") == 0) & ~_column(corpus, "unpunctuated"))


def sport_or_culture(corpus: Corpus) -> Bools:
    """By the address or topic, or by the share of sport and entertainment words in the reporter's voice."""
    share = _measure(corpus, "sport_entertainment_reporter") / _words(corpus)
    return np.asarray(_column(corpus, "sport") | (share >= SPORT_WORDS))


def non_western(corpus: Corpus) -> Bools:
    """Written from outside the West."""
    if "region" not in corpus.articles:
        return np.zeros(len(corpus.articles), dtype=np.bool_)
    return np.asarray(corpus.articles["region"].to_numpy(dtype=object) == "nonwest", dtype=np.bool_)


def state_broadcasters(corpus: Corpus) -> Bools:
    """Of an outlet in `BROADCASTERS`."""
    return np.asarray(corpus.articles["outlet"].isin(BROADCASTERS), dtype=np.bool_)


SLICES: tuple[Slice, ...] = (
    Slice(
        "independent_quoting",
        "independent reports that quote at length (25 % of words or more)",
        0,
        quotes_at_length,
    ),
    Slice("state_without_quotation", "state articles without a quotation", 1, without_quotation),
    Slice("state_sport_culture", "state outlets' sport and culture", 1, sport_or_culture),
    Slice("independent_nonwest", "non-Western independents", 0, non_western),
    Slice("state_broadcasters", "polished state broadcasters", 1, state_broadcasters),
    Slice(
        "independent_partisan", "hyper-partisan but not state", 0, lambda corpus: _column(corpus, "partisan")
    ),
    Slice("independent_opinion", "independent opinion", 0, lambda corpus: _column(corpus, "opinion")),
    Slice("wire", "wire copy on either side", None, lambda corpus: _column(corpus, "wire")),
    Slice(
        "unpunctuated",
        "punctuation lost by the collector",
        None,
        lambda corpus: _column(corpus, "unpunctuated"),
    ),
    Slice("truncated", "only the lead of the article", None, lambda corpus: _column(corpus, "truncated")),
)


def slice_figures(corpus: Corpus, scored: Scored, mixed: Scored | None = None) -> dict[str, dict[str, Any]]:
    """What became of each hard slice among the tested articles.

    Returns
    -------
    dict
        By slice: ``title``, ``n``; for each label that it holds ``recall_state`` or ``false_state_rate``
        with the interval ``ci95`` of articles, ``mean_p_state``, ``answered`` (share not abstained on), and
        ``roc_auc`` (mean over folds) of the slice against all tested articles of the other label (of
        itself, where it holds both). An empty slice has ``n`` 0 alone. ``mixed`` tells what is said of
        public broadcasters, ``seed_article`` of the one article.
    """
    table: dict[str, dict[str, Any]] = {}
    for each in SLICES:
        inside = each.holds(corpus)[scored.rows] & (scored.y >= 0)
        if each.label is not None:
            inside &= scored.y == each.label
        table[each.name] = {"title": each.title} | _figures(scored, inside, each.label)
    if mixed is not None:
        table["mixed"] = {"title": "public broadcasters and others labelled mixed"} | _mixed(mixed)
    seed = np.flatnonzero((corpus.articles["id"] == SEED_ARTICLE).to_numpy()[scored.rows])
    if len(seed):
        i = int(seed[0])
        table["seed_article"] = {
            "title": "the seed article, an independent report of a minister's words",
            "n": 1,
            "p_state": float(scored.p[i]),
            "score": float(scored.score[i]),
            "abstains": bool(scored.abstains[i]),
        }
    return table


def _figures(scored: Scored, inside: Bools, label: int | None) -> dict[str, Any]:
    n = int(inside.sum())
    if n == 0:
        return {"n": 0}
    found = scored.found
    figures: dict[str, Any] = {"n": n}
    for code, key in ((1, "recall_state"), (0, "false_state_rate")):
        mine = inside & (scored.y == code)
        if mine.any():
            hits = int(found[mine].sum())
            figures[key] = hits / int(mine.sum())
            figures["ci95" if label is not None else f"{key}_ci95"] = list(wilson(hits, int(mine.sum())))
    figures["mean_p_state"] = float(scored.p[inside].mean())
    figures["answered"] = float((~scored.abstains)[inside].mean())
    pool = inside if label is None else inside | (scored.y == 1 - label)
    figures["roc_auc"] = fold_auc(scored.y[pool], scored.score[pool], scored.fold[pool])
    return figures


def _mixed(mixed: Scored) -> dict[str, Any]:
    if not len(mixed.rows):
        return {"n": 0}
    return {
        "n": len(mixed.rows),
        "called_state": float(mixed.found.mean()),
        "mean_p_state": float(mixed.p.mean()),
        "answered": float((~mixed.abstains).mean()),
    }
