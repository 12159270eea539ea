"""The one place where the server asks the model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.abstain import text_shares
from framelens.features.arrow import score_arrow
from framelens.features.batch import as_arrow_chunks
from framelens.predictor import Model, PredictionBatch, prepare
from framelens.serve.bodies import Article

# Invented; long enough to pass every part of the kernel: a quotation, a name, a number, a second paragraph.
_WARM_UP = """The council said on Tuesday that 14 schools would stay open.
"We were not asked," said Maria Lind, who teaches at one of them. The mayor's office did not answer."""


class Answers(NamedTuple):
    """Predictions and, for the drift, each article's share of common words; float64, shape (n,)."""

    predictions: PredictionBatch
    known_share: npt.NDArray[np.float64]


def answer(model: Model, articles: list[Article]) -> Answers:
    """Labels and probabilities by the compiled kernel, which `warm_up` has loaded."""
    cleaned = [prepare(article.text, article.title) for article in articles]
    score, measures = score_arrow(as_arrow_chunks(cleaned), model.artifact.linear)
    return Answers(model.answer(score, measures), text_shares(measures)["known"])


def explain(model: Model, article: Article) -> dict[str, Any]:
    """An explanation as JSON data, with its HTML fragment (whose style sheet is served apart)."""
    explanation = model.explain(article.text, title=article.title)
    return explanation.to_dict() | {"html": explanation.to_html(css=False)}


def warm_up(model: Model) -> None:
    """Load or compile the kernel, and fill every cache that a first request would wait for."""
    article = Article(_WARM_UP, "A title")
    answer(model, [article] * 2)
    explain(model, article)
