"""Who is trained on and who is tested on: the splits behind every figure.

Rows whose label is neither state nor independent take part in no split. Near-duplicates and wire copy share
a `cluster`; a training row whose cluster also stands among the test rows of its fold is left out of the
training rows (and counted), so no split is straddled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.int64]

MAX_OWNER_FOLDS = 8
FOLDS = 3
"""Of the two protocols that are contrasts, not the headline: fewer fits, a little less training data."""
TEMPORAL_TEST_SHARE = 0.25


class SplitUnavailableError(UserError):
    """A corpus that cannot be split in one way; the message says why."""


@dataclass(frozen=True)
class Fold:
    """One division of the corpus.

    Attributes
    ----------
    name
        What is held out, for people: ``state:CN``, or a number.
    train, test
        int64, ascending, disjoint row numbers of the corpus.
    purged
        How many rows were left out of `train` because a near-duplicate of theirs is in `test`.
    """

    name: str
    train: Rows
    test: Rows
    purged: int = 0


@dataclass(frozen=True)
class Split:
    """A protocol: its name and its folds, whose test rows never overlap."""

    name: str
    folds: tuple[Fold, ...]

    @property
    def tested(self) -> Rows:
        """Every row that some fold tests, ascending."""
        return np.sort(np.concatenate([fold.test for fold in self.folds]))


def labels_of(articles: pd.DataFrame) -> npt.NDArray[np.int8]:
    """1 for state, 0 for independent, -1 for everything else; int8, shape (n,)."""
    label = articles["label"].to_numpy(dtype=object)
    return np.where(label == "state", 1, np.where(label == "independent", 0, -1)).astype(np.int8)


def protocol_splits(articles: pd.DataFrame, *, seed: int = 0) -> tuple[dict[str, Split], dict[str, str]]:
    """The five protocols on this corpus, the headline first.

    Returns
    -------
    splits, unavailable
        Splits by name; and for each protocol that this corpus does not allow (no dates, say) the reason.

    Raises
    ------
    UserError
        When owners cannot be held out: too few of them, or one class only.
    """
    splits = {"owner_disjoint": owner_disjoint(articles, seed=seed)}
    unavailable: dict[str, str] = {}
    others: dict[str, Callable[[], Split]] = {
        "country_disjoint": lambda: country_disjoint(articles, seed=seed),
        "outlet_disjoint": lambda: outlet_disjoint(articles, seed=seed),
        "random": lambda: random_split(articles, seed=seed),
        "temporal": lambda: temporal(articles),
    }
    for name, make in others.items():
        try:
            splits[name] = make()
        except SplitUnavailableError as error:
            unavailable[name] = str(error)
    return splits, unavailable


def owner_disjoint(
    articles: pd.DataFrame, rows: Rows | None = None, *, folds: int | None = None, seed: int = 0
) -> Split:
    """Hold out whole owners: each owner, state or independent, is tested in exactly one fold.

    By default there is a fold for each state owner (at most `MAX_OWNER_FOLDS`; the largest get their own).
    Independent owners are dealt to the folds so that each fold has about as many articles of each region as
    the others.

    Parameters
    ----------
    articles
        Table of the corpus; columns label, owner, cluster and, if there is one, region.
    rows
        Only these rows take part; None for all.
    folds
        How many; None for as many as the owners allow.

    Raises
    ------
    UserError
        With one class only, or fewer owners in a class than folds.
    """
    chosen, y = _labelled(articles, rows)
    owners = articles["owner"].to_numpy(dtype=object)[chosen].astype(str)
    regions = region_of(articles)[chosen]
    state, independent = (np.unique(owners[y == label]) for label in (1, 0))
    wanted = folds or min(len(state), len(independent), MAX_OWNER_FOLDS)
    fewest = min(len(state), len(independent))
    if fewest < max(wanted, 2):
        side, found = ("state", state) if len(state) == fewest else ("independent", independent)
        raise UserError(
            f"{max(wanted, 2)} owner-disjoint folds need as many owners of each label; the corpus has "
            f"{fewest} {side} owner{'s' if fewest != 1 else ''} ({', '.join(found[:3])}): "
            f"add {side} outlets of other owners"
        )
    both = np.intersect1d(state, independent)
    fold_of_owner = _deal(owners[y == 1], np.zeros(int((y == 1).sum()), dtype=object), wanted, seed)
    rest = (y == 0) & ~np.isin(owners, both)  # an owner of both labels goes where its state articles are
    fold_of_owner |= _deal(owners[rest], regions[rest], wanted, seed + 1)
    fold = np.array([fold_of_owner[owner] for owner in owners])
    names = [", ".join(sorted(o for o in state if fold_of_owner[o] == k)) for k in range(wanted)]
    return Split("owner_disjoint", _folds(articles, chosen, fold, names))


def country_disjoint(articles: pd.DataFrame, *, seed: int = 0) -> Split:
    """Hold out owners together with countries: what to expect of a country that nobody trained on.

    The state owners are dealt as in `owner_disjoint`. Non-Western independents go to a fold by country, all
    of a country together: that of a state owner of the corpus to its fold, the others by size; countries
    that one owner publishes in go together. (In `owner_disjoint` other papers of a test article's country
    train.) Western independents go by owner, for most of them share one country.

    Raises
    ------
    SplitUnavailableError
        Without non-Western independents of two countries, or when countries and owners hang together so
        that a fold would be left without independents or two states would share one.
    UserError
        As `owner_disjoint`.
    """
    by_owner = owner_disjoint(articles, seed=seed)
    chosen, folds = by_owner.tested, len(by_owner.folds)
    y, regions = labels_of(articles)[chosen], region_of(articles)[chosen]
    owners = articles["owner"].to_numpy(dtype=object)[chosen].astype(str)
    countries = np.full(len(chosen), "", dtype=str)
    if "country" in articles:
        countries = articles["country"].fillna("").to_numpy(dtype=object)[chosen].astype(str)
    foreign = (y == 0) & (regions == "nonwest") & (countries != "")
    if len(set(countries[foreign])) < 2:
        raise SplitUnavailableError("country_disjoint needs non-Western independents of two countries")
    fold = np.empty(len(chosen), dtype=np.int64)
    for k, part in enumerate(by_owner.folds):
        fold[np.searchsorted(chosen, part.test)] = k
    unit, unit_of_country = _joined(owners, countries, foreign)
    fixed = dict(zip(unit[y == 1], fold[y == 1].tolist(), strict=True))
    if any(fixed[name] != k for name, k in zip(unit[y == 1], fold[y == 1].tolist(), strict=True)):
        raise SplitUnavailableError("country_disjoint cannot part state owners that publish in one country")
    for country, k in zip(countries[y == 1], fold[y == 1].tolist(), strict=True):
        if country in unit_of_country:
            fixed.setdefault(unit_of_country[country], k)
    fold_of = _deal(unit[y == 0], regions[y == 0], folds, seed + 1, fixed)
    fold[y == 0] = [fold_of[name] for name in unit[y == 0]]
    if len(np.unique(fold[y == 0])) < folds:
        raise SplitUnavailableError(f"country_disjoint needs independents for each of its {folds} folds")
    return Split("country_disjoint", _folds(articles, chosen, fold, [f.name for f in by_owner.folds]))


def _joined(
    owners: npt.NDArray[np.str_], countries: npt.NDArray[np.str_], linked: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.object_], dict[str, str]]:
    """Owners and countries that hang together by the `linked` rows, as one unit.

    Returns
    -------
    units, unit_of_country
        The unit of each row's owner, shape (n,), and that of each linked country.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    owner_names, owner = np.unique(owners, return_inverse=True)
    names, country = np.unique(countries[linked], return_inverse=True)
    size = len(owner_names) + len(names)
    ends = owner[linked], len(owner_names) + country
    graph = csr_matrix((np.ones(len(country)), ends), shape=(size, size))
    part = connected_components(graph, directed=False)[1].tolist()
    title: dict[int, str] = {}
    for k, name in zip(part[len(owner_names) :], names, strict=True):
        title.setdefault(k, f"country {name}")
    for k, name in zip(part, owner_names, strict=False):
        title.setdefault(k, f"owner {name}")
    units = np.array([title[k] for k in part], dtype=object)
    return units[owner], dict(zip(names.tolist(), units[len(owner_names) :], strict=True))


def outlet_disjoint(
    articles: pd.DataFrame, rows: Rows | None = None, *, folds: int = FOLDS, seed: int = 0
) -> Split:
    """Hold out outlets: a test outlet is unseen, but others of its owner may be in training.

    Raises
    ------
    SplitUnavailableError
        When a class has fewer than two outlets.
    """
    chosen, y = _labelled(articles, rows)
    outlets = articles["outlet"].to_numpy(dtype=object)[chosen].astype(str)
    wanted = min(folds, len(np.unique(outlets[y == 1])), len(np.unique(outlets[y == 0])))
    if wanted < 2:
        raise SplitUnavailableError("outlet_disjoint needs at least two outlets of each label")
    keys = np.array([f"{label}/{outlet}" for label, outlet in zip(y, outlets, strict=True)], dtype=object)
    fold_of: dict[str, int] = {}
    for label in (1, 0):
        side = y == label
        fold_of |= _deal(keys[side], np.zeros(int(side.sum()), dtype=object), wanted, seed + label)
    fold = np.array([fold_of[key] for key in keys])
    return Split("outlet_disjoint", _folds(articles, chosen, fold, [str(k) for k in range(wanted)]))


def random_split(
    articles: pd.DataFrame, rows: Rows | None = None, *, folds: int = FOLDS, seed: int = 0
) -> Split:
    """Deal articles at random, clusters whole: the leaky contrast, in which every outlet is in training too.

    Raises
    ------
    SplitUnavailableError
        When a class has fewer than two clusters.
    """
    chosen, y = _labelled(articles, rows)
    clusters = cluster_codes(articles)[chosen]
    first = np.unique(clusters, return_index=True)[1]
    order = np.random.default_rng(seed).permutation(first)
    wanted = min(folds, *(int((y[order] == label).sum()) for label in (0, 1)))
    if wanted < 2:
        raise SplitUnavailableError("random needs at least two articles of each label that are no duplicates")
    fold_of = np.zeros(clusters.max() + 1, dtype=np.int64)
    for label in (0, 1):
        side = order[y[order] == label]
        fold_of[clusters[side]] = np.arange(len(side)) % wanted
    names = [str(k) for k in range(wanted)]
    return Split("random", _folds(articles, chosen, fold_of[clusters], names))


def temporal(
    articles: pd.DataFrame, rows: Rows | None = None, *, test_share: float = TEMPORAL_TEST_SHARE
) -> Split:
    """Train on what came before a day, test on that day and after; rows without a date take no part.

    The day is the one that comes nearest to parting both classes `test_share` to the rest: it makes the
    class and side that falls shortest of its share fall as little short as can be.

    Raises
    ------
    SplitUnavailableError
        Without dates, or when no day has both classes on either side.
    """
    import pandas as pd

    chosen, _ = _labelled(articles, rows)
    if "date" not in articles:
        raise SplitUnavailableError("temporal needs a date column")
    dates = pd.to_datetime(articles["date"], errors="coerce", utc=True, format="mixed")
    days_of = dates.dt.tz_localize(None).to_numpy(dtype="datetime64[D]")
    chosen = chosen[~np.isnat(days_of[chosen])]
    y, days = labels_of(articles)[chosen], days_of[chosen]
    if len(np.unique(y)) < 2:
        raise SplitUnavailableError("temporal needs dated articles of both labels")
    cuts = np.unique(days)[1:]
    by_class = [np.sort(days[y == label]) for label in (0, 1)]
    after = np.array([1 - np.searchsorted(side, cuts) / len(side) for side in by_class]).min(axis=0)
    before = np.array([np.searchsorted(side, cuts) / len(side) for side in by_class]).min(axis=0)
    room = np.minimum(after / test_share, before / (1 - test_share))
    if not len(cuts) or room.max() <= 0:
        raise SplitUnavailableError("temporal needs both labels before and after some day")
    cut = cuts[len(cuts) - 1 - np.argmax(np.minimum(room, 1)[::-1])]
    fold = np.where(days >= cut, 0, -1)
    return Split("temporal", _folds(articles, chosen, fold, [f"from {cut}"]))


def calibration_split(articles: pd.DataFrame, rows: Rows, *, seed: int = 0) -> Split:
    """Folds inside training rows whose out-of-fold scores calibration may be fitted on.

    Owner-disjoint where the rows hold two owners of each label; else outlet-disjoint; else random. The
    split's name says which it became.
    """
    for make in (owner_disjoint, outlet_disjoint):
        try:
            return make(articles, rows, seed=seed)
        except UserError:
            continue
    return random_split(articles, rows, seed=seed)


def cluster_codes(articles: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Near-duplicate cluster of each row, from 0; a row without one (null or negative) is its own."""
    n = len(articles)
    if "cluster" not in articles:
        return np.arange(n, dtype=np.int64)
    column = articles["cluster"]
    alone = column.isna().to_numpy()
    if column.dtype.kind in "if":
        alone = alone | (column.fillna(-1).to_numpy() < 0)
    keys = np.where(
        alone, [f"row {i}" for i in range(n)], "cluster " + column.astype(str).to_numpy(dtype=object)
    )
    return np.unique(keys.astype(str), return_inverse=True)[1].astype(np.int64)


def region_of(articles: pd.DataFrame) -> npt.NDArray[np.object_]:
    """``west``, ``nonwest`` or ``unknown`` for each row."""
    if "region" not in articles:
        return np.full(len(articles), "unknown", dtype=object)
    region = articles["region"]
    return region.where(region.isin(["west", "nonwest"]), "unknown").to_numpy(dtype=object)


def _labelled(articles: pd.DataFrame, rows: Rows | None) -> tuple[Rows, npt.NDArray[np.int8]]:
    """The rows that may take part, ascending, and their labels."""
    y = labels_of(articles)
    chosen = np.arange(len(y)) if rows is None else np.unique(np.asarray(rows, dtype=np.int64))
    total = len(chosen)
    chosen = chosen[y[chosen] >= 0]
    counts = {name: int((y[chosen] == code).sum()) for name, code in (("state", 1), ("independent", 0))}
    missing = [name for name, n in counts.items() if n == 0]
    if missing:
        raise UserError(
            f"training needs articles of both labels; of {total}, {counts['state']} are state and "
            f"{counts['independent']} independent: add {' and '.join(missing)} articles"
        )
    return chosen, y[chosen]


def _deal(
    groups: npt.NDArray[np.object_],
    strata: npt.NDArray[np.object_],
    folds: int,
    seed: int,
    fixed: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """A fold for each group: largest first, to the fold that has the least of its stratum, then of all.

    Groups with a `fixed` fold go there, before all others.
    """
    import pandas as pd

    sizes = pd.crosstab(pd.Series(groups, dtype=object), pd.Series(strata, dtype=object))
    counts = sizes.to_numpy()
    total, main = counts.sum(axis=1), counts.argmax(axis=1)
    ties = np.random.default_rng(seed).permutation(len(sizes))
    load = np.zeros((folds, counts.shape[1]))
    held = np.zeros(folds)
    dealt: dict[str, int] = {}
    known = fixed or {}
    loose = np.array([str(name) not in known for name in sizes.index])
    for i in np.lexsort((ties, -total, loose)):
        least = int(np.lexsort((held, load.sum(axis=1), load[:, main[i]]))[0])
        k = known.get(str(sizes.index[i]), least)
        load[k] += counts[i]
        held[k] += 1
        dealt[str(sizes.index[i])] = k
    return dealt


def _folds(
    articles: pd.DataFrame, chosen: Rows, fold: npt.NDArray[np.int64], names: Sequence[str]
) -> tuple[Fold, ...]:
    clusters = cluster_codes(articles)
    made = []
    for k, name in enumerate(names):
        test, others = chosen[fold == k], chosen[fold != k]
        duplicate = np.isin(clusters[others], clusters[test])
        made.append(Fold(name, others[~duplicate], test, int(duplicate.sum())))
    return tuple(made)
