"""What several articles of one outlet say together.

An article is weak evidence of who controls its outlet; twenty are strong evidence. But they are not twenty
independent witnesses: articles of one outlet share its house style and its beat. So each gives the log-odds
of its p_state less those of the base rate, and their sum is divided by the design effect of a sample of
clusters, 1 + (n - 1) * intraclass correlation (Kish, *Survey Sampling*, 1965). A single article is answered
as by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from framelens.abstain import REASONS
from framelens.errors import UserError

if TYPE_CHECKING:
    from framelens.predictor import Label, Model, ModelVersion

NO_EVIDENCE = ("too_short", "not_english", "unfamiliar")
"""An article with one of these reasons says nothing of its outlet; one near the boundary does."""

_LEAST_P = 1e-9
"""Probabilities are kept so far from 0 and 1: no article is a proof."""


@dataclass(frozen=True)
class OutletEvidence:
    """How the evidence of an outlet's articles adds up; fitted on outlets that the classifier did not see.

    Attributes
    ----------
    base_rate
        Share of state articles that p_state was calibrated for; between 0 and 1.
    intraclass_correlation
        Of the log-odds of articles of one outlet, within a label: 0 if they are as unlike as those of
        different outlets, 1 if they are all alike; from 0 to 1.
    """

    base_rate: float
    intraclass_correlation: float

    def __post_init__(self) -> None:
        if not 0 < self.base_rate < 1:
            raise ValueError(f"the base rate is {self.base_rate}; it must lie between 0 and 1")
        if not 0 <= self.intraclass_correlation <= 1:
            raise ValueError(
                f"the intraclass correlation is {self.intraclass_correlation}; it must be from 0 to 1"
            )

    def of_articles(self, p_state: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The evidence of each article: log-odds of its p_state less those of the base rate."""
        p = np.clip(np.asarray(p_state, dtype=np.float64), _LEAST_P, 1 - _LEAST_P)
        return np.asarray(np.log(p / (1 - p)) - self._prior, dtype=np.float64)

    def p_state(self, total: npt.ArrayLike, articles: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probability that each outlet is a state's, from its evidence.

        Parameters
        ----------
        total, articles
            Sum of `of_articles`, and of how many, for each outlet; shape (n,). Without an article the answer
            is the base rate.
        """
        count = np.maximum(np.asarray(articles, dtype=np.float64), 1.0)
        design_effect = 1.0 + (count - 1.0) * self.intraclass_correlation
        odds = self._prior + np.asarray(total, dtype=np.float64) / design_effect
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)), dtype=np.float64)

    @property
    def _prior(self) -> float:
        return math.log(self.base_rate / (1 - self.base_rate))

    def to_dict(self) -> dict[str, float]:
        """As the manifest keeps it."""
        return {
            "base_rate": float(self.base_rate),
            "intraclass_correlation": float(self.intraclass_correlation),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OutletEvidence:
        """From the manifest's entry; a ValueError names what is wrong with it."""
        try:
            return cls(float(values["base_rate"]), float(values["intraclass_correlation"]))
        except KeyError as error:
            raise ValueError(f"the outlet evidence lacks {error.args[0]!r}") from None


@dataclass(frozen=True, slots=True)
class OutletPrediction:
    """The answer for the articles of one outlet.

    Attributes
    ----------
    label
        ``"state"``, ``"independent"`` or, where there is a reason to, ``"abstain"``.
    p_state
        Calibrated probability that the outlet is a state's, 0..1.
    reasons
        Why it abstains: ``no_evidence``, if no article of it could be used, or ``near_boundary``; empty
        otherwise.
    forced_label
        The label if abstaining were not allowed.
    articles
        How many gave evidence.
    left_out
        How many did not, by their first reason, of `NO_EVIDENCE`.
    model
        Name and version of the model.
    """

    label: Label
    p_state: float
    reasons: tuple[str, ...]
    forced_label: Literal["state", "independent"]
    articles: int
    left_out: dict[str, int]
    model: ModelVersion

    def to_dict(self) -> dict[str, Any]:
        """JSON data with the attributes' names as keys."""
        return {
            "label": self.label,
            "p_state": self.p_state,
            "reasons": list(self.reasons),
            "forced_label": self.forced_label,
            "articles": self.articles,
            "left_out": dict(self.left_out),
            "model": self.model._asdict(),
        }


class OutletSums:
    """Adds up the evidence of outlets, block by block of articles.

    Parameters
    ----------
    model
        The one that scored the articles.

    Raises
    ------
    UserError
        When the model does not say how evidence adds up.
    """

    def __init__(self, model: Model) -> None:
        evidence = model.artifact.outlet_evidence
        if evidence is None:
            raise UserError(
                f"{model.version.name} {model.version.version} does not say how the articles of an outlet "
                "add up; train it again with `framelens train`"
            )
        self._model, self._evidence = model, evidence
        self._place: dict[str, int] = {}
        self._total, self._articles = np.zeros(0), np.zeros(0, dtype=np.int64)
        self._left_out = np.zeros((0, len(NO_EVIDENCE)), dtype=np.int64)

    def add(
        self,
        outlets: Sequence[str],
        which: npt.NDArray[np.int64],
        p_state: npt.NDArray[np.float64],
        reasons: npt.NDArray[np.bool_],
    ) -> None:
        """Take in articles.

        Parameters
        ----------
        outlets
            Different ones.
        which, p_state
            Of each article, shape (n,): the place of its outlet among them, and its probability.
        reasons
            bool, shape (n, len(REASONS)), as `framelens.predictor.PredictionBatch` has them.
        """
        places = [self._place.setdefault(name, len(self._place)) for name in outlets]
        place = np.array(places, dtype=np.int64)[which]
        self._grow(len(self._place))
        silent = reasons[:, [REASONS.index(name) for name in NO_EVIDENCE]]
        used = ~silent.any(axis=1)
        np.add.at(self._total, place[used], self._evidence.of_articles(p_state[used]))
        np.add.at(self._articles, place[used], 1)
        np.add.at(self._left_out, (place[~used], silent[~used].argmax(axis=1)), 1)

    def _grow(self, outlets: int) -> None:
        more = max(0, outlets - len(self._total))
        self._total = np.pad(self._total, (0, more))
        self._articles = np.pad(self._articles, (0, more))
        self._left_out = np.pad(self._left_out, ((0, more), (0, 0)))

    def __getitem__(self, outlet: str) -> OutletPrediction:
        """The answer for an outlet; for one of which nothing came, that there is no evidence."""
        place = self._place.get(outlet)
        total, articles, left_out = 0.0, 0, [0] * len(NO_EVIDENCE)
        if place is not None:
            total, articles = float(self._total[place]), int(self._articles[place])
            left_out = self._left_out[place].tolist()
        p_state = float(self._evidence.p_state(total, articles))
        thresholds = self._model.artifact.thresholds
        reasons: tuple[str, ...] = ()
        if not articles:
            reasons = ("no_evidence",)
        elif thresholds.abstain_low <= p_state <= thresholds.abstain_high:
            reasons = ("near_boundary",)
        forced: Literal["state", "independent"] = "state" if p_state >= thresholds.decision else "independent"
        counted = zip(NO_EVIDENCE, left_out, strict=True)
        return OutletPrediction(
            label="abstain" if reasons else forced,
            p_state=p_state,
            reasons=reasons,
            forced_label=forced,
            articles=articles,
            left_out={reason: count for reason, count in counted if count},
            model=self._model.version,
        )

    def __iter__(self) -> Iterator[str]:
        """The outlets, in the order in which they came."""
        return iter(tuple(self._place))
