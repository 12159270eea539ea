"""Who an outlet is: one table from messy rows and from `data/outlets.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from framelens.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

LABELS = ("state", "independent", "mixed")
SEED_OUTLET = "independent"

_WHY = {
    "state": "Run by the state or its ruling party",
    "independent": "Not owned or run by a state, as far as is known",
    "mixed": "Public, part-owned or unclear: for abstention and hard tests, never for training",
}


@dataclass(frozen=True, slots=True)
class OutletFacts:
    """The content of `data/outlets.toml`."""

    countries: Mapping[str, str]
    country_of: Mapping[str, str]
    west: frozenset[str]
    owner_of: Mapping[str, str]
    outlets: Mapping[str, Mapping[str, str]]


@cache
def load_facts() -> OutletFacts:
    """What is known about outlets beside what their rows say."""
    source = (resources.files("framelens_train.corpus") / "data" / "outlets.toml").read_text(encoding="utf-8")
    table = tomllib.loads(source)
    owner_of: dict[str, str] = {}
    for owner, outlets in table["owners"].items():
        for outlet in outlets:
            if outlet in owner_of:
                raise ValueError(f"outlets.toml: {outlet!r} belongs to {owner_of[outlet]!r} and to {owner!r}")
            owner_of[outlet] = owner
    country_of = {outlet: code for code, outlets in table["country_of"].items() for outlet in outlets}
    return OutletFacts(
        table["countries"], country_of, frozenset(table["regions"]["west"]), owner_of, table["outlet"]
    )


def country_code(value: object) -> str:
    """ISO 3166-1 alpha-2 code of a country as collectors write it; empty when it is absent or unknown.

    Examples
    --------
    >>> country_code("united kingdom"), country_code("zw"), country_code(None)
    ('GB', 'ZW', '')
    """
    if not isinstance(value, str) or not value.strip():
        return ""
    text = value.strip()
    return load_facts().countries.get(text.lower(), text.upper() if len(text) == 2 and text.isalpha() else "")


def outlet_table(articles: pd.DataFrame) -> pd.DataFrame:
    """One row an outlet of the given articles, sorted by outlet.

    Parameters
    ----------
    articles
        Columns outlet and label; country, address and owner (``state:CC`` or anything) where known.

    Returns
    -------
    DataFrame
        The columns of `framelens_train.corpus.storage.OUTLET_COLUMNS`. The label is that of most of the
        outlet's rows.

    Raises
    ------
    UserError
        When a state outlet has neither a country nor an owner, so that its owner would be unknown.
    """
    import pandas as pd

    rows = [_outlet_row(str(outlet), group) for outlet, group in articles.groupby("outlet", sort=True)]
    return pd.DataFrame(rows)


def _outlet_row(outlet: str, group: pd.DataFrame) -> dict[str, object]:
    facts = load_facts()
    known = facts.outlets.get(outlet, {})
    label = _most_frequent(group["label"])
    country = (
        known.get("country")
        or facts.country_of.get(outlet)
        or _most_frequent(group["country"].map(country_code))
    )
    return {
        "outlet": outlet,
        "name": known.get("name", outlet),
        "domain": known.get("domain") or (outlet if "." in outlet else _domain(group["address"])),
        "owner": _owner(outlet, label, country, _most_frequent(group["owner"])),
        "country": country,
        "region": "west" if country in facts.west else "nonwest" if country else "",
        "typology": known.get("typology", ""),
        "label": label,
        "articles": len(group),
        "why": known.get("why", _WHY[label]),
    }


def _owner(outlet: str, label: str, country: str, given: str) -> str:
    """All outlets of one state are one owner; of one company too; any other outlet is its own owner or as
    given.
    """
    if label == "state":
        if given.startswith("state:"):
            return given
        if country:
            return f"state:{country}"
        if given and given != outlet:
            return given
        raise UserError(
            f"outlet {outlet!r} is labelled state and has no country and no owner; add a column country "
            "(two letters) or owner (state:CC), so that all outlets of one state stay together"
        )
    return load_facts().owner_of.get(outlet) or given or outlet


def _domain(addresses: pd.Series[str]) -> str:
    hosts = addresses.dropna().str.extract(r"^https?://(?:www\d?\.|feeds\.)?([^/:]+)", expand=False)
    host = _most_frequent(hosts)
    return "" if host.startswith(("rss.", "feeds", "google.")) else host


def _most_frequent(values: pd.Series[str]) -> str:
    counts = values.dropna().loc[lambda v: v != ""].value_counts()
    return str(min(counts[counts == counts.iloc[0]].index)) if len(counts) else ""
