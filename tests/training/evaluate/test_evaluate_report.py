"""Report, card and command: what they say is what was measured, and a frozen model meets the right
articles.
"""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from framelens.artifact import load_model, save_model
from framelens.errors import UserError
from framelens.predictor import Model, load
from framelens.serve.drift import drifts_of
from framelens_train.candidates import Recipe
from framelens_train.cli_evaluate import evaluate
from framelens_train.corpus.dataset import Corpus
from framelens_train.evaluate import calibrate, card, frozen, protocols, report, run, table
from framelens_train.pipeline import to_linear_model

# written for these tests; no newspaper printed it
FILLER = (
    "the council met on the day after the storm and the road to the north was closed for a week while "
    "people waited "
    "for news of it and of the bridge that had been built there many years ago by the men of the town who "
    "knew it well "
)
KIND = {
    "state": "officials hailed the friendly relations and stressed cooperation and sovereignty ",
    "independent": "critics alleged whether anyone arrested had concerns it was said , ",
    "mixed": "the committee will read the paper ",
}
TRAINING = {
    "outlets": ["s0a", "s0b", "i0"],
    "owners": ["state:S0", "i0"],
    "last_date": "2021-12-31",
    "countries": ["GB", "S0"],
    "years": {"s0a": ["2020", "2021"], "s0b": ["2021"], "i0": ["2021"]},
}
# outlet, owner, label, date, region, protocol that it belongs to
ARTICLES = [
    ("s0a", "state:S0", "state", "2021-03-01", None, "random"),
    ("S0B.com", "state:S0", "state", "2021-03-01", None, "random"),
    ("i0", "i0", "independent", "2021-03-01", "west", "random"),
    ("s0a", "state:S0", "state", "2022-03-01", None, "temporal"),
    ("s0b", "state:S0", "state", "2020-03-01", None, "temporal"),
    ("i0", "i0", "independent", "2022-03-01", "west", "temporal"),
    ("s0c", "state:S0", "state", "2022-03-01", None, "outlet_disjoint"),
    ("s9", "state:S9", "state", "", None, "owner_disjoint"),
    ("i9", "i9", "independent", "", "nonwest", "both"),
    ("m", "m", "mixed", "", None, "none"),
]


@pytest.fixture(scope="module")
def figures(corpus: Corpus, recipe: Recipe) -> dict[str, Any]:
    return run.evaluate_recipe(recipe, corpus).figures


@pytest.fixture(scope="module")
def folder(
    corpus: Corpus, recipe: Recipe, figures: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    fitted = calibrate.fit_calibrated(recipe, corpus, np.flatnonzero(corpus.y >= 0))
    place = tmp_path_factory.mktemp("model") / "champion"
    return save_model(
        place,
        to_linear_model(fitted.pipeline, corpus.vocabulary),
        fitted.calibration,
        fitted.thresholds,
        card="old",
        version="1.2.3",
        outlet_evidence=fitted.outlet_evidence,
        recipe=recipe.to_dict(),
        training=TRAINING,
    )


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("external") / "articles.jsonl"
    lines = []
    for number, (outlet, owner, label, date, region, _) in enumerate(ARTICLES):
        text = FILLER * 2 + KIND[label] * 3 + f"number {number} "
        row = {"text": text, "label": label, "outlet": outlet, "owner": owner, "date": date, "region": region}
        lines.append(json.dumps({key: value for key, value in row.items() if value is not None}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_articles_go_to_the_protocol_that_fits_what_the_model_knew_of_them(
    folder: Path, external: Path
) -> None:
    model = load(folder)
    corpus, texts = frozen.read_external(external, model, [])
    groups = frozen.relation(corpus.articles, frozen.score_texts(model, corpus, texts), TRAINING)
    for i, (*_, expected) in enumerate(ARTICLES[:-1]):
        found = {name for name, inside in groups.items() if inside[i]} - {"all", "country_disjoint"}
        assert found == ({"owner_disjoint", "outlet_disjoint"} if expected == "both" else {expected}), (
            ARTICLES[i]
        )
    assert groups["all"].all()


def test_articles_of_an_outlet_are_answered_together_as_the_runtime_answers_them(
    folder: Path, external: Path, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in external.read_text().splitlines()]
    several = [row | {"text": f"{row['text']} again {i} "} for row in rows for i in range(5)]
    path = tmp_path / "several.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in several), encoding="utf-8")
    model = load(folder)
    figures = frozen.evaluate_frozen(model, path).figures
    found = {row["articles"]: row for row in figures["outlets"]["owner_disjoint"]}
    assert {size: row["n"] for size, row in found.items()} == {2: 4, 5: 2}
    p = {
        row["label"]: model.predict_outlet(
            [r["text"] for r in several if r["outlet"] == row["outlet"]]
        ).p_state
        for row in (rows[7], rows[8])
    }
    expected = np.mean([(1 - p["state"]) ** 2, p["independent"] ** 2])
    assert found[5]["brier"] == pytest.approx(expected)
    assert "Several articles of one outlet" in report.render_report(figures)
    assert [title for title, _ in table.outlet_rows(figures)][:3] == [
        "owners unseen, 1 article", "owners unseen, 2 articles", "owners unseen, 5 articles"
    ]  # fmt: skip


def test_a_model_that_does_not_know_how_articles_add_up_is_measured_without(
    folder: Path, external: Path
) -> None:
    model = load(folder)
    older = Model(dataclasses.replace(model.artifact, outlet_evidence=None))
    figures = frozen.evaluate_frozen(older, external).figures
    assert not any(figures["outlets"].values())
    assert table.outlet_rows(figures) == []
    assert "Several articles of one outlet" not in report.render_report(figures)


def test_an_unseen_country_is_one_that_nothing_was_trained_on_and_the_west_is_its_contrast(
    folder: Path, external: Path
) -> None:
    model = load(folder)
    corpus, texts = frozen.read_external(external, model, [])
    scored = frozen.score_texts(model, corpus, texts)
    countries = ["S0", "S0", "GB", "S0", "S0", "GB", "S0", "S9", "GB", "GB"]
    corpus.articles["country"] = countries
    inside = frozen.relation(corpus.articles, scored, TRAINING)["country_disjoint"]
    assert np.flatnonzero(inside).tolist() == [7]  # i9 writes from a country that is known
    corpus.articles.loc[8, "country"] = "LK"
    corpus.articles.loc[9, "region"] = "west"
    inside = frozen.relation(corpus.articles, scored, TRAINING)["country_disjoint"]
    assert np.flatnonzero(inside).tolist() == [7, 8, 9]
    older = {key: value for key, value in TRAINING.items() if key != "countries"}
    assert not frozen.relation(corpus.articles, scored, older)["country_disjoint"].any()


def test_a_frozen_model_is_scored_by_the_runtime(folder: Path, external: Path) -> None:
    model = load(folder)
    evaluation = frozen.evaluate_frozen(model, external)
    rows = [json.loads(line) for line in external.read_text().splitlines()]
    p = {i: model.predict(row["text"]).p_state for i, row in enumerate(rows)}
    unseen = [7, 8]
    brier = np.mean([(p[i] - (rows[i]["label"] == "state")) ** 2 for i in unseen])
    assert evaluation.figures["protocols"]["owner_disjoint"]["brier"] == pytest.approx(brier)
    assert evaluation.figures["protocols"]["all"]["n"] == 9
    assert evaluation.figures["hard_slices"]["mixed"]["n"] == 1
    assert evaluation.figures["protocols"]["owner_disjoint"]["false_state_rate_nonwest"] == float(
        p[8] >= model.artifact.thresholds.decision
    )
    assert set(evaluation.figures["per_owner"]) == {"state:S0", "state:S9", "i0", "i9"}


def test_a_group_of_one_label_is_there_without_figures(folder: Path, external: Path, tmp_path: Path) -> None:
    only_known = tmp_path / "known.jsonl"
    lines = external.read_text().splitlines()
    only_known.write_text("\n".join(lines[:3] + lines[7:8]) + "\n")
    measured = frozen.evaluate_frozen(load(folder), only_known).figures["protocols"]
    assert measured["owner_disjoint"]["n"] == 1
    assert measured["owner_disjoint"]["macro_f1"] is None
    assert measured["temporal"]["n"] == 0
    assert measured["temporal"]["roc_auc"] is None
    assert measured["random"]["macro_f1"] is not None


def test_rows_that_cannot_be_used_are_reported_not_dropped_in_silence(
    folder: Path, external: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(external.read_text() + json.dumps({"text": " ", "label": "state", "outlet": "x"}) + "\n")
    figures = frozen.evaluate_frozen(load(folder), path).figures
    assert [row["row"] for row in figures["rejected"]] == [len(ARTICLES) + 1]
    assert "could not be used" in str(table.render_tables(figures)[-1])


def test_a_model_that_does_not_know_its_training_outlets_cannot_be_tested_frozen(
    folder: Path, external: Path
) -> None:
    artifact = load_model(folder)
    artifact.manifest["training"] = {}
    with pytest.raises(UserError, match="does not list its training outlets"):
        frozen.evaluate_frozen(Model(artifact), external)


# -- card ----------------------------------------------------------------------------------------------


def manifest_of(figures: dict[str, Any], folder: Path) -> dict[str, Any]:
    manifest = dict(load_model(folder).manifest)
    return manifest | {"metrics": card.manifest_metrics(figures)}


def test_the_card_is_made_from_the_manifest_and_disagrees_with_any_other_figure(
    figures: dict[str, Any], folder: Path
) -> None:
    manifest = json.loads(json.dumps(manifest_of(figures, folder)))
    text = card.render_card(manifest)
    assert card.card_matches(manifest, text)
    other = json.loads(json.dumps(manifest))
    other["metrics"]["protocols"]["owner_disjoint"]["macro_f1"] -= 0.05
    assert not card.card_matches(other, text)
    assert not card.card_matches(manifest, text.replace("owners unseen", "owners seen"))


def test_the_card_names_intervals_worst_owners_and_what_the_model_is_not_for(
    figures: dict[str, Any], folder: Path
) -> None:
    text = card.render_card(manifest_of(figures, folder))
    worst = figures["protocols"]["owner_disjoint"]["worst_state_owner"]
    low, high = figures["protocols"]["owner_disjoint"]["ci95"]
    assert f"{worst['name']} (state)" in text
    assert f"{low:.2f} to {high:.2f}" in text
    for kind, row in figures["protocols"]["owner_disjoint"]["answers"].items():
        assert f"| {' | '.join(table.answer_cells(kind, row))} |" in text
    for phrase in ("Out of scope", "Taking down", "EUvsDisinfo", "conformal", "non-Western independents"):
        assert phrase in text


def test_a_model_without_figures_says_so() -> None:
    text = card.render_card({"name": "framelens", "version": "0"})
    assert "Nothing has been measured" in text


def test_updating_a_model_keeps_it_whole_and_its_card_true(
    figures: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = load(copy)
    card.update_model(before.artifact, copy, figures)
    after = load(copy)  # verifies every hash
    assert card.card_matches(after.artifact.manifest, after.artifact.card)
    assert after.artifact.card != before.artifact.card
    assert after.predict(FILLER).score == before.predict(FILLER).score
    assert sorted(path.name for path in copy.iterdir()) == sorted(path.name for path in folder.iterdir())


# -- page ----------------------------------------------------------------------------------------------


class Checker(HTMLParser):
    """Collects the tags left open and what a page would fetch."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.fetched += [v for k, v in attrs if k in ("src", "href") and v and not v.startswith("#")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_by_itself_and_repeats_to_the_byte(figures: dict[str, Any]) -> None:
    page = report.render_report(figures)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.fetched == []
    assert "url(" not in re.sub(r"url\(#", "", page)
    assert page == report.render_report(figures)
    assert f"{figures['protocols']['owner_disjoint']['macro_f1']:.2f}" in page
    assert page.count("<svg") == 6


def test_the_page_escapes_what_the_corpus_brings(figures: dict[str, Any]) -> None:
    hostile = json.loads(json.dumps(figures))
    hostile["worst_articles"] = [
        {
            "id": "<script>x</script>",
            "outlet": "<b>",
            "owner": "o",
            "date": None,
            "label": "state",
            "p_state": 0.0,
        }
    ]
    hostile["per_owner"]["<i>$x$"] = dict(hostile["per_owner"]["state:00"])
    page = report.render_report(hostile)
    assert "<script>" not in page
    assert "&lt;b&gt;" in page
    assert "<i>" not in page


def test_a_page_that_cannot_be_written_is_one_clear_error(figures: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write the report"):
        report.write_report(figures, tmp_path / "nowhere" / "page.html")
    assert list(tmp_path.iterdir()) == []


# -- command ----------------------------------------------------------------------------------------------


def test_the_command_prints_the_protocols_of_a_frozen_model(
    folder: Path, external: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    arguments = ["--model", str(folder), "--corpus", str(external), "--json", "--report", str(page)]
    result = CliRunner().invoke(evaluate, arguments, catch_exceptions=False)
    found = json.loads(result.stdout)
    assert set(found["protocols"]) == {*protocols.PROTOCOLS, "all"}
    assert {"macro_f1", "roc_auc", "ece", "brier", "n", "ci95"} <= set(found["protocols"]["all"])
    assert {"per_owner", "per_outlet", "baselines"} <= set(found)
    assert page.read_text().startswith("<!doctype html>")
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(evaluate, arguments[:4], catch_exceptions=False)
    assert "owners unseen" in shown.stdout
    answers = found["protocols"]["all"]["answers"]
    assert set(answers) >= {"state", "independent_nonwest"}
    for kind, row in answers.items():
        cells = table.answer_cells(kind, row)
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page.read_text()
        assert re.search(r"\s+".join(map(re.escape, cells)), shown.stdout)


def test_a_corpus_that_is_not_there_is_a_user_error(folder: Path) -> None:
    result = CliRunner().invoke(evaluate, ["--model", str(folder), "--corpus", "nowhere.jsonl"])
    assert isinstance(result.exception, UserError)
    assert "nowhere.jsonl" in str(result.exception)


def test_bad_input_is_one_line_and_exit_two(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from framelens.cli import main

    assert main(["evaluate", "--model", str(folder), "--corpus", "nowhere.jsonl"]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "nowhere.jsonl" in printed.err


def test_the_manifest_keeps_what_services_tell_drift_from(figures: dict[str, Any]) -> None:
    kept = json.loads(json.dumps(card.manifest_metrics(figures)))["training_distribution"]
    drifts = drifts_of({"metrics": {"training_distribution": kept}})
    assert set(drifts) == set(kept) == {"score", "known_share"}
    edges = kept["score"]["edges"]
    assert len(edges) == 9
    for value in np.linspace(edges[0] - 1, edges[-1] + 1, 300):
        drifts["score"].add(float(value))
    assert drifts["score"].index() > 0
