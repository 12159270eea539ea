"""What is derived of an article besides its counts: owner, country, region, number of words, flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framelens.features.batch import FeatureBatch
from framelens.features.reference import MEASURES
from framelens_train.corpus.outlets import outlet_table
from framelens_train.corpus.storage import FLAGS

if TYPE_CHECKING:
    import pandas as pd

EDGE = 160
"""Characters at the start and at the end of a text in which an agency may be credited."""

_OPINION = r"/(?:opinions?|comment(?:isfree|ary)?|editorials?|columns?|columnists?|op-?ed|blogs?)(?:[/-]|$)"
_SPORT = (
    r"/(?:sports?|cricket|football|soccer|rugby|cultures?|arts?|entertainment|lifestyle|music|tv-and-radio|travel"
    r"|film|books)(?:[/-]|$)"
)
_AGENCIES = r"AFP|Agence France-Presse|AP|Associated Press|Reuters|Xinhua|PTI|ANI|IANS|TASS|UPI|Bloomberg"
_CREDIT = rf"(?:\((?:{_AGENCIES})\)|(?:^|[–—-] ?)(?:{_AGENCIES})\s*$|^(?:\S+ ){{0,3}}\((?:{_AGENCIES})\))"
_TOPICS = {
    "sports": "sport",
    "culture": "sport",
    "arts": "sport",
    "entertainment": "sport",
    "opinion": "opinion",
}
_AGENCY_OUTLETS = frozenset({"ap", "reuters", "upi", "afp", "bloomberg", "tass", "xinhua"})


def describe(articles: pd.DataFrame, batch: FeatureBatch) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Articles with owner, country and region of their outlet, words and flags; and the table of outlets."""
    outlets = outlet_table(articles)
    known = outlets.set_index("outlet")
    articles = articles.assign(
        **{name: articles["outlet"].map(known[name]) for name in ("owner", "country", "region")},
        words=batch.measures[:, MEASURES.index("words")],
    )
    return add_flags(articles), outlets


def add_flags(articles: pd.DataFrame) -> pd.DataFrame:
    """Fill in the boolean columns of `FLAGS` from what the rows say, their addresses, topics and credit
    lines.
    """
    address = articles["address"].fillna("").str.lower()
    topic = articles["topic"].fillna("").str.lower().map(_TOPICS)
    edges = articles["text"].str[:EDGE] + "\n" + articles["text"].str[-EDGE:]
    derived = {
        "opinion": address.str.contains(_OPINION, regex=True) | (topic == "opinion"),
        "sport": address.str.contains(_SPORT, regex=True) | (topic == "sport"),
        "wire": edges.str.contains(_CREDIT, regex=True) & ~articles["outlet"].isin(_AGENCY_OUTLETS),
    }
    flagged = articles.assign(**derived)
    return flagged.astype(dict.fromkeys(FLAGS, bool))
