"""A frozen model on somebody else's articles: scored by the runtime, sorted by what the model knew of them.

The manifest says which outlets and owners the model was trained on and until when. An article whose owner
it never saw belongs to ``owner_disjoint``, and to ``country_disjoint`` as well if nothing of its country was
trained on or it is Western and independent; one of a known owner's unseen outlet to ``outlet_disjoint``; one
of a known outlet, dated after the last training date (or in a year from which training has nothing of that
outlet), to ``temporal``; any other to ``random``, which the model may have trained on.

Each group needs both labels. An independent's owner is its outlet (or its company), so an unseen outlet is
nearly always an unseen owner: independents of unseen outlets are the contrast in ``outlet_disjoint`` too. A
group without articles, or with one label only, is reported with its size and no figures. ``all`` holds
every article once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError
from framelens_train.evaluate import slices, summary
from framelens_train.evaluate.metrics import Bools, macro_f1
from framelens_train.evaluate.outlets import outlet_figures
from framelens_train.evaluate.protocols import PROTOCOLS, Scored
from framelens_train.evaluate.run import Evaluation, corpus_figures, reliability_rows, worst_articles

if TYPE_CHECKING:
    import pandas as pd

    from framelens import Model
    from framelens_train.corpus.dataset import Corpus

TITLES = {
    "random": "outlets and time known",
    "outlet_disjoint": "outlets unseen",
    "owner_disjoint": "owners unseen",
    "country_disjoint": "owners and countries unseen",
    "temporal": "known outlets, later",
    "all": "all articles",
}
"""What the protocols are called here, where nothing was split."""


def evaluate_frozen(model: Model, path: Path, *, seed: int = 0) -> Evaluation:
    """Score a file of labelled articles with a model as it is, and report by protocol.

    Parameters
    ----------
    model
        As `framelens.load` gives it.
    path
        JSON lines, CSV or Parquet with text, label and outlet; owner, country, region and date where known.
        Rows that cannot be used are left out and listed under ``rejected``.
    seed
        Of the bootstraps.

    Raises
    ------
    UserError
        When the file cannot be read, no row of it can be used, or the manifest does not say what the model
        was trained on.
    """
    from framelens_train.corpus.articles import Reject

    training = model.artifact.manifest.get("training") or {}
    if not training.get("outlets"):
        raise UserError(
            f"the manifest of {model.version.name} {model.version.version} does not list its training "
            "outlets; export the model again with `framelens promote`"
        )
    rejects: list[Reject] = []
    corpus, texts = read_external(path, model, rejects)
    if not (corpus.y >= 0).any():
        raise UserError(f"{path}: no article is labelled state or independent, so nothing can be measured")
    scored = score_texts(model, corpus, texts)
    figures: dict[str, Any] = {"protocols": {}, "outlets": {}}
    for name, inside in relation(corpus.articles, scored, training).items():
        group = scored.take(inside & (scored.y >= 0))
        figures["protocols"][name] = {
            "title": TITLES[name],
            **summary.figures_and_answers(corpus.articles, group, seed=seed),
        }
        figures["outlets"][name] = _together(model, corpus, group, seed=seed)
    labelled, mixed = scored.take(scored.y >= 0), scored.take(scored.y < 0)
    figures["per_owner"] = summary.groups_figures(corpus.articles, labelled, "owner")
    figures["per_outlet"] = summary.groups_figures(corpus.articles, labelled, "outlet")
    figures["baselines"] = _majority(labelled)
    figures["hard_slices"] = slices.slice_figures(corpus, labelled, mixed)
    figures["false_state_rate_nonwest"] = figures["protocols"]["all"]["false_state_rate_nonwest"]
    figures["coverage"] = {"all": summary.coverage_curve(labelled)}
    figures["reliability"] = {"all": reliability_rows(labelled)}
    figures["worst_articles"] = worst_articles(corpus, labelled)
    figures["corpus"] = corpus_figures(corpus)
    figures["model"] = {"name": model.version.name, "version": model.version.version}
    figures["rejected"] = [{"row": each.row, "id": each.id, "reason": each.reason} for each in rejects]
    figures["seed"] = seed
    return Evaluation(figures, {})


def read_external(path: Path, model: Model, rejects: list[Any]) -> tuple[Corpus, list[str]]:
    """The usable articles of a file, counted with the model's vocabulary, and their texts.

    Labels and regions are the rows' own; owners and countries as corpus building would give them.
    """
    from framelens.features.batch import featurize
    from framelens.predictor import prepare
    from framelens_train.corpus.articles import read_articles, text_sha256
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.corpus.derive import describe
    from framelens_train.corpus.readers import iterate_rows
    from framelens_train.corpus.storage import file_sha256

    articles = read_articles(path, rejects)
    batch = featurize([prepare(text) for text in articles["text"]], model.artifact.linear.vocabulary)
    described, _ = describe(articles, batch)
    wanted = set(articles["row"])
    regions = {number: row.get("region") for number, row in iterate_rows(path) if number in wanted}
    given = articles["row"].map(regions)
    described["region"] = given.where(given.isin(["west", "nonwest"]), described["region"])
    described["label"] = articles["label"]
    described["cluster"] = np.arange(len(articles))
    described["sha256"] = [text_sha256(text) for text in articles["text"]]
    table = described.drop(columns=["text", "title", "row"]).reset_index(drop=True)
    corpus = Corpus(table, batch, model.artifact.linear.vocabulary, file_sha256(path), path.name)
    return corpus, articles["text"].tolist()


def score_texts(model: Model, corpus: Corpus, texts: list[str]) -> Scored:
    """What the runtime says of every text."""
    from framelens.abstain import REASONS

    answer = model.predict_batch(texts)
    n = len(texts)
    return Scored(
        np.arange(n, dtype=np.int64),
        corpus.y.astype(np.int64),
        answer.score,
        answer.p_state,
        np.full(n, float(model.artifact.thresholds.decision)),
        np.asarray(answer.reasons.any(axis=1), dtype=np.bool_),
        {reason: answer.reasons[:, i] for i, reason in enumerate(REASONS)},
        np.zeros(n, dtype=np.int64),
        ("frozen",),
    )


def _together(model: Model, corpus: Corpus, scored: Scored, *, seed: int) -> list[dict[str, Any]]:
    """Several articles of one outlet answered together; none if the model does not know how they add up."""
    evidence, thresholds = model.artifact.outlet_evidence, model.artifact.thresholds
    if evidence is None:
        return []
    boundary = thresholds.abstain_low, thresholds.abstain_high
    return outlet_figures(corpus, scored, [evidence], [boundary], seed=seed)


def relation(articles: pd.DataFrame, scored: Scored, training: Mapping[str, Any]) -> dict[str, Bools]:
    """Which articles belong to which protocol, and to ``all``; bool, shape (n,) each.

    Parameters
    ----------
    training
        The manifest's entry: ``outlets``, ``owners``, ``last_date`` (ISO) and, if known, ``countries`` (else
        no article is in ``country_disjoint``) and ``years``, from outlet to the years of its training
        articles.
    """
    outlet = np.array([outlet_key(name) for name in articles["outlet"]], dtype=object)
    owner = articles["owner"].astype(str).to_numpy(dtype=object)
    known_outlet = np.isin(outlet, [outlet_key(name) for name in training["outlets"]])
    known_owner = known_outlet | np.isin(owner, [str(name) for name in training.get("owners", ())])
    state = scored.y == 1
    later = known_outlet & _later(articles, outlet, training)
    groups = {
        "random": known_outlet & ~later,
        "outlet_disjoint": ~known_outlet & (known_owner | ~state),
        "owner_disjoint": ~known_owner,
        "country_disjoint": ~known_owner & _unseen_country(articles, state, training),
        "temporal": later,
    }
    return {name: groups[name] for name in PROTOCOLS} | {"all": np.ones(len(articles), dtype=np.bool_)}


def outlet_key(name: object) -> str:
    """One spelling of an outlet that may be written as a name or as its address.

    Examples
    --------
    >>> outlet_key("www.RT.com"), outlet_key("rt")
    ('rt', 'rt')
    """
    return str(name).casefold().removeprefix("www.").removesuffix(".com")


def _unseen_country(articles: pd.DataFrame, state: Bools, training: Mapping[str, Any]) -> Bools:
    """Articles of a country that nothing of was trained on; and Western independents, as in
    `framelens_train.splits.country_disjoint`.
    """
    known = training.get("countries")
    if not known:
        return np.zeros(len(articles), dtype=np.bool_)
    country = articles["country"].fillna("").astype(str).to_numpy(dtype=object)
    west = articles["region"].to_numpy(dtype=object) == "west"
    return np.asarray(((country != "") & ~np.isin(country, known)) | (west & ~state), dtype=np.bool_)


def _later(articles: pd.DataFrame, outlet: npt.NDArray[Any], training: Mapping[str, Any]) -> Bools:
    dates = articles["date"].fillna("").astype(str).to_numpy(dtype=object)
    last = str(training.get("last_date") or "9999")
    years = {
        outlet_key(name): {str(year) for year in seen} for name, seen in training.get("years", {}).items()
    }
    return np.array(
        [
            bool(date) and (date > last or (key in years and date[:4] not in years[key]))
            for date, key in zip(dates, outlet, strict=True)
        ],
        dtype=np.bool_,
    )


def _majority(scored: Scored) -> dict[str, Any]:
    """The label most of these articles have, given to all: no model can know it, so this is generous."""
    found = np.full(len(scored.y), np.mean(scored.y == 1) >= 0.5)
    return {
        "majority": {
            "title": "always the more frequent label",
            "all": {"macro_f1": macro_f1(scored.y, found)},
        }
    }
