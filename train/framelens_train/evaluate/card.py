"""MODEL_CARD.md, generated from what the manifest keeps of the evaluation; never written by hand."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framelens_train.evaluate.card_texts import ETHICS, INTENDED, OUT_OF_SCOPE, PUBLISHED
from framelens_train.evaluate.outlets import TOGETHER
from framelens_train.evaluate.plots import protocol_title
from framelens_train.evaluate.protocols import HEADLINE
from framelens_train.evaluate.table import (
    ANSWER_COLUMNS,
    OUTLET_COLUMNS,
    answer_cells,
    answers_of,
    interval,
    number,
    outlet_cells,
    outlet_rows,
    protocol_cells,
    with_together,
)

if TYPE_CHECKING:
    from framelens.artifact import Artifact

KEPT = (
    "protocols",
    "outlets",
    "baselines",
    "hard_slices",
    "leak_probes",
    "voice_and_quotation",
    "calibration",
    "corpus",
    "training_distribution",
    "seed",
)
NESTED = "owner_disjoint_nested"
"""Figures of training that chose its recipe anew without each fold; `update_model` keeps those it finds."""

WORST_OWNERS = 8
LEAST_ARTICLES = 25


def manifest_metrics(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What of an evaluation the manifest keeps: all that the card says, nothing by the article.

    Parameters
    ----------
    figures
        The JSON of `framelens_train.evaluate.run.evaluate_recipe`.
    """
    kept = {name: figures[name] for name in KEPT if name in figures}
    kept["per_owner"] = {
        name: row
        for name, row in figures["per_owner"].items()
        if row["label"] == "state" or row["n"] >= LEAST_ARTICLES
    }
    if NESTED in figures:
        kept[NESTED] = figures[NESTED]
    plain: dict[str, Any] = json.loads(json.dumps(kept))
    return plain


def render_card(manifest: Mapping[str, Any]) -> str:
    """The card of a model, from its manifest alone.

    Parameters
    ----------
    manifest
        ``name``, ``version``, ``metrics`` (see `manifest_metrics`), ``recipe``, ``training``, ``thresholds``,
        ``outlet_evidence``, ``calibration`` and ``corpus_sha256``. Without metrics the card says that nothing
        was measured.
    """
    metrics = manifest.get("metrics") or {}
    parts = [f"# {manifest['name']} {manifest['version']}\n\n{_lead(metrics)}"]
    parts.append(f"## Intended use\n\n{INTENDED}")
    parts.append(f"## Out of scope\n\n{OUT_OF_SCOPE}")
    parts.append(f"## The model\n\n{_model(manifest)}")
    if metrics.get("protocols"):
        parts.append(f"## Data\n\n{_data(manifest, metrics)}")
        parts.append(f"## Figures\n\n{_protocols(metrics)}")
        if answers_of(metrics)[1]:
            parts.append(f"### What it answers\n\n{_answers(metrics)}")
        if outlet_rows(metrics):
            parts.append(f"### Several articles of one outlet\n\n{_outlets(manifest, metrics)}")
        parts.append(f"### Worst owners\n\n{_owners(metrics['per_owner'])}")
        parts.append(f"### Hard slices\n\n{_slices(metrics['hard_slices'])}")
        parts.append(f"### Leaks\n\n{_probes(metrics)}")
        parts.append(f"## Calibration and abstention\n\n{_calibration(manifest, metrics)}")
    parts.append(f"## Published figures to stand beside\n\n{_published()}")
    parts.append(f"## Ethics\n\n{ETHICS}")
    return "\n\n".join(parts) + "\n"


def card_matches(manifest: Mapping[str, Any], card: str) -> bool:
    """Whether a card says what its manifest says: it must be the text that the manifest generates."""
    return card == render_card(manifest)


def update_model(artifact: Artifact, folder: Path, figures: Mapping[str, Any]) -> None:
    """Keep new figures in a model's manifest and write its card again; weights and terms stay as they are.

    The card is moved into place first: whoever reads in between finds a card that the manifest does not
    vouch for, and is told so, rather than a model whose figures are not its own.

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    from framelens.artifact import CARD, MANIFEST
    from framelens.errors import UserError

    before = artifact.manifest.get("metrics") or {}
    kept = {NESTED: before[NESTED]} if NESTED in before else {}
    manifest = dict(artifact.manifest) | {"metrics": kept | manifest_metrics(figures)}
    card = render_card(manifest).encode()
    manifest["files"] = dict(manifest["files"]) | {CARD: hashlib.sha256(card).hexdigest()}
    content = (json.dumps(manifest, indent=2, allow_nan=False) + "\n").encode()
    try:
        for name, data in ((CARD, card), (MANIFEST, content)):
            fresh = folder / f".{name}.new-{os.getpid()}"
            fresh.write_bytes(data)
            fresh.replace(folder / name)
    except OSError as error:
        raise UserError(f"cannot write the card in {folder}: {error.strerror or error}") from None


def _lead(metrics: Mapping[str, Any]) -> str:
    text = (
        "Says whether an English news article is framed the way state-controlled media frame the news, "
        "or reported the way editorially independent media report it. "
    )
    headline = (metrics.get("protocols") or {}).get(HEADLINE)
    if not headline:
        return text + "**Nothing has been measured of this model yet.**"
    leaky = metrics["protocols"].get("random")
    text += (
        f"On articles of **owners it has never seen** its macro-F1 is **{number(headline['macro_f1'])}** "
        f"(95 % interval over outlets {interval(headline['ci95'])}) and its ROC AUC "
        f"{number(headline['roc_auc'])}. "
    )
    if leaky:
        text += (
            f"A random split of the same articles gives {number(leaky['macro_f1'])}: the difference is what "
            "a model learns of outlets rather than of framing, and the lower figure is the one to expect."
        )
    for row in with_together((metrics.get("outlets") or {}).get(HEADLINE, ())):
        text += (
            f" With {TOGETHER} articles of one outlet answered together, on owners it has never seen, "
            f"macro-F1 is **{number(row['macro_f1'])}** ({interval(row['ci95'])}) and its ROC AUC "
            f"{number(row['roc_auc'])}."
        )
    return text


def _model(manifest: Mapping[str, Any]) -> str:
    recipe = manifest.get("recipe") or {}
    longest = (recipe.get("features") or {}).get("ngram_max", 3)
    ngrams = "words" if longest == 1 else f"word 1- to {longest}-grams"
    lines = [
        f"A linear classifier over TF-IDF of {ngrams} and over style measures; the reporter's words and "
        "quoted words are separate features; names and numbers are masked before anything is counted, "
        "countries as countries, whichever they are.",
    ]
    if recipe:
        settings = json.dumps({"features": recipe.get("features"), "classifier": recipe.get("classifier")})
        lines.append(
            f"Candidate `{recipe.get('candidate')}`, weights `{recipe.get('weighting')}`: `{settings}`."
        )
    return "\n\n".join(lines)


def _data(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    corpus = metrics["corpus"]
    rows = [
        (label, f"{row['articles']:,}", f"{row['outlets']}", f"{row['owners']}")
        for label, row in corpus["by_label"].items()
    ]
    dates = f"{corpus['first_date']} to {corpus['last_date']}" if corpus["first_date"] else "no dates"
    return "\n".join(
        [
            *_table(("label", "articles", "outlets", "owners"), rows),
            "",
            f"State owners: {', '.join(corpus['state_owners'])}. Dated {dates}. Corpus digest "
            f"`{str(manifest.get('corpus_sha256') or corpus['sha256'])[:16]}`. An owner is a state with "
            "all its outlets, "
            "a company with all its outlets, or an independent outlet by itself. `mixed` never trains. The "
            "corpus ships as counts, without text; its datasheet is `seeds/README.md`.",
            *_readings(corpus.get("readings")),
        ]
    )


def _readings(readings: Mapping[str, Any] | None) -> list[str]:
    if not readings:
        return []
    return [
        "",
        f"{readings['n']:,} articles were read by a language model that was told neither outlet nor label, "
        "and marked for their framing; the classifier learns how these marks differ within outlets, from "
        f"training owners only. The marks alone tell the label with ROC AUC {number(readings['roc_auc'])} "
        f"and, from 50 on, macro-F1 {number(readings['macro_f1'])}, and call "
        f"{number(readings['false_state_rate_nonwest'])} of non-Western independents state. The comparison "
        "with the figures below is not quite fair: the reader saw names, which are masked for the "
        "classifier, and may know outlets or events from elsewhere.",
    ]


_PROTOCOL_COLUMNS = (
    "articles of", "n", "macro-F1", "95 % interval", "ROC AUC", "95 % interval", "ECE", "Brier",
    "answered at 5 % risk", "at 10 % risk", "false state, non-West",
)  # fmt: skip


def _protocol_row(title: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    return (*protocol_cells(title, row), number(row["false_state_rate_nonwest"]))


def _protocols(metrics: Mapping[str, Any]) -> str:
    rows = []
    for name, row in metrics["protocols"].items():
        title = protocol_title(name, row)
        rows.append(_protocol_row(f"**{title}**" if name == HEADLINE else title, row))
    rows += [
        _protocol_row(f"baseline, owners unseen: {row['title']}", row[HEADLINE])
        for row in metrics.get("baselines", {}).values()
        if HEADLINE in row
    ]
    headline = metrics["protocols"].get(HEADLINE, {})
    notes = [
        "",
        "Figures count articles; intervals resample outlets. The random split is a contrast, not a claim.",
    ]
    if headline.get("ci95_owners"):
        notes.append(
            "Resampling owners instead of outlets, the headline's macro-F1 lies in "
            f"{interval(headline['ci95_owners'])} "
            f"and its ROC AUC in {interval(headline['roc_auc_ci95_owners'])}."
        )
    nested = metrics.get(NESTED)
    if nested:
        notes.append(
            "With the settings, too, chosen anew without each fold's owners: macro-F1 "
            f"{number(nested['macro_f1'])}, ROC AUC {number(nested['roc_auc'])}."
        )
    if headline.get("owner_balanced"):
        balanced = headline["owner_balanced"]
        notes.append(f"With every owner counting the same, macro-F1 is {number(balanced['macro_f1'])}.")
    return "\n".join(_table(_PROTOCOL_COLUMNS, rows) + notes)


def _answers(metrics: Mapping[str, Any]) -> str:
    title, answers = answers_of(metrics)
    lines = _table(ANSWER_COLUMNS, [answer_cells(kind, row) for kind, row in answers.items()])
    lines += [
        "",
        f"Shares of the articles, {title}. It gives no answer where it abstains; intervals resample outlets. "
        "Elsewhere on this card every article is answered, unless it is abstaining that is measured.",
    ]
    return "\n".join(lines)


def _outlets(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    rows = [outlet_cells(title, row) for title, row in outlet_rows(metrics)]
    lines = _table(("articles of", *OUTLET_COLUMNS[1:]), rows)
    evidence = manifest.get("outlet_evidence")
    if evidence:
        lines += [
            "",
            "The label is about who controls an outlet, and several articles say more of that than one. "
            "Their log-odds, less those of the base rate "
            f"({number(evidence['base_rate'])}), are added and divided by the design effect 1 + (n - 1) * "
            f"{number(evidence['intraclass_correlation'])}: articles of one outlet resemble each other. `n` "
            "counts groups of articles, dealt at random within an outlet; intervals resample outlets. There "
            "are few state outlets, so these figures are rougher than their number of groups suggests.",
        ]
    return "\n".join(lines)


def _owners(per_owner: Mapping[str, Any]) -> str:
    rows = []
    for label in ("state", "independent"):
        mine = [(name, row) for name, row in per_owner.items() if row["label"] == label]
        for name, row in sorted(mine, key=lambda item: (item[1]["recall"], item[0]))[:WORST_OWNERS]:
            right, missing = number(row["recall"]), number(row["abstained"])
            rows.append((f"{name} ({label})", f"{row['n']:,}", right, interval(row["ci95"]), missing))
    return "\n".join(_table(("owner, unseen", "n", "right", "95 % interval", "no answer"), rows))


def _slices(slices: Mapping[str, Any]) -> str:
    rows = []
    for row in slices.values():
        if row["n"]:
            said = [row[key] for key in ("recall_state", "false_state_rate", "called_state") if key in row]
            cells = (
                row["title"],
                f"{row['n']:,}",
                " / ".join(number(value) for value in said) or "-",
                number(row.get("mean_p_state", row.get("p_state"))),
                number(row.get("roc_auc")),
            )
            rows.append(cells)
    return "\n".join(_table(("slice", "n", "said to be state", "mean p_state", "ROC AUC"), rows))


def _probes(metrics: Mapping[str, Any]) -> str:
    lines = []
    for name, row in metrics.get("leak_probes", {}).items():
        title = name.replace("_", " ")
        if "status" in row:
            lines.append(f"- {title}: not measured ({row['status']}).")
        elif "accuracy" in row:
            lines.append(
                f"- {title}: the same features name the right one of {row['outlets']} outlets in "
                f"{100 * row['accuracy']:.0f} of 100 articles (chance {100 * row['chance']:.0f})."
            )
        else:
            f1, auc = row["macro_f1"], row["roc_auc"]
            lines.append(
                f"- {title}: macro-F1 {number(f1[0])} becomes {number(f1[1])}, ROC AUC {number(auc[0])} "
                "becomes "
                f"{number(auc[1])} ({row['n']:,} articles)."
            )
    for name, row in metrics.get("voice_and_quotation", {}).items():
        if row["n"]:
            lines.append(
                f"- voice and quotation, {name.replace('_', ' ')} ({row['n']:,} articles): wrong in "
                f"{100 * row['errors'][0]:.0f} of 100, a plain bag of words in "
                f"{100 * row['errors'][1]:.0f}; margin {row['margin']:+.3f} ({interval(row['ci95'])}); "
                f"ROC AUC {number(row['roc_auc'][0])} against {number(row['roc_auc'][1])}."
            )
    return "\n".join(lines) or "Not measured."


def _calibration(manifest: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    thresholds = manifest.get("thresholds") or {}
    method = (manifest.get("calibration") or {}).get("method", "unknown")
    headline = metrics["protocols"].get(HEADLINE) or next(iter(metrics["protocols"].values()))
    lines = [
        f"`p_state` comes from the score by {method}, fitted on owners that the classifier had not seen, "
        "on articles mixed "
        f"as in the corpus. On unseen owners its expected calibration error (15 bins of equal mass) is "
        f"{number(headline['ece'], 3)}. Answering the surest first, "
        f"{100 * headline['coverage_at_5_risk']:.0f} of 100 "
        f"articles can be answered with 5 % wrong and {100 * headline['coverage_at_10_risk']:.0f} with 10 %.",
    ]
    if thresholds:
        lines.append(
            f"The model abstains under {thresholds['min_words']:.0f} words, where the text is not "
            "English or unlike the "
            f"training articles, and where `p_state` lies between {number(thresholds['abstain_low'])} and "
            f"{number(thresholds['abstain_high'])}: there the conformal set at 90 % holds both labels. "
            "Forced to answer, it "
            f"says state from {number(thresholds['decision'])} on. On unseen owners it answers "
            f"{100 * (headline['answered'] or 0):.0f} of 100 articles and is wrong in "
            f"{100 * (headline['answered_risk'] or 0):.0f} of 100 of its answers."
        )
    return "\n\n".join(lines)


def _published() -> str:
    lines = ["Other data, other labels, so no contest; they show what unseen sources cost everyone.", ""]
    return "\n".join(
        [*lines, "| work | figure |", "|---|---|", *(f"| {work} | {figure} |" for work, figure in PUBLISHED)]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table, all columns but the first to the right."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return [lines[0], "|---" + "|---:" * (len(head) - 1) + "|", *lines[1:]]
