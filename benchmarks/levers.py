"""Levers that no recipe has a setting for: each tried on the same folds, as MLflow runs.

    python -m benchmarks.levers [--corpus seeds] [--seed 0] [--only NAME ...] [--raw articles.jsonl.zst]

A lever takes the place of the ablations' base recipe, or of a part of it, and is measured as
`benchmarks.ablations` measures recipes: the same owner-disjoint folds, the same figures, probabilities and
the decision threshold from the other folds' scores. None of them ships, so each is as short as it can be;
what a lever finds in training rows is all that it uses. ``--raw`` names the corpus's raw articles, which only
the baseline of country mentions reads (names are masked everywhere else); without it that baseline is left
out, and the log says so. The runs are children of one run in the experiment `levers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from benchmarks.ablations import BASE, markdown, measure
from benchmarks.mentions import country_mentions
from benchmarks.trial import Floats, M, Trial
from framelens.features.reference import NATION_MEASURES, PUNCTUATION_MEASURES
from framelens_train.candidates import LIGHT
from framelens_train.evaluate.probes import names_country
from framelens_train.owner_ensemble import classes_even, solve_logistic
from framelens_train.pipeline import ngram_sizes
from framelens_train.splits import owner_disjoint, region_of

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.splits import Split

EXPERIMENT = "levers"


def base(trial: Trial) -> Floats:
    """The base recipe by this module's code: what the others are compared with."""
    return trial.ensemble(trial.own_members)


def per_outlet(trial: Trial) -> Floats:
    """A member for each state outlet, not for each owner."""
    outlets = trial.corpus.articles["outlet"].to_numpy(dtype=object)[trial.rows]
    return trial.ensemble(trial.members(trial.X, outlets))


def median_member(trial: Trial) -> Floats:
    """The median of the members, which one odd owner cannot move."""
    return trial.ensemble(trial.own_members, np.median)


def transferable(trial: Trial) -> Floats:
    """Members weighted by how well they tell the *other* state owners of the training rows."""
    from sklearn.metrics import roc_auc_score

    members, independent = trial.own_members, trial.y == 0
    worth = []
    for owner, scores in zip(trial.state_owners, members, strict=True):
        areas = []
        for other in trial.state_owners:
            if other != owner:
                kept = independent | ((trial.owners == other) & ~independent)
                areas.append(roc_auc_score(trial.y[kept], scores[trial.rows][kept]))
        worth.append(max(float(np.mean(areas)) - 0.5, 0.0))
    return trial.ensemble([np.average(members, axis=0, weights=worth)])


def latent(trial: Trial) -> Floats:
    """Members on 200 latent dimensions of the terms beside those on the terms."""
    from sklearn.decomposition import TruncatedSVD

    terms = trial.X[:, :-M]
    svd = TruncatedSVD(min(200, terms.shape[1] - 1), n_iter=1, random_state=0).fit(terms[trial.rows])
    dense = np.hstack([svd.transform(terms), trial.X[:, -M:].toarray()]).astype(np.float32)
    halves = [np.mean(members, axis=0) for members in (trial.own_members, trial.members(dense))]
    return trial.ensemble([trial.spread(half) for half in halves])


def letters(trial: Trial) -> Floats:
    """Members on runs of 3 and 4 letters within words (word boundaries count), style beside them.

    A word's value is given to each of its runs, so the score stays linear in the words. Names are masked.
    """
    vocabulary, V = trial.corpus.vocabulary, len(trial.corpus.vocabulary)
    words = np.flatnonzero(ngram_sizes(vocabulary)[trial.columns % V] == 1)
    runs = _runs([vocabulary.terms[t] for t in trial.columns[words] % V])
    spelt = trial.X[:, words] @ runs
    spelt /= np.sqrt(spelt[trial.rows].multiply(spelt[trial.rows]).sum(axis=1).mean())
    X = sp.hstack([spelt, trial.X[:, -M:]], format="csr", dtype=np.float32)
    return trial.ensemble(trial.members(X))


def _runs(words: Sequence[str], *, fewest: int = 15) -> sp.csr_matrix:
    from sklearn.feature_extraction.text import CountVectorizer

    found = CountVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=fewest, binary=True)
    runs = found.fit_transform(words).astype(np.float32)
    return sp.csr_matrix(runs @ sp.diags(1 / np.sqrt(np.asarray(runs.sum(axis=0)).ravel())))


def agreeing(trial: Trial) -> Floats:
    """Only the columns whose weight has the same sign in all owners' members but at most one."""
    state = trial.y == 1
    directions = []
    for owner in trial.state_owners:
        kept = ~state | (trial.owners == owner)
        even = classes_even(trial.balanced[kept], trial.y[kept])
        own = solve_logistic(trial.X[trial.rows[kept]], trial.y[kept], even, BASE["C"])
        directions.append(own / (np.std(trial.X[trial.rows] @ own) or 1.0))
    signs = np.abs(np.sign(directions).sum(axis=0))
    kept_columns = signs >= len(directions) - 2
    return trial.ensemble([trial.X @ np.where(kept_columns, np.mean(directions, axis=0), 0.0)])


def outlets_as_units(trial: Trial) -> Floats:
    """Difference of the mean owner and the mean independent outlet over the spread between outlets."""
    articles = trial.corpus.articles.iloc[trial.rows]
    outlets, region = articles["outlet"].to_numpy(dtype=object), region_of(articles)
    X, state = trial.X[trial.rows], trial.y == 1

    def means(inside: npt.NDArray[np.bool_], names: Any) -> Floats:
        found = [np.flatnonzero(inside & (names == name)) for name in sorted(set(names[inside]))]
        return np.array([np.asarray(X[r].mean(axis=0)).ravel() for r in found if len(r) >= 10])

    owners = means(state, trial.owners)
    west, rest = means(~state & (region == "west"), outlets), means(~state & (region != "west"), outlets)
    centre = (west.mean(axis=0) + rest.mean(axis=0)) / 2
    spread = (west.var(axis=0) + rest.var(axis=0)) / 2 + (west.mean(axis=0) - rest.mean(axis=0)) ** 2 / 4
    return trial.ensemble(
        [trial.X @ ((owners.mean(axis=0) - centre) / (spread + 0.1 * spread.mean() + 1e-12))]
    )


def group_dro(trial: Trial) -> Floats:
    """One classifier; in six rounds the state owners' weights grow with the exponent of their loss."""
    X, state, total = trial.X[trial.rows], trial.y == 1, trial.weights[trial.y == 1].sum()
    share = {owner: 1 / len(trial.state_owners) for owner in trial.state_owners}
    rounds = []
    for _ in range(6):
        weights = trial.weights.copy()
        for owner, part in share.items():
            mine = state & (trial.owners == owner)
            weights[mine] *= total * part / weights[mine].sum()
        coefficients = solve_logistic(X, trial.y, weights, BASE["C"])
        scores = X @ coefficients
        scores -= np.average(scores, weights=weights)
        loss = {o: _loss(scores[state & (trial.owners == o)]) for o in share}
        grown = {o: part * np.exp(2 * loss[o]) for o, part in share.items()}
        share = {o: part / sum(grown.values()) for o, part in grown.items()}
        rounds.append(trial.spread(trial.X @ coefficients))
    return trial.anchored(np.mean(rounds[2:], axis=0))


def _loss(scores: Floats) -> float:
    return float(np.logaddexp(0, -scores).mean())


def nonwest_heavy(trial: Trial) -> Floats:
    """Members whose independents are seven parts non-Western to three Western."""
    return trial.ensemble(trial.members(trial.X, weights=_regions(trial, 0.7)))


def countries_even(trial: Trial) -> Floats:
    """Members whose non-Western independents weigh by the square root of their country's size."""
    weights = trial.balanced.copy()
    articles = trial.corpus.articles.iloc[trial.rows]
    country, foreign = articles["country"].to_numpy(dtype=object), _foreign(trial)
    total = weights[foreign].sum()
    for name in set(country[foreign]):
        inside = foreign & (country == name)
        weights[inside] *= np.sqrt(inside.sum()) / weights[inside].sum()
    weights[foreign] *= total / weights[foreign].sum()
    return trial.ensemble(trial.members(trial.X, weights=weights))


def _foreign(trial: Trial) -> npt.NDArray[np.bool_]:
    region = region_of(trial.corpus.articles.iloc[trial.rows])
    return np.asarray((trial.y == 0) & (region == "nonwest"))


def _regions(trial: Trial, share: float) -> Floats:
    weights, foreign = trial.balanced.copy(), _foreign(trial)
    west, total = (trial.y == 0) & ~foreign, trial.balanced[trial.y == 0].sum()
    weights[foreign] *= share * total / weights[foreign].sum()
    weights[west] *= (1 - share) * total / weights[west].sum()
    return weights


def hard_negatives(trial: Trial) -> Floats:
    """Independents that a first ensemble scores highest count up to four times as much in a second."""
    first = trial.ensemble(trial.own_members)[trial.rows]
    rank = np.argsort(np.argsort(first[trial.y == 0])) / max((trial.y == 0).sum() - 1, 1)
    weights = trial.balanced.copy()
    weights[trial.y == 0] *= 1 + 3 * rank**2
    return trial.ensemble(trial.members(trial.X, weights=weights))


def gated(trial: Trial) -> Floats:
    """The pooled member speaks only where it is sure (beyond one spread), and then twice as loud."""
    pooled = trial.spread(trial.X @ solve_logistic(trial.X[trial.rows], trial.y, trial.weights, 10.0))
    sure = np.sign(pooled) * np.maximum(np.abs(pooled) - 1, 0)
    return trial.anchored(trial.ensemble(trial.own_members) + 2 * sure)


def hinged(trial: Trial, features: Mapping[str, Any] | None = None) -> Floats:
    """Twice what a pooled classifier, hardly regularised, scores beyond .8: known owners' state articles."""
    from sklearn.linear_model import SGDClassifier

    X = Trial(trial.corpus, trial.rows, features).X if features else trial.X
    solver = SGDClassifier(
        loss="log_loss",
        penalty="elasticnet",
        alpha=1e-6,
        max_iter=20,
        tol=None,
        average=True,
        random_state=0,
    )
    solver.fit(X[trial.rows], trial.y, sample_weight=trial.weights / trial.weights.mean())
    known = trial.spread(X @ solver.coef_[0])
    independent = trial.y == 0
    known -= np.average(known[trial.rows][independent], weights=trial.weights[independent])
    return trial.anchored(trial.ensemble(trial.own_members) + 2 * np.maximum(0, known - 0.8))


def hinged_with_layout(trial: Trial) -> Floats:
    """The same, and the classifier sees the measures of layout and collection, too."""
    return hinged(trial, {**LIGHT[0], "style_weight": 1.0, "style": "all"})


def style_alone(trial: Trial) -> Floats:
    """Members on the framing measures alone, strongly regularised."""
    return trial.ensemble(trial.members(trial.X[:, -M:].tocsr()))


def countries(trial: Trial) -> Floats:
    """Which countries an article mentions, by name or nationality, and nothing else."""
    assert trial.mentions is not None
    X = trial.mentions
    return trial.spread(X @ solve_logistic(X[trial.rows], trial.y, trial.weights, 1.0))


@dataclass(frozen=True)
class Lever:
    """A row of the table: its name, and how it scores every article from a fold's training rows."""

    name: str
    score: Callable[[Trial], Floats]
    features: Mapping[str, Any] = field(default_factory=lambda: LIGHT[0])
    vetoed: Callable[[str], bool] | None = None
    muted: tuple[str, ...] = ()


MARKS = frozenset({*PUNCTUATION_MEASURES, '"'})
MARK_MEASURES = (*PUNCTUATION_MEASURES.values(), "sentences")


def has_mark(term: str) -> bool:
    """Whether a token of the term is a punctuation mark."""
    return not MARKS.isdisjoint(term.split(" "))


LEVERS: tuple[Lever, ...] = (
    Lever("base", base),
    Lever("a member for each state outlet", per_outlet),
    Lever("median of the members", median_member),
    Lever("members weighted by transfer", transferable),
    Lever("half the members on latent dimensions", latent),
    Lever("members on letters within words", letters),
    Lever("members on style alone", style_alone),
    Lever("terms whose sign agrees over owners", agreeing),
    Lever("outlets as units", outlets_as_units),
    Lever("group DRO", group_dro),
    Lever("independents 70:30 non-Western", nonwest_heavy),
    Lever("countries of independents even", countries_even),
    Lever("hard independents heavier", hard_negatives),
    Lever("pooled member where it is sure", gated),
    Lever("hinge for known owners", hinged),
    Lever("hinge that sees layout, too", hinged_with_layout),
    Lever("country mentions alone", countries),
    Lever("terms without punctuation", base, vetoed=has_mark),
    Lever("neither terms nor measures of punctuation", base, vetoed=has_mark, muted=MARK_MEASURES),
    Lever("terms without names and numbers", base, vetoed=lambda term: "<" in term),
    Lever("countries as terms alone", base, muted=NATION_MEASURES),
    Lever("neither terms nor measures of countries", base, vetoed=names_country, muted=NATION_MEASURES),
    Lever("style weight 0.6", base, {**LIGHT[0], "style_weight": 0.6}),
    Lever("min_df 0.01", base, {**LIGHT[0], "min_df": 0.01}),
    Lever("min_df 0.001", base, {**LIGHT[0], "min_df": 0.001}),
    Lever("1-3-grams", base, {**LIGHT[0], "ngram_max": 3}),
)
"""In the table's order."""


def run_levers(
    corpus: Corpus,
    levers: Sequence[Lever],
    *,
    seed: int = 0,
    mentions: sp.csr_matrix | None = None,
) -> tuple[str, list[dict[str, Any]]]:
    """Score, measure and record each lever; returns the parent run's id and the table's rows."""
    from framelens_train import track

    split = owner_disjoint(corpus.articles, seed=seed)
    table: list[dict[str, Any]] = []
    with track.open_store(create=True) as client:
        experiment = track.experiment_id(client, EXPERIMENT)
        with track.start_run(client, experiment, f"levers of {corpus.name}") as run:
            run.dataset(corpus)
            run.params({"corpus_sha256": corpus.sha256, "articles": len(corpus), "seed": seed})
            run.params({f"version.{name}": version for name, version in track.versions().items()})
            parts = _scores(corpus, levers, split, mentions)
            for lever in levers:
                figures = measure(corpus, split, parts[lever.name])
                with run.child(lever.name) as child:
                    child.tags({"mlflow.source.name": "python -m benchmarks.levers"})
                    child.params({"title": lever.name, "function": lever.score.__name__, **BASE})
                    child.params({f"features.{key}": value for key, value in lever.features.items()})
                    child.metrics({f"{split.name}/{key}": value for key, value in figures.items()})
                table.append(
                    {"recipe": lever.name, "run": child.run_id}
                    | {f"{split.name}/{key}": value for key, value in figures.items()}
                )
            run.json(table, "levers.json")
    return run.run_id, table


def _scores(
    corpus: Corpus, levers: Sequence[Lever], split: Split, mentions: sp.csr_matrix | None
) -> dict[str, list[Floats]]:
    """Scores of each fold's test rows by each lever; levers with the same features share their trial."""
    parts: dict[str, list[Floats]] = {lever.name: [] for lever in levers}
    for fold in split.folds:
        trials: dict[Any, Trial] = {}
        for lever in levers:
            setting = (*sorted(lever.features.items()), lever.vetoed, lever.muted)
            if setting not in trials:
                trials = {setting: _trial(corpus, fold.train, lever, mentions)}  # one at a time in memory
            parts[lever.name].append(lever.score(trials[setting])[fold.test])
            click.echo(f"{fold.name}: {lever.name}", err=True)
    return parts


def _trial(corpus: Corpus, rows: Any, lever: Lever, mentions: sp.csr_matrix | None) -> Trial:
    vetoed = None
    if lever.vetoed is not None:
        vetoed = np.array([lever.vetoed(term) for term in corpus.vocabulary.terms])
    return Trial(corpus, rows, lever.features, vetoed, lever.muted, mentions)


@click.command()
@click.option("--corpus", "path", type=click.Path(path_type=Path), help="As for `framelens train`.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the folds.")
@click.option("--only", multiple=True, help="Name of a lever; as often as you like. All without it.")
@click.option("--raw", type=click.Path(path_type=Path, exists=True), help="Raw articles, .jsonl.zst.")
def main(path: Path | None, seed: int, only: tuple[str, ...], raw: Path | None) -> None:
    """Measure every lever of the list and print the table."""
    from framelens_train.corpus.dataset import load_corpus

    levers = [lever for lever in LEVERS if not only or lever.name in only]
    if raw is None and any(lever.score is countries for lever in levers):
        click.echo("country mentions alone: left out, it needs --raw", err=True)
        levers = [lever for lever in levers if lever.score is not countries]
    corpus = load_corpus(path)
    mentions = country_mentions(corpus, raw) if raw is not None else None
    run_id, table = run_levers(corpus, levers, seed=seed, mentions=mentions)
    click.echo(markdown(table))
    click.echo(f"\nparent run {run_id}; corpus {corpus.sha256}; {len(corpus)} articles")


if __name__ == "__main__":
    main()
