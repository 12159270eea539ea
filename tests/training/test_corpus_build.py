"""Building a corpus: what ships, what is left out and why, and that no text does. Articles are invented."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from framelens.errors import UserError
from framelens.features.reference import count
from framelens_train.corpus import sampling, storage
from framelens_train.corpus.build import BuildOptions, BuildResult, build_corpus
from framelens_train.corpus.dataset import Corpus, load_corpus
from framelens_train.corpus.outlets import country_code, load_facts, outlet_table

SMALL = BuildOptions(min_documents=2, min_groups=2, max_terms=500)
WORDS = """
the of and to in a said that for on was with by it as at from has not which will would their were had been
but they minister court market river school price party town people police law vote teacher company farmers
new old good bad long small more less first last after before because while against between stressed
welcomed strengthen cooperation concerns criticised arrested achievements whether reported growth peace
"""


def prose(rng: np.random.Generator, words: int = 90) -> str:
    """Invented text: words drawn at random, a full stop after each dozen."""
    drawn = rng.choice(WORDS.split(), words)
    sentences = [" ".join(drawn[i : i + 12]).capitalize() + "." for i in range(0, words, 12)]
    return "\n".join(sentences)


def raw_rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    rows = []
    outlets = [("tass.example", "state", "russia"), ("kcna", "state", "north korea")]
    outlets += [(f"paper{i}.example", "independent", "US") for i in range(4)]
    outlets += [("daily.example", "independent", "LK"), ("public.example", "mixed", None)]
    for outlet, label, country in outlets:
        for i in range(12):
            text = f"NAIROBI, May 2 (Agency) -- {prose(rng)}\nRead more: another page"
            row = {"id": f"{outlet}-{i}", "outlet": outlet, "label": label, "country": country, "text": text}
            row |= {"owner": outlet, "title": f"Secret title {i}", "date": f"20{10 + i % 3}-0{1 + i % 9}-11"}
            row |= {
                "url": f"https://{outlet}/{'sport' if i == 3 else 'news'}/{i}",
                "origin": "who/what:data/x.csv",
            }
            rows.append(row)
    rows[1]["text"] = rows[0]["text"].replace("NAIROBI", "MOMBASA")  # a reprint in the same outlet
    rows[12]["text"] = rows[24]["text"]  # wire copy in two outlets
    rows[2]["text"] = "Too short."
    rows[3]["label"] = "independent"
    rows[5]["text"] = "Новости " * 100
    rows += [
        {"id": "bad", "outlet": "kcna", "label": "?", "text": "x"},
        {"id": "none", "outlet": "kcna", "label": "state"},
    ]
    rows += [
        {"id": f"rare{i}", "outlet": "stray.example", "label": "independent", "text": prose(rng)}
        for i in range(2)
    ]
    return rows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildResult]:
    folder = tmp_path_factory.mktemp("built")
    raw = folder / "raw.jsonl"
    raw.write_text("".join(json.dumps(row) + "\n" for row in raw_rows()), encoding="utf-8")
    seed = folder / "seed.txt"
    seed.write_text("An invented title\n" + prose(np.random.default_rng(9)), encoding="utf-8")
    result = build_corpus(
        raw, folder / "seeds", seed_article=seed, options=SMALL, report=folder / "report.csv"
    )
    return folder, result


@pytest.fixture(scope="module")
def corpus(built: tuple[Path, BuildResult]) -> Corpus:
    return load_corpus(built[0] / "seeds")


def test_every_row_ships_or_is_left_out_with_a_reason(
    built: tuple[Path, BuildResult], corpus: Corpus
) -> None:
    folder, result = built
    lines = [json.loads(line) for line in (folder / "seeds.rejects.jsonl").read_text().splitlines()]
    assert len(lines) == len(result.rejects)
    reasons = {line["id"]: line["reason"] for line in lines}
    shipped = set(corpus.articles["id"]) - {sampling.SEED_ID}
    assert shipped | set(reasons) == {row["id"] for row in raw_rows()}
    assert not shipped & set(reasons)
    assert {line["file"] for line in lines} == {"raw.jsonl"}
    assert lines[[line["id"] for line in lines].index("tass.example-2")]["row"] == 3
    assert reasons["tass.example-2"].startswith("2 words after cleaning, fewer than 60")
    assert reasons["tass.example-3"] == "labelled independent, its outlet state"
    assert reasons["tass.example-5"].startswith("not English")
    assert reasons["bad"].startswith("label is '?'")
    assert reasons["none"].startswith("the text is empty")
    assert reasons["rare0"] == reasons["rare1"] == "rare outlet"


def test_near_duplicates_ship_once_an_outlet_and_share_a_cluster(corpus: Corpus) -> None:
    articles = corpus.articles.set_index("id")
    assert ("tass.example-0" in articles.index) != ("tass.example-1" in articles.index)
    assert articles["cluster"]["kcna-0"] == articles["cluster"]["paper0.example-0"]
    assert len(set(articles["cluster"])) == len(articles) - 1


def test_no_text_and_no_title_ships(built: tuple[Path, BuildResult]) -> None:
    folder = built[0] / "seeds"
    assert {path.name for path in folder.iterdir()} == {*storage.FILES, storage.MANIFEST}
    for path in folder.iterdir():
        content = path.read_bytes()
        assert b"Secret title" not in content
        assert b"NAIROBI" not in content
    tables = [storage.read_table(path) for path in folder.glob("*.parquet")]
    strings = {
        n for t in tables for n, field in zip(t.column_names, t.schema, strict=True) if field.type == "string"
    }
    assert strings == {"id", "outlet", "label", "address", "source", "term"}


def test_counts_are_those_of_the_cleaned_text(corpus: Corpus) -> None:
    by_id = {row["id"]: row for row in raw_rows()}
    for i in (0, 7, 20):
        identifier = corpus.articles["id"][i]
        body = (
            by_id[identifier]["text"]
            .removeprefix("NAIROBI, May 2 (Agency) -- ")
            .removesuffix("\nRead more: another page")
        )
        expected = count(body)
        part = slice(corpus.batch.indptr[i], corpus.batch.indptr[i + 1])
        terms = [corpus.vocabulary.terms[t] for t in corpus.batch.term[part]]
        found = dict(
            zip(terms, zip(corpus.batch.reporter[part], corpus.batch.quoted[part], strict=True), strict=True)
        )
        assert found == {t: c for t, c in expected.terms.items() if t in corpus.vocabulary.index}
        assert (corpus.batch.measures[i] == expected.measures).all()


def test_the_seed_article_is_one_row(corpus: Corpus) -> None:
    seed = corpus.articles.set_index("id").loc[sampling.SEED_ID]
    assert seed[["outlet", "owner", "label", "date", "country"]].tolist() == [
        "independent",
        "independent",
        "independent",
        "2022-03-07",
        "GB",
    ]


def test_terms_stand_in_enough_articles_and_outlets(corpus: Corpus) -> None:
    batch = corpus.batch
    documents = np.bincount(batch.term, minlength=len(corpus.vocabulary))
    assert documents.min() >= SMALL.min_documents
    assert (np.diff(documents) <= 0).all()
    spread = pd.Series(corpus.articles["outlet"].to_numpy()[batch.row]).groupby(batch.term).nunique()
    assert spread.min() >= SMALL.min_groups
    assert len(corpus.vocabulary) <= SMALL.max_terms


def test_owners_regions_and_flags(corpus: Corpus) -> None:
    articles = corpus.articles.set_index("id")
    assert articles.loc["tass.example-4", ["owner", "country", "region"]].tolist() == [
        "state:RU",
        "RU",
        "nonwest",
    ]
    assert articles.loc["kcna-4", "owner"] == "state:KP"
    assert articles.loc["paper1.example-4", ["owner", "region"]].tolist() == ["paper1.example", "west"]
    assert articles.loc["daily.example-4", "region"] == "nonwest"
    assert articles.index[articles["sport"]].tolist() == sorted(i for i in articles.index if i.endswith("-3"))
    assert set(articles["source"].dropna()) == {"who/what"}


def test_the_report_counts_what_rules_removed(built: tuple[Path, BuildResult]) -> None:
    with (built[0] / "report.csv").open() as stream:
        rows = {(row["rule"], row["outlet"]): row for row in csv.DictReader(stream)}
    dateline = rows["dateline-brackets", "kcna"]
    assert (dateline["articles"], dateline["characters"]) == (
        "12",
        str(12 * len("NAIROBI, May 2 (Agency) -- ")),
    )
    assert rows["related-line", "kcna"]["longest"] == str(len("Read more: another page"))
    assert 0 < float(dateline["share_of_outlet"]) < 0.1


def test_the_same_build_makes_the_same_bytes(built: tuple[Path, BuildResult], tmp_path: Path) -> None:
    folder = built[0]
    again = build_corpus(
        folder / "raw.jsonl", tmp_path / "seeds", seed_article=folder / "seed.txt", options=SMALL, jobs=2
    )
    assert again.manifest == built[1].manifest
    for name in (*storage.FILES, storage.MANIFEST):
        assert (tmp_path / "seeds" / name).read_bytes() == (folder / "seeds" / name).read_bytes()


def test_a_build_keeps_other_files_of_the_folder(tmp_path: Path, built: tuple[Path, BuildResult]) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "README.md").write_text("kept")
    build_corpus(built[0] / "raw.jsonl", tmp_path / "seeds", options=SMALL)
    assert (tmp_path / "seeds" / "README.md").read_text() == "kept"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_titles_are_counted_only_when_asked_for(tmp_path: Path, built: tuple[Path, BuildResult]) -> None:
    options = BuildOptions(min_documents=2, min_groups=2, max_terms=5000, titles=True)
    build_corpus(built[0] / "raw.jsonl", tmp_path / "seeds", options=options)
    corpus = load_corpus(tmp_path / "seeds")
    assert "title <num>" in corpus.vocabulary.index
    assert "title <num>" not in load_corpus(built[0] / "seeds").vocabulary.index


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "raw.jsonl"
    raw.write_text('{"text": "Too short.", "label": "state", "outlet": "a", "country": "KE"}\n')
    with pytest.raises(UserError, match="no article is left"):
        build_corpus(raw, tmp_path / "seeds", options=SMALL)
    with pytest.raises(UserError, match="--seed-article"):
        build_corpus(raw, tmp_path / "seeds", seed_article=tmp_path / "nowhere.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["raw.jsonl"]


# -- choosing ------------------------------------------------------------------------------------------------


def many(outlet: str, label: str, region: str, n: int) -> pd.DataFrame:
    years = np.where(np.arange(n) % 10 == 0, "2011-01-01", "2020-01-01")
    return pd.DataFrame(
        {
            "id": [f"{outlet}{i}" for i in range(n)],
            "outlet": outlet,
            "label": label,
            "region": region,
            "date": years,
        }
    ).assign(topic=None, cluster=[hash((outlet, i)) for i in range(n)])


def test_caps_depend_on_label_and_region_and_spread_over_years() -> None:
    kinds = [
        ("a", "state", "nonwest"),
        ("b", "independent", "nonwest"),
        ("c", "independent", "west"),
        ("d", "mixed", "west"),
    ]
    articles = pd.concat([many(*kind, 1500) for kind in kinds], ignore_index=True)
    reason = sampling.choose(articles, seed=1)
    shipped = articles[reason == ""]
    assert shipped.groupby("outlet").size().tolist() == [1000, 450, 200, 200]
    assert Counter(shipped[shipped["outlet"] == "c"]["date"].str[:4]) == {"2011": 100, "2020": 100}
    assert set(reason) == {"", "over the cap"}


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    articles = many("c", "independent", "west", 600)
    first = set(articles[sampling.choose(articles, seed=1) == ""]["id"])
    shuffled = articles.sample(frac=1, random_state=3)
    assert set(shuffled[sampling.choose(shuffled, seed=1) == ""]["id"]) == first
    assert set(articles[sampling.choose(articles, seed=2) == ""]["id"]) != first


# -- outlets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("russia", "RU"),
        ("United States", "US"),
        (" cn ", "CN"),
        ("GB", "GB"),
        ("Atlantis", ""),
        (None, ""),
        (float("nan"), ""),
        ("", ""),
    ],
)
def test_countries_are_codes(given: object, code: str) -> None:
    assert country_code(given) == code


def test_outlets_of_one_company_or_state_are_one_owner() -> None:
    def owner(outlet: str, label: str = "independent", country: str = "US", given: str | None = None) -> str:
        frame = pd.DataFrame(
            [{"outlet": outlet, "label": label, "country": country, "owner": given, "address": None}]
        )
        return str(outlet_table(frame)["owner"][0])

    assert owner("foxnews") == owner("wsj") == owner("nypost") == "news-corp"
    assert owner("herald", "state", "ZW") == owner("chronicle", "state", "ZW", "zimpapers") == "state:ZW"
    assert owner("some.example") == "some.example"
    assert owner("some.example", given="a-company") == "a-company"
    assert owner("x.example", "state", "KE") == "state:KE"
    assert owner("rnz", "mixed", "NZ") == "rnz"


def test_facts_are_sound() -> None:
    facts = load_facts()
    codes = {*facts.countries.values(), *facts.country_of.values(), *facts.west}
    assert all(len(code) == 2 and code.isupper() for code in codes)
    assert all(
        set(known) <= {"name", "domain", "country", "typology", "why"} for known in facts.outlets.values()
    )
    typologies = {known["typology"] for known in facts.outlets.values() if "typology" in known}
    assert typologies <= {"SC", "CaPu", "CaPr", "ISM", "ISFM", "ISF", "IP"}
