"""The ensemble keeps what owners share, drops what one owner has, and is what its parts add up to."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from framelens.features.lexicon import CATEGORIES, leanings
from framelens.features.reference import MEASURES
from framelens_train.owner_ensemble import INDEPENDENT_MEAN, OwnerEnsemble, prior_direction, propensity

M = len(MEASURES)


def invented(seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """Column 0: every state owner has it; 1: only the largest; 2: independents; then noise."""
    rng = np.random.default_rng(seed)
    owners = np.array(
        ["state:AA"] * 300 + ["state:BB"] * 60 + ["state:CC"] * 60 + ["paper"] * 400, dtype=object
    )
    y = np.char.startswith(owners.astype(str), "state").astype(int)
    terms = rng.random((len(y), 12)) * (rng.random((len(y), 12)) < 0.3)
    terms[:, 0] += 0.6 * y
    terms[:, 1] += 1.5 * (owners == "state:AA")
    terms[:, 2] += 0.6 * (1 - y)
    return sp.csr_matrix(np.hstack([terms, 0.1 * rng.normal(size=(len(y), M))])), y, owners


def test_what_all_owners_share_outweighs_what_only_the_largest_has() -> None:
    X, y, owners = invented()
    plain = {"prior_weight": 0.0, "pooled_weight": 0.0, "overlap_power": 0.0}
    apart = OwnerEnsemble(**plain).fit(X, y, groups=owners).coef_[0]
    together = OwnerEnsemble(**plain).fit(X, y).coef_[0]  # without groups all state articles are one owner
    assert apart[0] / apart[1] > 1.5 * together[0] / together[1]
    assert apart[2] < 0


def test_scores_of_the_parts_add_up() -> None:
    X, y, owners = invented()
    weights = np.linspace(0.5, 1.5, len(y))

    def spread(model: OwnerEnsemble) -> np.ndarray:
        return model.fit(X, y, sample_weight=weights, groups=owners).coef_[0]

    base = spread(OwnerEnsemble(prior_weight=0, pooled_weight=0))
    prior = spread(OwnerEnsemble(prior_weight=0.7, pooled_weight=0)) - base
    pooled = spread(OwnerEnsemble(prior_weight=0, pooled_weight=0.4)) - base
    whole = OwnerEnsemble(prior_weight=0.7, pooled_weight=0.4).fit(X, y, sample_weight=weights, groups=owners)
    np.testing.assert_allclose(whole.coef_[0], base + prior + pooled, atol=1e-12)
    scores = X @ base
    assert np.sqrt(
        np.average((scores - np.average(scores, weights=weights)) ** 2, weights=weights)
    ) == pytest.approx(1)
    scores = X @ prior
    assert np.std(scores) == pytest.approx(0.7, rel=0.1)


def test_independents_stay_where_they_are_whichever_state_owner_is_left_out() -> None:
    X, y, owners = invented()
    weights = np.linspace(0.5, 1.5, len(y))
    for left_out in ("state:AA", "state:BB"):
        kept = owners != left_out
        model = OwnerEnsemble().fit(X[kept], y[kept], sample_weight=weights[kept], groups=owners[kept])
        independent = y[kept] == 0
        scores = model.decision_function(X[kept])
        mean = np.average(scores[independent], weights=weights[kept][independent])
        assert mean == pytest.approx(INDEPENDENT_MEAN)
        assert scores[~independent].mean() > 0


def test_overlap_weights_favour_topics_that_both_classes_have() -> None:
    rng = np.random.default_rng(2)
    y = np.tile([0, 1], 150)
    topic = np.where(rng.random(300) < 0.5, 0, 1 + y)  # 0 is shared; 1 is independent only, 2 state only
    terms = np.hstack([np.eye(3)[topic], 0.1 * rng.random((300, 5))])
    X = sp.csr_matrix(np.hstack([terms, np.zeros((300, M))]))
    factors = [
        OwnerEnsemble(overlap_power=power).overlap_weights(X, y, np.ones(300)) for power in (0.0, 0.75, 1.0)
    ]
    assert (factors[0] == 1).all()
    shared, given_away = factors[2][topic == 0], factors[2][topic > 0]
    assert shared.min() > 3 * given_away.max()
    np.testing.assert_allclose(factors[1], factors[2] ** 0.75)


def test_propensity_is_the_mean_over_coarser_and_finer_topics() -> None:
    X, y, _ = invented()
    weights = np.linspace(0.5, 1.5, len(y))

    def factors(*topics: int) -> np.ndarray:
        model = OwnerEnsemble(topics=topics, random_state=0)
        return model.overlap_weights(X, y, weights)

    # of the one decomposition, the largest asked for, the leading dimensions: 3 beside 6 is not 3 by itself
    latent = TruncatedSVD(6, n_iter=2, random_state=0).fit_transform(X[:, :-M])
    coarse, fine = (propensity(latent[:, :number], y, weights) for number in (3, 6))
    state = (coarse + fine) / 2
    np.testing.assert_allclose(factors(3, 6), np.where(y == 1, 1 - state, state))
    assert not np.allclose(factors(3, 6), factors(6))
    assert np.allclose(factors(40, 60), factors(60)), "12 terms have 11 dimensions at most"


def test_propensity_does_not_ask_how_long_a_text_is() -> None:
    rng = np.random.default_rng(5)
    latent, y = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
    longer = latent * rng.uniform(1, 9, (200, 1))
    np.testing.assert_allclose(propensity(longer, y, np.ones(200)), propensity(latent, y, np.ones(200)))


def test_prior_follows_the_lexicon_and_touches_nothing_else() -> None:
    direction = prior_direction(7 + M)
    assert not direction[:7].any()
    column = {name: direction[7 + i] for i, name in enumerate(MEASURES)}
    for category in CATEGORIES:
        assert column[f"{category}_reporter"] == leanings()[category]
        assert column[f"{category}_quoted"] == 0.5 * leanings()[category]
    assert column["ceremony_reporter"] > 0 > column["sourcing_reporter"]
    assert sum(value != 0 for value in column.values()) == 2 * sum(sign != 0 for sign in leanings().values())


def test_same_seed_same_bits() -> None:
    X, y, owners = invented()
    one, other = (OwnerEnsemble(random_state=3).fit(X, y, groups=owners).coef_ for _ in range(2))
    assert one.tobytes() == other.tobytes()


def test_one_class_is_refused() -> None:
    X, _, owners = invented()
    with pytest.raises(ValueError, match="two classes"):
        OwnerEnsemble().fit(X, np.zeros(X.shape[0]), groups=owners)


@pytest.mark.parametrize("topics", [(), (20, 0)])
def test_topics_that_are_none_are_refused(topics: tuple[int, ...]) -> None:
    X, y, owners = invented()
    with pytest.raises(ValueError, match=r"topics is .*at least 1"):
        OwnerEnsemble(topics=topics).fit(X, y, groups=owners)
