"""Several articles of one outlet: together they say more than one, but not as much as strangers would."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framelens.abstain import REASONS
from framelens.errors import UserError
from framelens.outlets import NO_EVIDENCE, OutletEvidence, OutletSums
from framelens.predictor import Model

# Invented articles.
STATE = (
    "The minister stressed that the two sides will deepen friendly cooperation on the basis of sovereignty. "
    "The two sides agreed that cooperation is good for all. "
    "The president stressed that the people are united."
)
INDEPENDENT = (
    'Critics said they had concerns about the arrests. "We were arrested for asking," a resident said. '
    "The council had said in May that it had no concerns about the plan and that critics had it wrong."
)
SHORT = "The minister stressed cooperation."
probabilities = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=30)
rates = st.floats(0.05, 0.95)
correlations = st.floats(0, 1)


def together(evidence: OutletEvidence, p: list[float]) -> float:
    return float(evidence.p_state(evidence.of_articles(p).sum(), len(p)))


def log_odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_one_article_is_answered_as_by_itself(model: Model) -> None:
    for text in (STATE, INDEPENDENT):
        alone, outlet = model.predict(text), model.predict_outlet([text])
        assert outlet.p_state == pytest.approx(alone.p_state, abs=1e-12)
        assert (outlet.label, outlet.forced_label) == (alone.label, alone.forced_label)
        assert (outlet.articles, outlet.left_out, outlet.model) == (1, {}, alone.model)


def test_more_of_the_same_makes_it_surer(model: Model) -> None:
    p = [model.predict_outlet([STATE] * n).p_state for n in (1, 2, 5, 50)]
    assert p == sorted(set(p))
    q = [model.predict_outlet([INDEPENDENT] * n).p_state for n in (1, 2, 5, 50)]
    assert q == sorted(set(q), reverse=True)


def test_the_sum_is_what_the_formula_says(model: Model) -> None:
    evidence = OutletEvidence(0.4, 0.25)
    p = [model.predict(text).p_state for text in (STATE, INDEPENDENT, STATE)]
    prior = log_odds(0.4)
    odds = prior + sum(log_odds(each) - prior for each in p) / (1 + 2 * 0.25)
    assert log_odds(together(evidence, p)) == pytest.approx(odds)
    assert log_odds(model.predict_outlet([STATE, INDEPENDENT, STATE]).p_state) == pytest.approx(odds)


@given(rates, probabilities)
def test_articles_that_are_all_alike_count_as_their_mean(rate: float, p: list[float]) -> None:
    expected = np.mean([log_odds(each) for each in p])
    assert log_odds(together(OutletEvidence(rate, 1.0), p)) == pytest.approx(expected, abs=1e-6)


@given(rates, probabilities)
def test_articles_of_strangers_count_in_full(rate: float, p: list[float]) -> None:
    expected = log_odds(rate) + sum(log_odds(each) - log_odds(rate) for each in p)
    if abs(expected) < 15:
        assert log_odds(together(OutletEvidence(rate, 0.0), p)) == pytest.approx(expected, abs=1e-6)


@given(rates, correlations, probabilities, st.randoms())
def test_order_does_not_matter_and_it_stays_a_probability(
    rate: float, correlation: float, p: list[float], random: object
) -> None:
    evidence = OutletEvidence(rate, correlation)
    shuffled = sorted(p)
    assert together(evidence, p) == pytest.approx(together(evidence, shuffled), abs=1e-9)
    assert 0 <= together(evidence, p) <= 1


@given(rates, correlations, probabilities)
def test_a_likelier_article_never_makes_the_outlet_less_likely(
    rate: float, correlation: float, p: list[float]
) -> None:
    evidence = OutletEvidence(rate, correlation)
    raised = [min(0.999, p[0] + 0.1), *p[1:]]
    assert together(evidence, raised) >= together(evidence, p) - 1e-12


def test_certainty_is_not_a_proof() -> None:
    evidence = OutletEvidence(0.3, 0.2)
    assert np.isfinite(evidence.of_articles([0.0, 1.0])).all()
    assert 0 < together(evidence, [0.0, 0.0, 1.0]) < 1


def test_what_gives_no_evidence_is_left_out_and_counted(model: Model) -> None:
    whole = model.predict_outlet([STATE, STATE])
    mixed = model.predict_outlet([STATE, SHORT, "", None, STATE])
    assert mixed.p_state == whole.p_state
    assert (mixed.articles, mixed.left_out) == (2, {"too_short": 3})
    assert set(mixed.left_out) <= set(NO_EVIDENCE) <= set(REASONS)


@pytest.mark.parametrize("texts", [[], [SHORT], [SHORT, ""]])
def test_without_evidence_it_abstains_at_the_base_rate(model: Model, texts: list[str]) -> None:
    answer = model.predict_outlet(texts)
    assert (answer.label, answer.reasons, answer.articles) == ("abstain", ("no_evidence",), 0)
    assert answer.p_state == pytest.approx(0.4)
    assert sum(answer.left_out.values()) == len(texts)


def test_between_both_labels_it_abstains(model: Model) -> None:
    sums = OutletSums(model)
    sums.add(["x"], np.zeros(1, dtype=np.int64), np.array([0.5]), np.zeros((1, len(REASONS)), dtype=np.bool_))
    assert (sums["x"].label, sums["x"].reasons) == ("abstain", ("near_boundary",))
    assert sums["x"].forced_label == "state"


def test_an_article_near_the_boundary_still_counts(model: Model) -> None:
    near = np.array([[reason == "near_boundary" for reason in REASONS]] * 4)
    sums = OutletSums(model)
    sums.add(["x"], np.zeros(4, dtype=np.int64), np.full(4, 0.54), near)
    assert (sums["x"].articles, sums["x"].label) == (4, "state")


def test_blocks_and_outlets_between_each_other_change_nothing(model: Model) -> None:
    rng = np.random.default_rng(0)
    names = rng.choice(["a", "b", "c"], 200)
    p, reasons = rng.random(200), rng.random((200, len(REASONS))) < 0.1
    whole, parts = OutletSums(model), OutletSums(model)
    for sums, size in ((whole, 200), (parts, 7)):
        for start in range(0, 200, size):
            block = slice(start, start + size)
            different, which = np.unique(names[block], return_inverse=True)
            sums.add(different.tolist(), which, p[block], reasons[block])
    assert set(whole) == set(parts) == {"a", "b", "c"}
    for name in whole:
        assert whole[name] == parts[name]
        mine = names == name
        assert whole[name].articles + sum(whole[name].left_out.values()) == mine.sum()


def test_an_outlet_of_which_nothing_came_has_no_evidence(model: Model) -> None:
    sums = OutletSums(model)
    assert (sums["nobody"].reasons, sums["nobody"].articles) == (("no_evidence",), 0)
    assert list(sums) == []


def test_json_has_the_names_of_the_attributes(model: Model) -> None:
    answer = model.predict_outlet([STATE, SHORT])
    told = answer.to_dict()
    assert list(told) == [field.name for field in dataclasses.fields(answer)]
    assert (told["left_out"], told["model"]) == ({"too_short": 1}, {"name": "tiny", "version": "0.0.1"})


def test_a_model_that_does_not_know_how_says_so(model: Model) -> None:
    older = Model(replace(model.artifact, outlet_evidence=None))
    with pytest.raises(UserError, match=r"tiny 0\.0\.1 does not say .*framelens train"):
        older.predict_outlet([STATE])


def test_a_single_text_is_refused(model: Model) -> None:
    with pytest.raises(TypeError, match="column of strings"):
        model.predict_outlet(STATE)
