"""The OpenAPI description's types and examples. Nothing is checked by them: see `framelens.serve.bodies`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from framelens.serve.problems import MEDIA_TYPE
from framelens.serve.settings import Settings

# Invented.
EXAMPLE_TEXT = (
    "The ministry on Tuesday hailed the completion of the northern irrigation project, a landmark "
    "achievement that the two sides said would deepen friendly cooperation.\n\n"
    "Officials stressed that the canal would bring water to 40,000 farms."
)
EXAMPLE_TITLE = "Northern irrigation project completed"
_Reason = Literal["too_short", "not_english", "unfamiliar", "near_boundary"]
_Label = Literal["state", "independent"]


class ModelVersion(BaseModel):
    """Which model gave an answer."""

    name: str
    version: str


class Prediction(BaseModel):
    """The answer for one article."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "label": "abstain",
                    "p_state": 0.8251,
                    "score": 1.7601,
                    "reasons": ["too_short"],
                    "forced_label": "state",
                    "words": 34,
                    "model": {"name": "framelens", "version": "0.1.0"},
                }
            ]
        }
    )

    label: Literal["state", "independent", "abstain"]
    p_state: float = Field(ge=0, le=1, description="Calibrated probability of state framing.")
    score: float = Field(description="The margin behind it, which an explanation's contributions sum to.")
    reasons: list[_Reason] = Field(description="Why it abstains; empty otherwise.")
    forced_label: _Label = Field(description="The label if abstaining were not allowed.")
    words: int = Field(ge=0, description="Words counted after cleaning.")
    model: ModelVersion


class PredictionList(BaseModel):
    """The answers for a batch, one a text, in the order of the texts."""

    predictions: list[Prediction]


class OutletPrediction(BaseModel):
    """The answer for the articles of one outlet, together."""

    label: Literal["state", "independent", "abstain"]
    p_state: float = Field(ge=0, le=1, description="Calibrated probability that the outlet is a state's.")
    reasons: list[Literal["no_evidence", "near_boundary"]] = Field(
        description="Why it abstains; empty otherwise."
    )
    forced_label: _Label = Field(description="The label if abstaining were not allowed.")
    articles: int = Field(ge=0, description="How many gave evidence.")
    left_out: dict[Literal["too_short", "not_english", "unfamiliar"], int] = Field(
        description="How many gave none, by their first reason."
    )
    model: ModelVersion


class Term(BaseModel):
    """What one term in one voice adds to the score."""

    term: str
    field: Literal["reporter", "quoted"]
    count: int
    contribution: float


class Style(BaseModel):
    """What one measure of style adds to the score."""

    measure: str
    count: int
    contribution: float


class Sentence(BaseModel):
    """What the terms of one sentence add; `start` and `stop` are characters of `text`."""

    start: int
    stop: int
    contribution: float


class Word(BaseModel):
    """A token where it stands; names and numbers are masked from the model."""

    start: int
    stop: int
    kind: Literal["word", "name", "number", "punctuation"]
    quoted: bool
    contribution: float


class Removed(BaseModel):
    """What cleaning took out, and by which rule."""

    rule: str
    text: str


class Check(BaseModel):
    """One reason to abstain, and how near it is."""

    reason: _Reason
    holds: bool
    detail: str


class Explanation(BaseModel):
    """An answer and what moved it; positive contributions speak for state framing."""

    prediction: Prediction
    text: str = Field(description="The text that was read: cleaned, a title as its first paragraph.")
    bias: float
    terms: list[Term] = Field(description="Strongest first.")
    style: list[Style] = Field(description="Strongest first.")
    sentences: list[Sentence]
    words: list[Word]
    removed: list[Removed]
    checks: list[Check]
    masked: list[str] = Field(description="Names and numbers that were hidden from the model.")
    quoted: list[list[int]] = Field(description="Stretches read as quotation, each [start, stop].")
    html: str = Field(
        description="A fragment that shows it all, every string escaped; /explanation.css is its style sheet."
    )


class ModelDescription(BaseModel):
    """The model's manifest with its card: where it comes from and how well it does, by every protocol."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: str
    terms: int
    card: str = Field(description="MODEL_CARD.md, Markdown.")
    metrics: dict[str, Any]
    thresholds: dict[str, float]
    calibration: dict[str, Any]


class Status(BaseModel):
    """Whether the server lives, or is ready."""

    status: Literal["ok", "ready"]


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:framelens:problem:text-too-long",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "text has 120,000 characters; at most 100,000 are accepted",
                    "limit": 100000,
                    "value": 120000,
                    "unit": "characters",
                    "pointer": "#/text",
                }
            ]
        },
    )

    type: str = Field(description="What went wrong, for programs.")
    title: str
    status: int
    detail: str = Field(description="What was wrong, the value and the remedy.")
    pointer: str = Field(default="#", description="Where in the body, as a JSON pointer.")
    limit: float = Field(default=0, description="The limit that was passed.")
    value: float = Field(default=0, description="What passed it.")
    unit: str = Field(default="", description="Of both.")


_PROBLEMS = {
    400: "The body is not JSON in UTF-8.",
    401: "The bearer token is missing or wrong.",
    408: "The body did not arrive in time.",
    413: "The body is longer than the limit.",
    415: "The body is not declared as application/json.",
    422: "The JSON is not what the description asks for: a wrong member, too long a text or a batch.",
    500: "The server failed; its log says where, under the response's X-Request-ID.",
    503: "The server is starting or too busy; Retry-After says when to come again.",
    504: "The answer was not found in time.",
}
OF_BODIES = (400, 408, 413, 415, 422, 503, 504)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of an operation that are problems; any may fail with 500."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in (*statuses, 500)
    }


def article_body(settings: Settings) -> dict[str, Any]:
    """Request body of one article."""
    return _body(
        {
            "text": _text(settings, "The article in plain text, paragraphs on lines of their own."),
            "title": {
                "type": ["string", "null"],
                "maxLength": settings.max_title_chars,
                "description": "Its headline; read as a first paragraph.",
            },
        },
        "text",
        {"text": EXAMPLE_TEXT, "title": EXAMPLE_TITLE},
    )


def batch_body(settings: Settings) -> dict[str, Any]:
    """Request body of a batch."""
    item = _text(settings, "An article; null counts as an empty one.") | {"type": ["string", "null"]}
    texts = {"type": "array", "items": item, "maxItems": settings.max_batch}
    return _body({"texts": texts}, "texts", {"texts": [EXAMPLE_TEXT, "Too short to say."]})


def _text(settings: Settings, description: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": settings.max_text_chars, "description": description}


def _body(properties: dict[str, Any], required: str, example: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": [required],
        "additionalProperties": False,
        "examples": [example],
    }
    return {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}
