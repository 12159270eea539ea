"""The words the featuriser knows by name: common words, and the categories of the lexicon.

`data/common_words.txt` and `data/lexicon.toml` are the sources, for people; `data/words.tsv` is both in one
table, for machines: a word and the bit mask of its categories (bit i is category i of `CATEGORIES`). It is
written by ``python -m framelens.features.lexicon`` and a test holds it to its sources.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from pathlib import Path

CATEGORIES = (
    "praise",
    "progress",
    "cooperation",
    "ceremony",
    "authority",
    "stress",
    "sovereign",
    "patriotism",
    "exhort",
    "accuse",
    "critic",
    "hedge",
    "sourcing",
    "narrative",
    "contraction",
    "formal",
    "casual",
    "economy",
    "sport_entertainment",
    "military",
    "science_health",
    "function",
    "nation",
)
"""Names of the lexicon's categories, in the order of their bits and of their measures."""

NATION = 1 << CATEGORIES.index("nation")
"""The mask of the names of countries. They have no other category, and theirs only with a capital letter."""


@cache
def word_masks() -> dict[str, int]:
    """Every common word and name of a country, folded, and the bit mask of its categories (0 for most)."""
    table = (resources.files("framelens.features") / "data" / "words.tsv").read_text(encoding="ascii")
    masks = {}
    for line in table.splitlines():
        if "\t" in line:
            word, mask = line.split("\t")
            masks[word] = int(mask, 16)
        else:
            masks[line] = 0
    return masks


@cache
def leanings() -> dict[str, int]:
    """Which side a category is expected on before anything is learned: 1 state, -1 independent, 0 neither.

    Written by hand from what is known of state-controlled media: they acclaim, report progress, protocol and
    cooperation, relay officials, exhort and invoke sovereignty; independent ones allege, criticise, doubt,
    name their sources and tell of persons.
    """
    signs = {"state": 1, "independent": -1}
    return {name: signs.get(category.get("leans", ""), 0) for name, category in _sources().items()}


def _sources() -> dict[str, dict[str, str]]:
    data = resources.files("framelens.features") / "data"
    return tomllib.loads((data / "lexicon.toml").read_text(encoding="ascii"))


def expand(common_words: list[str], lexicon: dict[str, str]) -> dict[str, int]:
    """Bit mask of categories for each common word and each exact entry of the lexicon.

    Parameters
    ----------
    common_words
        Folded words.
    lexicon
        Category to its white-space separated entries; a final ``*`` makes an entry a stem.

    Raises
    ------
    ValueError
        When the lexicon's categories are not `CATEGORIES`, an entry is not a folded word, or the name of a
        country has another category.
    """
    if tuple(lexicon) != CATEGORIES:
        raise ValueError(f"lexicon.toml has the categories {tuple(lexicon)}, the code has {CATEGORIES}")
    masks = dict.fromkeys(common_words, 0)
    for bit, (category, entries) in enumerate(lexicon.items()):
        for entry in entries.split():
            stem = entry.removesuffix("*")
            if not (stem.isascii() and stem.isalpha() and stem.islower()):
                raise ValueError(f"lexicon.toml [{category}]: {entry!r} is not a folded word or stem")
            hits = [w for w in common_words if w.startswith(stem)] if entry.endswith("*") else [stem]
            for word in hits:
                masks[word] = masks.get(word, 0) | 1 << bit
    if both := next((word for word, mask in masks.items() if mask & NATION and mask != NATION), None):
        raise ValueError(f"lexicon.toml: {both!r} is the name of a country and has another category too")
    return masks


def build_table() -> str:
    """The content of `data/words.tsv`, from its two sources."""
    data = resources.files("framelens.features") / "data"
    common = (data / "common_words.txt").read_text(encoding="ascii").split()
    masks = expand(common, {name: category["words"] for name, category in _sources().items()})
    return "".join(f"{word}\t{mask:x}\n" if mask else f"{word}\n" for word, mask in sorted(masks.items()))


if __name__ == "__main__":
    (Path(__file__).parent / "data" / "words.tsv").write_text(build_table(), encoding="ascii")
