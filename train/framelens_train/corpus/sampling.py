"""Which articles ship: caps by kind of outlet, spread over years and topics, without near-duplicates."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CAPS = {
    ("state", "nonwest"): 1000,
    ("state", "west"): 1000,
    ("independent", "nonwest"): 450,
    ("independent", "west"): 200,
    ("mixed", "nonwest"): 200,
    ("mixed", "west"): 200,
}
"""Most articles an outlet may give, by label and region. Western papers abound; one of them must not
outweigh others.
"""

FEWEST = 3
"""Outlets with fewer articles are left out: stray web pages that a collector took for outlets."""

SEED_ID = "seed-0001"


def choose(articles: pd.DataFrame, seed: int) -> pd.Series[str]:
    """For each article why it is left out, or an empty string when it ships.

    Parameters
    ----------
    articles
        Columns id, outlet, label, region, cluster, date and topic (the latter two may be missing).
    seed
        Decides which articles of an outlet ship. The choice does not depend on the order of the rows.

    Returns
    -------
    Series of strings, with the index of `articles`
        ``""``, ``"rare outlet"``, ``"near-duplicate"`` or ``"over the cap"``.
    """
    import pandas as pd

    frame = articles[["id", "outlet", "label", "region", "cluster"]].copy()
    frame["year"] = articles["date"].str[:4].fillna("")
    frame["topic"] = articles["topic"].fillna("")
    frame["rank"] = [_draw(seed, identifier) for identifier in frame["id"]]
    frame = frame.sort_values("rank", kind="stable")
    reason = pd.Series("", index=frame.index)
    seeds = frame["id"] == SEED_ID
    frame["again"] = ~seeds & frame.duplicated(["outlet", "cluster"])
    reason[frame["again"]] = "near-duplicate"
    size = frame.loc[~frame["again"]].groupby("outlet").size()
    rare = ~seeds & (frame["outlet"].map(size) < FEWEST)
    reason[rare] = "rare outlet"
    # One article of every year and topic, then a second one of each ...: the cap cuts the crowded ones first.
    kept = frame.loc[reason == ""].copy()
    kept["turn"] = kept.groupby(["outlet", "year", "topic"]).cumcount()
    kept["place"] = kept.sort_values(["turn", "rank"]).groupby("outlet").cumcount()
    kinds = zip(kept["label"], kept["region"], strict=True)
    cap = [CAPS.get(kind, min(CAPS.values())) for kind in kinds]
    over = (kept["place"] >= cap) & (kept["id"] != SEED_ID)
    reason[over[over].index] = "over the cap"
    return reason.reindex(articles.index)


def _draw(seed: int, identifier: str) -> int:
    """A number that is as good as random and belongs to this article only."""
    digest = hashlib.blake2b(f"{seed}:{identifier}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
