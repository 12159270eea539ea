"""Slices, probes and baselines say what they claim to measure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from framelens.features.batch import featurize
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens_train.candidates import Recipe
from framelens_train.corpus.articles import text_sha256
from framelens_train.corpus.dataset import Corpus
from framelens_train.evaluate import baselines, probes, protocols, slices
from framelens_train.evaluate.fitting import RecipeFitter

# written for these tests; no newspaper printed it
INVENTED = (
    'The minister hailed the friendly relations. "We stressed cooperation," he said.\n'
    "Officials of the United States and of China met in London, whether invited or not.\n"
    "The talks (the third round) ended late; concerns remain - and many of them."
)


@pytest.fixture(scope="module")
def results(corpus: Corpus, recipe: Recipe) -> dict[str, protocols.ProtocolResult]:
    splits, _ = protocols.available_splits(corpus)
    wanted = {"owner_disjoint": splits["owner_disjoint"]}
    return {
        name: protocols.run_protocols(fitter, corpus, wanted)["owner_disjoint"]
        for name, fitter in (("ours", RecipeFitter(recipe)), ("plain", baselines.BagOfWords(min_df=2)))
    }


TERMS = ("the", "said", "we stressed", "hailed", "( the", "concerns remain", "concerns remain -")


def as_corpus(text: str, terms: Sequence[str] = TERMS) -> Corpus:
    import pandas as pd

    vocabulary = Vocabulary(terms)
    return Corpus(
        pd.DataFrame({"label": ["state"]}), featurize([text], vocabulary, engine="reference"), vocabulary, ""
    )


def test_counts_without_punctuation_are_nearly_those_of_the_text_without_it() -> None:
    before, bare = as_corpus(INVENTED), as_corpus(probes.remove_punctuation(INVENTED))
    struck = probes.without_punctuation(before.X, before.vocabulary).toarray()[0]
    truly = bare.X.toarray()[0]
    terms = 2 * len(before.vocabulary)
    np.testing.assert_array_equal(struck[:terms], truly[:terms])
    for name in ("quoted_words", "quotations", "comma", "bracket", "stress_quoted", "stress_reporter"):
        column = terms + MEASURES.index(name)
        assert struck[column] == truly[column], name


def test_without_countries_nothing_that_counts_them_is_left_and_all_else_is() -> None:
    terms = ("army of", "of <nation>", "<nation> and <name>", "and")
    named = as_corpus("The army of Kenya and Peru and “the army of Chad”.", terms)
    counted = named.X.toarray()[0]
    struck = probes.without_countries(named.X, named.vocabulary).toarray()[0]
    gone = np.flatnonzero(struck != counted)
    nations = {2 * len(terms) + MEASURES.index(f"nation_{field}") for field in ("reporter", "quoted")}
    assert set(gone) == {1, 1 + len(terms), *nations}
    assert not struck[gone].any()


def test_edges_are_cut_only_where_a_middle_is_left() -> None:
    assert probes.without_edges(INVENTED).startswith("Officials")
    assert probes.without_edges("one\n\ntwo") == "one\n\ntwo"


def test_swapping_names_goes_both_ways_and_leaves_other_words() -> None:
    swapped = probes.swap_names(INVENTED)
    assert "Officials of the China and of United States met in Tehran" in swapped
    assert probes.swap_names(swapped) == INVENTED
    assert probes.swap_names("Indiana and Americans") == "Indiana and Americans"


def test_text_probes_are_measured_on_raw_text_and_named_as_missing_without_it(
    corpus: Corpus, results: dict[str, protocols.ProtocolResult], tmp_path: Path
) -> None:
    without = probes.probe_figures(corpus, results["ours"])
    assert without["names_swapped"]["status"] == probes.NEEDS_RAW
    texts = [f"{INVENTED} {i}" for i in range(40)]
    articles = corpus.articles.copy()
    articles["sha256"] = ["" for _ in range(len(articles))]
    articles.loc[np.arange(40) * 10, "sha256"] = [text_sha256(text) for text in texts]
    raw = tmp_path / "raw.jsonl"
    raw.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    known = dataclasses.replace(corpus, articles=articles)
    figures = probes.probe_figures(known, results["ours"], raw=raw)
    assert figures["names_swapped"]["n"] == 40
    assert 0 <= figures["without_first_and_last_paragraph"]["label_changes"] <= 1


def test_the_probe_scores_an_untouched_text_as_the_protocol_did(
    corpus: Corpus, results: dict[str, protocols.ProtocolResult]
) -> None:
    rows = results["ours"].scored.rows
    figures = probes._compare(corpus, results["ours"], rows, corpus.X[rows])
    assert figures["label_changes"] == 0
    assert figures["roc_auc"][0] == figures["roc_auc"][1]


def test_outlets_are_told_apart_where_they_have_habits(corpus: Corpus) -> None:
    doubled = corpus.subset(np.repeat(np.arange(len(corpus)), 2))
    doubled.articles["cluster"] = np.repeat(np.arange(len(corpus)), 2)
    figures = probes.identify_outlets(doubled)
    assert figures["accuracy"] > 5 * figures["chance"]
    assert "status" in probes.identify_outlets(corpus.subset(np.arange(60)))


def test_slices_hold_their_label_only_and_share_its_fate(
    corpus: Corpus, results: dict[str, protocols.ProtocolResult]
) -> None:
    scored = results["ours"].scored
    table = slices.slice_figures(corpus, scored, results["ours"].mixed)
    nonwest = slices.non_western(corpus)[scored.rows] & (scored.y == 0)
    assert table["independent_nonwest"]["n"] == nonwest.sum()
    assert table["independent_nonwest"]["false_state_rate"] == pytest.approx(scored.found[nonwest].mean())
    assert table["mixed"]["n"] == 10
    assert {"recall_state", "false_state_rate"} <= set(table["wire"])
    assert "recall_state" not in table["independent_quoting"]
    assert "seed_article" not in table


def test_the_seed_article_is_reported_by_itself(
    corpus: Corpus, results: dict[str, protocols.ProtocolResult]
) -> None:
    row = int(np.flatnonzero(corpus.y == 0)[0])
    articles = corpus.articles.copy()
    articles.loc[row, "id"] = slices.SEED_ARTICLE
    table = slices.slice_figures(dataclasses.replace(corpus, articles=articles), results["ours"].scored)
    place = int(np.searchsorted(results["ours"].scored.rows, row))
    assert table["seed_article"]["p_state"] == results["ours"].scored.p[place]


def test_an_article_quotes_at_length_from_a_quarter_of_its_words_on(corpus: Corpus) -> None:
    holds = slices.quotes_at_length(corpus)
    words = corpus.batch.measures[:, MEASURES.index("words")]
    quoted = corpus.batch.measures[:, MEASURES.index("quoted_words")]
    np.testing.assert_array_equal(holds, quoted * 4 >= words)


def test_voice_against_a_plain_bag_is_compared_at_the_same_share_of_state_labels(
    corpus: Corpus, results: dict[str, protocols.ProtocolResult]
) -> None:
    same = probes.voice_and_quotation(corpus, results["ours"], results["ours"])
    assert same["state_without_quotation"]["margin"] == 0
    figures = probes.voice_and_quotation(corpus, results["ours"], results["plain"])
    row = figures["state_without_quotation"]
    assert row["margin"] == pytest.approx(row["errors"][1] - row["errors"][0])
    assert row["roc_auc_margin"] == pytest.approx(row["roc_auc"][0] - row["roc_auc"][1])
    assert row["roc_auc_ci95"][0] <= row["roc_auc_margin"] <= row["roc_auc_ci95"][1]
    assert row["ci95"][0] <= row["margin"] <= row["ci95"][1]


def test_the_bag_of_words_does_not_see_who_speaks_nor_punctuation(corpus: Corpus) -> None:
    scorer = baselines.BagOfWords(min_df=2).fit(corpus, np.flatnonzero(corpus.y >= 0))
    V = len(corpus.vocabulary)
    moved = corpus.X.toarray()[:50]
    moved[:, :V], moved[:, V : 2 * V] = moved[:, V : 2 * V].copy(), moved[:, :V].copy()
    moved[:, corpus.vocabulary.index["said ,"]] += 5
    import scipy.sparse as sp

    np.testing.assert_allclose(
        scorer.decision_function(sp.csr_matrix(moved)), scorer.decision_function(corpus.X[:50])
    )


def test_baselines_that_know_nothing_are_a_coin(corpus: Corpus) -> None:
    splits, _ = protocols.available_splits(corpus)
    wanted = {"owner_disjoint": splits["owner_disjoint"]}
    for name in ("majority", "countries", "dialect_length"):
        baseline = baselines.BASELINES[name]
        assert baseline.columns is not None
        view = baselines.column_view(corpus, baseline.columns)
        result = protocols.run_protocols(baseline.fitter, view, wanted)["owner_disjoint"]
        y, p = result.scored.y, result.scored.p
        if name == "majority":
            assert (result.scored.found == False).all()  # noqa: E712
        from framelens_train.evaluate.metrics import roc_auc

        auc = roc_auc(y, p)
        assert auc is not None
        assert 0.35 < auc < 0.65


def test_every_fold_calls_as_many_articles_state_as_it_has(
    results: dict[str, protocols.ProtocolResult],
) -> None:
    scored = results["ours"].scored
    called = probes.called_as_many(scored)
    for k in np.unique(scored.fold):
        inside = scored.fold == k
        assert called[inside].sum() == (scored.y[inside] == 1).sum()
        assert scored.score[inside & called].min() >= scored.score[inside & ~called].max()
