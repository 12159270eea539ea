"""Which countries an article mentions, read from raw text: the featuriser tells only that some are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus

_NAMES = """
China/Chinese/Beijing Russia/Russian/Russians/Moscow Iran/Iranian/Iranians/Tehran Korea/Korean/Pyongyang
Zimbabwe/Zimbabwean/Zimbabweans/Harare Turkey/Turkish/Ankara Ukraine/Ukrainian/Ukrainians/Kyiv/Kiev
America/American/Americans/Washington Britain/British/London Israel/Israeli/Israelis/Jerusalem
India/Indian/Indians/Delhi Pakistan/Pakistani/Islamabad Lanka/Lankan/Lankans/Colombo Japan/Japanese/Tokyo
Guinea/Moresby Vanuatu/Vila Australia/Australian/Canberra France/French/Paris Germany/German/Berlin
Syria/Syrian/Damascus Palestine/Palestinian/Palestinians/Gaza Africa/African/Africans Europe/European
Saudi/Arabia Iraq/Iraqi Afghanistan/Afghan Taiwan/Taiwanese Canada/Canadian Mexico/Mexican Cuba/Cuban
Venezuela/Venezuelan Bangladesh/Bangladeshi Myanmar/Rohingya Egypt/Egyptian Lebanon/Lebanese Yemen/Yemeni
Poland/Polish Italy/Italian Spain/Spanish Brazil/Brazilian Zealand
"""
COUNTRIES = tuple(frozenset(names.split("/")) for names in _NAMES.split())
"""Names of a country and of its people: one column each."""


def country_mentions(corpus: Corpus, raw: Path) -> sp.csr_matrix:
    """Whether each article mentions each country, by its name or the nationality; float32.

    Read from the raw articles, matched by id, since the featuriser masks names.
    """
    import json

    import zstandard

    place = {name: i for i, name in enumerate(corpus.articles["id"])}
    found = sp.lil_matrix((len(corpus), len(COUNTRIES)), dtype=np.float32)
    with zstandard.open(raw, "rt", encoding="utf-8") as lines:
        for line in lines:
            article = json.loads(line)
            row = place.get(article["id"])
            if row is not None:
                words = set(re.findall(r"[A-Z][a-z]+", article["text"]))
                for column, names in enumerate(COUNTRIES):
                    if not words.isdisjoint(names):
                        found[row, column] = 1
    return sp.csr_matrix(found)
