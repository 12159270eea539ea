"""From raw articles to a seeds folder: read, clean, cluster, choose, count, write."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framelens.clean import Removal, explain_clean
from framelens.clean.engine import without
from framelens.errors import UserError
from framelens.features.batch import FeatureBatch, featurize
from framelens.features.vocabulary import Vocabulary
from framelens.places import require_place
from framelens_train.corpus import storage
from framelens_train.corpus.articles import COLUMNS, Reject, read_articles, text_sha256
from framelens_train.corpus.clusters import cluster_near_duplicates
from framelens_train.corpus.derive import EDGE, describe
from framelens_train.corpus.outlets import SEED_OUTLET
from framelens_train.corpus.recount import by_frequency
from framelens_train.corpus.sampling import SEED_ID, choose

if TYPE_CHECKING:
    import pandas as pd

MIN_WORDS = 60
"""Articles with fewer words after cleaning are left out: the runtime abstains on them."""

MIN_ASCII = 0.85
"""Texts with a smaller share of ASCII characters are in another script, though their collector took them
for English.
"""

SEED_DATE = "2022-03-07"
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build; every field is recorded in the manifest.

    Attributes
    ----------
    min_documents, min_groups
        A term is counted when it stands in so many articles and in articles of so many outlets.
    max_terms
        Most terms; those in the most outlets stay.
    titles
        Whether an article's title becomes its first paragraph.
    seed
        Decides which articles of a big outlet ship.
    """

    min_documents: int = 20
    min_groups: int = 5
    max_terms: int = 200_000
    titles: bool = False
    seed: int = 20220307


@dataclass(slots=True)
class RuleUse:
    """What one cleaning rule took out of one outlet's articles."""

    articles: int = 0
    removals: int = 0
    characters: int = 0
    longest: int = 0


@dataclass(slots=True)
class BuildResult:
    """What a build did, for the terminal and the tests."""

    manifest: dict[str, Any]
    rejects: list[Reject]
    use: dict[tuple[str, str], RuleUse] = field(default_factory=dict)
    characters: dict[str, int] = field(default_factory=dict)


def build_corpus(
    raw: Path,
    out: Path,
    *,
    seed_article: Path | None = None,
    options: BuildOptions | None = None,
    report: Path | None = None,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda message: None,
) -> BuildResult:
    """Build a seeds folder from a file of raw articles.

    Rows that are not used are written, with the reason, to OUT.rejects.jsonl beside the folder.

    Raises
    ------
    UserError
        When the file cannot be read or too little is left of it.
    """
    for place in (out, report):
        if place is not None:
            require_place(place)
    options = options or BuildOptions()
    rejects: list[Reject] = []
    progress(f"reading {raw.name}")
    articles = read_articles(raw, rejects)
    if seed_article is not None:
        articles = _with_seed(articles, seed_article)
    progress(f"cleaning {len(articles):,} articles")
    texts, use = _clean_all(articles, options.titles, jobs)
    articles["clean"] = texts
    result = BuildResult({}, rejects, use, _characters(articles))
    articles["sha256"] = [text_sha256(text) for text in articles["text"]]
    articles["text"] = articles["text"].str[:EDGE] + articles["text"].str[-EDGE:]  # the flags need no more
    articles = _drop(articles, articles["clean"].map(_unfit), raw.name, rejects)
    progress("looking for near-duplicates")
    articles["cluster"] = cluster_near_duplicates(articles["clean"])
    articles = _choose(articles, options.seed, raw.name, rejects)
    progress(f"counting terms in {len(articles):,} articles")
    batch, vocabulary = _count(articles, options)
    described, outlets = describe(articles, batch)
    progress(f"writing {out.name}")
    result.manifest = storage.write_seeds(
        out,
        outlets=outlets,
        articles=described,
        batch=batch,
        vocabulary=vocabulary,
        build=asdict(options) | {"min_words": MIN_WORDS, "raw_sha256": storage.file_sha256(raw)},
    )
    write_rejects(out.with_name(out.name + ".rejects.jsonl"), rejects)
    if report is not None:
        write_report(report, result)
    return result


def _characters(articles: pd.DataFrame) -> dict[str, int]:
    """How many characters each outlet's articles have before cleaning."""
    sums = articles["text"].str.len().groupby(articles["outlet"]).sum()
    return {str(outlet): int(total) for outlet, total in sums.items()}


def _with_seed(articles: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The seed article's row in front: the file's first line is its title."""
    import pandas as pd

    if not path.is_file():
        raise UserError(f"{path}: no such file; --seed-article names the text file of the seed article")
    title, _, text = path.read_text(encoding="utf-8").partition("\n")
    row = dict.fromkeys(COLUMNS) | dict.fromkeys(("truncated", "unpunctuated", "partisan"), False)
    row |= {"row": 0, "id": SEED_ID, "outlet": SEED_OUTLET, "label": "independent", "country": "GB"}
    row |= {"date": SEED_DATE, "title": title, "text": text}
    seed = pd.DataFrame([row]).astype(articles.dtypes)
    return pd.concat([seed, articles], ignore_index=True)


# -- cleaning -----------------------------------------------------------------------------------------------


def _clean_all(
    articles: pd.DataFrame, titles: bool, jobs: int
) -> tuple[list[str], dict[tuple[str, str], RuleUse]]:
    """Cleaned texts, in order, and what each rule took out of each outlet's."""
    from joblib import Parallel, delayed

    texts = articles["text"].tolist()
    chunks = [texts[i : i + _CHUNK] for i in range(0, len(texts), _CHUNK)]
    removals: list[list[Removal]] = list(
        chain.from_iterable(Parallel(n_jobs=jobs)(delayed(_explain_chunk)(chunk) for chunk in chunks))
    )
    use: dict[tuple[str, str], RuleUse] = {}
    cleaned = []
    rows = zip(texts, articles["outlet"], articles["title"], removals, strict=True)
    for text, outlet, title, taken in rows:
        _record(use, outlet, taken)
        body = without(text, taken)
        cleaned.append(f"{title}\n{body}" if titles and isinstance(title, str) and title else body)
    return cleaned, use


def _explain_chunk(texts: list[str]) -> list[list[Removal]]:
    return [explain_clean(text) for text in texts]


def _record(use: dict[tuple[str, str], RuleUse], outlet: str, taken: Iterable[Removal]) -> None:
    per_rule: Counter[str] = Counter()
    for removal in taken:
        cell = use.setdefault((removal.rule, outlet), RuleUse())
        length = removal.stop - removal.start
        cell.removals += 1
        cell.characters += length
        cell.longest = max(cell.longest, length)
        per_rule[removal.rule] += 1
    for rule in per_rule:
        use[rule, outlet].articles += 1


def _unfit(text: str) -> str:
    """Why a cleaned text cannot be used, or an empty string."""
    words = len(text.split())
    if words < MIN_WORDS:
        return f"{words} words after cleaning, fewer than {MIN_WORDS}"
    ascii_share = len(text.encode("ascii", "ignore")) / len(text)
    return "" if ascii_share >= MIN_ASCII else f"not English: {ascii_share:.0%} of its characters are ASCII"


# -- choosing and counting ----------------------------------------------------------------------------------


def _choose(articles: pd.DataFrame, seed: int, file: str, rejects: list[Reject]) -> pd.DataFrame:
    from framelens_train.corpus.outlets import outlet_table

    known = outlet_table(articles).set_index("outlet")
    articles["region"] = articles["outlet"].map(known["region"])
    label = articles["outlet"].map(known["label"])
    odd = ("labelled " + articles["label"] + ", its outlet " + label).where(articles["label"] != label, "")
    articles = _drop(articles, odd, file, rejects)
    articles = _drop(articles, choose(articles, seed), file, rejects)
    articles = articles.sort_values(
        ["outlet", "date", "id"], kind="stable", na_position="first", ignore_index=True
    )
    articles["cluster"] = articles["cluster"].factorize()[0]
    return articles


def _drop(articles: pd.DataFrame, reason: pd.Series[str], file: str, rejects: list[Reject]) -> pd.DataFrame:
    """The articles without a reason against them; the others are recorded."""
    dropped = articles[reason != ""]
    for row, identifier, why in zip(dropped["row"], dropped["id"], reason[reason != ""], strict=True):
        rejects.append(Reject(file, int(row), str(identifier), why))
    kept = articles[reason == ""]
    if kept.empty:
        raise UserError(
            f"{file}: no article is left ({reason.iloc[0]}, and so on); give more or longer articles"
        )
    return kept.reset_index(drop=True)


def _count(articles: pd.DataFrame, options: BuildOptions) -> tuple[FeatureBatch, Vocabulary]:
    import pyarrow as pa

    from framelens.features.discover import discover_terms

    texts = pa.array(articles["clean"], type=pa.large_string())
    groups = articles["outlet"].astype("category").cat.codes.to_numpy()
    vocabulary = discover_terms(
        texts,
        groups,
        min_documents=options.min_documents,
        min_groups=options.min_groups,
        max_terms=options.max_terms,
    )
    return by_frequency(featurize(texts, vocabulary), vocabulary)


# -- records ------------------------------------------------------------------------------------------------


def write_rejects(path: Path, rejects: list[Reject]) -> None:
    """One JSON object a line: file, row, id, reason; replaces an older file."""
    lines = [json.dumps(asdict(reject), ensure_ascii=False) for reject in rejects]
    _write_beside(path, "".join(line + "\n" for line in lines))


def write_report(path: Path, result: BuildResult) -> None:
    """What each cleaning rule took from each outlet, as CSV: counts only, no text."""
    header = "rule,outlet,articles,removals,characters,longest,share_of_outlet"
    lines = [header]
    for (rule, outlet), cell in sorted(result.use.items()):
        share = cell.characters / max(result.characters.get(outlet, 0), 1)
        name = f'"{outlet}"' if "," in outlet else outlet
        lines.append(
            f"{rule},{name},{cell.articles},{cell.removals},{cell.characters},{cell.longest},{share:.5f}"
        )
    _write_beside(path, "\n".join(lines) + "\n")


def _write_beside(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)
