"""A model that answers: one text, many texts, and why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.abstain import REASONS, reasons_to_abstain
from framelens.arrays import arrow_numbers, arrow_strings
from framelens.artifact import Artifact, load_model
from framelens.clean import clean
from framelens.errors import UserError
from framelens.features.batch import Texts, as_arrow_chunks, featurize, iterate_strings
from framelens.features.reference import MEASURES

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from framelens.explanation import Explanation
    from framelens.outlets import OutletPrediction

Label = Literal["state", "independent", "abstain"]

KERNEL_FROM = 256
"""From so many texts on, the compiled kernel is worth the time it takes to load."""

_WORDS = MEASURES.index("words")


class ModelVersion(NamedTuple):
    """Which model gave an answer."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    Attributes
    ----------
    label
        ``"state"``, ``"independent"`` or, where there is a reason to, ``"abstain"``.
    p_state
        Calibrated probability of state framing, 0..1.
    score
        The margin behind it; what the contributions of an `Explanation` sum to.
    reasons
        Why it abstains, of ``too_short``, ``not_english``, ``unfamiliar`` and ``near_boundary``; empty
        otherwise.
    forced_label
        The label if abstaining were not allowed.
    words
        Words that were counted after cleaning.
    model
        Name and version of the model.
    """

    label: Label
    p_state: float
    score: float
    reasons: tuple[str, ...]
    forced_label: Literal["state", "independent"]
    words: int
    model: ModelVersion

    def to_dict(self) -> dict[str, Any]:
        """JSON data with the attributes' names as keys."""
        return {
            "label": self.label,
            "p_state": self.p_state,
            "score": self.score,
            "reasons": list(self.reasons),
            "forced_label": self.forced_label,
            "words": self.words,
            "model": self.model._asdict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class PredictionBatch:
    """The answers for many texts, as arrays; row i is text i, always. `Prediction` says what the columns
    mean.

    Attributes
    ----------
    p_state, score
        float64, shape (n,).
    reasons
        bool, shape (n, len(REASONS)), columns in the order of `framelens.abstain.REASONS`.
    forced_state
        bool, shape (n,): whether the forced label is ``"state"``.
    words
        int32, shape (n,).
    model
        Name and version of the model.

    Examples
    --------
    A batch is a sequence of `Prediction`: ``len(batch)``, ``batch[0].label``, ``for prediction in batch``.
    """

    p_state: npt.NDArray[np.float64]
    score: npt.NDArray[np.float64]
    reasons: npt.NDArray[np.bool_]
    forced_state: npt.NDArray[np.bool_]
    words: npt.NDArray[np.int32]
    model: ModelVersion

    @property
    def label(self) -> npt.NDArray[np.str_]:
        """``"state"``, ``"independent"`` or ``"abstain"``; shape (n,)."""
        return np.where(self.reasons.any(axis=1), "abstain", self.forced_label)

    @property
    def forced_label(self) -> npt.NDArray[np.str_]:
        """``"state"`` or ``"independent"``; shape (n,)."""
        return np.where(self.forced_state, "state", "independent")

    def __len__(self) -> int:
        return len(self.p_state)

    def __getitem__(self, row: int) -> Prediction:
        why = tuple(name for name, holds in zip(REASONS, self.reasons[row].tolist(), strict=True) if holds)
        forced: Literal["state", "independent"] = "state" if self.forced_state[row] else "independent"
        return Prediction(
            label="abstain" if why else forced,
            p_state=float(self.p_state[row]),
            score=float(self.score[row]),
            reasons=why,
            forced_label=forced,
            words=int(self.words[row]),
            model=self.model,
        )

    def __iter__(self) -> Iterator[Prediction]:
        return (self[row] for row in range(len(self)))

    def to_arrow(self) -> pa.Table:
        """An Arrow table with the columns label, p_state, score, reasons, forced_label and words."""
        import pyarrow as pa

        row, reason = np.nonzero(self.reasons)
        offsets = np.searchsorted(row, np.arange(len(self) + 1)).astype(np.int32)
        labels, names = arrow_strings(("independent", "state", "abstain")), arrow_strings(REASONS)
        forced = self.forced_state.astype(np.int64)
        columns = {
            "label": labels.take(arrow_numbers(np.where(self.reasons.any(axis=1), 2, forced))),
            "p_state": arrow_numbers(self.p_state),
            "score": arrow_numbers(self.score),
            "reasons": pa.ListArray.from_arrays(arrow_numbers(offsets), names.take(arrow_numbers(reason))),
            "forced_label": labels.take(arrow_numbers(forced)),
            "words": arrow_numbers(self.words),
        }
        return pa.Table.from_arrays(list(columns.values()), names=list(columns))

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with the columns of `to_arrow`; needs pandas."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


class Model:
    """A loaded model. It never changes, so threads and forks may share it.

    Attributes
    ----------
    artifact
        The linear model, calibration, thresholds, manifest and card.
    """

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.version = ModelVersion(str(artifact.manifest["name"]), str(artifact.manifest["version"]))

    def __repr__(self) -> str:
        terms = len(self.artifact.linear.vocabulary)
        return f"<framelens.Model {self.version.name} {self.version.version}: {terms} terms>"

    def predict(self, text: str, *, title: str | None = None) -> Prediction:
        """Label and probability of one article.

        Parameters
        ----------
        text
            The article in plain text, paragraphs on lines of their own. What names its outlet is cleaned
            away.
        title
            Its headline, which becomes a first paragraph.

        Examples
        --------
        >>> model.predict("Too short to say.").reasons  # doctest: +SKIP
        ('too_short', 'not_english')
        """
        return self._answer_quick([prepare(text, title)])[0]

    def predict_batch(self, texts: Any) -> PredictionBatch:
        """Labels and probabilities of many articles, one row a text in the given order.

        Parameters
        ----------
        texts
            A list or other iterable of strings, a numpy array, a pandas Series or an Arrow string column. A
            null (None, NaN, an Arrow null) counts as an empty text: its row abstains.

        Raises
        ------
        TypeError
            For a single string, or where an item is neither a string nor a null.
        """
        if not hasattr(texts, "to_pylist"):  # an Arrow column goes to the kernel as it is
            texts = as_strings(texts)
        if len(texts) >= KERNEL_FROM:
            return self.answer_column(texts)
        return self._answer_quick([prepare(text) for text in iterate_strings(texts)])

    def answer_column(self, texts: Texts) -> PredictionBatch:
        """`predict_batch` by the compiled kernel, however few the texts; Arrow columns are not copied."""
        from framelens.clean.column import clean_column

        cleaned = [clean_column(chunk) for chunk in as_arrow_chunks(texts)]
        return self._answer_kernel(cleaned)

    def predict_outlet(self, texts: Any) -> OutletPrediction:
        """Label and probability of an outlet, from articles of it; twenty say far more than one.

        Parameters
        ----------
        texts
            As for `predict_batch`, all of one outlet. What is too short, not English or unlike the training
            data gives no evidence.

        Raises
        ------
        TypeError
            As for `predict_batch`.
        UserError
            When the model was exported before outlets were answered for.
        """
        return self.answer_outlet(self.predict_batch(texts))

    def explain(self, text: str, *, title: str | None = None) -> Explanation:
        """What moved the score: contributions of terms, sentences and style that sum to it."""
        from framelens.explanation import explain_text

        return explain_text(self, text, title)

    def answer(self, score: npt.NDArray[np.float64], measures: npt.NDArray[np.int32]) -> PredictionBatch:
        """Labels and probabilities from the scores and measures of articles."""
        p_state = self.artifact.calibration.p_state(score)
        return PredictionBatch(
            p_state,
            score,
            reasons_to_abstain(measures, p_state, self.artifact.thresholds),
            p_state >= self.artifact.thresholds.decision,
            measures[:, _WORDS],
            self.version,
        )

    def answer_outlet(self, batch: PredictionBatch) -> OutletPrediction:
        """Label and probability of an outlet from the answers for articles of it."""
        from framelens.outlets import OutletSums

        sums = OutletSums(self)
        sums.add([""], np.zeros(len(batch), dtype=np.int64), batch.p_state, batch.reasons)
        return sums[""]

    def _answer_quick(self, cleaned: list[str]) -> PredictionBatch:
        linear = self.artifact.linear
        batch = featurize(cleaned, linear.vocabulary, engine="quick")
        return self.answer(linear.decision_function(batch), batch.measures)

    def _answer_kernel(self, cleaned: list[pa.Array]) -> PredictionBatch:
        from framelens.features.arrow import score_arrow

        return self.answer(*score_arrow(cleaned, self.artifact.linear))


def prepare(text: str, title: str | None = None) -> str:
    """The text as the model reads it: cleaned, the title as a first paragraph."""
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, not {type(text).__name__}; predict_batch takes many texts")
    body = clean(text)
    return f"{title}\n{body}" if title else body


def as_strings(texts: Any) -> list[str]:
    """Any column of texts as a list of strings; a null becomes an empty string."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        kind = type(texts).__name__
        raise TypeError(f"texts must be a column of strings, not {kind}; predict takes one text")
    items = texts.to_pylist() if hasattr(texts, "to_pylist") else texts
    strings = []
    for row, item in enumerate(items):
        if isinstance(item, str):
            strings.append(item)
        elif _is_null(item):
            strings.append("")
        else:
            raise TypeError(f"text {row} must be a string or null, not {type(item).__name__}: {item!r:.60}")

    return strings


def _is_null(item: Any) -> bool:
    return item is None or type(item).__name__ == "NAType" or (isinstance(item, float) and math.isnan(item))


CHAMPION = Path(__file__).parent / "champion"


def load(path: str | Path | None = None) -> Model:
    """A model from a folder, from an MLflow registry, or the one that came with this package.

    Parameters
    ----------
    path
        A folder as `framelens.artifact.save_model` writes it; an MLflow address such as
        ``"models:/framelens@champion"`` or ``"runs:/..."`` (needs the train extra); None for the champion
        inside the package, which takes no network.

    Raises
    ------
    UserError
        When there is no model there, or not a whole and readable one.
    """
    if path is None:
        return _champion()
    if isinstance(path, str) and path.startswith(("models:/", "runs:/")):
        return Model(load_model(_download(path)))
    return Model(load_model(path))


@cache
def _champion() -> Model:
    if not CHAMPION.is_dir():
        raise UserError(
            "this copy of framelens came without a model; train one with `framelens train` and "
            "`framelens promote`, or give the path of a model's folder"
        )
    return Model(load_model(CHAMPION))


def _download(address: str) -> Path:
    try:
        from framelens_train.registry import download_model
    except ModuleNotFoundError as error:
        raise UserError(
            f"{address} needs MLflow, and {error.name} is not installed: pip install 'framelens[train]'"
        ) from None
    return Path(download_model(address))


def predict(text: str, *, title: str | None = None) -> Prediction:
    """`Model.predict` of the champion."""
    return _champion().predict(text, title=title)


def predict_batch(texts: Any) -> PredictionBatch:
    """`Model.predict_batch` of the champion."""
    return _champion().predict_batch(texts)


def predict_outlet(texts: Any) -> OutletPrediction:
    """`Model.predict_outlet` of the champion."""
    return _champion().predict_outlet(texts)


def explain(text: str, *, title: str | None = None) -> Explanation:
    """`Model.explain` of the champion."""
    return _champion().explain(text, title=title)
